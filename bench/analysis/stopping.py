"""When a measurement has enough: decided before it, or at a few looks planned before it, never by peeking.

Growing a sample until its interval looks narrow ruins the interval: coverage falls from a nominal 95 % to
between 73 and 92 %, depending on how often one looks and how dependent the samples are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.analysis.comparison import Verdict, compare, judge
from bench.analysis.statistics import median
from bench.records import Case, Plan, Trial

#: Fewer rounds than this in a wave give its median no robustness, whatever the budget says.
LEAST_ROUNDS = 3
#: Below so many the report says that the budget was short; above so many there is nothing to gain by waiting.
WANTED_ROUNDS, MOST_ROUNDS = 10, 40
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


def affordable_rounds(plan: Plan, cases: int, overhead_s: float, round_s: float) -> int:
    """Rounds in each wave so that all waves fit the budget; set from the first wave's warm-up (the pilot).

    ``cases`` are those of the group, whether they are still in it or not. ``overhead_s`` is what a wave costs before
    its first round, ``round_s`` what a round costs; in seconds.
    """
    most = plan.rounds or MOST_ROUNDS
    for_rounds_s = plan.group_budget_s(cases) / plan.waves - overhead_s
    return max(min(LEAST_ROUNDS, most), min(most, int(for_rounds_s / round_s)))


def strides(blocks_s: Sequence[float]) -> tuple[int, ...]:
    """For each case: it takes part in every so many-th round, so that slow cases leave time to the others.

    ``blocks_s`` are what their blocks cost, the baseline's first; the baseline takes part in every round. A ratio far
    from one needs fewer rounds to be known to a tenth of its logarithm.
    """
    typical_s = median(blocks_s)
    return (1, *(max(1, math.ceil(block_s / (_SLOW * typical_s))) for block_s in blocks_s[1:]))


def is_look(plan: Plan, waves_done: int) -> bool:
    """Whether cases may leave after so many waves: once, half-way, and only if that leaves three waves to judge by."""
    return waves_done == max(3, plan.waves // 2) and waves_done < plan.waves


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
