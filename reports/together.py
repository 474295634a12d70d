"""Several runs side by side: the same case on each machine, and what of it may not be compared.

Speed-ups are those over the baseline of the same run, measured in pairs there. Absolute figures of two runs were never
paired: what differs between them is machine, hour and software together, and no verdict is given.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from bench.analysis import EnergyEstimate, Estimate, summarise
from bench.analysis.statistics import Interval, median
from bench.errors import UsageError
from bench.records.prices import PriceBook
from bench.records.workload import Scalar
from bench.skim import Glance, Skimmed, skim
from bench.storage import load
from reports.figures import DASH, Bounds, Scale, column_scale
from reports.money import MANY, Account, accounts_of
from reports.prices_used import price_table
from reports.summary import titles
from reports.tables import Align, Cell, Column, Line, Role, Table
from reports.text import counted, listed, one_line, shortened

#: With more runs than this a table has a line for each case instead of one for each case and run.
MOST_IN_FULL = 8
_MACHINE = 30


class Entry(NamedTuple):
    """One case in one run."""

    run: int
    name: str  # the variant's, made safe
    glance: Glance
    energy: EnergyEstimate | None = None  # J per item; only where the runs are few
    cost: Estimate | None = None  # of an item, as its bill is paid by default
    way: str = ""  # how that is


@dataclass(frozen=True)
class Shelf:
    """One workload in all runs, on whatever devices: entries by case, in the order of the first run."""

    title: str
    items: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Together:
    """Several runs, what they measured alike, and what must be known before they are compared."""

    runs: tuple[Skimmed, ...]
    machines: tuple[str, ...]
    shelves: tuple[Shelf, ...]
    notes: tuple[str, ...]
    currency: str = ""
    prices: Table | None = None  # what the costs rest on, where there are any


_Extra = tuple[EnergyEstimate | None, Estimate | None, str]  # energy, cost and how it is paid


def compose_together(places: Sequence[Path], prices: PriceBook | None = None) -> Together:
    """These runs side by side; energy and money only where there are few of them.

    Raises:
        StorageError: one of them cannot be read.
        UsageError: one of them is named twice.
    """
    runs = skim(places)
    names = [run.path.resolve() for run in runs]
    twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if twice is not None:
        msg = f"{twice} is named twice; name each run once"
        raise UsageError(msg)
    extras: dict[tuple[int, object], _Extra] = {}
    table = None
    if len(runs) <= MOST_IN_FULL:
        extras, accounts = _extras(runs, prices)
        table = price_table(accounts) if any(cost is not None for _, cost, _ in extras.values()) else None
    shelves = tuple(_shelves(runs, extras))
    currency = "" if prices is None else prices.currency
    return Together(runs, tuple(map(_machine, runs)), shelves, tuple(_notes(runs, shelves)), currency, table)


def _shelves(runs: Sequence[Skimmed], extras: dict[tuple[int, object], _Extra]) -> Iterator[Shelf]:
    groups: dict[tuple[str, tuple[tuple[str, Scalar], ...]], dict[str, list[Entry]]] = {}
    for number, run in enumerate(runs):
        for glance in run.glances:
            workload = glance.case.workload
            cases = groups.setdefault((workload.name, workload.parameters), {})
            extra = extras.get((number, glance.case), (None, None, ""))
            cases.setdefault(_name(glance), []).append(Entry(number, _name(glance), glance, *extra))
    plain = [name for name, _ in groups]
    for (name, parameters), cases in groups.items():
        title = one_line(name)
        if plain.count(name) > 1:
            title += f" ({', '.join(f'{one_line(key)} {one_line(value)}' for key, value in parameters)})"
        entries = [entry for each in cases.values() for entry in each]
        yield Shelf(title, one_line(entries[0].glance.case.workload.items), tuple(entries))


def _extras(
    runs: Sequence[Skimmed], prices: PriceBook | None
) -> tuple[dict[tuple[int, object], _Extra], tuple[Account, ...]]:
    """(run, case) -> energy and cost per item, the long way; and the accounts that the costs are from."""
    found: dict[tuple[int, object], _Extra] = {}
    every: list[Account] = []
    for number, skimmed in enumerate(runs):
        run = load(skimmed.path)
        groups = summarise(run)
        accounts = () if prices is None else accounts_of(run, groups, titles(groups), prices)
        every += accounts
        for group, account in itertools.zip_longest(groups, accounts):
            bills = (None,) * len(group.rows) if account is None else account.bills
            for row, bill in zip(group.rows, bills, strict=True):
                energy = group.comparable_energy(row)
                way, cost = (None if bill is None else bill.default_way) or ("", None)
                known = cost is not None and not cost.estimated
                found[number, row.trial.case] = (
                    None if energy is None or energy.estimated else energy,
                    cost if known else None,
                    way if known else "",
                )
    return found, tuple(every)


def _machine(run: Skimmed) -> str:
    """What tells one machine from another, on one line."""
    gpus = dict.fromkeys(one_line(gpu.name) for gpu in run.environment.gpus)
    cores = "" if run.environment.cores_usable is None else f", {run.environment.cores_usable} cores"
    return " + ".join((f"{one_line(run.environment.cpu or 'unknown processor')}{cores}", *gpus))


def _device(entry: Entry, run: Skimmed) -> str:
    """What a case ran on, by name; of several unlike GPUs, the number that was asked for."""
    device = entry.glance.case.variant.device
    gpus = {one_line(gpu.name) for gpu in run.environment.gpus}
    if not device.startswith("cuda"):
        return shortened(one_line(run.environment.cpu or device), _MACHINE)
    return shortened(gpus.pop() if len(gpus) == 1 else one_line(device), _MACHINE)


def _notes(runs: Sequence[Skimmed], shelves: Sequence[Shelf]) -> Iterator[str]:
    """What is not comparable, and why."""
    yield (
        "Runs were not measured in pairs: between two of them machine, hour and software differ together, so absolute "
        "figures carry no verdict. Speed-ups are those over the baseline of the same run."
    )
    machines = dict.fromkeys(map(_machine, runs))
    if len(machines) > 1:
        yield f"{len(machines)} machines: {listed(tuple(machines), 6)}."
    yield from _differing(runs)
    baselines = {
        shelf.title: dict.fromkeys(_safe(entry.glance.baseline) for entry in shelf.entries) for shelf in shelves
    }
    for title, names in baselines.items():
        if len(names) > 1:
            yield f"{title}: the baselines differ ({listed(tuple(names))}), so its speed-ups may not be compared."
    alone = [shelf.title for shelf in shelves if len({entry.run for entry in shelf.entries}) < len(runs)]
    if alone:
        yield f"Not measured in every run: {listed(tuple(alone), 6)}."
    if len(runs) > MOST_IN_FULL:
        yield f"Energy and money are compared of at most {MOST_IN_FULL} runs; each run's own report has them."
    elif any(entry.energy for shelf in shelves for entry in shelf.entries):
        yield (
            "Joules of different boards or sensors may each be off by their sensors' gains, which does not cancel here."
        )
        yield from _of_components(shelves)


def _of_components(shelves: Sequence[Shelf]) -> Iterator[str]:
    """Where the sums of energy are not of the same parts: the larger one may only be the more complete one."""
    for shelf in shelves:
        parts: dict[str, dict[int, set[str]]] = {}  # by the kind of device, then by run
        for entry in shelf.entries:
            if entry.energy is not None:
                kind = entry.glance.case.variant.device.partition(":")[0]
                parts.setdefault(kind, {}).setdefault(entry.run, set()).add(_summed(entry.energy))
        for runs in parts.values():
            if len(set(map(frozenset, runs.values()))) > 1:
                said = "; ".join(f"{' or '.join(sorted(sums))} in run {run + 1}" for run, sums in runs.items())
                yield (
                    f"{shelf.title}: energy, and costs that rest on it, is not that of the same parts ({said}), so it "
                    "may not be compared."
                )


def _summed(energy: EnergyEstimate) -> str:
    """``"CPU + 2 GPU"``: the parts whose joules were added."""
    counts = Counter(map(_part, energy.components))
    return " + ".join(part if count == 1 else f"{count} {part}" for part, count in sorted(counts.items()))


def _part(component: str) -> str:
    """``"cpu package 0"`` is of the CPU, ``"GPU-5a..."`` of a GPU."""
    return {"cpu": "CPU", "dram": "DRAM"}.get(component.partition(" ")[0], "GPU")


def _differing(runs: Sequence[Skimmed]) -> Iterator[str]:
    """Versions and plans that are not the same in all runs."""
    versions: dict[str, dict[str, None]] = {}
    for run in runs:
        for name, version in (("Python", run.environment.python), *run.environment.packages):
            versions.setdefault(one_line(name), {})[one_line(version or "unknown")] = None
    differing = [f"{name} {listed(tuple(found))}" for name, found in versions.items() if len(found) > 1]
    if differing:
        yield f"Software differs: {'; '.join(differing)}."
    plans = {(run.plan.waves, run.plan.rounds, run.plan.budget_s, run.plan.confidence) for run in runs}
    if len(plans) > 1:
        yield "The runs followed different plans, so their intervals are not equally wide by design."


# --- tables --------------------------------------------------------------------------------------------------------


def tables_of(together: Together) -> tuple[Table, ...]:
    """A table for each workload: every case in every run, or with many runs a line for each case."""
    if len(together.runs) > MOST_IN_FULL:
        return tuple(_digest(shelf, together) for shelf in together.shelves)
    return tuple(_full(shelf, together) for shelf in together.shelves)


def run_table(together: Together) -> Table:
    """The runs, by their number."""
    return Table(
        "Runs",
        (Column("case", "number"), Column("run", "run"), Column("started", "started"), Column("machine", "machine")),
        tuple(
            Line((Cell(str(number)), Cell(one_line(run.id)), Cell(one_line(run.started)), Cell(machine)))
            for number, (run, machine) in enumerate(zip(together.runs, together.machines, strict=True), start=1)
        ),
    )


def _full(shelf: Shelf, together: Together) -> Table:
    times, rates, ratios = scales(shelf)
    energies = column_scale([_bounds(entry.energy) for entry in shelf.entries], "J")
    costs = column_scale([_bounds(entry.cost, MANY) for entry in shelf.entries], "1")
    columns = [
        Column("case", "case"),
        Column("run", "run"),
        Column("device", "device"),
        Column("time", "time per step", times.unit, Align.RIGHT),
        Column("rate", f"{shelf.items}/s", "", Align.RIGHT),
        Column("speedup", "speed-up", "× own baseline", Align.RIGHT),
    ]
    has_energy, has_cost = any(e.energy for e in shelf.entries), any(e.cost for e in shelf.entries)
    one = "image" if shelf.items == "images" else "item"
    columns += [Column("energy", "energy", f"{energies.unit}/{one}", Align.RIGHT)] if has_energy else []
    if has_cost:
        columns += [
            Column("cost", "cost", f"{one_line(together.currency)} a million", Align.RIGHT),
            Column("way", "by"),
        ]

    def line(entry: Entry) -> Line:
        cells = [
            Cell(entry.name),
            Cell(str(entry.run + 1)),
            Cell(_device(entry, together.runs[entry.run])),
            _shown(time_of(entry), times),
            _shown(rate_of(entry), rates),
            _ratio(entry, ratios),
        ]
        cells += [_shown(_bounds(entry.energy), energies)] if has_energy else []
        cells += [_shown(_bounds(entry.cost, MANY), costs), Cell(entry.way)] if has_cost else []
        return Line(tuple(cells), _role(entry))

    legend = "With each figure the interval of its own run; a speed-up is over the baseline of that run."
    return Table(shelf.title, tuple(columns), tuple(line(entry) for entry in shelf.entries), (), legend)


def _digest(shelf: Shelf, together: Together) -> Table:
    """A line for each case: how often it ran, and the median, least and most of its runs."""
    times, rates, ratios = scales(shelf)
    columns = (
        Column("case", "case"),
        Column("runs", "runs", "", Align.RIGHT),
        Column("failed", "no figure", "", Align.RIGHT),
        Column("time", "time per step", times.unit, Align.RIGHT),
        Column("rate", f"{shelf.items}/s", "", Align.RIGHT),
        Column("speedup", "speed-up", "× own baseline", Align.RIGHT),
        Column("first", "first run", times.unit, Align.RIGHT),
        Column("last", "last run", times.unit, Align.RIGHT),
    )
    cases: dict[str, list[Entry]] = {}
    for entry in shelf.entries:
        cases.setdefault(entry.name, []).append(entry)
    lines = []
    for name, entries in cases.items():
        sound = [entry for entry in entries if entry.glance.sound]
        known = [bound for entry in sound if (bound := time_of(entry)) is not None]
        cells = (
            Cell(name),
            Cell(str(len(entries))),
            Cell(str(len(entries) - len(known)) if len(entries) > len(known) else ""),
            _spanned(known, times),
            _spanned([bound for entry in sound if (bound := rate_of(entry)) is not None], rates),
            _spanned([bound for entry in sound if (bound := speedup_of(entry)) is not None], ratios),
            _shown(known[0] if known else None, times),
            _shown(known[-1] if known else None, times),
        )
        lines.append(Line(cells, Role.BASELINE if entries[0].glance.is_baseline else Role.PLAIN))
    legend = (
        f"Of {counted(len(together.runs), 'run')}: the median, and beneath it the least and the most of all runs; of "
        "the first and the last run its own interval. Struck, failed and profiled cases have no "
        "figure, nor has a speed-up over such a baseline; the CSV has every run."
    )
    return Table(shelf.title, columns, tuple(lines), (), legend)


def scales(shelf: Shelf) -> tuple[Scale, Scale, Scale]:
    """Of times, rates and ratios; a few hundred entries settle how they are written."""
    few = shelf.entries[:: max(1, len(shelf.entries) // 500)]
    return (
        column_scale([time_of(entry) for entry in few], "s"),
        column_scale([rate_of(entry) for entry in few], f"{shelf.items}/s"),
        _ratio_scale(few),
    )


def _ratio_scale(entries: Sequence[Entry]) -> Scale:
    bounds = [speedup_of(entry) for entry in entries]
    widths = [one.high - one.low for one in bounds if one is not None and one.low is not None and one.high is not None]
    return Scale("1", 1.0, 3 if min(widths, default=1.0) < 0.02 else 2)


def _bounds(estimate: Estimate | None, factor: float = 1.0) -> Bounds | None:
    if estimate is None:
        return None
    low, high = (None if bound is None else bound * factor for bound in (estimate.low, estimate.high))
    return Bounds(estimate.value * factor, low, high)


def scaled(interval: Interval | None, factor: float) -> Bounds | None:
    if interval is None:
        return None
    value, low, high = interval
    return Bounds(value * factor, None if low is None else low * factor, None if high is None else high * factor)


def time_of(entry: Entry) -> Bounds | None:
    return scaled(entry.glance.item_s, entry.glance.items_per_step)


def rate_of(entry: Entry) -> Bounds | None:
    known = entry.glance.item_s
    if known is None:
        return None
    value, low, high = known
    return Bounds(1 / value, None if high is None else 1 / high, None if low is None else 1 / low)


def speedup_of(entry: Entry) -> Bounds | None:
    glance = entry.glance
    return scaled(glance.speedup, 1.0) if glance.sound and glance.judged else None


def _shown(known: Bounds | None, scale: Scale) -> Cell:
    if known is None:
        return Cell(DASH, role=Role.MUTED)
    return Cell(scale.number(known.value), scale.interval(known.low, known.high))


def _spanned(known: Sequence[Bounds], scale: Scale) -> Cell:
    if not known:
        return Cell(DASH, role=Role.MUTED)
    values = [bound.value for bound in known]
    return Cell(scale.number(median(values)), scale.interval(min(values), max(values)))


def _ratio(entry: Entry, scale: Scale) -> Cell:
    return Cell(stands_instead(entry), role=Role.MUTED) if stands_instead(entry) else _shown(speedup_of(entry), scale)


def stands_instead(entry: Entry) -> str:
    """What stands instead of a speed-up."""
    glance = entry.glance
    if glance.failed:
        return "failed"
    if not (glance.honoured and glance.right):
        return "struck"
    if glance.profiled:
        return "profiled"
    if glance.is_baseline:
        return "baseline"
    return "" if glance.judged else "unjudged"


def _role(entry: Entry) -> Role:
    return {"failed": Role.FAILED, "struck": Role.STRUCK, "baseline": Role.BASELINE}.get(
        stands_instead(entry), Role.PLAIN
    )


def _name(glance: Glance) -> str:
    return _safe(glance.name)


_safe = lru_cache(maxsize=4096)(one_line)
