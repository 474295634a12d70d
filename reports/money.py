"""What a run costs, as tables: per million items, per epoch and per training run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.analysis import Group, Row
from bench.analysis.cost import (
    Bill,
    Cost,
    Tariff,
    bill_of,
    device_of,
    tariff_of,
)
from bench.analysis.pareto import Aim, front
from bench.records import Run
from bench.records.prices import PriceBook
from reports.figures import DASH, Scale, bounds, column_scale, duration, percent
from reports.standing import Standing, standing
from reports.tables import Align, Cell, Column, Line, Role, Table
from reports.text import listed, one_line

#: Figures of money are those of so many items.
MANY = 1_000_000
_WH_PER_J = 1 / 3600.0
#: A correction is worth a word from this fraction on.
_DRIFTED = 0.005
#: What may be the cheapest: an undecided case is one too, but is named as undecided.
_SOUND = frozenset({Standing.FASTER, Standing.SLOWER, Standing.SAME, Standing.UNSURE, Standing.BASELINE})


@dataclass(frozen=True)
class Account:
    """A group with the bill of each of its rows; None where a row has no figures."""

    title: str
    group: Group
    tariff: Tariff
    bills: tuple[Bill | None, ...]
    book: PriceBook

    @property
    def priced(self) -> tuple[tuple[Row, Bill], ...]:
        """The rows that have a bill and may be chosen."""
        pairs = zip(self.group.rows, self.bills, strict=True)
        return tuple((row, bill) for row, bill in pairs if bill is not None and standing(row) in _SOUND)

    @property
    def items(self) -> str:
        """What one step works through, in the plural."""
        return one_line(self.group.workload.items)

    @property
    def is_training(self) -> bool:
        """Whether epochs and training runs mean anything here."""
        return "train" in self.group.workload.name.casefold()


@dataclass(frozen=True)
class Money:
    """The tables of one group: what a million items cost, and what an epoch and a training run do."""

    account: Account
    costs: Table
    training: Table | None


def accounts_of(run: Run, groups: Sequence[Group], titles: Sequence[str], book: PriceBook) -> tuple[Account, ...]:
    """The bills of all rows of a run."""
    accounts = []
    for title, group in zip(titles, groups, strict=True):
        tariff = tariff_of(book, device_of(group, run))
        bills = tuple(bill_of(group.comparable(row), tariff) for row in group.rows)
        accounts.append(Account(title, group, tariff, bills, book))
    return tuple(accounts)


def money_of(account: Account, table: Table) -> Money | None:
    """The tables of a group whose own table is given; None where nothing about it has a price or an energy."""
    costs = _cost_table(account, table)
    if len(costs.columns) == 1:
        return None
    return Money(account, costs, _training_table(account, table) if account.is_training else None)


def front_of(account: Account) -> frozenset[int]:
    """The positions of the rows that no other row beats in rate, energy, money and accuracy together."""
    choices: dict[int, list[Aim | None]] = {}
    sound = {id(row) for row, _ in account.priced}
    for number, (row, bill) in enumerate(zip(account.group.rows, account.bills, strict=True)):
        if bill is not None and id(row) in sound:
            choices[number] = _aims(row, bill, account.group)
    return front(choices)


def _aims(row: Row, bill: Bill, group: Group) -> list[Aim | None]:
    rate, energy, accuracy = row.rate_of_run, group.comparable_energy(row), row.accuracy
    paid = bill.default_way
    return [
        None if rate is None else Aim(rate.value, rate.low, rate.high),
        None if energy is None or energy.estimated else Aim.least(energy.value, energy.low, energy.high),
        None if paid is None or paid[1].estimated else Aim.least(paid[1].value, paid[1].low, paid[1].high),
        None if accuracy is None else Aim(accuracy.value, accuracy.low, accuracy.high),
    ]


# --- per million ---------------------------------------------------------------------------------------------------


def _cost_table(account: Account, table: Table) -> Table:
    many = rounded(MANY)
    under = one_line(account.tariff.currency)
    columns: dict[Column, Callable[[int], Cell]] = {Column("case", "case"): lambda n: table.lines[n].cells[0]}
    for key, heading in (("rent", "rent"), ("spot", "spot"), ("owned", "owned"), ("electricity", "electricity")):
        costs = [None if bill is None else _of(bill, key) for bill in account.bills]
        columns |= _money_column(key, heading, under, costs, MANY)
    energies, emissions = _watt_hours(account), _grams(account)
    columns |= _quantity_column("energy", "energy", energies, MANY, "Wh")
    columns |= _quantity_column("emissions", "CO2e", emissions, MANY, "g")
    if any(bill is not None and bill.set_up is not None for bill in account.bills):
        set_up = Column("set-up", "set-up", under, Align.RIGHT)
        columns[set_up] = _set_up_cells(account)
    if len(columns) > 1 and len(account.priced) > 1:
        best = front_of(account)
        columns[Column("front", "front")] = lambda n: Cell("yes" if n in best else "", role=Role.MUTED)
    return _table(f"{account.title}: what {many} {account.items} cost", account, table, columns, _legend(account))


def _of(bill: Bill, key: str) -> Cost | None:
    return {"rent": bill.rent, "spot": bill.spot, "owned": bill.owned, "electricity": bill.electricity}[key]


def _watt_hours(account: Account) -> list[Cost | None]:
    """Energy of an item in the unit that electricity is sold by."""
    known = [None if bill is None else bill.energy_j for bill in account.bills]
    return [None if cost is None else cost.times(_WH_PER_J) for cost in known]


def _grams(account: Account) -> list[Cost | None]:
    return [None if bill is None else bill.emissions_g for bill in account.bills]


def _money_column(
    key: str, heading: str, under: str, costs: Sequence[Cost | None], items: float
) -> dict[Column, Callable[[int], Cell]]:
    """A column of money in its currency, or none where no row has a figure."""
    known = [None if cost is None else cost.times(items) for cost in costs]
    if not any(known):
        return {}
    scale = column_scale([bounds(cost) for cost in known], "1")
    return {Column(key, heading, under, Align.RIGHT): lambda n: cost_cell(known[n], scale)}


def _quantity_column(
    key: str, heading: str, costs: Sequence[Cost | None], items: float, unit: str
) -> dict[Column, Callable[[int], Cell]]:
    """A column of a physical quantity, with the prefix that its first figure asks for."""
    known = [None if cost is None else cost.times(items) for cost in costs]
    if not any(known):
        return {}
    scale = column_scale([bounds(cost) for cost in known], unit)
    return {Column(key, heading, scale.unit, Align.RIGHT): lambda n: cost_cell(known[n], scale)}


def _set_up_cells(account: Account) -> Callable[[int], Cell]:
    """Money for one cold set-up, and how many items could have been done in its time."""
    known = [None if bill is None else bill.set_up for bill in account.bills]
    smallest = min((value for value in known if value), default=1.0)
    scale = replace(column_scale([], "1"), decimals=_decimals(smallest))

    def cell(number: int) -> Cell:
        bill = account.bills[number]
        if bill is None or bill.set_up is None or bill.set_up_items is None:
            return Cell(DASH, role=Role.MUTED)
        return Cell(scale.number(bill.set_up), f"= {rounded(bill.set_up_items)} {account.items}")

    return cell


def cost_cell(cost: Cost | None, scale: Scale) -> Cell:
    """A figure above its interval; what rests on an estimate is marked in the very cell."""
    if cost is None:
        return Cell(DASH, role=Role.MUTED)
    if cost.estimated:
        return Cell(f"≈ {scale.number(cost.value)}", "estimate", Role.MUTED)
    return Cell(scale.number(cost.value), scale.interval(cost.low, cost.high))


def _table(
    title: str, account: Account, table: Table, columns: Mapping[Column, Callable[[int], Cell]], legend: str
) -> Table:
    lines = tuple(
        Line(tuple(cell(number) for cell in columns.values()), table.lines[number].role)
        for number, bill in enumerate(account.bills)
        if bill is not None
    )
    return Table(title, tuple(columns), lines, (), legend)


def _legend(account: Account) -> str:
    """What is in the figures and what is not."""
    tariff = account.tariff
    said = [
        "Intervals are those of time and energy. Prices are taken as exact; check them under Prices used.",
        f"The device is at work in {percent(tariff.utilisation)} of the time that is paid.",
    ]
    if any(bill is not None and bill.energy_j is not None for bill in account.bills):
        said.append(
            f"Energy is that of the measured components at work; electricity and CO2e count it {tariff.pue:g} times "
            "(PUE). What the device uses while it waits counts in ownership only, emissions from making it nowhere."
        )
    said += _gain_said(account)
    if tariff.purchase is not None and any(bill is not None and bill.owned is not None for bill in account.bills):
        bought = one_line(tariff.purchase.what) or "what the price under Prices used buys"
        said.append(f"Ownership is that of {bought}: hosting, repair and what else it needs are not in it.")
    if any(bill is not None and bill.owned is not None and bill.idles_unpaid for bill in account.bills):
        said.append("Idle power is not known, so that a device which waits costs more than stands here.")
    left = tuple(variant_of(row) for row in account.group.rows if abs(row.drift - 1) >= _DRIFTED)
    if left:
        said.append(
            f"The time of {listed(left)}, which left half-way, is scaled by how the baseline's went on after that; "
            "energy is not."
        )
    if any(bill is not None and bill.energy_j is not None and bill.energy_j.estimated for bill in account.bills):
        said.append("≈ rests on an estimate (a model, or the board at its limit) and decides nothing.")
    if any(bill is not None and bill.set_up is not None for bill in account.bills):
        said.append("Set-up is one cold start, which no figure per item contains.")
    if len(account.priced) > 1:
        said.append(f"On the front: no other row is better in {listed(_compared(account))} together.")
    return " ".join(said)


def _gain_said(account: Account) -> Iterator[str]:
    energies = [bill.energy_j for bill in account.bills if bill is not None and bill.energy_j and bill.energy_j.value]
    for energy in energies:
        if energy.systematic_low is not None and energy.systematic_high is not None:
            low, high = (bound / energy.value - 1 for bound in (energy.systematic_low, energy.systematic_high))
            yield f"Apart from its interval, true energy may lie {low:+.0%} to {high:+.0%} from it (the sensor's gain)."
            return
    if any(not energy.estimated for energy in energies):
        yield "Apart from its interval, energy may be off by the sensors' gains, which are not known."


def _compared(account: Account) -> tuple[str, ...]:
    """The names of the figures that all rows have."""
    aims = [_aims(row, bill, account.group) for row, bill in account.priced]
    names = (f"{account.items}/s", "energy", "money", "accuracy")
    return tuple(name for index, name in enumerate(names) if all(row[index] is not None for row in aims))


# --- training ------------------------------------------------------------------------------------------------------


def _training_table(account: Account, table: Table) -> Table:
    """What an epoch and a training run of the stated length cost."""
    assume, currency = account.book.assume, one_line(account.tariff.currency)
    length = assume.images * assume.epochs
    ways = [None if bill is None else bill.default_way for bill in account.bills]
    paid = [None if way is None else way[1] for way in ways]
    name = next((way[0] for way in ways if way is not None), "")
    columns: dict[Column, Callable[[int], Cell]] = {
        Column("case", "case"): lambda n: table.lines[n].cells[0],
        Column("length", "time", "of the run", Align.RIGHT): lambda n: Cell(_length(account.group.rows[n], length)),
    }
    columns |= _money_column("epoch", f"{name} of epoch", currency, paid, assume.images)
    columns |= _money_column("run", f"{name} of run", currency, paid, length)
    if name != "electricity":
        powers = [None if bill is None else bill.electricity for bill in account.bills]
        columns |= _money_column("run-electricity", "electricity of run", currency, powers, length)
    energies, emissions = _watt_hours(account), _grams(account)
    for of, items in (("epoch", assume.images), ("run", length)):
        columns |= _quantity_column(f"{of}-energy", f"energy of {of}", energies, items, "Wh")
        columns |= _quantity_column(f"{of}-emissions", f"CO2e of {of}", emissions, items, "g")
    title = f"{account.title}: what a training run costs"
    shape = dict(account.group.workload.parameters).get("shape")
    of_shape = f" of {one_line(str(shape))}" if shape else ""
    legend = (
        f"A run is {assume.epochs} epochs of {assume.images:,} {account.items}, at the rate that was measured "
        f"here{of_shape} and the prices under Prices used; set-up, evaluation and loading that was not measured are "
        "left out."
    )
    return _table(title, account, table, columns, legend)


def _length(row: Row, items: float) -> str:
    return DASH if row.rate_of_run is None else duration(items / row.rate_of_run.value)


def variant_of(row: Row) -> str:
    """The name of a row's setting."""
    return one_line(row.trial.case.variant.id)


def rounded(number: float) -> str:
    """``"1 million"``, ``"12,300"``: at most three significant digits."""
    if number >= MANY:
        return f"{number / MANY:.3g} million"
    return f"{float(f'{number:.3g}'):,.0f}" if number >= 100 else f"{number:.3g}"


def _decimals(value: float) -> int:
    return next((digits for digits in range(6) if value * 10**digits >= 10), 6)
