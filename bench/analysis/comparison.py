"""Two trials of one group -> a ratio with its interval; and, as a separate step, the verdict.

The pairing takes out what hits both cases alike (clocks, heat, neighbours)::

    round r of wave w:   log( case's block / baseline's block )      paired in time
    wave w:              the median over its rounds                  one number per wave
    the run:             Student's t over waves                      a process keeps an offset of its own,
                                                                     so the wave is the unit of evidence

A run of a single wave has no second process to compare with: there the interval is the distribution-free one
of the median over rounds, which knows nothing of the offset between processes, and the comparison says so.
"""

from __future__ import annotations

import enum
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from bench.analysis.estimates import block_seconds
from bench.analysis.statistics import Interval, exponential, holm, median, sign_interval, sign_tail, t_interval, t_tail
from bench.errors import ComparisonError
from bench.records import Case, Trial


class Verdict(enum.Enum):
    """What may be said of a ratio, given a band of differences that do not matter."""

    FASTER = "FASTER"  # the whole interval lies beyond the band
    SLOWER = "SLOWER"
    SAME = "SAME"  # the whole interval lies inside the band
    UNSURE = "UNSURE"


@dataclass(frozen=True)
class Comparison:
    """How many times faster than the baseline: above 1 is faster, 1.25 means 25 % more items per second.

    ``evidence`` holds the paired logarithms (of the speed-up) that the interval was made of: one for each wave,
    or one for each round when there was a single wave (``over_waves`` is then false).
    """

    case: Case
    baseline: Case
    speedup: float
    low: float | None
    high: float | None
    confidence: float
    over_waves: bool
    evidence: tuple[float, ...]

    @property
    def half_width(self) -> float | None:
        """Half the interval of the logarithm: 0.01 is about one percent; None without an interval."""
        if self.low is None or self.high is None:
            return None
        return (math.log(self.high) - math.log(self.low)) / 2

    def is_precise(self, precision: float) -> bool:
        """Whether the half-width is below the larger of ``precision`` and a tenth of the logarithm of the ratio."""
        return self.half_width is not None and self.half_width <= max(precision, abs(math.log(self.speedup)) / 10)


def compare(trial: Trial, baseline: Trial, confidence: float) -> Comparison | None:
    """The speed-up of a trial over the baseline, or None when they share no round.

    Raises:
        ComparisonError: the two are of different workloads or devices.
    """
    if trial.case.group != baseline.case.group:
        names = f"{trial.case.name} and {baseline.case.name}"
        msg = f"{names} are not of one group; compare cases of one workload on one device"
        raise ComparisonError(msg)
    waves = paired_log_speedups(trial, baseline)
    if not waves:
        return None
    if len(waves) > 1:
        evidence = tuple(median(rounds) for rounds in waves.values())
        interval = t_interval(evidence, confidence)
    else:
        (evidence,) = waves.values()
        interval = sign_interval(evidence, confidence)
    return _comparison(trial, baseline, exponential(interval), confidence, len(waves) > 1, evidence)


def paired_log_speedups(trial: Trial, baseline: Trial) -> dict[int, tuple[float, ...]]:
    """Wave -> log(baseline's seconds per item / the trial's), for each round in which both have a block."""
    ours, theirs = block_seconds(trial), block_seconds(baseline)
    waves: dict[int, list[float]] = defaultdict(list)
    for key in sorted(ours.keys() & theirs.keys()):
        waves[key[0]].append(math.log(theirs[key] / ours[key]))
    return {wave: tuple(values) for wave, values in waves.items()}


def judge(comparisons: Sequence[Comparison], band: float) -> tuple[Verdict, ...]:
    """One verdict for each comparison of a table.

    FASTER and SLOWER are claims of a difference; over the table Holm's procedure keeps the chance of any false
    one within the confidence asked for. SAME needs the whole interval inside the band.
    """
    if not comparisons:
        return ()
    margin = math.log1p(band)
    level = (1 - comparisons[0].confidence) / 2
    tails = [(t_tail if c.over_waves else sign_tail)(c.evidence, margin) for c in comparisons]
    return tuple(
        _verdict(comparison, different, margin)
        for comparison, different in zip(comparisons, holm(tails, level), strict=True)
    )


def _verdict(comparison: Comparison, different: bool, margin: float) -> Verdict:
    if different:
        return Verdict.FASTER if comparison.speedup > 1 else Verdict.SLOWER
    if comparison.low is None or comparison.high is None:
        return Verdict.UNSURE
    inside = -margin <= math.log(comparison.low) and math.log(comparison.high) <= margin
    return Verdict.SAME if inside else Verdict.UNSURE


def _comparison(
    trial: Trial, baseline: Trial, ratio: Interval, confidence: float, over_waves: bool, evidence: tuple[float, ...]
) -> Comparison:
    return Comparison(trial.case, baseline.case, ratio.value, ratio.low, ratio.high, confidence, over_waves, evidence)
