"""When a measurement has enough: decided before it, or at a few looks planned before it, never by peeking.

Growing a sample until its interval looks narrow ruins the interval: coverage falls from a nominal 95 % to
between 73 and 92 %, depending on how often one looks and how dependent the samples are.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.analysis.comparison import compare
from bench.analysis.statistics import median
from bench.records import Plan, Trial

#: Fewer rounds than this in a wave give its median no robustness, whatever the budget says.
LEAST_ROUNDS = 3
#: Below so many the report says that the budget was short; above so many there is nothing to gain by waiting.
WANTED_ROUNDS, MOST_ROUNDS = 10, 40
#: Warm-up compares the medians of so many stretches before and so many after.
_WINDOW = 3


def is_warm(stretches_s: Sequence[float], tolerance: float) -> bool:
    """Whether the last few stretches of a warm-up took as long as those before them, in seconds per step."""
    if len(stretches_s) < 2 * _WINDOW:
        return False
    before, after = median(stretches_s[-2 * _WINDOW : -_WINDOW]), median(stretches_s[-_WINDOW:])
    return abs(after / before - 1) <= tolerance


def affordable_rounds(plan: Plan, overhead_s: float, round_s: float) -> int:
    """Rounds in each wave so that all waves fit the budget; set once, from the first wave's warm-up (the pilot).

    ``overhead_s`` is what a wave costs before its first round, ``round_s`` what a round costs; in seconds.
    """
    most = plan.rounds or MOST_ROUNDS
    for_rounds_s = plan.budget_s / plan.waves - overhead_s
    return max(min(LEAST_ROUNDS, most), min(most, int(for_rounds_s / round_s)))


def is_look(plan: Plan, waves_done: int) -> bool:
    """Whether cases may leave after so many waves: once, half-way, and only if that leaves three waves to judge by."""
    return waves_done == max(3, plan.waves // 2) and waves_done < plan.waves


def may_leave(trial: Trial, baseline: Trial, plan: Plan) -> bool:
    """Whether a case's ratio to the baseline is known as precisely as the plan asks."""
    comparison = compare(trial, baseline, plan.confidence)
    return comparison is not None and comparison.over_waves and comparison.is_precise(plan.precision)
