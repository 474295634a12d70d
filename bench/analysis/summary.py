"""One row for each case of a group: every figure a report may show, computed once, from the raw facts."""

from __future__ import annotations

from dataclasses import dataclass

from bench.analysis.comparison import Comparison, Verdict, compare, judge
from bench.analysis.estimates import Estimate, peak_memory, set_up, throughput, time_per_step
from bench.analysis.quality import caveats
from bench.records import Case, Caveat, Plan, Run, Trial, Workload


@dataclass(frozen=True)
class Row:
    """The figures of one trial; None where the evidence does not give one."""

    trial: Trial
    is_baseline: bool
    time_per_step: Estimate | None
    throughput: Estimate | None
    set_up_cold: Estimate | None
    set_up_warm: Estimate | None
    peak_memory: Estimate | None
    comparison: Comparison | None  # None for the baseline itself, and where there is nothing to compare
    verdict: Verdict | None  # None as well where the case failed or its label was not honoured: such a row cannot win
    caveats: tuple[Caveat, ...]


@dataclass(frozen=True)
class Group:
    """One workload on one device: the rows that may be compared, the baseline first."""

    workload: Workload
    device: str
    baseline: Case
    rows: tuple[Row, ...]


def summarise(run: Run) -> tuple[Group, ...]:
    """The groups of a run in the order they were measured."""
    return tuple(
        Group(workload, device, trials[0].case, _rows(trials, run.plan))
        for (workload, device), trials in run.groups().items()
    )


def _rows(trials: tuple[Trial, ...], plan: Plan) -> tuple[Row, ...]:
    baseline = trials[0]
    comparisons = {trial.case: compare(trial, baseline, plan.confidence) for trial in trials[1:]}
    sound = [trial for trial in trials[1:] if trial.honoured and trial.failure is None]
    eligible = [c for trial in sound if (c := comparisons[trial.case]) is not None]
    judged = judge(eligible, plan.band) if baseline.honoured else ()
    verdicts = {comparison.case: verdict for comparison, verdict in zip(eligible, judged, strict=False)}
    return tuple(
        _row(trial, trial is baseline, comparisons.get(trial.case), verdicts.get(trial.case), plan) for trial in trials
    )


def _row(trial: Trial, is_baseline: bool, comparison: Comparison | None, verdict: Verdict | None, plan: Plan) -> Row:
    return Row(
        trial=trial,
        is_baseline=is_baseline,
        time_per_step=time_per_step(trial, plan.confidence),
        throughput=throughput(trial, plan.confidence),
        set_up_cold=set_up(trial, cold=True),
        set_up_warm=set_up(trial, cold=False),
        peak_memory=peak_memory(trial),
        comparison=comparison,
        verdict=verdict,
        caveats=caveats(trial, comparison, plan),
    )
