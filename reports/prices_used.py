"""The entries of a price book that figures rest on, with source and date: money is worth no more than they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.analysis.cost import Tariff
from bench.records.prices import Board, Carbon, Electricity, Overhead, PriceBook, Purchase, Rent
from reports.figures import DASH, percent
from reports.money import Account
from reports.tables import Cell, Column, Line, Role, Table
from reports.text import one_line

_Entry = Rent | Purchase | Board | Electricity | Carbon | Overhead
#: What an entry is of, its value, its source and its date.
_Told = tuple[str, str, str, str]


def price_table(accounts: Sequence[Account]) -> Table:
    """The entries of the price book that a figure rests on, with source and date, and what was assumed."""
    lines: dict[_Told, None] = {}
    for account in accounts:
        lines |= dict.fromkeys(entry for _, entry in entries_of(account.tariff))
    if accounts:
        lines |= dict.fromkeys(_assumed(accounts[0].book))
    return Table(
        "Prices used",
        (Column("case", "what"), Column("value", "value"), Column("source", "source"), Column("date", "date")),
        tuple(
            Line((Cell(what), Cell(value), Cell(source, role=Role.MUTED), Cell(date)))
            for what, value, source, date in lines
        ),
    )


def entries_of(tariff: Tariff) -> Iterator[tuple[str, _Told]]:
    """The kind of each entry that holds for a device; and what it is of, its value, its source and its date."""
    currency, device = one_line(tariff.currency), one_line(tariff.device.name)

    def entry(kind: str, what: str, value: str, of: _Entry) -> tuple[str, _Told]:
        return kind, (what, value, one_line(of.source), one_line(of.date))

    for offer, kind in ((tariff.rent, "rent"), (tariff.spot, "spot rent")):
        if offer is not None:
            what = f"{kind} of {device}, {one_line(offer.provider)}" + f" {one_line(offer.what)}" * bool(offer.what)
            price = f"{offer.per_hour:g} {currency}/h for {offer.covers}, {tariff.device.units} of them used"
            yield entry(kind, what, price, offer)
    if (bought := tariff.purchase) is not None:
        what = f"purchase of {device}" + f", {one_line(bought.what)}" * bool(bought.what)
        price = f"{bought.price:g} {currency} for {bought.covers}, over {bought.years:g} years"
        yield entry("purchase", what, price, bought)
    if (board := tariff.board) is not None:
        yield entry("board", f"board power of {device}", f"{board.power_w:g} W", board)
    if (power := tariff.electricity) is not None:
        price = f"{power.per_kwh:g} {currency}/kWh"
        yield entry("electricity", f"electricity, {one_line(power.region)}", price, power)
    if (carbon := tariff.carbon) is not None:
        price = f"{carbon.g_per_kwh:g} g/kWh"
        yield entry("carbon", f"CO2e of electricity, {one_line(carbon.region)}", price, carbon)
    if (site := tariff.overhead) is not None:
        yield entry("overhead", f"PUE, {one_line(site.site)}", f"{site.pue:g}", site)


def _assumed(book: PriceBook) -> Iterator[_Told]:
    where = one_line(book.path) or DASH
    yield "share of the paid time at work", percent(book.assume.utilisation), where, ""
    yield "training run", f"{book.assume.epochs} epochs of {book.assume.images:,} images", where, ""
