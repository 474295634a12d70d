"""What stands in each table: plain cells with a role. How a role looks is the renderers' business."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.analysis import BreakEven, EnergyEstimate, Estimate, Group, Row, Tail
from bench.records import CaveatKind, Plan, Run, Skip
from bench.records.workload import LATENCY
from bench.units import quantity
from reports.figures import DASH, Scale, bounds, column_scale, ratio_scale, rounded, scientific, share
from reports.legends import group_legend
from reports.standing import Standing, standing
from reports.text import listed, one_line, plain_lines
from reports.wording import CAVEATS, ENERGY_VERDICTS, of_caveat, of_failure

#: The columns whose figures may not be quoted from a row that is struck out.
STRUCK = frozenset({
    "case", "time", "rate", "speedup", "energy", "saving", "payoff", "p90", "p99",
    "rent", "spot", "owned", "electricity", "emissions", "cost",
    "length", "epoch", "run", "run-electricity", "epoch-energy", "epoch-emissions", "run-energy", "run-emissions",
})  # fmt: skip


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
    energies = column_scale([bounds(energy_per_item(row)) for row in group.rows], "J")
    ratios = ratio_scale([bounds(row.comparison) for row in group.rows])
    savings = ratio_scale([bounds(row.energy_comparison) for row in group.rows])
    per_joule = Column("saving", f"{one_line(group.workload.items)}/J", "× baseline", Align.RIGHT)
    pays = Column("payoff", "pays after", f"{one_line(group.workload.items)} cold / warm", Align.RIGHT)
    columns: dict[Column, Callable[[Row], Cell]] = {
        Column("case", "case"): _name,
        **(_latencies(group) if group.workload.measures == LATENCY else _times(group)),
        Column("speedup", "speed-up", "× baseline", Align.RIGHT): lambda row: _speedup(row, ratios),
        Column("verdict", "verdict"): _verdict,
        **_right_columns(group),
        Column("energy", "energy", f"{energies.unit}/{_one(group)}", Align.RIGHT): lambda row: _energy(row, energies),
        per_joule: lambda row: _saving(row, savings),
        Column("setup", "set-up", "cold / warm", Align.RIGHT): _set_up,
        pays: _break_even,
        Column("memory", "memory", "peak", Align.RIGHT): _memory,
        Column("notes", "notes"): lambda row: Cell(" ".join(marks[kind] for kind in _kinds([row])), role=Role.MUTED),
    }
    if not any(row.energy_comparison for row in group.rows):
        del columns[per_joule]
    if not any(known is not None and known.items > 0 for row in group.rows for known in _break_evens(row)):
        del columns[pays]
    table_lines = tuple(_line(row, tuple(cell(row) for cell in columns.values())) for row in group.rows)
    return Table(title, tuple(columns), table_lines, notes, group_legend(group, plan))


def _times(group: Group) -> dict[Column, Callable[[Row], Cell]]:
    """The columns of steps made back to back."""
    times = column_scale([bounds(row.time_per_step) for row in group.rows], "s")
    rate_unit = f"{one_line(group.workload.items)}/s"
    rates = column_scale([bounds(row.throughput) for row in group.rows], rate_unit)
    return {
        Column("time", "time per step", times.unit, Align.RIGHT): lambda row: _figure(row.time_per_step, times),
        Column("rate", rate_unit, "", Align.RIGHT): lambda row: _figure(row.throughput, rates),
    }


def _latencies(group: Group) -> dict[Column, Callable[[Row], Cell]]:
    """The columns of single steps: the median with its interval, each tail with its bound, all in one unit."""
    figures = [bounds(row.time_per_step) for row in group.rows]
    scale = column_scale(figures, "s")
    names = next(([tail.name for tail in row.tails] for row in group.rows if row.tails), [])
    columns: dict[Column, Callable[[Row], Cell]] = {
        Column("time", "p50", scale.unit, Align.RIGHT): lambda row: _figure(row.time_per_step, scale)
    }
    for index, name in enumerate(names):
        column = Column(name, name, f"{scale.unit}, at most", Align.RIGHT)
        columns[column] = lambda row, index=index: _tail(row.tails[index] if row.tails else None, scale)  # type: ignore[misc]
    return columns


def _right_columns(group: Group) -> dict[Column, Callable[[Row], Cell]]:
    """How right the results are: those figures that any case of the group has."""
    columns: dict[Column, Callable[[Row], Cell]] = {}
    if any(row.accuracy for row in group.rows):
        columns[Column("accuracy", "accuracy", "", Align.RIGHT)] = _accuracy
    if any(row.score_error for row in group.rows):
        columns[Column("error", "error", "RMSE", Align.RIGHT)] = _error
    if any(row.loss_difference for row in group.rows):
        columns[Column("loss", "loss", "off by", Align.RIGHT)] = _loss
    return columns


def skip_table(skips: Sequence[Skip]) -> Table:
    """The cases this machine cannot run, with the reason and what would change that: a line for each reason."""
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for skip in skips:
        key = (skip.case.workload.name, skip.reason, skip.fix)
        reasons.setdefault(key, []).append(one_line(skip.case.name))
    return Table(
        "Skipped",
        (Column("case", "case"), Column("reason", "reason"), Column("fix", "what to do")),
        tuple(
            Line((Cell(listed(tuple(names), 3)), Cell(one_line(reason)), Cell(one_line(fix), role=Role.MUTED)))
            for (_, reason, fix), names in reasons.items()
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
            for trials in run.groups().values()
            for trial in trials
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


def _tail(tail: Tail | None, column: Scale) -> Cell:
    """The quantile above its bound; where there is none, a dash above the samples that it takes."""
    if tail is None:
        return Cell(DASH, role=Role.MUTED)
    if tail.value_s is None or tail.bound_s is None:
        return Cell(DASH, f"takes {tail.needed:,}", Role.MUTED)
    return Cell(column.number(tail.value_s), f"≤ {column.number(tail.bound_s)}")


def _break_evens(row: Row) -> tuple[BreakEven | None, BreakEven | None]:
    return row.break_even_cold, row.break_even_warm


def _break_even(row: Row) -> Cell:
    """Items until the cold set-up has paid, above those of the warm one."""
    cold, warm = _break_evens(row)
    if cold is None:
        return Cell(DASH, role=Role.MUTED)
    return Cell(rounded(cold.items), "" if warm is None else rounded(warm.items))


def _speedup(row: Row, column: Scale) -> Cell:
    if row.comparison is None:
        is_measured_baseline = row.is_baseline and row.time_per_step is not None
        return Cell("1" if is_measured_baseline else DASH, role=Role.MUTED)
    return Cell(column.number(row.comparison.speedup), column.interval(row.comparison.low, row.comparison.high))


def energy_per_item(row: Row) -> EnergyEstimate | None:
    """Gross joules per item of all measured components; None where nothing could be read."""
    return None if row.energy is None else row.energy.per_item


def _energy(row: Row, column: Scale) -> Cell:
    """An estimate is marked in the very cell, so that it cannot be quoted without."""
    known = energy_per_item(row)
    if known is None:
        return Cell(DASH, role=Role.MUTED)
    if known.estimated:
        return Cell(f"≈ {column.number(known.value)}", "estimate", Role.MUTED)
    return Cell(column.number(known.value), column.interval(known.low, known.high))


def _saving(row: Row, column: Scale) -> Cell:
    ratio = row.energy_comparison
    if ratio is None:
        return Cell(DASH, role=Role.MUTED)
    if row.energy_verdict is None:
        return Cell(column.number(ratio.speedup), "no verdict", Role.MUTED)
    number = f"{column.number(ratio.speedup)} {ENERGY_VERDICTS[row.energy_verdict]}"
    return Cell(number, column.interval(ratio.low, ratio.high), _ROLES[Standing[row.energy_verdict.name]])


def _one(group: Group) -> str:
    """What one item of the workload is called."""
    return "image" if group.workload.items == "images" else "item"


def _accuracy(row: Row) -> Cell:
    known = row.accuracy
    if known is None:
        return Cell(DASH, role=Role.MUTED)
    in_percent = Scale("%", 0.01, 1)
    return Cell(share(known.value), in_percent.interval(known.low, known.high))


def _error(row: Row) -> Cell:
    return Cell(DASH, role=Role.MUTED) if row.score_error is None else Cell(scientific(row.score_error.value))


def _loss(row: Row) -> Cell:
    known = row.loss_difference
    return Cell(DASH, role=Role.MUTED) if known is None else Cell(f"{known.value * 100:+.1f}\u00a0%")


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
    """The kinds of caveats on these rows, each once, in the order in which the kinds are declared.

    A sensor that is not there concerns all rows alike: the legend says it once.
    """
    present = {caveat.kind for row in rows for caveat in row.caveats}
    return tuple(kind for kind in CaveatKind if kind in present and kind is not CaveatKind.NO_SENSOR)


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
