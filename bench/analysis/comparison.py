"""Two trials of one group -> a ratio with its interval; and, as a separate step, the verdict.

The pairing takes out what hits both cases alike (clocks, heat, neighbours)::

    round r of wave w:   log( case's sample / baseline's sample ),   paired in time
                         for each two samples of their blocks
    wave w:              the biweight of them all                    one number per wave
    the run:             Student's t over waves                      a process keeps an offset of its own,
                                                                     so the wave is the unit of evidence

Every sample has its say, since a block holds few: the mean of two is lost with either. A biweight's ratio of identical
copies is off by a fifth less than that of the median over blocks, which wants half as long again for as much.

A run of a single wave has no second process to compare with: there the interval is the distribution-free one
of the median over rounds, which knows nothing of the offset between processes. The comparison says so, and its verdict
is UNSURE.

A case that left at the look half-way chose its own end, because its waves happened to agree: its interval is made
at a stricter level (:data:`LOOK_SHARE`). What this is worth was simulated: ``suites/experiments/coverage.py``. The same
is done where others took much of the cores that were used (:data:`CROWDED_SHARE`).

A verdict asks for one thing more, since few waves may agree by chance, and of identical copies on a noisy machine it is
those that are called different: a row that is steadier than is typical of its table is believed by half
(:func:`typical_spread`).
"""

from __future__ import annotations

import enum
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.analysis.estimates import block_samples, wave_seconds
from bench.analysis.statistics import (
    biweight,
    exponential,
    holm,
    median,
    sign_interval,
    t_interval,
    t_quantile,
    t_tail,
)
from bench.errors import ComparisonError
from bench.records import Case, Caveat, CaveatKind, Trial

#: Of the chance of missing (5 % at 95 % confidence) the look half-way may spend so much, on top of what the end
#: spends: then all intervals together hold at least 93 %, whatever the spread and the ratio (Bonferroni's bound).
LOOK_SHARE = 0.4

#: On crowded cores waves are no longer independent draws of one kind, so far less of that chance is spent there. Beside
#: two busy processes on two cores the ratio of identical copies spreads by 31 % from wave to wave; of 100 such pairs
#: (``suites/experiments/pairs.py --loaded 2``, docs/data) 5 were called different at 95 %, none at 99.5 %.
CROWDED_SHARE = 0.1
#: Cores are crowded from this share of them on, taken by other programs or a hypervisor in any wave.
_CROWD = 0.25
#: Fewer comparisons than this do not tell what is typical.
_FEW = 3
#: A block of more samples (single steps, for latency) is summed up by their median before it is paired.
MOST_PAIRED = 10


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
    waves: tuple[int, ...] = ()  # that the evidence is of, one each; of a single wave that one
    at_look: bool = False  # its waves ended at the look: interval and verdict are held to a stricter level
    crowded: bool = False  # others took much of the cores: likewise

    @property
    def share(self) -> float:
        """Of the chance of missing, so much is spent on interval and verdict."""
        return risk_share(at_look=self.at_look, crowded=self.crowded)

    @property
    def level(self) -> float:
        """The confidence of the interval: that asked for, or more of a case that left or on crowded cores."""
        return 1 - self.share * (1 - self.confidence)

    @property
    def half_width(self) -> float | None:
        """Half the interval of the logarithm: 0.01 is about one percent; None without an interval."""
        if self.low is None or self.high is None:
            return None
        return (math.log(self.high) - math.log(self.low)) / 2

    def wanted(self, precision: float) -> float:
        """The half-width to reach: the larger of ``precision`` and a tenth of the logarithm of the ratio."""
        return max(precision, abs(math.log(self.speedup)) / 10)

    def is_precise(self, precision: float) -> bool:
        """Whether the half-width is no larger than wanted."""
        return self.half_width is not None and self.half_width <= self.wanted(precision)

    def waves_for(self, precision: float) -> int | None:
        """How many waves it takes to be precise, if they go on to spread as they did; None of a single wave.

        Two stages (Stein 1945, Ann. Math. Statist. 16): the spread is only as well known as these waves tell it, so the
        quantile stays that of their number. The number grows with the square of what the interval is too wide by.
        """
        if not self.over_waves or self.half_width is None:
            return None
        known = len(self.evidence)
        enough = known * (self.half_width / self.wanted(precision)) ** 2
        return max(known, math.ceil(round(enough, 6)))


def compare(trial: Trial, baseline: Trial, confidence: float, *, at_look: bool = False) -> Comparison | None:
    """The speed-up of a trial over the baseline, or None when they share no round.

    ``at_look`` is for the look itself; afterwards a case that left there is known by its missing waves.

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
    return comparison_of(trial, baseline, waves, confidence, at_look=at_look)


def comparison_of(
    trial: Trial,
    baseline: Trial,
    waves: Mapping[int, Sequence[Sequence[float]]],
    confidence: float,
    *,
    at_look: bool = False,
) -> Comparison:
    """The comparison that follows from the paired logarithms of each round of each wave, of times or of energies."""
    over_waves = len(waves) > 1
    at_look = over_waves and (at_look or ended_before(trial, baseline))
    crowded = over_waves and (is_crowded(trial.caveats) or is_crowded(baseline.caveats))
    if over_waves:
        evidence = tuple(log_of_wave(rounds) for rounds in waves.values())
        missing = risk_share(at_look=at_look, crowded=crowded) * (1 - confidence)
        ratio = exponential(t_interval(evidence, 1 - missing))
    else:
        (rounds,) = waves.values()
        evidence = tuple(median(pairs) for pairs in rounds)
        ratio = exponential(sign_interval(evidence, confidence))
    return Comparison(
        case=trial.case,
        baseline=baseline.case,
        speedup=ratio.value,
        low=ratio.low,
        high=ratio.high,
        confidence=confidence,
        over_waves=over_waves,
        evidence=evidence,
        waves=tuple(waves),
        at_look=at_look,
        crowded=crowded,
    )


def paired_log_speedups(trial: Trial, baseline: Trial) -> dict[int, list[list[float]]]:
    """Wave -> for each round in which both have a block: log(baseline's seconds per item / the trial's).

    A round has one for each two samples.
    """
    ours, theirs = _log_seconds(trial), _log_seconds(baseline)
    waves: dict[int, list[list[float]]] = defaultdict(list)
    for key in sorted(ours.keys() & theirs.keys()):
        waves[key[0]].append([them - us for us in ours[key] for them in theirs[key]])
    return waves


def _log_seconds(trial: Trial) -> dict[tuple[int, int], list[float]]:
    """(wave, round) -> the logarithm of the seconds per item, of each sample or, of many, of their median."""
    blocks = block_samples(trial)
    return {
        key: [math.log(item_s) for item_s in (samples if len(samples) <= MOST_PAIRED else [median(samples)])]
        for key, samples in blocks.items()
    }


def log_of_wave(rounds: Iterable[Sequence[float]]) -> float:
    """What a wave says: the biweight of the paired logarithms of all its rounds."""
    return biweight([log for pairs in rounds for log in pairs])


def judge(comparisons: Sequence[Comparison], band: float) -> tuple[Verdict, ...]:
    """One verdict for each comparison of a table. One of a single wave is UNSURE: processes differ without a reason.

    FASTER and SLOWER are claims of a difference; over the table Holm's procedure keeps the chance of any false
    one within the confidence asked for. SAME needs the whole interval inside the band. For all three the variance of a
    row that spreads less than is typical of the table is the mean of its own and the typical one.
    """
    if not comparisons:
        return ()
    margin, typical = math.log1p(band), typical_spread(comparisons)
    level = (1 - comparisons[0].confidence) / 2
    spreads = [_believed_spread(comparison, typical) for comparison in comparisons]
    different = holm([_tail(*one, margin) for one in zip(comparisons, spreads, strict=True)], level)
    return tuple(_verdict(*one, margin) for one in zip(comparisons, spreads, different, strict=True))


def typical_spread(comparisons: Sequence[Comparison]) -> float:
    """The median of their standard deviations from wave to wave; 0 where too few rest on waves to say.

    With six waves a spread is known within a factor of about two, and the few that come out far too small are those
    that look like differences.
    """
    spreads = [statistics.stdev(one.evidence) for one in comparisons if one.over_waves]
    return median(spreads) if len(spreads) >= _FEW else 0.0


def _believed_spread(comparison: Comparison, typical: float) -> float:
    """The spread that a verdict rests on; 0 for a single wave, which has none.

    Source: the posterior variance of Smyth 2004, Stat. Appl. Genet. Mol. Biol. 3, with a prior that weighs as much as
    the row itself. Only smaller variances are moved, and Student's t keeps the degrees of freedom of the row alone.
    """
    if not comparison.over_waves:
        return 0.0
    own = statistics.stdev(comparison.evidence)
    return math.sqrt((own**2 + max(own, typical) ** 2) / 2)


def _tail(comparison: Comparison, spread: float, margin: float) -> float:
    """How surprising the evidence is if the difference does not matter; more is asked of a case that left."""
    if not comparison.over_waves:
        return 1.0
    return min(1.0, t_tail(comparison.evidence, margin, spread) / comparison.share)


def _verdict(comparison: Comparison, spread: float, different: bool, margin: float) -> Verdict:
    if different:
        return Verdict.FASTER if comparison.speedup > 1 else Verdict.SLOWER
    if comparison.low is None or comparison.high is None or not comparison.over_waves:
        return Verdict.UNSURE
    inside = -margin <= math.log(comparison.low) and math.log(comparison.high) <= margin
    believed = abs(math.log(comparison.speedup)) + _half_width(comparison, spread) <= margin
    return Verdict.SAME if inside and believed else Verdict.UNSURE


def _half_width(comparison: Comparison, spread: float) -> float:
    """What half its interval would be if its waves spread so much; of a single wave nothing is known."""
    if not comparison.over_waves:
        return 0.0
    waves = len(comparison.evidence)
    missing = comparison.share * (1 - comparison.confidence)
    return t_quantile(waves - 1, 1 - missing) * spread / math.sqrt(waves)


def ended_before(trial: Trial, baseline: Trial) -> bool:
    """Whether a trial has none of its baseline's last waves: it left, or was ended."""
    ours, theirs = ({s.wave for s in one.samples if s.kind is one.kind} for one in (trial, baseline))
    return max(ours, default=-1) < max(theirs, default=-1)


def drift_after(trial: Trial, baseline: Trial) -> float:
    """What the baseline's time in all its waves is of that in the waves of a trial; 1 of one that was there in all.

    A case that left half-way was measured in other minutes than those that stayed. Its absolute time, times this, is
    what may be held against theirs.
    """
    if trial.failure is not None or not ended_before(trial, baseline):
        return 1.0
    own, every = wave_seconds(trial), wave_seconds(baseline)
    shared = [math.log(every[wave]) for wave in own if wave in every]
    if not shared:
        return 1.0
    return math.exp(statistics.fmean(map(math.log, every.values())) - statistics.fmean(shared))


def risk_share(*, at_look: bool, crowded: bool) -> float:
    """Of the chance of missing (5 % at 95 % confidence), so much may be spent."""
    return (LOOK_SHARE if at_look else 1.0) * (CROWDED_SHARE if crowded else 1.0)


def is_crowded(caveats: Iterable[Caveat]) -> bool:
    """Whether others took a quarter or more of the cores that a trial with these caveats used."""
    for caveat in caveats:
        if caveat.kind is CaveatKind.BUSY_HOST:
            told = {name: value for name, value in caveat.figures if isinstance(value, (int, float))}
            taken = max(told.get("others", 0.0), told.get("stolen", 0.0))
            if taken >= _CROWD * told.get("cores", math.inf):
                return True
    return False
