"""How long a block is: steps, samples, and what is dropped at its start, from what a step takes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from operator import itemgetter

from bench.records import Plan
from bench.workers.messages import Block

#: At the start of a block on CUDA, or of one for energy, so much is dropped: clocks idle down while others run.
DROP_S = 0.1
#: And on a CPU steps that take so long together, since other workers have filled the caches. Among ten settings the
#: first step after a single dropped one was still 1 to 2 % too slow where a step takes 17 to 29 ms, and 4 to 6 %
#: where it takes 6 to 10 ms (docs/experiments.md).
_CPU_DROP_S = 0.03
#: Steps of which one takes at most so many times as long as the other get one kind of block: what is left of that is
#: then the same for both.
_ALIKE = 1.25
#: More samples than this in a block tell nothing more; shorter steps are put into longer samples.
_MOST_SAMPLES = 10
#: The same of single steps: each is kept, since it may be the slow one.
_MOST_LATENCIES = 500


def shape_block(plan: Plan, device: str, step_s: float) -> Block:
    """The block for a step of this length: samples of at least ``sample_s``, together at least the block's length."""
    length_s = plan.block_length_s(device)
    steps = max(1, math.ceil(max(plan.sample_s, length_s / _MOST_SAMPLES) / step_s))
    samples = max(1, math.ceil(length_s / (steps * step_s)))
    return Block(steps, samples, *_dropped(device, step_s))


def shape_latency_block(plan: Plan, device: str, step_s: float) -> Block:
    """The block for single steps: at least the plan's number of them, and at least the block's length."""
    enough = min(_MOST_LATENCIES, math.ceil(plan.block_length_s(device) / step_s))
    return Block(1, max(plan.latency_steps, enough), *_dropped(device, step_s))


def shape_energy_block(plan: Plan, step_s: float) -> Block:
    """One sample of at least ``energy_block_s``, after a tenth of a second that is dropped."""
    return Block(max(1, math.ceil(plan.energy_block_s / step_s)), 1, drop_steps=1, drop_s=DROP_S, label="energy")


def alike(step_s: float, shaped: Iterable[tuple[float, Block]]) -> Block | None:
    """The block of the case whose step takes most nearly as long, if there is one that takes about as long.

    ``shaped`` are seconds of a step with the block that they got.
    """
    distances = [(abs(math.log(step_s / length_s)), block) for length_s, block in shaped]
    near = [(distance, block) for distance, block in distances if distance <= math.log(_ALIKE)]
    return min(near, key=itemgetter(0))[1] if near else None


def _dropped(device: str, step_s: float) -> tuple[int, float]:
    """The steps that are dropped at least, and the seconds until which more are."""
    return (1, DROP_S) if device.startswith("cuda") else (max(1, math.ceil(_CPU_DROP_S / step_s)), 0.0)
