"""One row for each case of a group: every figure a report may show, computed once, from the raw facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from bench.analysis.blocks import energy_blocks, read_blocks
from bench.analysis.break_even import BreakEven, break_even
from bench.analysis.comparison import Comparison, Verdict, compare, drift_after, judge
from bench.analysis.correctness import (
    Judgement,
    accuracy,
    agreement,
    is_right,
    judge_checks,
    loss_difference,
    score_error,
)
from bench.analysis.energy import (
    EnergyEstimate,
    Gains,
    Readings,
    TrialEnergy,
    compare_energy,
    counted_gpus,
    energy_of,
    gains_at_worst,
)
from bench.analysis.estimates import Estimate, peak_memory, set_up, throughput, time_per_step
from bench.analysis.independence import Independence, independence
from bench.analysis.quality import caveats, check_caveats, package_caveats
from bench.analysis.soundness import is_sound
from bench.analysis.tails import Tail, tails
from bench.errors import ComparisonError
from bench.records import Case, Caveat, Environment, Plan, Run, Trial, Workload
from bench.records.power import PowerLog


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
    energy: TrialEnergy | None  # None where nothing was asked to be read
    energy_comparison: Comparison | None  # "speedup" here is how many times less energy per item
    energy_verdict: Verdict | None  # FASTER means less energy; None for estimates, which decide nothing
    verdict: Verdict | None  # None as well where the case failed, is wrong, mislabelled or was profiled: it cannot win
    caveats: tuple[Caveat, ...]
    tails: tuple[Tail, ...] = ()  # of latency: single steps
    break_even_cold: BreakEven | None = None  # None for what is not FASTER: it never pays
    break_even_warm: BreakEven | None = None
    judgements: tuple[Judgement, ...] = ()  # of its results; none where nothing was checked
    accuracy: Estimate | None = None
    agreement: Estimate | None = None
    score_error: Estimate | None = None
    loss_difference: Estimate | None = None
    drift: float = 1.0  # by which the absolute time of a case that left half-way is held against that of others

    @property
    def rate_of_run(self) -> Estimate | None:
        """Items per second at the pace of the whole run, to be held against those of other rows."""
        rate = self.throughput
        if rate is None:
            return None
        low, high = (None if bound is None else bound / self.drift for bound in (rate.low, rate.high))
        return replace(rate, value=rate.value / self.drift, low=low, high=high)

    @property
    def right(self) -> bool:
        """Whether no check of its results failed: only such a row can win."""
        return is_right(self.judgements)


@dataclass(frozen=True)
class Group:
    """One workload on one device: the rows that may be compared, the baseline first."""

    workload: Workload
    device: str
    baseline: Case
    rows: tuple[Row, ...]
    independence: Independence | None = None  # None where nothing was measured that binds to a vendor

    def comparable_energy(self, row: Row) -> EnergyEstimate | None:
        """The energy per item of one of the rows; None where not all components were read that were of any.

        A sensor that fell silent would make it look small beside the others.
        """
        known = [one.energy.per_item for one in self.rows if one.energy is not None and one.energy.per_item is not None]
        own = None if row.energy is None else row.energy.per_item
        if own is None or any(not set(own.components) >= set(other.components) for other in known):
            return None
        return own

    def comparable(self, row: Row) -> Row:
        """One of the rows, without an energy that may not stand beside those of the others."""
        return row if self.comparable_energy(row) is not None else replace(row, energy=None)


def summarise(run: Run) -> tuple[Group, ...]:
    """The groups of a run in the order they were measured."""
    return tuple(_group(workload, device, trials, run) for (workload, device), trials in run.groups().items())


def _group(workload: Workload, device: str, trials: tuple[Trial, ...], run: Run) -> Group:
    checked = any(trial.checks for trial in run.trials)
    rows = _rows(trials, run.plan, run.log_of(trials), run.environment, checked=checked)
    comparisons = {row.trial.case: row.comparison for row in rows}
    verdicts = {row.trial.case: row.verdict for row in rows if row.verdict is not None}
    price = independence(trials, comparisons, verdicts, run.plan.confidence)
    paid = tuple(_with_break_even(row, rows[0]) for row in rows)
    return Group(workload, device, trials[0].case, paid, price)


def _rows(
    trials: tuple[Trial, ...], plan: Plan, log: PowerLog | None, environment: Environment, *, checked: bool
) -> tuple[Row, ...]:
    """``checked`` where any result of the run was: then a row without any says so."""
    baseline = trials[0]
    judged = {trial.case: judge_checks(trial, plan) for trial in trials}
    sound = frozenset(trial.case for trial in trials if is_sound(trial, plan))
    times = {trial.case: compare(trial, baseline, plan.confidence) for trial in trials[1:]}
    energies = {} if log is None else {trial.case: _energy(trial, log, plan) for trial in trials}
    others = tuple(comparison for comparison in times.values() if comparison is not None)
    read = {} if log is None else _readings(trials, log, plan)
    ratios = {} if log is None else _energy_ratios(trials, log, plan, read)
    eligible = sound if baseline.case in sound else frozenset()
    verdicts = _verdicts(times, eligible, plan)
    energy_verdicts: Mapping[Case, Verdict] = {}
    if log is not None:
        measured = frozenset(case for case in eligible if _measured(energies, case))
        corners = [
            _energy_ratios(trials, log, plan, read, gains) for gains in gains_at_worst(_sensors(energies, baseline))
        ]
        energy_verdicts = _verdicts_of_all([ratios, *corners], measured, plan)
    return tuple(
        Row(
            trial=trial,
            is_baseline=trial is baseline,
            time_per_step=time_per_step(trial, plan.confidence),
            throughput=throughput(trial, plan.confidence),
            set_up_cold=set_up(trial, cold=True),
            set_up_warm=set_up(trial, cold=False),
            peak_memory=peak_memory(trial),
            comparison=times.get(trial.case),
            energy=energies.get(trial.case),
            energy_comparison=ratios.get(trial.case),
            energy_verdict=energy_verdicts.get(trial.case),
            verdict=verdicts.get(trial.case),
            caveats=(
                *caveats(trial, times.get(trial.case), plan, others if trial is baseline else ()),
                *check_caveats(trial, judged[trial.case], expected=checked),
                *(energies[trial.case].caveats if trial.case in energies else ()),
                *package_caveats(energies.get(trial.case), environment),
            ),
            tails=tails(trial, plan.confidence),
            judgements=judged[trial.case],
            accuracy=accuracy(trial, plan.confidence),
            agreement=agreement(trial, plan.confidence),
            score_error=score_error(judged[trial.case]),
            loss_difference=loss_difference(judged[trial.case]),
            drift=drift_after(trial, baseline),
        )
        for trial in trials
    )


def _with_break_even(row: Row, baseline: Row) -> Row:
    item_s = None if baseline.throughput is None else 1 / baseline.throughput.value

    def paid(ours: Estimate | None, theirs: Estimate | None) -> BreakEven | None:
        return break_even(ours, theirs, row.comparison, row.verdict, item_s)

    return replace(
        row,
        break_even_cold=paid(row.set_up_cold, baseline.set_up_cold),
        break_even_warm=paid(row.set_up_warm, baseline.set_up_warm),
    )


def _verdicts(
    comparisons: Mapping[Case, Comparison | None], eligible: frozenset[Case], plan: Plan
) -> dict[Case, Verdict]:
    """The verdicts of one column, judged together; a case that is not eligible has no say in it."""
    judged = [c for case, c in comparisons.items() if c is not None and case in eligible]
    return {c.case: verdict for c, verdict in zip(judged, judge(judged, plan.band), strict=True)}


def _energy(trial: Trial, log: PowerLog, plan: Plan) -> TrialEnergy:
    return energy_of(trial, log, plan.confidence, counted_gpus(log, trial.case.variant.device, plan.power))


def _verdicts_of_all(
    columns: Sequence[Mapping[Case, Comparison | None]], eligible: frozenset[Case], plan: Plan
) -> dict[Case, Verdict]:
    """The verdicts that all of these columns give alike; UNSURE where they do not."""
    first, *others = (_verdicts(column, eligible, plan) for column in columns)
    return {
        case: verdict if all(other.get(case) is verdict for other in others) else Verdict.UNSURE
        for case, verdict in first.items()
    }


def _sensors(energies: Mapping[Case, TrialEnergy], baseline: Trial) -> tuple[tuple[str, str], ...]:
    """Component and source of each sensor in the sum of the baseline."""
    known = energies[baseline.case].per_item
    return () if known is None else known.sensors


def _readings(trials: tuple[Trial, ...], log: PowerLog, plan: Plan) -> dict[Case, Readings]:
    """What was read of each trial: once, for it takes longer than all that follows."""
    gpus = counted_gpus(log, trials[0].case.variant.device, plan.power)
    return {trial.case: read_blocks(log, energy_blocks(trial), gpus) for trial in trials}


def _energy_ratios(
    trials: tuple[Trial, ...],
    log: PowerLog,
    plan: Plan,
    read: Mapping[Case, Readings],
    gains: Gains = MappingProxyType({}),
) -> dict[Case, Comparison | None]:
    """The energy of each case against the baseline's; None where sensors differ or said nothing."""
    ratios: dict[Case, Comparison | None] = {}
    for trial in trials[1:]:
        try:
            ratios[trial.case] = compare_energy(trial, trials[0], log, plan.confidence, gains=gains, read=read)
        except ComparisonError:
            ratios[trial.case] = None
    return ratios


def _measured(energies: Mapping[Case, TrialEnergy], case: Case) -> bool:
    """Whether the energy of a case was read from a sensor: an estimate decides nothing."""
    total = energies[case].total if case in energies else None
    return total is not None and total.gross is not None and not total.gross.estimated
