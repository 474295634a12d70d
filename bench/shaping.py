"""How long a block is: steps, samples, and what is dropped at its start, from what a step takes."""

from __future__ import annotations

import math

from bench.records import Plan
from bench.workers.messages import Block

#: At the start of a block on CUDA, or of one for energy, so much is dropped: clocks idle down while others run.
DROP_S = 0.1
#: More samples than this in a block tell nothing more; shorter steps are put into longer samples.
_MOST_SAMPLES = 10
#: The same of single steps: each is kept, since it may be the slow one.
_MOST_LATENCIES = 500


def shape_block(plan: Plan, device: str, step_s: float) -> Block:
    """The block for a step of this length: samples of at least ``sample_s``, together at least the block's length."""
    length_s = plan.block_length_s(device)
    steps = max(1, math.ceil(max(plan.sample_s, length_s / _MOST_SAMPLES) / step_s))
    samples = max(1, math.ceil(length_s / (steps * step_s)))
    return Block(steps=steps, samples=samples, drop_steps=1, drop_s=_drop_s(device))


def shape_latency_block(plan: Plan, device: str, step_s: float) -> Block:
    """The block for single steps: at least the plan's number of them, and at least the block's length."""
    enough = min(_MOST_LATENCIES, math.ceil(plan.block_length_s(device) / step_s))
    return Block(steps=1, samples=max(plan.latency_steps, enough), drop_steps=1, drop_s=_drop_s(device))


def shape_energy_block(plan: Plan, step_s: float) -> Block:
    """One sample of at least ``energy_block_s``, after a tenth of a second that is dropped."""
    return Block(max(1, math.ceil(plan.energy_block_s / step_s)), 1, drop_steps=1, drop_s=DROP_S, label="energy")


def _drop_s(device: str) -> float:
    return DROP_S if device.startswith("cuda") else 0.0
