"""Pictures beside those of rate, speed-up and energy: money, choices, power over time, latency, and set-up.

Names and figures come from the tables, so a picture says nothing that its table does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from bench.analysis import Row
from bench.analysis.cost import Bill, Cost
from bench.records import Sample, SampleKind
from bench.records.power import PowerTrace, SourceKind
from bench.units import quantity
from reports.document import Section
from reports.drawing import BAND, INK, MUTED, SERIES, picture, plain
from reports.money import MANY, front_of
from reports.standing import Standing, standing
from reports.tables import energy_per_item
from reports.text import one_line, shortened

_NAME = 40
_LINES = 5  # more lines than this cannot be told apart
_POINTS = 600  # of one line: finer than the screen is
_SOUND = frozenset({Standing.FASTER, Standing.SLOWER, Standing.SAME, Standing.UNSURE, Standing.BASELINE})


_Bar = tuple[Row, Bill, Cost]
_Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Plot:
    """A picture with its heading and the line beneath it."""

    title: str
    text: str
    svg: str


def plots_of(section: Section, prefix: str) -> tuple[Plot, ...]:
    """Every picture of a group for which there are figures."""
    drawn = (_cost(section, prefix), _pareto(section, prefix), _power(section, prefix), _latency(section, prefix))
    return tuple(plot for plot in (*drawn, _set_up(section, prefix)) if plot is not None)


# --- money ---------------------------------------------------------------------------------------------------------


def _cost(section: Section, prefix: str) -> Plot | None:
    """What a million items cost by the default way, electricity stacked on the device; with the interval."""
    if section.money is None:
        return None
    account = section.money.account
    paid = [(row, bill, bill.cheapest_way) for row, bill in account.priced]
    ways = {way[0] for _, _, way in paid if way is not None and not way[1].estimated}
    name = next((one for one in ("rent", "ownership", "electricity") if one in ways), None)
    bars = [(row, bill, way[1]) for row, bill, way in paid if way is not None and way[0] == name]
    if name is None or not bars:
        return None
    currency = one_line(account.tariff.currency)

    def draw(figure: Figure) -> None:
        axes = _rows(figure, len(bars))
        for y, (row, bill, cost) in _placed(bars):
            total = cost.value * MANY
            power = bill.electricity.value * MANY if name == "ownership" and bill.electricity is not None else 0.0
            axes.barh(y, total - power, height=0.3, facecolor=(SERIES[4], 0.55), edgecolor=SERIES[4], linewidth=0.8)
            axes.barh(y, power, left=total - power, height=0.3, facecolor=(SERIES[3], 0.55), linewidth=0.0)
            if cost.low is not None and cost.high is not None:
                axes.plot([cost.low * MANY, cost.high * MANY], [y, y], "-", color=INK, linewidth=1.2)
            _named(axes, y, _variant(row), f"{total:.3g}")

    text = f"{currency} for a million {account.items} by {name}; less is better; with intervals"
    if name == "ownership":
        text += "; the last part is electricity while at work"
    described = "; ".join(f"{_variant(row)} {cost.value * MANY:.3g}" for row, _, cost in bars)
    height = 0.42 * len(bars) + 0.36
    svg = picture(draw, height, f"{prefix}cost", f"Cost, {section.table.title}", f"{text}: {described}.")
    return Plot("cost", text, svg)


def _pareto(section: Section, prefix: str) -> Plot | None:
    """Rate against energy, or else against money; what nothing beats is filled."""
    if section.money is None:
        return None
    account = section.money.account
    points = list(_choices(section))
    if len(points) < 2:
        return None
    best = front_of(account)
    unit = "J" if _by_energy(account.priced) else one_line(account.tariff.currency)
    price = "J each" if unit == "J" else f"{unit} a million"

    def draw(figure: Figure) -> None:
        axes = figure.add_axes((0.11, 0.16, 0.87, 0.82))
        middle = (min(point[2][0] for point in points) + max(point[2][0] for point in points)) / 2
        for number, row, rate, price in points:
            face, edge = (SERIES[2], SERIES[2]) if number in best else ("none", MUTED)
            axes.errorbar(
                rate[0], price[0], xerr=_error(rate), yerr=_error(price), fmt="o", markersize=6, color=SERIES[2],
                markerfacecolor=face, markeredgecolor=edge, ecolor=MUTED, elinewidth=1,
            )  # fmt: skip
            label = shortened(_variant(row), 24)
            # To the left of what stands right, so that no name runs out of the picture.
            left = rate[0] > middle
            offset, side = ((-6, 5), "right") if left else ((6, 5), "left")
            where = (rate[0], price[0])
            axes.annotate(label, where, offset, textcoords="offset points", ha=side, color=INK, fontsize=8)
        axes.margins(x=0.18, y=0.18)
        axes.set_xlabel("rate: more is better")
        axes.set_ylabel("price: less is better")
        plain(axes)

    text = f"{account.items}/s (across) and {price} (up); filled: no other case is better in all that was measured"
    described = "; ".join(f"{_variant(row)} {rate[0]:.4g}, {price[0]:.4g}" for _, row, rate, price in points)
    return Plot("choices", text, picture(draw, 3.4, f"{prefix}pareto", f"Choices, {section.table.title}", described))


_Three = tuple[float, float | None, float | None]


def _choices(section: Section) -> Iterator[tuple[int, Row, _Three, _Three]]:
    """Number, row, rate and price of every sound case; price is energy where all have it, else money."""
    if section.money is None:
        return
    account = section.money.account
    by_energy = _by_energy(account.priced)
    numbers = {id(row): number for number, row in enumerate(account.group.rows)}
    for row, bill in account.priced:
        rate, energy, way = row.throughput, energy_per_item(row), bill.cheapest_way
        if rate is None:
            continue
        if by_energy and energy is not None:
            yield numbers[id(row)], row, (rate.value, rate.low, rate.high), (energy.value, energy.low, energy.high)
        elif not by_energy and way is not None and not way[1].estimated:
            many = way[1].times(MANY)
            yield numbers[id(row)], row, (rate.value, rate.low, rate.high), (many.value, many.low, many.high)


def _by_energy(priced: Sequence[tuple[Row, object]]) -> bool:
    known = [energy_per_item(row) for row, _ in priced]
    return bool(known) and all(energy is not None and not energy.estimated for energy in known)


# --- power over time -----------------------------------------------------------------------------------------------


def _power(section: Section, prefix: str) -> Plot | None:
    """Watts of every measured component around the energy blocks of the first wave, the blocks marked by number."""
    log = section.log
    blocks = [
        (number, row, min(starts), max(stops))
        for number, row in enumerate(section.group.rows, start=1)
        if (starts := [s.start_s for s in _energy(row)]) and (stops := [s.start_s + s.host_s for s in _energy(row)])
    ]
    if log is None or not blocks:
        return None
    first_s, last_s = min(block[2] for block in blocks) - 2.0, max(block[3] for block in blocks) + 2.0
    traces = [trace for trace in log.traces if trace.kind is not SourceKind.MODEL][:_LINES]
    lines = [(trace, *_watts(trace, first_s, last_s)) for trace in traces]
    lines = [line for line in lines if len(line[1]) > 1]
    if not lines:
        return None

    def draw(figure: Figure) -> None:
        axes = figure.add_axes((0.11, 0.16, 0.87, 0.80))
        for number, _, start_s, stop_s in blocks:
            axes.axvspan(start_s - first_s, stop_s - first_s, facecolor=BAND, edgecolor="none", linewidth=0)
            middle = (start_s + stop_s) / 2 - first_s
            axes.text(
                middle, 1.0, str(number), transform=axes.get_xaxis_transform(), color=MUTED, ha="center", va="top"
            )
        for color, (trace, times, watts) in zip(SERIES, lines, strict=False):
            label = _drawable(f"{trace.component.name}, {trace.source}")
            axes.step(times - first_s, watts, where="pre", color=color, linewidth=1.2, label=shortened(label, _NAME))
        axes.set_ylim(bottom=0)
        axes.set_xlabel("seconds")
        axes.set_ylabel("W")
        plain(axes)
        _legend(axes)

    named = "; ".join(f"{number} {_variant(row)}" for number, row, *_ in blocks)
    text = f"energy blocks of the first wave, shaded: {named}"
    svg = picture(draw, 3.0, f"{prefix}power", f"Power over time, {section.table.title}", text)
    return Plot("power over time, W", text, svg)


def _energy(row: Row) -> list[Sample]:
    """The energy samples of a row in its first wave."""
    samples = [sample for sample in row.trial.samples if sample.kind is SampleKind.ENERGY]
    first = min((sample.wave for sample in samples), default=0)
    return [sample for sample in samples if sample.wave == first]


def _watts(trace: PowerTrace, start_s: float, stop_s: float) -> tuple[_Numbers, _Numbers]:
    """Times and watts within a stretch: readings as they are, a counter by its steps; thinned for a screen."""
    readings = [reading for reading in trace.readings if start_s <= reading.at_s <= stop_s]
    if trace.unit == "W":
        pairs = [(reading.at_s, reading.value) for reading in readings]
    else:
        pairs = [
            (later.at_s, (later.value - earlier.value) / (later.at_s - earlier.at_s))
            for earlier, later in pairwise(readings)
            if later.at_s > earlier.at_s
        ]
    step = max(1, len(pairs) // _POINTS)
    times = [pair[0] for pair in pairs[::step]]
    # The highest of each stretch: a peak must not vanish with the points that are left out.
    watts = [max(pair[1] for pair in pairs[index : index + step]) for index in range(0, len(pairs), step)]
    return np.array(times), np.array(watts)


# --- latency and set-up --------------------------------------------------------------------------------------------


def _latency(section: Section, prefix: str) -> Plot | None:
    """The share of steps that took at most so long; single steps where they were timed, else samples."""
    rows = _telling(section)
    single = any(sample.kind is SampleKind.LATENCY for row in rows for sample in row.trial.samples)
    kind = SampleKind.LATENCY if single else SampleKind.TIMING
    curves = [(row, np.sort([s.step_s for s in row.trial.samples if s.kind is kind])) for row in rows]
    curves = [(row, steps) for row, steps in curves if len(steps) >= 20]
    if not curves:
        return None

    def draw(figure: Figure) -> None:
        axes = figure.add_axes((0.11, 0.16, 0.87, 0.80))
        for color, (row, steps) in zip(SERIES, curves, strict=False):
            places = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), _POINTS)).round().astype(int))
            share = (places + 1) / len(steps)
            axes.step(
                steps[places], share, where="post", color=color, linewidth=1.4, label=shortened(_variant(row), _NAME)
            )
        if max(steps[-1] for _, steps in curves) > 8 * min(steps[0] for _, steps in curves):
            axes.set_xscale("log")
            axes.xaxis.set_minor_formatter(NullFormatter())
        else:
            axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: quantity(value, "s")))
        axes.set_ylim(0, 1.02)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
        axes.set_xlabel("time per step")
        plain(axes)
        _legend(axes)

    what = "single steps" if single else "samples (steps back to back; single ones vary more)"
    text = f"share of {what} that took at most so long"
    described = "; ".join(f"{_variant(row)}: half within {quantity(float(np.median(s)), 's')}" for row, s in curves)
    svg = picture(draw, 3.0, f"{prefix}latency", f"Latency, {section.table.title}", f"{text}: {described}.")
    return Plot("distribution of step times", text, svg)


def _set_up(section: Section, prefix: str) -> Plot | None:
    """Time for so many items, a cold set-up included: where two lines cross, the slower start has paid."""
    rows = [row for row in _telling(section) if row.throughput is not None and row.set_up_cold is not None]
    if len(rows) < 2:
        return None
    items = np.logspace(1, 8, 141)

    def draw(figure: Figure) -> None:
        axes = figure.add_axes((0.13, 0.16, 0.85, 0.80))
        for color, row in zip(SERIES, rows, strict=False):
            if row.throughput is None or row.set_up_cold is None:
                continue
            seconds = row.set_up_cold.value + items / row.throughput.value
            axes.plot(items, seconds, "-", color=color, linewidth=1.4, label=shortened(_variant(row), _NAME))
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.set_xticks([1e2, 1e4, 1e6, 1e8])
        axes.minorticks_off()
        plain(axes)
        _legend(axes)

    items_said = one_line(section.group.workload.items)
    text = f"time (up) for so many {items_said} (across), cold set-up included; where lines cross, the slower has paid"
    described = "; ".join(f"{_variant(row)}: set-up {_said(row)}" for row in rows)
    svg = picture(draw, 3.0, f"{prefix}setup", f"Set-up, {section.table.title}", f"{text}: {described}.")
    return Plot("when set-up has paid", text, svg)


def _short(seconds: float) -> str:
    """A round length of time on an axis."""
    hours = seconds / 3600
    return quantity(seconds, "s", 2) if seconds < 100 else f"{hours:.2g} h" if hours >= 1 else f"{seconds / 60:.2g} min"


def _said(row: Row) -> str:
    return quantity(None if row.set_up_cold is None else row.set_up_cold.value, "s")


def _telling(section: Section) -> list[Row]:
    """The baseline and the fastest others: as many as can be told apart in one picture."""
    sound = [row for row in section.group.rows if standing(row) in _SOUND and row.throughput is not None]
    others = [row for row in sound if not row.is_baseline]
    others.sort(key=lambda row: 0.0 if row.throughput is None else -row.throughput.value)
    return [*(row for row in sound if row.is_baseline), *others[: _LINES - 1]]


# --- parts ---------------------------------------------------------------------------------------------------------


def _rows(figure: Figure, count: int) -> Axes:
    height = 0.42 * count + 0.36
    bottom = 0.36 / height
    axes = figure.add_axes((0.002, bottom, 0.996, 1 - bottom))
    axes.set_ylim(-0.45, count - 0.35)
    axes.set_yticks([])
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    plain(axes, grid="x")
    axes.spines["left"].set_visible(False)
    return axes


def _placed(bars: Sequence[_Bar]) -> list[tuple[int, _Bar]]:
    return [(len(bars) - 1 - number, bar) for number, bar in enumerate(bars)]


def _named(axes: Axes, y: float, name: str, text: str) -> None:
    across = axes.get_yaxis_transform()
    axes.text(0.0, y + 0.22, shortened(name, _NAME), transform=across, color=INK, va="bottom")
    axes.text(1.0, y + 0.22, text, transform=across, color=INK, va="bottom", ha="right")


def _legend(axes: Axes) -> None:
    axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc="best")


def _error(three: _Three) -> list[list[float]] | None:
    value, low, high = three
    return None if low is None or high is None else [[value - low], [high - value]]


def _drawable(text: str) -> str:
    """The text in letters that every font has: the layout measures it, and a browser's font is not at hand."""
    return one_line(text).encode("ascii", "replace").decode("ascii")


def _variant(row: Row) -> str:
    return one_line(row.trial.case.variant.id)
