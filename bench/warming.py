"""Warming a worker up: stretches of steps until they become neither faster nor slower.

::

    thaw | n steps | freeze     thaw | n steps | freeze     ...

A stretch is thawed and frozen like a block: what a step costs is learnt in the regime it is measured in, and threads
that the scheduler has put on one core by mistake are placed anew each time.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import NamedTuple

from bench.analysis.stopping import is_warm
from bench.records import Plan
from bench.workers.messages import Block, Sealed

#: A shorter stretch is no witness: steps are doubled until it is as long.
_STRETCH_S = 0.025


class WarmUp(NamedTuple):
    """What came of it. ``step_s`` is what a step takes now, ``agreed`` false where the limit ended it."""

    length_s: float
    steps: int
    agreed: bool
    step_s: float


def warm_up(run: Callable[[Block], Sealed], plan: Plan, clock: Callable[[], float]) -> WarmUp:
    """Let a worker run stretches until they agree, or the plan's limit has passed; ``run`` wakes it for each."""
    steps, total_steps = 1, 0
    stretches_s: list[float] = []
    begin = clock()
    while True:
        (reading,) = run(Block(steps, 1, 0, 0.0, "warm-up")).samples
        total_steps += steps
        stretches_s.append(reading[1])
        agreed = is_warm(stretches_s, plan.warm_up_tolerance)
        length_s = clock() - begin
        if agreed or length_s >= plan.warm_up_s:
            return WarmUp(length_s, total_steps, agreed, median(stretches_s[-3:]) / steps)
        if reading[1] < _STRETCH_S:
            steps *= 2
            stretches_s.clear()  # a stretch of another length is no witness
