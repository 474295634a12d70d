"""The price of independence: the best setting of any vendor beside the best of one, in time, energy and money."""

from __future__ import annotations

from collections.abc import Iterator

from bench.analysis import Comparison, Group, Independence
from bench.analysis.cost import Bill
from bench.records import Trial
from bench.units import quantity
from reports.figures import DASH, bounds, column_scale, percent, ratio_scale
from reports.money import MANY, Account, Money, rounded
from reports.tables import Cell, Column, Line, Role, Table
from reports.text import listed, one_line

#: What is taken from the group's own table, and the way of paying from that of its costs: the first it has.
_FIGURES = ("time", "rate", "speedup", "energy")
_WAYS = {"rent": "rent", "owned": "ownership", "electricity": "electricity"}


def independence_said(title: str, group: Group, account: Account | None = None) -> str | None:
    """What it costs to do without what one vendor alone has; None where there was nothing to weigh."""
    found = group.independence
    if found is None:
        return None
    start = f"{title[:1].upper()}{title[1:]}, the price of independence"
    if found.bound is None or found.price is None:
        return f"{start}: unknown, no vendor-bound setting has a sure verdict."
    names = f"{_name(found.bound.trial)} (vendor-bound) against {_name(found.neutral.trial)} (vendor-neutral)"
    beside = "".join(f"; {part}" for part in _beside(group, found, account))
    doubt = ""
    if found.undecided:
        doubt = f" Undecided, and so not counted: {listed(tuple(map(_name, found.undecided)))}."
    return f"{start}: {_ratio(found.price)} times as fast, {names}{beside}.{doubt}"


def independence_table(group: Group, table: Table, money: Money | None = None) -> Table | None:
    """The best of either side, beside each other, as they stand in the tables of the group; None without both."""
    found = group.independence
    if found is None or found.bound is None:
        return None
    lines = {row.trial.case: line for row, line in zip(group.rows, table.lines, strict=True)}
    chosen = [(n, column) for key in _FIGURES for n, column in enumerate(table.columns) if column.key == key]
    cost = _cost_column(money)
    sides = (("vendor-neutral", found.neutral), ("vendor-bound", found.bound))
    return Table(
        "The price of independence",
        (
            Column("case", "best of"),
            Column("setting", "setting"),
            *(column for _, column in chosen),
            *([cost[1]] if cost else []),
        ),
        tuple(
            Line(
                (
                    Cell(side),
                    Cell(_name(candidate.trial)),
                    *(lines[candidate.trial.case].cells[n] for n, _ in chosen),
                    *([_cost_cell(candidate.trial, money, cost[0])] if cost else []),
                )
            )
            for side, candidate in sides
        ),
        legend=_legend(found),
    )


def _cost_column(money: Money | None) -> tuple[int, Column] | None:
    """Where the cost of a million items stands in the table of costs, and its heading here."""
    if money is None:
        return None
    places = {column.key: (n, column) for n, column in enumerate(money.costs.columns)}
    key = next((key for key in _WAYS if key in places), None)
    if key is None:
        return None
    number, column = places[key]
    return number, Column("cost", _WAYS[key], f"{column.under} a million", column.align)


def _cost_cell(trial: Trial, money: Money | None, number: int) -> Cell:
    """The cell of a case in the table of costs, which has no line for a case without a bill."""
    if money is not None:
        account = money.account
        billed = [row for row, bill in zip(account.group.rows, account.bills, strict=True) if bill is not None]
        for row, line in zip(billed, money.costs.lines, strict=True):
            if row.trial.case == trial.case:
                return line.cells[number]
    return Cell(DASH, role=Role.MUTED)


def _beside(group: Group, found: Independence, account: Account | None) -> Iterator[str]:
    """Energy and money of the two, where both are known and neither is an estimate; the vendor-bound one first."""
    if found.bound is None:
        return
    one = one_line(group.workload.items).removesuffix("s")
    rows = {row.trial.case: (number, row) for number, row in enumerate(group.rows)}
    pair = [rows[candidate.trial.case] for candidate in (found.bound, found.neutral)]
    energies = [group.comparable_energy(row) for _, row in pair]
    known = [energy for energy in energies if energy is not None and not energy.estimated]
    if len(known) == len(pair):
        yield f"{' against '.join(quantity(energy.value, 'J') for energy in known)} for each {one}"
    if account is not None:
        yield from _money_beside([account.bills[number] for number, _ in pair], account)


def _money_beside(bills: list[Bill | None], account: Account) -> Iterator[str]:
    for way in _WAYS.values():
        costs = [None if bill is None else bill.paid(way) for bill in bills]
        known = [cost.times(MANY) for cost in costs if cost is not None and not cost.estimated]
        if len(known) == len(bills):
            scale = column_scale([bounds(cost) for cost in known], "1")
            figures = " against ".join(scale.number(cost.value) for cost in known)
            yield f"{figures} {one_line(account.tariff.currency)} for {rounded(MANY)} {account.items} by {way}"
            return


def _legend(found: Independence) -> str:
    if found.price is None:
        return ""
    return (
        f"The vendor-bound setting is {_ratio(found.price)} times as fast, measured in pairs. Vendor-neutral is what "
        "runs elsewhere without change, vendor-bound what one vendor's hardware alone has: CUDA graphs, TensorRT, TF32."
    )


def _ratio(comparison: Comparison) -> str:
    scale = ratio_scale([bounds(comparison)])
    text = scale.number(comparison.speedup)
    if comparison.low is None or comparison.high is None:
        return text
    interval = f"{scale.number(comparison.low)} to {scale.number(comparison.high)}"
    return f"{text} ({percent(comparison.level)} interval {interval})"


def _name(trial: Trial) -> str:
    return one_line(trial.case.variant.id)
