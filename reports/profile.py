"""Where the time goes, as tables: the phases of each case, its top operators and kernels, two cases side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.analysis import Difference, Group, differences, host_bound, spots, step_times
from bench.errors import UsageError
from bench.records import Capture, Profile, Run, Trial
from bench.units import quantity
from reports.figures import DASH, bounds, column_scale, percent
from reports.tables import Align, Cell, Column, Line, Role, Table
from reports.text import one_line, shortened

_TOP = 5
_TOP_DIFFERENCES = 12
_NAME_LENGTH = 60
_LEAST_SHARE = 0.001
#: How deep ranges are listed: run, group, case, phase, step, and what lies in a step.
_DEPTH = 6


def time_tables(group: Group, title: str, run: Run, between: tuple[str, str] | None = None) -> tuple[Table, ...]:
    """The tables of one group: those for which something was recorded. ``between`` names two of its cases."""
    confidence = run.plan.confidence
    trials = tuple(row.trial for row in group.rows)
    tables = [_phases(trials, title, confidence), _hotspots(trials, title), _devices(trials, title)]
    pair = _pair(trials, between)
    if pair is not None:
        tables.append(difference_table(*pair, confidence))
    return tuple(table for table in tables if table is not None and table.lines)


def capture_table(capture: Capture) -> Table:
    """The ranges of a capture of Nsight Systems as they lie in each other."""
    columns = (
        Column("case", "range"),
        Column("calls", "calls", "", Align.RIGHT),
        Column("time", "in all", "", Align.RIGHT),
        Column("each", "median", "", Align.RIGHT),
    )
    lines = (
        Line(
            (
                Cell(f"{'· ' * (len(one.path) - 1)}{one_line(one.path[-1])}"),
                Cell(str(one.calls)),
                Cell(quantity(one.total_s, "s")),
                Cell(quantity(one.median_s, "s")),
            )
        )
        for one in capture.ranges
        if len(one.path) <= _DEPTH
    )
    tool = "" if capture.tool is None else f" {one_line(capture.tool)}"
    legend = f"From {one_line(capture.file)}, by Nsight Systems{tool}. Under a profiler everything takes longer."
    return Table(f"Ranges of {one_line(capture.case or 'several cases')}", columns, tuple(lines), (), legend)


def capture_tables(run: Run) -> tuple[Table, ...]:
    """For each capture its ranges and, where it saw a device, what ran there."""
    tables: list[Table | None] = []
    for capture in run.captures:
        tables.append(capture_table(capture))
        if capture.profile is not None:
            named = [(one_line(capture.case or "several cases"), capture.profile)]
            tables += [_hotspot_table(named, "Nsight Systems"), _device_table(named, "Nsight Systems")]
    return tuple(table for table in tables if table is not None)


def difference_table(first: Trial, second: Trial, confidence: float) -> Table:
    """What takes longer or shorter per step in the second case, the largest difference first."""
    names = [one_line(trial.case.variant.id) for trial in (first, second)]
    columns = (
        Column("case", "what"),
        Column("kind", "kind"),
        Column("first", names[0], "per step", Align.RIGHT),
        Column("second", names[1], "per step", Align.RIGHT),
        Column("more", "difference", "per step", Align.RIGHT),
    )
    lines = []
    found = [one for one in differences(first, second, confidence) if one.more_s]
    for one in [*_of(found, phases=True), *_of(found, phases=False)[:_TOP_DIFFERENCES]]:
        more = f"{'+' if one.more_s > 0 else '−'}{quantity(abs(one.more_s), 's')}"
        cells = (_spot_name(one.name), Cell(one.what, role=Role.MUTED), _seconds(one.first_s), _seconds(one.second_s))
        lines.append(Line((*cells, Cell(more))))
    legend = "Phases from the pass that timed them, operators (their own time) and kernels from a profiler."
    return Table(f"where the time differs: {names[0]} against {names[1]}", columns, tuple(lines), (), legend)


def check_pair(run: Run, names: tuple[str, str]) -> None:
    """Refuse two names of which the run has nothing to set side by side.

    Raises:
        UsageError: with the cases that there are.
    """
    for trials in run.groups().values():
        if _pair(trials, names) is not None:
            return
    there = [trial.case.name for trial in run.trials if trial.phases or trial.profile is not None]
    if not there:
        msg = "the run has neither phases nor a profile of any case; measure with --bench-phases or --bench-profile"
        raise UsageError(msg)
    msg = f"{' and '.join(names)} are no two recorded cases of one group; there are {', '.join(there)}"
    raise UsageError(msg)


def _of(found: Sequence[Difference], *, phases: bool) -> list[Difference]:
    return [one for one in found if (one.what == "phase") == phases]


def _pair(trials: Sequence[Trial], between: tuple[str, str] | None) -> tuple[Trial, Trial] | None:
    """The two cases that are set side by side: those named, else the baseline and the first of the others."""
    recorded = [trial for trial in trials if trial.phases or trial.profile is not None]
    if between is None:
        return (recorded[0], recorded[1]) if len(recorded) > 1 else None
    named = {name: trial for trial in recorded for name in (trial.case.variant.id, trial.case.name)}
    first, second = (named.get(name) for name in between)
    return None if first is None or second is None else (first, second)


def _phases(trials: Sequence[Trial], title: str, confidence: float) -> Table | None:
    timed = [(trial, times) for trial in trials if (times := step_times(trial, confidence)) is not None]
    if not timed:
        return None
    names = tuple(dict.fromkeys(one.name for _, times in timed for one in times.phases))
    names = (*(name for name in names if name != "other"), "other")
    steps = column_scale([bounds(times.step) for _, times in timed], "s")
    columns = (
        Column("case", "case"),
        Column("time", "step", steps.unit, Align.RIGHT),
        *(Column(f"phase-{number}", one_line(name), "", Align.RIGHT) for number, name in enumerate(names)),
    )
    lines = []
    for trial, times in timed:
        known = {one.name: one for one in times.phases}
        shares = (Cell(_share(known[name].share) if name in known else DASH) for name in names)
        step = Cell(steps.number(times.step.value), steps.interval(times.step.low, times.step.high))
        lines.append(Line((Cell(one_line(trial.case.variant.id)), step, *shares)))
    clock = "CUDA events" if timed[0][1].clock == "device" else "the host's clock"
    legend = (
        f"Shares of a step, timed by {clock} in a pass of its own; no measured figure comes of it. "
        "Other is what lies outside of all phases."
    )
    return Table(f"{title}: the phases of a step", columns, tuple(lines), (), legend)


def _hotspots(trials: Sequence[Trial], title: str) -> Table | None:
    named = [(one_line(trial.case.variant.id), trial.profile) for trial in trials if trial.profile is not None]
    return _hotspot_table(named, title) if named else None


def _hotspot_table(named: Sequence[tuple[str, Profile]], title: str) -> Table:
    columns = (
        Column("case", "case"),
        Column("name", "operator or kernel"),
        Column("kind", "kind"),
        Column("share", "share", "", Align.RIGHT),
        Column("time", "own time", "per step", Align.RIGHT),
        Column("calls", "calls", "per step", Align.RIGHT),
    )
    lines = tuple(line for name, profile in named for line in _spot_lines(name, profile))
    sources = ", ".join(dict.fromkeys(one_line(profile.source) for _, profile in named))
    files = ", ".join(one_line(profile.trace) for _, profile in named if profile.trace)
    legend = (
        f"By {sources}, which slows what it watches. Shares are of all operators' own time, or of the device's work."
    )
    return Table(
        f"{title}: top operators and kernels", columns, lines, (), f"{legend} Traces: {files}." if files else legend
    )


def _spot_lines(name: str, profile: Profile) -> Iterator[Line]:
    found = spots(profile)
    host = [one for one in found if one.kind.value == "operator"][:_TOP]
    device = [one for one in found if one.kind.value != "operator"][:_TOP]
    for number, one in enumerate((*device, *host)):
        yield Line(
            (
                Cell(name if number == 0 else ""),
                _spot_name(one.name),
                Cell(one.kind.value, role=Role.MUTED),
                Cell(_share(one.share)),
                Cell(quantity(one.seconds, "s")),
                Cell(f"{one.calls:g}"),
            )
        )


def _devices(trials: Sequence[Trial], title: str) -> Table | None:
    named = [(one_line(trial.case.variant.id), trial.profile) for trial in trials if trial.profile is not None]
    return _device_table(named, title)


def _device_table(named: Sequence[tuple[str, Profile]], title: str) -> Table | None:
    columns = (
        Column("case", "case"),
        Column("busy", "GPU busy", "", Align.RIGHT),
        Column("bound", "host-bound", "", Align.RIGHT),
        Column("gaps", "gaps", "per step", Align.RIGHT),
        Column("gap", "gap", "median", Align.RIGHT),
        Column("launch", "launch to start", "median", Align.RIGHT),
    )
    lines = []
    for name, profile in named:
        work, idle = profile.device, host_bound(profile)
        if work is None or idle is None:
            continue
        cells = (percent(1 - idle), percent(idle), f"{work.gaps / profile.steps:.3g}")
        times = (quantity(work.gap_median_s, "s"), quantity(work.launch_median_s, "s"))
        lines.append(Line((Cell(name), *map(Cell, (*cells, *times)))))
    if not lines:
        return None
    legend = "Host-bound is the share of the time in which the GPU waited for the host to give it work."
    return Table(f"{title}: the GPU's gaps", columns, tuple(lines), (), legend)


def _share(fraction: float) -> str:
    return f"< {percent(_LEAST_SHARE)}" if 0 < fraction < _LEAST_SHARE else percent(fraction)


def _spot_name(name: str) -> Cell:
    return Cell(shortened(one_line(name), _NAME_LENGTH))


def _seconds(value: float | None) -> Cell:
    return Cell(quantity(value, "s"), role=Role.MUTED if value is None else Role.PLAIN)
