"""Two runs side by side, before it has a look: tables of what changed, what else differs, and what the gates say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.analysis import Change, Gate, GateResult, Metric, RunComparison, Verdict, judge_checks, judge_gates, passed
from bench.analysis.between_runs import Unmatched, Why
from bench.analysis.quality import check_caveats
from bench.analysis.soundness import is_struck
from bench.records import Plan, Trial
from reports.figures import DASH, Bounds, Scale, column_scale, percent, ratio_scale
from reports.settings import fact_said, value_said
from reports.tables import Align, Cell, Column, Line, Role, Table
from reports.text import counted, listed, one_line
from reports.wording import of_failure, of_strike


@dataclass(frozen=True)
class Sheet:
    """Everything that is said of two runs; renderers choose how it looks."""

    title: str
    runs: tuple[str, ...]
    tables: tuple[Table, ...]
    sentences: tuple[str, ...]
    gates: tuple[str, ...]  # a sentence each, those that failed first
    passed: bool


@dataclass(frozen=True)
class _Metric:
    title: str  # what the table is called
    unit: str
    less: str  # FASTER, in words of this metric
    more: str
    legend: str


_METRICS: Mapping[Metric, _Metric] = {
    Metric.RATIO: _Metric(
        "Time relative to the baseline of the same run",
        "1",
        "FASTER",
        "SLOWER",
        "What the machine does to all cases alike cancels here, so this is the table to rely on; what it does to some "
        "more than to others from sitting to sitting is in no interval, and a change that hits the baseline as well "
        "does not show.",
    ),
    Metric.TIME: _Metric(
        "Time per item",
        "s",
        "FASTER",
        "SLOWER",
        "Absolute times of two sittings on one shared machine differ by 5 to 20 %, which no interval here "
        "includes: quote the other table, or measure both anew, side by side.",
    ),
    Metric.LATENCY: _Metric(
        "Latency of a single step", "s", "FASTER", "SLOWER", "Median; like times, it changes from sitting to sitting."
    ),
    Metric.ENERGY: _Metric("Energy per item", "J", "LESS", "MORE", "By the same sensors of the same board in both."),
    Metric.MEMORY: _Metric(
        "Peak memory",
        "B",
        "LESS",
        "MORE",
        "Of the worker: the most resident from set-up on; on CUDA, what it held of the GPU.",
    ),
    Metric.SETUP: _Metric("Set-up, warm", "s", "FASTER", "SLOWER", "To the end of the first step, caches filled."),
}
#: Always shown; the others where something changed or a gate asks.
_ALWAYS = (Metric.RATIO, Metric.TIME, Metric.LATENCY, Metric.ENERGY)
_ROLES = {
    Verdict.FASTER: Role.WINNER,
    Verdict.SLOWER: Role.LOSER,
    Verdict.SAME: Role.SAME,
    Verdict.UNSURE: Role.UNSURE,
}
_WHY: Mapping[Why, str] = {
    Why.NOT_IN_NEW: "only in the base",
    Why.NOT_IN_BASE: "only in the new run",
    Why.SKIPPED: "skipped in the new run",
    Why.OTHER_WORKLOAD: "not comparable",
    Why.UNSOUND_IN_BASE: "failed or struck out in the base",
    Why.PROFILED_IN_BASE: "measured under a profiler in the base",
    Why.PROFILED_IN_NEW: "measured under a profiler in the new run",
}


def compose_comparison(comparison: RunComparison, gates: Sequence[Gate] = ()) -> Sheet:
    """The sheet of two runs, judged by these gates."""
    results = judge_gates(comparison, gates)
    gated = {gate.metric for gate in gates}
    tables = [
        _change_table(metric, comparison, results)
        for metric in _METRICS
        if metric in comparison.changes
        and (metric in _ALWAYS or metric in gated or _changed(comparison.verdicts[metric]))
    ]
    tables += [table for table in (_broken(comparison), _unmatched(comparison), _differing(comparison)) if table.lines]
    return Sheet(
        title="Two runs compared",
        runs=tuple(
            f"{name}: {one_line(run.id)}, {one_line(run.started)}, {one_line(run.environment.cpu or DASH)}"
            for name, run in (("base", comparison.base), ("new", comparison.new))
        ),
        tables=tuple(tables),
        sentences=tuple(_sentences(comparison)),
        gates=tuple(_gates(comparison, results)),
        passed=passed(comparison, results),
    )


def _changed(verdicts: Sequence[Verdict]) -> bool:
    return bool({Verdict.FASTER, Verdict.SLOWER} & set(verdicts))


def _change_table(metric: Metric, comparison: RunComparison, results: Sequence[GateResult]) -> Table:
    words, changes = _METRICS[metric], comparison.changes[metric]
    figures = column_scale([Bounds(value, None, None) for c in changes for value in (c.base, c.new)], words.unit)
    ratios = ratio_scale([Bounds(change.ratio, change.low, change.high) for change in changes])
    unit = "× baseline" if metric is Metric.RATIO else figures.unit
    worse = {change.case for result in results if result.gate.metric is metric for change in result.worse}
    columns = (
        Column("case", "case"),
        Column("base", "base", unit, Align.RIGHT),
        Column("new", "new", unit, Align.RIGHT),
        Column("change", "new / base", "×", Align.RIGHT),
        Column("outcome", "verdict"),
    )
    lines = (
        _change_line(change, verdict, words, figures, ratios, gated=change.case in worse)
        for change, verdict in zip(changes, comparison.verdicts[metric], strict=True)
    )
    plan = comparison.new.plan
    legend = (
        f"{words.legend} With each ratio its {percent(plan.confidence)} interval (Welch's t over waves)"
        f"{_stricter(changes, plan)}; a verdict is said beyond a band of {percent(plan.band)} and holds for the whole "
        "table (Holm)."
    )
    return Table(words.title, columns, tuple(lines), legend=legend)


def _stricter(changes: Sequence[Change], plan: Plan) -> str:
    """Changes whose interval is another than that of the rest."""
    named: dict[str, list[str]] = {}
    for change in changes:
        if change.share != 1 and change.low is not None:
            level = percent(1 - change.share * (1 - plan.confidence))
            named.setdefault(level, []).append(one_line(change.case.name))
    told = "; ".join(f"of {listed(tuple(names))} its {level} interval" for level, names in named.items())
    return f", {told}, since they left half-way or had crowded cores" if told else ""


def _change_line(
    change: Change, verdict: Verdict, words: _Metric, figures: Scale, ratios: Scale, *, gated: bool
) -> Line:
    said = {Verdict.FASTER: words.less, Verdict.SLOWER: words.more}.get(verdict, verdict.value)
    return Line(
        (
            Cell(one_line(change.case.name)),
            Cell(figures.number(change.base)),
            Cell(figures.number(change.new)),
            Cell(ratios.number(change.ratio), ratios.interval(change.low, change.high)),
            Cell(said, "beyond the limit" if gated else "", Role.FAILED if gated else _ROLES[verdict]),
        )
    )


def _broken(comparison: RunComparison) -> Table:
    """The cases that the new run has lost: sound before, failed or struck out now."""
    return _plain(
        "Newly failed",
        ("case", "what happened"),
        ((trial.case.name, _what(trial, comparison.new.plan)) for trial in comparison.broken),
    )


def _what(trial: Trial, plan: Plan) -> str:
    failed = of_failure(trial)
    if failed is not None:
        return failed.sentence
    if is_struck(trial, plan):
        return of_strike(trial, check_caveats(trial, judge_checks(trial, plan), expected=False))
    return "has no samples"


def _unmatched(comparison: RunComparison) -> Table:
    rows = ((one.case.name, _why(one)) for one in comparison.unmatched)
    return _plain("Not compared", ("case", "why"), rows)


def _why(unmatched: Unmatched) -> str:
    return f"{_WHY[unmatched.why]}: {one_line(unmatched.detail)}" if unmatched.detail else _WHY[unmatched.why]


def _differing(comparison: RunComparison) -> Table:
    rows = ((fact_said(one), value_said(one, one.base), value_said(one, one.new)) for one in comparison.differences)
    return _plain("What else differs", ("what", "base", "new"), rows)


def _plain(title: str, headings: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Table:
    columns = tuple(Column("case" if not number else heading, heading) for number, heading in enumerate(headings))
    return Table(title, columns, tuple(Line(tuple(Cell(one_line(text)) for text in row)) for row in rows))


def _sentences(comparison: RunComparison) -> Iterator[str]:
    for metric, words in _METRICS.items():
        for verdict, said in ((Verdict.SLOWER, words.more), (Verdict.FASTER, words.less)):
            names = tuple(
                one_line(change.case.name)
                for change, judged in zip(
                    comparison.changes.get(metric, ()), comparison.verdicts.get(metric, ()), strict=True
                )
                if judged is verdict
            )
            if names:
                yield f"{words.title}: {said} in {listed(names)}."
    if not comparison.changes:
        yield "No case has figures in both runs, so nothing was compared."
    elif not any(_changed(verdicts) for verdicts in comparison.verdicts.values()):
        yield "No figure of any case was shown to differ."
    common = comparison.common_ratio
    if common is not None and abs(common - 1) > comparison.new.plan.band:
        yield (
            f"The median case took {common:.3f} times as long as in the base: what all cases share is more likely the "
            "machine's than the code's."
        )


def _gates(comparison: RunComparison, results: Sequence[GateResult]) -> Iterator[str]:
    if not results:
        return
    for trial in comparison.broken:
        yield f"FAILED: {one_line(trial.case.name)} was sound in the base and is not any more."
    for result in sorted(results, key=lambda result: not result.failed):
        yield _of_gate(result)


def _of_gate(result: GateResult) -> str:
    limit = f"{result.gate.metric.value} may grow by {percent(result.gate.limit)}"
    cases = counted(result.judged, "case")
    if not result.judged:
        return f"FAILED: {limit}, and there was nothing to judge: no case has it over two waves in both runs."
    if result.worse:
        return f"FAILED: {limit}, and {listed(tuple(map(_grown, result.worse)), 8)} did by more, of {cases} judged."
    unsure = ""
    if result.undecided:
        unsure = f"; beyond it, but not surely: {listed(tuple(map(_grown, result.undecided)), 8)}"
    return f"passed: {limit}, and none of {cases} was shown to have grown by more{unsure}."


def _grown(change: Change) -> str:
    return f"{one_line(change.case.name)} ({change.ratio - 1:+.1%})"
