"""From time and energy to money: what an item costs by rent, by ownership, by electricity alone, and what it emits.

::

    rent          per hour / 3600 x seconds per item / utilisation
    electricity   joules per item x PUE x price per joule
    ownership     price / (years x seconds of a year) x seconds per item / utilisation
                  + electricity + PUE x price per joule x idle watts x idle seconds per item
    idle seconds  seconds per item x (1 / utilisation - 1): a device that is paid for costs while it waits
    emissions     joules per item x PUE x grams per joule

Prices are taken as exact; what is uncertain is time and energy. Where both have a part, their half-widths are added.
That is right when they rise and fall together, as they do when a machine is slowed, and too wide otherwise.

``docs/cost.md`` works one example out by hand; a test reads it from there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.analysis.energy import EnergyEstimate, counted_gpus
from bench.analysis.estimates import Estimate, time_paid
from bench.analysis.summary import Group, Row
from bench.records import Run
from bench.records.prices import HOURS_PER_YEAR, Board, Carbon, Electricity, Overhead, PriceBook, Purchase, Rent

JOULES_PER_KWH = 3.6e6
#: In which ways an item is paid, the fullest first.
WAYS = ("rent", "ownership", "electricity")
_SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class Cost(Estimate):
    """An amount of money, energy or emissions; ``estimated`` where a model or a board's limit had a part in it."""

    systematic_low: float | None = None
    systematic_high: float | None = None
    estimated: bool = False

    def times(self, items: float) -> Cost:
        """The same evidence for so many items."""
        known = (self.low, self.high, self.systematic_low, self.systematic_high)
        low, high, least, most = (None if bound is None else bound * items for bound in known)
        return replace(self, value=self.value * items, low=low, high=high, systematic_low=least, systematic_high=most)


@dataclass(frozen=True)
class Device:
    """What is paid for: its name, and how many units a price book counts (CPU cores, or one GPU)."""

    name: str
    units: int


@dataclass(frozen=True)
class Tariff:
    """The entries of a price book that hold for one device; None where the book has none."""

    device: Device
    currency: str
    utilisation: float
    rent: Rent | None
    spot: Rent | None
    purchase: Purchase | None
    board: Board | None
    electricity: Electricity | None
    carbon: Carbon | None
    overhead: Overhead | None

    @property
    def pue(self) -> float:
        """1 where nothing is known: the devices alone."""
        return 1.0 if self.overhead is None else self.overhead.pue

    @property
    def per_joule(self) -> float | None:
        """Money for a joule that the device takes, cooling included."""
        return None if self.electricity is None else self.electricity.per_kwh * self.pue / JOULES_PER_KWH

    @property
    def amortised_per_s(self) -> float | None:
        """Purchase spread over every second of its life."""
        if self.purchase is None:
            return None
        life_s = self.purchase.years * HOURS_PER_YEAR * _SECONDS_PER_HOUR
        return self.purchase.price / life_s * self.device.units / self.purchase.covers

    def rent_per_s(self, *, spot: bool = False) -> float | None:
        """Rent of what the device is, for one second."""
        offer = self.spot if spot else self.rent
        return None if offer is None else offer.per_hour / _SECONDS_PER_HOUR * self.device.units / offer.covers


@dataclass(frozen=True)
class CostLine:
    """What an item costs when the device is at work in a share of the paid time: ``fixed / share + variable``."""

    fixed: float
    variable: float = 0.0

    def at(self, share: float) -> float:
        """Money for one item."""
        return self.fixed / share + self.variable


@dataclass(frozen=True)
class Bill:
    """What one item costs; None where a price, or a figure that it needs, is not known."""

    tariff: Tariff
    rent: Cost | None
    spot: Cost | None
    owned: Cost | None
    electricity: Cost | None
    energy_j: Cost | None  # of the measured components, without PUE
    emissions_g: Cost | None
    rent_line: CostLine | None
    spot_line: CostLine | None
    owned_line: CostLine | None  # without idling where idle power is not known
    idles_unpaid: bool  # idle power is not known, so that waiting costs less here than it does
    set_up: float | None  # money for one cold set-up: rent, or else ownership with the electricity that is known
    set_up_items: float | None  # what could have been done in the time of a cold set-up

    def paid(self, way: str) -> Cost | None:
        """What it costs by one of :data:`WAYS`; None where that is not known."""
        return {"rent": self.rent, "ownership": self.owned, "electricity": self.electricity}[way]

    @property
    def default_way(self) -> tuple[str, Cost] | None:
        """How the bill is paid by default: rent on demand, else ownership, else electricity alone."""
        return next(((way, cost) for way in WAYS if (cost := self.paid(way)) is not None), None)


def device_of(group: Group, run: Run) -> Device:
    """What a group ran on, by the name that its driver or system gives it, and how much of that it had to itself.

    Of a CPU, the cores that it may use, by affinity and by quota; of GPUs, those whose energy counts.
    """
    e = run.environment
    if not group.device.startswith("cuda"):
        cores = e.cores_usable or 1
        return Device(e.cpu or group.device, min(cores, math.ceil(e.cpu_quota_cores or cores)))
    named = {gpu.uuid: gpu.name for gpu in e.gpus}
    log = run.log_of(row.trial for row in group.rows)
    uuid = None if log is None else dict(log.devices).get(group.device)
    asked = None if log is None else counted_gpus(log, group.device, run.plan.power)
    # Where its own is unknown, all were counted: that is a caveat, and no second bill.
    alike = {named[each] for each in named if not asked or each in asked}
    if len(alike) > 1 and asked and len(asked) > 1:
        return Device(" + ".join(sorted(alike)), 1)  # of several products there is no one price
    units = max(1, len(asked or ()))
    if uuid in named:
        return Device(named[uuid] or group.device, units)
    return Device((alike.pop() if len(alike) == 1 else "") or group.device, units)


def tariff_of(book: PriceBook, device: Device) -> Tariff:
    """What a price book says of a device."""
    return Tariff(
        device,
        book.currency,
        book.assume.utilisation,
        book.rent_of(device.name, spot=False),
        book.rent_of(device.name, spot=True),
        book.purchase_of(device.name),
        book.board_of(device.name),
        book.electricity_here(),
        book.carbon_here(),
        book.overhead_here(),
    )


def bill_of(row: Row, tariff: Tariff) -> Bill | None:
    """What one item of a case costs; None where not even its time is known."""
    if row.time_per_step is None:
        return None
    paid = time_paid(row.trial, row.time_per_step.confidence or 0.95)
    if paid is None:
        return None
    low, high = (None if bound is None else bound * row.drift for bound in (paid.low, paid.high))
    item_s = replace(paid, value=paid.value * row.drift, low=low, high=high)
    energy = None if row.energy is None else row.energy.per_item
    total = None if row.energy is None else row.energy.total
    idle_w = None if total is None else total.idle_w
    set_up_s = None if row.set_up_cold is None else row.set_up_cold.value
    set_up_j = None if row.energy is None or row.energy.set_up_cold is None else row.energy.set_up_cold.value
    return bill(item_s, energy, idle_w, tariff, set_up_s, set_up_j)


def bill(
    item_s: Estimate,
    energy_j: EnergyEstimate | None,
    idle_w: float | None,
    tariff: Tariff,
    set_up_s: float | None = None,
    set_up_j: float | None = None,
) -> Bill:
    """What an item costs that takes so many seconds and joules on a device of this tariff."""
    joules = _joules(item_s, energy_j, tariff)
    rent, spot = (_rent(item_s, tariff, spot=spot) for spot in (False, True))
    rates = tariff.rent_per_s(), tariff.rent_per_s(spot=True)
    lines = [None if rate is None else CostLine(rate * item_s.value) for rate in rates]
    per_g = None if tariff.carbon is None else tariff.carbon.g_per_kwh * tariff.pue / JOULES_PER_KWH
    return Bill(
        tariff,
        rent,
        spot,
        _owned(item_s, joules, idle_w, tariff),
        _times(joules, tariff.per_joule, "electricity", tariff.currency),
        _times(joules, 1.0, "energy", "J"),
        _times(joules, per_g, "emissions", "g"),
        lines[0],
        lines[1],
        _owned_line(item_s, joules, idle_w, tariff),
        idle_w is None,
        _set_up(set_up_s, set_up_j, tariff),
        None if set_up_s is None else set_up_s / item_s.value,
    )


def break_even_share(line: CostLine, target: float) -> float | None:
    """The share of the paid time that a device must be at work to cost no more per item than ``target``.

    None where it costs more however busy it is.
    """
    return None if line.at(1.0) > target else min(1.0, line.fixed / (target - line.variable))


def _set_up(set_up_s: float | None, set_up_j: float | None, tariff: Tariff) -> float | None:
    """Money for a set-up of so long: its rent; else what owning costs meanwhile, and the electricity that is known."""
    if set_up_s is None:
        return None
    rent_per_s = tariff.rent_per_s()
    if rent_per_s is not None:
        return rent_per_s * set_up_s
    if tariff.amortised_per_s is None:
        return None
    return tariff.amortised_per_s * set_up_s + (tariff.per_joule or 0.0) * (set_up_j or 0.0)


def _joules(item_s: Estimate, energy_j: EnergyEstimate | None, tariff: Tariff) -> Cost | None:
    """Joules per item as measured; else, as an estimate, what the board takes at its limit."""
    if energy_j is not None:
        return Cost(
            "energy per item",
            energy_j.value,
            energy_j.low,
            energy_j.high,
            energy_j.confidence,
            "J",
            energy_j.n,
            energy_j.systematic_low,
            energy_j.systematic_high,
            energy_j.estimated,
        )
    if tariff.board is None:
        return None
    watts = tariff.board.power_w * tariff.device.units
    return replace(_combined("energy per item", "J", [(watts, _as_cost(item_s))]), estimated=True)


def _rent(item_s: Estimate, tariff: Tariff, *, spot: bool) -> Cost | None:
    per_s = tariff.rent_per_s(spot=spot)
    if per_s is None:
        return None
    name = "spot rent" if spot else "rent"
    return _combined(name, tariff.currency, [(per_s / tariff.utilisation, _as_cost(item_s))])


def _owned(item_s: Estimate, joules: Cost | None, idle_w: float | None, tariff: Tariff) -> Cost | None:
    if tariff.amortised_per_s is None or tariff.per_joule is None or joules is None:
        return None
    waiting_s = 1 / tariff.utilisation - 1  # for each second at work
    parts = [
        (tariff.amortised_per_s / tariff.utilisation, _as_cost(item_s)),
        (tariff.per_joule, joules),
        (tariff.per_joule * waiting_s, _idle_joules(item_s, joules, idle_w or 0.0)),
    ]
    return _combined("ownership", tariff.currency, parts)


def _idle_joules(item_s: Estimate, joules: Cost, idle_w: float) -> Cost:
    """What waiting for as long as an item takes uses: known as well as the time, and off by the sensor's gain."""
    idle = _combined("idle energy", "J", [(idle_w, _as_cost(item_s))])
    if joules.systematic_low is None or joules.systematic_high is None or not joules.value:
        return idle
    low, high = (idle.value * bound / joules.value for bound in (joules.systematic_low, joules.systematic_high))
    return replace(idle, systematic_low=low, systematic_high=high)


def _owned_line(item_s: Estimate, joules: Cost | None, idle_w: float | None, tariff: Tariff) -> CostLine | None:
    if tariff.amortised_per_s is None or tariff.per_joule is None or joules is None:
        return None
    idling = tariff.per_joule * (idle_w or 0.0) * item_s.value
    return CostLine(tariff.amortised_per_s * item_s.value + idling, tariff.per_joule * joules.value - idling)


def _times(cost: Cost | None, factor: float | None, statistic: str, unit: str) -> Cost | None:
    if cost is None or factor is None:
        return None
    return replace(cost.times(factor), statistic=statistic, unit=unit)


def _combined(statistic: str, unit: str, parts: Sequence[tuple[float, Cost]]) -> Cost:
    """A sum of figures, each times a factor that is not negative; the bounds are the sums of bounds."""

    def total(bounds: Sequence[float | None]) -> float | None:
        known = [factor * bound for (factor, _), bound in zip(parts, bounds, strict=True) if bound is not None]
        return sum(known) if len(known) == len(parts) else None

    def gained(bound: float | None, cost: Cost) -> float:
        return cost.value if bound is None else bound  # time has no gain to be off by

    costs = [cost for _, cost in parts]
    has_gain = any(cost.systematic_low is not None for cost in costs)
    return Cost(
        statistic,
        sum(factor * cost.value for factor, cost in parts),
        total([cost.low for cost in costs]),
        total([cost.high for cost in costs]),
        costs[0].confidence,
        unit,
        min(cost.n for cost in costs),
        total([gained(cost.systematic_low, cost) for cost in costs]) if has_gain else None,
        total([gained(cost.systematic_high, cost) for cost in costs]) if has_gain else None,
        any(cost.estimated for cost in costs),
    )


def _as_cost(known: Estimate) -> Cost:
    return Cost(known.statistic, known.value, known.low, known.high, known.confidence, known.unit, known.n)
