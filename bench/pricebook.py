"""The price book on disk: TOML that people edit, read strictly: a slip of the pen is a sentence and no price."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from bench.errors import UsageError
from bench.records.prices import (
    Assumptions,
    Board,
    Carbon,
    Electricity,
    Overhead,
    PriceBook,
    Purchase,
    Rent,
)

#: The book that is shipped.
SHIPPED = Path(__file__).with_name("prices.toml")
_LISTS = {
    "rent": Rent,
    "purchase": Purchase,
    "board": Board,
    "electricity": Electricity,
    "carbon": Carbon,
    "overhead": Overhead,
}
#: No price book is larger; a file that is was not meant.
_MAX_BYTES = 2**20
#: Nothing costs, lasts or weighs more, in whatever unit.
_MOST = 10**15
#: Figures that must be above zero; all others must not be below.
_POSITIVE = frozenset({"per_hour", "price", "years", "power_w", "covers", "pue", "utilisation", "images", "epochs"})


def read_prices(path: Path | None = None) -> PriceBook:
    """The price book in a file, or the shipped one.

    Raises:
        UsageError: no such file, or one with a fault; the message names the file, the entry and the fault.
    """
    place = path or SHIPPED
    try:
        if place.stat().st_size > _MAX_BYTES:
            msg = f"{place} is larger than {_MAX_BYTES >> 20} MiB, which no price book is; name another file"
            raise UsageError(msg)
        tables = tomllib.loads(place.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"the price book {place} cannot be read ({error.strerror or error}); check the path"
        raise UsageError(msg) from error
    except ValueError as error:  # TOML and Unicode errors are ValueErrors
        msg = f"the price book {place} is no TOML ({_one_line(error)}); mend it there"
        raise UsageError(msg) from error
    for fault in _faults(tables):
        msg = f"the price book {place}: {fault}"
        raise UsageError(msg)
    book = _converted(tables, place)
    for fault in _impossible(book):
        msg = f"the price book {place}: {fault}"
        raise UsageError(msg)
    return replace(book, path=str(place))


def _faults(tables: Mapping[str, Any]) -> Iterator[str]:
    """What is called by a name that means nothing, or is no table where it must be one."""
    known = {"currency", "assume", *_LISTS}
    for name in tables:
        if name not in known:
            yield f"{name!r} means nothing here; the names are {', '.join(sorted(known))}"
    if not isinstance(tables.get("currency"), str) or not tables["currency"].strip():
        yield 'currency is missing; write currency = "USD" at the top'
    if not isinstance(tables.get("assume", {}), dict):
        yield "assume is not a table; write [assume]"
        return
    yield from _unknown("[assume]", tables.get("assume", {}), Assumptions)
    for name, kind in _LISTS.items():
        entries = tables.get(name, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            yield f"{name} is not a list of tables; write [[{name}]]"
            return
        for number, entry in enumerate(entries, start=1):
            yield from _unknown(f"[[{name}]] number {number}", entry, kind)


def _unknown(where: str, entry: Mapping[str, Any], kind: type) -> Iterator[str]:
    if not is_dataclass(kind):  # pragma: no cover  they all are
        return
    names = [field.name for field in fields(kind)]
    for name in entry:
        if name not in names:
            yield f"{where} has {name!r}, which means nothing there; the names are {', '.join(names)}"


def _converted(tables: Mapping[str, Any], place: Path) -> PriceBook:
    try:
        return msgspec.convert(tables, PriceBook)
    except msgspec.ValidationError as error:
        where = str(error).replace("$.", "").replace("Object missing required field", "misses the field")
        msg = f"the price book {place}: {_one_line(where)}; mend that entry"
        raise UsageError(msg) from error


def _impossible(book: PriceBook) -> Iterator[str]:
    """Figures that no price can have, and entries without source or date."""
    for name in _LISTS:
        for number, entry in enumerate(getattr(book, name), start=1):
            where = f"[[{name}]] number {number}"
            yield from _wrong_figures(where, entry)
            yield from (f"{where} has no {wanted}; every price needs one" for wanted in _unsaid(entry))
            if isinstance(entry, Overhead) and entry.pue < 1:
                yield f"{where} has a PUE of {entry.pue}; it cannot be below 1"
    yield from _wrong_figures("[assume]", book.assume)
    if book.assume.utilisation > 1:
        yield f"[assume] has a utilisation of {book.assume.utilisation}; it is a share of time, at most 1"


def _unsaid(entry: object) -> Iterator[str]:
    return (name for name in ("source", "date") if not str(getattr(entry, name)).strip())


def _wrong_figures(where: str, entry: Any) -> Iterator[str]:
    for field in fields(entry):
        value = getattr(entry, field.name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            least = "above 0" if field.name in _POSITIVE else "0 or more"
            if not 0 <= value <= _MOST or (value == 0 and field.name in _POSITIVE):
                yield f"{where} has {field.name} = {str(value)[:40]}; it must be {least}, and no more than {_MOST:.0e}"


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:200]
