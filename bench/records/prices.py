"""What things cost, as somebody wrote it down: prices with source and date, and what is assumed of their use.

A pattern names devices by what the driver or the system calls them, as a shell would: ``NVIDIA A100-SXM4-*``. Upper
and lower case are alike, and of several entries that fit the first one counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Protocol, TypeVar

HOURS_PER_YEAR = 8766.0  # of 365.25 days


@dataclass(frozen=True)
class Rent:
    """An hour of so many devices (GPUs, or CPU cores as the system counts them) at one provider."""

    device: str
    provider: str
    per_hour: float
    source: str
    date: str
    covers: int = 1
    spot: bool = False
    what: str = ""  # the instance


@dataclass(frozen=True)
class Purchase:
    """What so many devices cost to buy, and over how many years that is spread."""

    device: str
    price: float
    years: float
    source: str
    date: str
    covers: int = 1
    what: str = ""  # that is bought: the card alone, a server


@dataclass(frozen=True)
class Board:
    """The power of a device at its limit: stands in for energy that nobody measured, marked as an estimate."""

    device: str
    power_w: float
    source: str
    date: str


@dataclass(frozen=True)
class Electricity:
    """What a kilowatt-hour costs in a region."""

    region: str
    per_kwh: float
    source: str
    date: str


@dataclass(frozen=True)
class Carbon:
    """Grams of CO2 equivalents emitted for a kilowatt-hour in a region."""

    region: str
    g_per_kwh: float
    source: str
    date: str


@dataclass(frozen=True)
class Overhead:
    """Power usage effectiveness of a kind of site: all that it draws, divided by what its computers draw."""

    site: str
    pue: float
    source: str
    date: str


@dataclass(frozen=True)
class Assumptions:
    """How the prices are used; ``utilisation`` is the share of the paid time in which the device is at work."""

    region: str = ""
    site: str = ""
    provider: str = ""  # "" for whoever stands first
    utilisation: float = 1.0
    images: int = 1_281_167  # of an epoch
    epochs: int = 90


@dataclass(frozen=True)
class PriceBook:
    """Everything in a price book, in the order in which it stands there."""

    currency: str
    rent: tuple[Rent, ...] = ()
    purchase: tuple[Purchase, ...] = ()
    board: tuple[Board, ...] = ()
    electricity: tuple[Electricity, ...] = ()
    carbon: tuple[Carbon, ...] = ()
    overhead: tuple[Overhead, ...] = ()
    assume: Assumptions = field(default_factory=Assumptions)
    path: str = ""  # where it was read from

    def rent_of(self, device: str, *, spot: bool) -> Rent | None:
        """The first rent of a device, on demand or spot, at the provider that is assumed, if one is."""
        wanted = self.assume.provider.casefold()
        offers = (one for one in self.rent if one.spot == spot and wanted in ("", one.provider.casefold()))
        return _first(offers, device)

    def purchase_of(self, device: str) -> Purchase | None:
        """The first purchase price of a device."""
        return _first(self.purchase, device)

    def board_of(self, device: str) -> Board | None:
        """The first board power of a device."""
        return _first(self.board, device)

    def electricity_here(self) -> Electricity | None:
        """The price of electricity in the region that is assumed."""
        return next((one for one in self.electricity if _same(one.region, self.assume.region)), None)

    def carbon_here(self) -> Carbon | None:
        """The emissions of electricity in the region that is assumed."""
        return next((one for one in self.carbon if _same(one.region, self.assume.region)), None)

    def overhead_here(self) -> Overhead | None:
        """The overhead of the site that is assumed."""
        return next((one for one in self.overhead if _same(one.site, self.assume.site)), None)


class _OfDevice(Protocol):
    @property
    def device(self) -> str: ...


_Entry = TypeVar("_Entry", bound=_OfDevice)


def _first(entries: Iterable[_Entry], device: str) -> _Entry | None:
    return next((one for one in entries if fnmatchcase(device.casefold(), one.device.casefold())), None)


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()
