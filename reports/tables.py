"""What stands in each table: plain cells with a role. How a role looks is the renderers' business."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from bench.analysis import Estimate, Group, Row
from bench.records import CaveatKind, Plan, Run, Skip
from bench.units import quantity
from reports.figures import DASH, Scale, bounds, column_scale, percent, ratio_scale
from reports.standing import Standing, standing
from reports.text import listed, one_line, plain_lines
from reports.wording import CAVEATS, of_caveat, of_failure


class Align(enum.Enum):
    """Figures stand right, words left."""

    LEFT = "left"
    RIGHT = "right"


class Role(enum.Enum):
    """What a cell or a line is, for a renderer to show as it can."""

    PLAIN = "plain"
    MUTED = "muted"
    STRUCK = "struck"
    BASELINE = "baseline"
    WINNER = "winner"  # its verdict is FASTER
    LOSER = "loser"  # its verdict is SLOWER
    SAME = "same"
    UNSURE = "unsure"
    FAILED = "failed"


@dataclass(frozen=True)
class Column:
    """``key`` names the column for renderers; ``under`` (a unit, an explanation) goes beneath the heading."""

    key: str
    heading: str
    under: str = ""
    align: Align = Align.LEFT


@dataclass(frozen=True)
class Cell:
    """``detail`` is secondary to ``text``: the interval of a figure, the warm set-up beneath the cold one."""

    text: str
    detail: str = ""
    role: Role = Role.PLAIN


@dataclass(frozen=True)
class Line:
    """One line of a table; ``remark`` runs across all columns beneath it, ``output`` is what a process last said."""

    cells: tuple[Cell, ...]
    role: Role = Role.PLAIN
    remark: str = ""
    output: tuple[str, ...] = ()


@dataclass(frozen=True)
class Note:
    """A doubt that lines refer to by its mark."""

    mark: str
    label: str
    text: str
    advice: str


@dataclass(frozen=True)
class Table:
    """Title, columns, lines and notes; ``legend`` says how to read the cells."""

    title: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    notes: tuple[Note, ...] = ()
    legend: str = ""


_ROLES = {
    Standing.FASTER: Role.WINNER,
    Standing.SLOWER: Role.LOSER,
    Standing.SAME: Role.SAME,
    Standing.UNSURE: Role.UNSURE,
    Standing.BASELINE: Role.BASELINE,
    Standing.FAILED: Role.FAILED,
    Standing.STRUCK: Role.STRUCK,
    Standing.UNJUDGED: Role.MUTED,
}


def group_table(group: Group, title: str, plan: Plan) -> Table:
    """The comparison within one group: a line for each case, the baseline first."""
    marks, notes = _notes(group)
    times = column_scale([bounds(row.time_per_step) for row in group.rows], "s")
    rate_unit = f"{one_line(group.workload.items)}/s"
    rates = column_scale([bounds(row.throughput) for row in group.rows], rate_unit)
    ratios = ratio_scale([bounds(row.comparison) for row in group.rows])
    columns = (
        Column("case", "case"),
        Column("time", "time per step", times.unit, Align.RIGHT),
        Column("rate", rate_unit, "", Align.RIGHT),
        Column("speedup", "speed-up", "× baseline", Align.RIGHT),
        Column("verdict", "verdict"),
        Column("setup", "set-up", "cold / warm", Align.RIGHT),
        Column("memory", "memory", "peak", Align.RIGHT),
        Column("notes", "notes"),
    )
    table_lines = tuple(
        _line(
            row,
            (
                _name(row),
                _figure(row.time_per_step, times),
                _figure(row.throughput, rates),
                _speedup(row, ratios),
                _verdict(row),
                _set_up(row),
                _memory(row),
                Cell(" ".join(marks[kind] for kind in _kinds([row])), role=Role.MUTED),
            ),
        )
        for row in group.rows
    )
    return Table(title, columns, table_lines, notes, _legend(group, plan))


def skip_table(skips: Sequence[Skip]) -> Table:
    """The cases this machine cannot run, each with the reason and what would change that."""
    return Table(
        "Skipped",
        (Column("case", "case"), Column("reason", "reason"), Column("fix", "what to do")),
        tuple(
            Line((Cell(one_line(s.case.name)), Cell(one_line(s.reason)), Cell(one_line(s.fix), role=Role.MUTED)))
            for s in skips
        ),
    )


def failure_table(run: Run) -> Table:
    """The cases that failed, each with what happened, what to do and the last its process said."""
    return Table(
        "Failed",
        (Column("case", "case"), Column("reason", "reason"), Column("fix", "what to do")),
        tuple(
            Line(
                (Cell(one_line(trial.case.name)), Cell(wording.sentence), Cell(wording.advice, role=Role.MUTED)),
                output=plain_lines(trial.failure.detail),
            )
            for trial in run.trials
            if trial.failure is not None and (wording := of_failure(trial)) is not None
        ),
    )


def _line(row: Row, cells: tuple[Cell, ...]) -> Line:
    failed = of_failure(row.trial)
    remark = f"{failed.sentence}. {failed.advice}" if failed else ""
    return Line(cells, _ROLES[standing(row)], remark)


def _name(row: Row) -> Cell:
    return Cell(
        one_line(row.trial.case.variant.id), role=Role.STRUCK if standing(row) is Standing.STRUCK else Role.PLAIN
    )


def _figure(estimate: Estimate | None, column: Scale) -> Cell:
    if estimate is None:
        return Cell(DASH, role=Role.MUTED)
    return Cell(column.number(estimate.value), column.interval(estimate.low, estimate.high))


def _speedup(row: Row, column: Scale) -> Cell:
    if row.comparison is None:
        is_measured_baseline = row.is_baseline and row.time_per_step is not None
        return Cell("1" if is_measured_baseline else DASH, role=Role.MUTED)
    return Cell(column.number(row.comparison.speedup), column.interval(row.comparison.low, row.comparison.high))


def _verdict(row: Row) -> Cell:
    stands = standing(row)
    return Cell(stands.value, role=_ROLES[stands])


def _set_up(row: Row) -> Cell:
    cold, warm = (None if estimate is None else estimate.value for estimate in (row.set_up_cold, row.set_up_warm))
    if cold is None and warm is None:
        return Cell(DASH, role=Role.MUTED)
    return Cell(quantity(cold, "s"), "" if warm is None else quantity(warm, "s"))


def _memory(row: Row) -> Cell:
    if row.peak_memory is None:
        return Cell(DASH, role=Role.MUTED)
    return Cell(quantity(row.peak_memory.value, "B"))


def _kinds(rows: Sequence[Row]) -> tuple[CaveatKind, ...]:
    """The kinds of caveats on these rows, each once, in the order in which the kinds are declared."""
    present = {caveat.kind for row in rows for caveat in row.caveats}
    return tuple(kind for kind in CaveatKind if kind in present)


def _notes(group: Group) -> tuple[dict[CaveatKind, str], tuple[Note, ...]]:
    """The mark of each kind of caveat in a group, and a note for each kind with the figures of every case."""
    marks = {kind: str(number) for number, kind in enumerate(_kinds(group.rows), start=1)}
    return marks, tuple(_note(kind, mark, group) for kind, mark in marks.items())


def _note(kind: CaveatKind, mark: str, group: Group) -> Note:
    cases: dict[str, list[str]] = {}  # the same sentence is said once, of all the cases it holds for
    for row in group.rows:
        for caveat in row.caveats:
            if caveat.kind is kind:
                cases.setdefault(of_caveat(caveat).sentence, []).append(one_line(row.trial.case.variant.id))
    text = "; ".join(f"{listed(tuple(dict.fromkeys(names)))}: {sentence}" for sentence, names in cases.items())
    return Note(mark, CAVEATS[kind].label, text, CAVEATS[kind].advice)


def _legend(group: Group, plan: Plan) -> str:
    by_waves = any(len({sample.wave for sample in row.trial.samples}) > 1 for row in group.rows)
    evidence = "over waves" if by_waves else "over the rounds of a single wave"
    return (
        f"Baseline: {one_line(group.baseline.variant.id)}. With each figure its {percent(plan.confidence)} interval "
        f"{evidence}; a speed-up above 1 is faster. Set-up (cold, then warm) lasts to the end of the first step."
    )
