"""When a measurement has enough: decided before it, or at a few looks planned before it, never by peeking.

Growing a sample until its interval looks narrow ruins the interval: coverage falls from a nominal 95 % to
between 73 and 92 %, depending on how often one looks and how dependent the samples are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from bench.analysis.comparison import Verdict, compare, judge
from bench.analysis.statistics import median, t_quantile
from bench.records import Case, Plan, Trial

#: Fewer rounds than this in a wave give its median no robustness, whatever the budget says.
LEAST_ROUNDS = 3
#: Below so many the report says that the budget was short; above so many there is nothing to gain by waiting.
WANTED_ROUNDS, MOST_ROUNDS = 10, 40
#: Fewer waves than this are never chosen: Student's t would pay more than rounds can earn.
_FEWEST_WAVES = 4
#: Warm-up compares stretches that last at least so many seconds together with all those before them.
_WINDOW_S = 0.1
#: A case is slow when its block costs more than so many times the median block.
_SLOW = 3.0


def is_warm(stretches_s: Sequence[float], tolerance: float) -> bool:
    """Whether a warm-up has ended: the fastest of its last stretches lies among those before them, give or take a bit.

    ``stretches_s`` are the seconds of stretches of equally many steps. What warms up becomes faster, while neighbours
    can only make a stretch slower: so the fastest one shows whether it still does, on a busy machine too. What becomes
    slower and slower leaves the range of those before at the other end.
    """
    if not stretches_s:
        return False
    window = math.ceil(_WINDOW_S / stretches_s[-1])
    if len(stretches_s) < 2 * window:
        return False
    before, fastest = stretches_s[:-window], min(stretches_s[-window:])
    return (1 - tolerance) * min(before) <= fastest <= (1 + tolerance) * max(before)


class Pace(NamedTuple):
    """What the waves of a group cost, and the budget that all of them have to fit; in seconds."""

    budget_s: float
    overhead_s: float  # of a wave, before its first round
    round_s: float

    def rounds(self, waves: int) -> float:
        """How many rounds each of so many waves has time for; below zero where not even their set-up fits."""
        return (self.budget_s / waves - self.overhead_s) / self.round_s


def affordable_rounds(plan: Plan, waves: int, pace: Pace) -> int:
    """Rounds in each of so many waves, so that all of them fit the budget."""
    most = plan.rounds or MOST_ROUNDS
    return max(min(LEAST_ROUNDS, most), min(most, int(pace.rounds(waves))))


def fewest_waves(plan: Plan) -> int:
    """So many waves there are however little the budget has room for."""
    return min(plan.waves, plan.fewest_waves or _FEWEST_WAVES)


def affordable_waves(plan: Plan, pace: Pace) -> int:
    """The waves of the plan, or fewer where setting up leaves them few rounds: as many as narrow the intervals most.

    The half-width of Student's interval over ``w`` waves of ``r`` rounds goes with ``t(w - 1) / sqrt(w r)``, if rounds
    are independent; their medians fare worse than that with few rounds. It is a matter of times alone: no ratio has
    a say in it.
    """
    fewest = fewest_waves(plan)
    wanted = min(WANTED_ROUNDS, plan.rounds or WANTED_ROUNDS)
    if fewest >= plan.waves or pace.rounds(plan.waves) >= wanted:
        return plan.waves

    def width(waves: int) -> float:
        rounds = min(pace.rounds(waves), plan.rounds or MOST_ROUNDS)
        return t_quantile(waves - 1, plan.confidence) / math.sqrt(waves * rounds) if rounds > 0 else math.inf

    return min(range(max(2, fewest), plan.waves + 1), key=width)


def strides(blocks_s: Sequence[float]) -> tuple[int, ...]:
    """For each case: it takes part in one round of so many, so that slow cases leave time to the others.

    ``blocks_s`` are what their blocks cost, the baseline's first; the baseline takes part in every round. A ratio far
    from one needs fewer rounds to be known to a tenth of its logarithm.
    """
    typical_s = median(blocks_s)
    return (1, *(max(1, math.ceil(block_s / (_SLOW * typical_s))) for block_s in blocks_s[1:]))


def is_look(waves: int, waves_done: int) -> bool:
    """Whether cases may leave after so many of the waves: once, half-way, and with three waves to judge by."""
    return waves_done == max(3, waves // 2) and waves_done < waves


def may_leave(trials: Sequence[Trial], plan: Plan) -> frozenset[Case]:
    """The cases that need no more waves at a look; the first trial is the baseline, which always stays.

    A case leaves when its ratio to the baseline is as precise as the plan asks *and* its verdict among those of the
    table is clear. Both are held to the stricter level of :func:`bench.analysis.comparison.compare`, since a case
    that leaves because its few waves happened to agree has an interval that is too narrow: leaving on precision
    alone, at the level of the end, covered 92.3 % in place of 95 % (of the cases that left, 54 to 75 %), and left
    differences of 2 % UNSURE that three more waves would have shown.
    """
    baseline, *others = trials
    compared = (compare(trial, baseline, plan.confidence, at_look=True) for trial in others)
    comparisons = [comparison for comparison in compared if comparison is not None]
    return frozenset(
        comparison.case
        for comparison, verdict in zip(comparisons, judge(comparisons, plan.band), strict=True)
        if comparison.over_waves and comparison.is_precise(plan.precision) and verdict is not Verdict.UNSURE
    )
