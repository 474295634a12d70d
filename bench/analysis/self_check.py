"""What copies of the baseline say of the machine: how small a difference it can show, how often it shows a false one.

::

    copy / baseline   their true ratio is 1: what is measured is what identical processes differ by
    spread            of that ratio (its logarithm), from wave to wave
    detectable        the band, and beyond it (t(97.5 %) + t(80 %)) x spread / sqrt(waves): a true difference of this
                      size is called FASTER or SLOWER in about 80 of 100 runs when it is judged alone

Source of the power approximation: Cohen, Statistical Power Analysis, 1988, section 2.2, with t for the normal
deviates because waves are few.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.analysis.comparison import Comparison, Verdict, compare, judge
from bench.analysis.statistics import Interval, binomial_interval, t_quantile
from bench.records import Plan, Run, Trial, Workload

#: How often a difference should be found that is called detectable.
POWER = 0.8
_CLAIMS = (Verdict.FASTER, Verdict.SLOWER)


@dataclass(frozen=True)
class Noise:
    """What the copies of one group's baseline showed."""

    workload: Workload
    device: str
    copies: int
    comparisons: tuple[Comparison, ...]  # of copies with the baseline, each over waves
    claims: int  # copies that were called different from it, judged together as a table is
    spread: float | None  # sd of the logarithm of the ratio of two copies from wave to wave
    detectable: float | None  # smallest difference that is found in 80 of 100 runs, as a fraction
    pairs: int  # of copies that share no process, compared with each other
    false_alarms: int  # of these pairs, called different


def noises(run: Run) -> tuple[Noise, ...]:
    """What each group's copies showed, in the order of the groups; none where there was no self-check."""
    found = []
    for group, trials in run.groups().items():
        baseline = trials[0]
        copies = [copy for copy in run.copies().get(group, ()) if copy.case.variant == baseline.case.variant]
        found += [_noise(baseline, copies, run.plan)] if copies else []
    return tuple(found)


def false_alarm_rate(found: Sequence[Noise], confidence: float) -> Interval | None:
    """The share of independent pairs of copies that were called different; None where there was no such pair."""
    pairs = sum(noise.pairs for noise in found)
    return binomial_interval(sum(noise.false_alarms for noise in found), pairs, confidence) if pairs else None


def detectable(spread: float, waves: int, band: float, confidence: float) -> float:
    """The smallest difference, as a fraction, that so many waves show with a chance of :data:`POWER`."""
    deviates = t_quantile(waves - 1, confidence) + t_quantile(waves - 1, 2 * POWER - 1)
    return math.exp(math.log1p(band) + deviates * spread / math.sqrt(waves)) - 1


def _noise(baseline: Trial, copies: Sequence[Trial], plan: Plan) -> Noise:
    comparisons = [c for copy in copies if (c := _compared(copy, baseline, plan)) is not None]
    pairs = [c for one, two in zip(copies[::2], copies[1::2], strict=False) if (c := _compared(one, two, plan))]
    spread = _spread(comparisons)
    waves = min((len(comparison.evidence) for comparison in comparisons), default=0)
    return Noise(
        workload=baseline.case.workload,
        device=baseline.case.variant.device,
        copies=len(copies),
        comparisons=tuple(comparisons),
        claims=_claims([comparisons], plan.band),
        spread=spread,
        detectable=None if spread is None else detectable(spread, waves, plan.band, plan.confidence),
        pairs=len(pairs),
        false_alarms=_claims([[pair] for pair in pairs], plan.band),
    )


def _compared(trial: Trial, baseline: Trial, plan: Plan) -> Comparison | None:
    """The comparison of two copies; None where it does not rest on waves, or one of them did not end well."""
    if trial.failure is not None or baseline.failure is not None:
        return None
    comparison = compare(trial, baseline, plan.confidence)
    return comparison if comparison is not None and comparison.over_waves else None


def _claims(tables: Sequence[Sequence[Comparison]], band: float) -> int:
    return sum(verdict in _CLAIMS for table in tables for verdict in judge(table, band))


def _spread(comparisons: Sequence[Comparison]) -> float | None:
    if not comparisons:
        return None
    return math.sqrt(statistics.fmean(statistics.variance(comparison.evidence) for comparison in comparisons))
