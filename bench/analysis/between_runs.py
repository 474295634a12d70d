"""Two runs, measured at different times: which figures of which cases changed, and what else did.

Nothing is paired here, since the runs share no round: each case has one number per wave in either run, and the
difference of their means is judged by Welch's t::

    time       base run   log(seconds per item)         waves 1 2 3 4 5 6
               new run    log(seconds per item)         waves 1 2 3 4 5 6          difference of the means
    ratio      the same of log(case / its own run's baseline), paired round by round within each run

Such an interval knows what differs from wave to wave, not what differs from one sitting to the next: on a shared
machine absolute times drift by 5 to 20 % between sittings. The ratio to the baseline of the same run cancels what
the machine does to all cases alike, so it is the figure to rely on. It does not cancel all: neighbours slow some
settings more than others, and in noisy hours the ratio of one moved by several percent from sitting to sitting
(docs/experiments.md). What it cannot see either is a change that hits the baseline as well.
"""

from __future__ import annotations

import enum
import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from bench.analysis.blocks import Figures
from bench.analysis.comparison import (
    Verdict,
    ended_before,
    is_crowded,
    log_of_wave,
    paired_log_speedups,
    risk_share,
)
from bench.analysis.energy import Gains, counted_gpus, gains_at_worst, measured_energy
from bench.analysis.estimates import set_up_seconds, wave_seconds
from bench.analysis.settings import Difference, differences
from bench.analysis.soundness import is_profiled, is_struck
from bench.analysis.statistics import Welch, holm, median, t_quantile, welch
from bench.records import Case, Run, SampleKind, Trial


class Metric(enum.Enum):
    """What may have changed. All are costs: more is worse."""

    TIME = "time"  # seconds per item
    RATIO = "ratio"  # time of the case over that of its own run's baseline
    LATENCY = "latency"  # seconds of a single step
    ENERGY = "energy"  # measured joules per item
    MEMORY = "memory"  # peak bytes of a worker
    SETUP = "setup"  # seconds to the end of the first step, caches filled


@dataclass(frozen=True)
class Change:
    """One figure of one case in two runs. ``ratio`` is new over base; without an interval it decides nothing."""

    case: Case
    metric: Metric
    base: float  # SI, the geometric mean over waves
    new: float
    ratio: float
    low: float | None
    high: float | None
    evidence: Welch | None  # of the logarithms; None where a run has but one wave of it
    share: float  # of the chance of missing, so much is spent: less where a case left early, or cores were crowded
    at_worst: tuple[Welch, ...] = ()  # the same if sensors whose readings were summed are off as far as they may be

    def tail(self, margin: float, sign: int = 1) -> float:
        """One-sided p-value against "grew by no more than the margin" (a logarithm); ``sign`` -1: "shrank"."""
        if self.evidence is None:
            return 1.0
        every = (self.evidence, *self.at_worst)
        tail = max(one._replace(difference=sign * one.difference).tail(margin) for one in every)
        return min(1.0, tail / self.share)


class Why(enum.Enum):
    """Why a case of one run is compared with none of the other."""

    NOT_IN_NEW = "not_in_new"
    NOT_IN_BASE = "not_in_base"
    SKIPPED = "skipped"  # the new run's machine cannot run it; detail: the reason
    OTHER_WORKLOAD = "other_workload"  # detail: the parameters that differ
    UNSOUND_IN_BASE = "unsound_in_base"  # failed or struck out there
    PROFILED_IN_BASE = "profiled_in_base"  # a profiler was attached, which costs time of its own
    PROFILED_IN_NEW = "profiled_in_new"


@dataclass(frozen=True)
class Unmatched:
    """A case that is in no table of changes, and why."""

    case: Case
    why: Why
    detail: str = ""


@dataclass(frozen=True)
class RunComparison:
    """All that two runs say about each other."""

    base: Run
    new: Run
    changes: Mapping[Metric, tuple[Change, ...]]  # metrics that some case has in both runs
    verdicts: Mapping[Metric, tuple[Verdict, ...]]  # of the changes; each metric's table judged by Holm's procedure
    broken: tuple[Trial, ...]  # of the new run: failed or struck out, and sound in the base
    unmatched: tuple[Unmatched, ...]
    differences: tuple[Difference, ...]  # of machine, software and plan

    @property
    def common_ratio(self) -> float | None:
        """The median case's ratio of times: what hits all cases alike is more likely the machine than the code."""
        times = [change.ratio for change in self.changes.get(Metric.TIME, ())]
        return median(times) if len(times) >= 3 else None


def compare_runs(base: Run, new: Run) -> RunComparison:
    """What changed from the base to the new run, case by case; cases are matched by name."""
    before, after = ({trial.case.name: trial for trial in _trials(run)} for run in (base, new))
    shared = [name for name in before if name in after]
    other = {name: _other_workload(before[name].case, after[name].case) for name in shared}
    sound = [name for name in shared if not other[name] and not _is_broken(before[name], base)]
    pairs = [(before[name], after[name]) for name in sound if _may_be_compared(before[name], after[name], base, new)]
    judged_by = new.plan.band, new.plan.confidence
    changes: dict[Metric, tuple[Change, ...]] = {}
    for metric in Metric:
        found = tuple(c for pair in pairs if (c := _change(metric, *pair, base, new)) is not None)
        if found:
            changes[metric] = found
    return RunComparison(
        base=base,
        new=new,
        changes=changes,
        verdicts={metric: judge_changes(found, *judged_by) for metric, found in changes.items()},
        broken=tuple(after[name] for name in sound if _is_broken(after[name], new)),
        unmatched=tuple(_unmatched(before, after, other, base, new)),
        differences=differences(base, new),
    )


def judge_changes(changes: Sequence[Change], band: float, confidence: float) -> tuple[Verdict, ...]:
    """FASTER (less of it) and SLOWER (more of it), by Holm over the table; SAME needs the interval inside the band."""
    margin = math.log1p(band)
    signs = [1 if change.ratio > 1 else -1 for change in changes]
    tails = [change.tail(margin, sign) for change, sign in zip(changes, signs, strict=True)]
    verdicts = []
    for change, differs in zip(changes, holm(tails, (1 - confidence) / 2), strict=True):
        low, high = change.low, change.high
        inside = low is not None and high is not None and -margin <= math.log(low) and math.log(high) <= margin
        if differs:
            verdicts.append(Verdict.SLOWER if change.ratio > 1 else Verdict.FASTER)
        else:
            verdicts.append(Verdict.SAME if inside else Verdict.UNSURE)
    return tuple(verdicts)


def _trials(run: Run) -> Iterable[Trial]:
    return (trial for trials in run.groups().values() for trial in trials)


def _is_broken(trial: Trial, run: Run) -> bool:
    return trial.failure is not None or not trial.samples or is_struck(trial, run.plan)


def _may_be_compared(before: Trial, after: Trial, base: Run, new: Run) -> bool:
    return not any(_is_broken(trial, run) or is_profiled(trial) for trial, run in ((before, base), (after, new)))


def _other_workload(base: Case, new: Case) -> str:
    """The parameters that differ, as ``"data: digits, now mnist"``; empty for the same workload."""
    before, after = dict(base.workload.parameters), dict(new.workload.parameters)
    before["items"], after["items"] = base.workload.items, new.workload.items
    names = [name for name in dict.fromkeys((*before, *after)) if before.get(name) != after.get(name)]
    return "; ".join(f"{name}: {before.get(name)}, now {after.get(name)}" for name in names)


def _unmatched(
    before: Mapping[str, Trial], after: Mapping[str, Trial], other: Mapping[str, str], base: Run, new: Run
) -> Iterable[Unmatched]:
    skips = {skip.case.name: skip for skip in new.skips}
    for name, trial in before.items():
        if name in skips:
            yield Unmatched(trial.case, Why.SKIPPED, skips[name].reason)
        elif name not in after:
            yield Unmatched(trial.case, Why.NOT_IN_NEW)
        elif other[name]:
            yield Unmatched(trial.case, Why.OTHER_WORKLOAD, other[name])
        elif _is_broken(trial, base):
            yield Unmatched(trial.case, Why.UNSOUND_IN_BASE)
        elif _is_broken(after[name], new):
            continue  # which is told apart from these
        elif is_profiled(trial):
            yield Unmatched(trial.case, Why.PROFILED_IN_BASE)
        elif is_profiled(after[name]):
            yield Unmatched(trial.case, Why.PROFILED_IN_NEW)
    yield from (Unmatched(trial.case, Why.NOT_IN_BASE) for name, trial in after.items() if name not in before)


def _change(metric: Metric, before: Trial, after: Trial, base: Run, new: Run) -> Change | None:
    theirs, ours = _EVIDENCE[metric](before, base), _EVIDENCE[metric](after, new)
    if not theirs or not ours or (metric is Metric.ENERGY and not _same_sensors(before, after, base, new)):
        return None
    gains = gains_at_worst(_sensors(after, new)) if metric is Metric.ENERGY else ()
    baselines = [run.groups()[trial.case.group][0] for trial, run in ((before, base), (after, new))]
    if metric is Metric.RATIO and baselines[0].case.name != baselines[1].case.name:
        return None  # a selection without the usual baseline: the ratios are not of the same thing
    at_look = metric in _LOOKED_AT and (ended_before(before, baselines[0]) or ended_before(after, baselines[1]))
    crowded = any(is_crowded(trial.caveats) for trial in (before, after, *baselines))
    share = risk_share(at_look=at_look, crowded=crowded)
    missing = (1 - new.plan.confidence) * share
    evidence = welch(ours, theirs)
    others = (welch(_energies(after, new, each), _energies(before, base, each)) for each in gains)
    at_worst = tuple(other for other in others if other is not None)
    bounds = None if evidence is None else _around([_bounds(one, missing) for one in (evidence, *at_worst)])
    return Change(
        case=after.case,
        metric=metric,
        base=math.exp(statistics.fmean(theirs)),
        new=math.exp(statistics.fmean(ours)),
        ratio=math.exp(statistics.fmean(ours) - statistics.fmean(theirs)),
        low=None if bounds is None else math.exp(bounds[0]),
        high=None if bounds is None else math.exp(bounds[1]),
        evidence=evidence,
        share=share,
        at_worst=at_worst,
    )


def _bounds(evidence: Welch, missing: float) -> tuple[float, float]:
    """The interval of the logarithm of a ratio."""
    half = t_quantile(evidence.degrees, 1 - missing) * evidence.error
    return evidence.difference - half, evidence.difference + half


def _around(bounds: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """From the least to the most of several intervals."""
    return min(low for low, _ in bounds), max(high for _, high in bounds)


#: Figures whose spread decides whether a case leaves at the look.
_LOOKED_AT = frozenset({Metric.TIME, Metric.RATIO, Metric.LATENCY, Metric.ENERGY})


def _times(trial: Trial, run: Run) -> list[float]:
    del run
    return [math.log(seconds) for seconds in wave_seconds(trial).values()]


def _ratios(trial: Trial, run: Run) -> list[float]:
    baseline = run.groups()[trial.case.group][0]
    if trial is baseline or _is_broken(baseline, run) or is_profiled(baseline):
        return []
    return [-log_of_wave(rounds) for rounds in paired_log_speedups(trial, baseline).values()]


def _latencies(trial: Trial, run: Run) -> list[float]:
    del run
    waves: dict[int, list[float]] = defaultdict(list)
    for sample in trial.samples:
        if sample.kind is SampleKind.LATENCY:
            waves[sample.wave].append(sample.step_s)
    return [math.log(median(seconds)) for seconds in waves.values()]


def _energies(trial: Trial, run: Run, gains: Gains = MappingProxyType({})) -> list[float]:
    found = _measured_energy(trial, run, gains)
    waves: dict[int, list[float]] = defaultdict(list)
    for (wave, _), joules in ({} if found is None else found[0]).items():
        if joules > 0:
            waves[wave].append(joules)
    return [math.log(median(joules)) for joules in waves.values()]


def _memory(trial: Trial, run: Run) -> list[float]:
    del run
    peaks = (life.peak_memory_bytes for life in trial.lives)
    return [math.log(peak) for peak in peaks if peak is not None and peak > 0]


def _set_ups(trial: Trial, run: Run) -> list[float]:
    del run
    seconds = [set_up_seconds(life) for life in trial.lives if not life.cold]
    return [math.log(length_s) for length_s in seconds if length_s > 0]


#: The logarithm of the figure in each wave of a run; empty where there is none.
_EVIDENCE: Mapping[Metric, Callable[[Trial, Run], list[float]]] = {
    Metric.TIME: _times,
    Metric.RATIO: _ratios,
    Metric.LATENCY: _latencies,
    Metric.ENERGY: _energies,
    Metric.MEMORY: _memory,
    Metric.SETUP: _set_ups,
}


def _measured_energy(
    trial: Trial, run: Run, gains: Gains = MappingProxyType({})
) -> tuple[Figures, tuple[tuple[str, str], ...]] | None:
    log = run.log_of(run.groups()[trial.case.group])
    if log is None:
        return None
    return measured_energy(trial, log, counted_gpus(log, trial.case.variant.device, run.plan.power), gains)


def _sensors(trial: Trial, run: Run) -> tuple[tuple[str, str], ...]:
    found = _measured_energy(trial, run)
    return () if found is None else found[1]


def _same_sensors(before: Trial, after: Trial, base: Run, new: Run) -> bool:
    """Whether both runs read the very same hardware: a sensor's gain cancels on one board and nowhere else.

    A GPU has a number of its own. Of what has none, the machine must be the same, where both runs know it.
    """
    sensors = []
    for trial, run in ((before, base), (after, new)):
        found = _measured_energy(trial, run)
        sensors.append(None if found is None else (found[1], run.environment.cpu))
    if sensors[0] is None or sensors[0] != sensors[1]:
        return sensors[0] == sensors[1]
    machines = {run.environment.machine for run in (base, new)} - {None}
    return len(machines) < 2 or all(name.startswith("GPU-") for name, _ in sensors[0][0])
