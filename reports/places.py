"""Where to run it: the same work on each device, rented or owned, at several uses, and where they break even."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from bench.analysis import Row
from bench.analysis.cost import Bill, Cost, CostLine, bill_of, break_even_share
from bench.records import Workload
from reports.figures import DASH, bounds, column_scale
from reports.money import MANY, Account, cost_cell, rounded, variant_of
from reports.money_said import unranked
from reports.standing import Standing, standing_of
from reports.tables import Align, Cell, Column, Line, Role, Table
from reports.text import listed, one_line

_SHARES = (1.0, 0.5, 0.1)
#: The cheapest by its figure alone: whether it is better than the baseline at all was not shown.
_DOUBTFUL = (Standing.UNSURE, Standing.SAME, Standing.UNJUDGED)


@dataclass(frozen=True)
class _Place:
    """One way of having a case done: on which device, paid how."""

    device: str  # its product
    group: str  # "cuda:0": of one product there may be several
    row: Row
    way: str
    cost: Cost
    line: CostLine
    costs: tuple[Cost, ...]  # at each of the uses
    close: tuple[str, ...]  # other settings there that it cannot be told from


def place_tables(accounts: Sequence[Account]) -> tuple[Table, ...]:
    """For each workload, its cheapest case and its baseline on each device, paid in each way, at several uses."""
    workloads: dict[Workload, list[Account]] = {}
    for account in accounts:
        workloads.setdefault(account.group.workload, []).append(account)
    tables = (_place_table(_named(workload, workloads), members) for workload, members in workloads.items())
    return tuple(table for table in tables if table is not None)


def _named(workload: Workload, others: Iterable[Workload]) -> str:
    """Its name, with the parameters where another has the same."""
    name = one_line(workload.name)
    if sum(one.name == workload.name for one in others) == 1:
        return name
    return f"{name} ({', '.join(f'{one_line(key)} {one_line(value)}' for key, value in workload.parameters)})"


def _place_table(name: str, accounts: Sequence[Account]) -> Table | None:
    places = [place for account in accounts for place in _places(account)]
    if len(places) < 2:
        return None
    # An estimate decides nothing, unless there is nothing else.
    sound = [place for place in places if not place.cost.estimated] or places
    cheapest = min(sound, key=lambda place: place.line.at(1.0))
    scale = column_scale([bounds(cost) for place in places for cost in _at_shares(place)], "1")
    columns = (
        Column("case", "case"),
        Column("device", "device"),
        Column("way", "paid by"),
        *(Column(f"at{share:g}", f"at {share:.0%}", "in use", Align.RIGHT) for share in _SHARES),
        Column("pays", "break-even", "baseline", Align.RIGHT),
        Column("even", "break-even", "cheapest", Align.RIGHT),
    )
    lines = []
    for place in places:
        baseline = next((one for one in places if one.row.is_baseline and _is_beside(one, place)), None)
        figures = [cost_cell(cost, scale) for cost in _at_shares(place)]
        role = Role.BASELINE if place.row.is_baseline else Role.PLAIN
        evens = (_even(place, baseline), _even(place, cheapest))
        stands = standing_of(place.row, place.way)
        doubt = stands.value if stands in _DOUBTFUL else ""
        if place.close:
            doubt = ", ".join(filter(None, (doubt, f"not ranked before {listed(place.close)}")))
        lines.append(
            Line((Cell(variant_of(place.row), doubt), Cell(place.device), Cell(place.way), *figures, *evens), role)
        )
    many, currency = rounded(MANY), one_line(accounts[0].tariff.currency)
    legend = (
        f"Figures are {currency} for {many} {accounts[0].items}, when the device works for that share of the paid "
        "time, with the intervals of time and energy. Break-even: the share at which a row costs the same as the "
        f"baseline on its device, or as {variant_of(cheapest.row)} on {cheapest.device} ({cheapest.way}), when these "
        "work all the time, with its range; never: it costs more even at 100%."
    )
    return Table(f"{name}: where to run it", columns, tuple(lines), (), legend)


def _is_beside(one: _Place, other: _Place) -> bool:
    return (one.group, one.way) == (other.group, other.way)


def _even(place: _Place, other: _Place | None) -> Cell:
    """The use at which a place costs what another does at full use."""
    if other is None or place is other:
        return Cell(DASH, role=Role.MUTED)
    (below, above), (theirs_low, theirs_high) = _spread(place.cost), _spread(other.cost)
    target = other.line.at(1.0)
    share = break_even_share(place.line, target)
    least = break_even_share(_scaled(place.line, below), target * theirs_high)
    most = break_even_share(_scaled(place.line, above), target * theirs_low)
    about = "≈ " if place.cost.estimated or other.cost.estimated else ""
    if least is None:
        return Cell(f"{about}never", role=Role.MUTED)
    told = [f"{least:.0%}", "never" if most is None else f"{most:.0%}"]
    return Cell(f"{about}{'never' if share is None else f'{share:.0%}'}", "" if len(set(told)) == 1 else "–".join(told))


def _spread(cost: Cost) -> tuple[float, float]:
    """The ends of an interval as parts of its value; 1 where there are none."""
    low, high = (1.0 if bound is None or not cost.value else bound / cost.value for bound in (cost.low, cost.high))
    return low, high


def _scaled(line: CostLine, factor: float) -> CostLine:
    return CostLine(line.fixed * factor, line.variable * factor)


def _places(account: Account) -> Iterator[_Place]:
    device = one_line(account.tariff.device.name)
    baseline = [(row, bill) for row, bill in account.priced if row.is_baseline]
    for way, cost_of, line_of in _WAYS:
        known = [(row, bill) for row, bill in account.priced if cost_of(bill) is not None]
        if not known:
            continue
        best = min(known, key=lambda pair: _rank(cost_of(pair[1])))
        close = unranked(best[0], [row for row, _ in known], way)
        for row, bill in dict.fromkeys((best, *(pair for pair in baseline if pair in known))):
            cost, line = cost_of(bill), line_of(bill)
            if cost is not None and line is not None:
                costs = _costs(row, account, cost_of)
                yield _Place(device, account.group.device, row, way, cost, line, costs, close if row is best[0] else ())


_WAYS: tuple[tuple[str, Callable[[Bill], Cost | None], Callable[[Bill], CostLine | None]], ...] = (
    ("rent", lambda bill: bill.rent, lambda bill: bill.rent_line),
    ("spot rent", lambda bill: bill.spot, lambda bill: bill.spot_line),
    ("ownership", lambda bill: bill.owned, lambda bill: bill.owned_line),
)


def _at_shares(place: _Place) -> list[Cost]:
    """What a million cost at each use, each with the interval that time and energy give it there."""
    return [cost.times(MANY) for cost in place.costs]


def _costs(row: Row, account: Account, cost_of: Callable[[Bill], Cost | None]) -> tuple[Cost, ...]:
    comparable = account.group.comparable(row)
    bills = (bill_of(comparable, replace(account.tariff, utilisation=share)) for share in _SHARES)
    costs = (None if bill is None else cost_of(bill) for bill in bills)
    return tuple(cost for cost in costs if cost is not None)


def _rank(cost: Cost | None) -> tuple[bool, float]:
    """The least first, and every measured figure before any estimate."""
    return (True, float("inf")) if cost is None else (cost.estimated, cost.value)
