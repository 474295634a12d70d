"""Pictures of money: what a million items cost by each way of paying, and what is chosen between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bench.analysis import Row
from bench.analysis.cost import WAYS, Bill, Cost
from reports.document import Section
from reports.drawing import INK, MUTED, SERIES, Plot, picture, plain
from reports.money import MANY, Account, front_of, variant_of
from reports.standing import Standing, standing_of
from reports.text import one_line, shortened

_NAME, _NAME_IN_FIELD = 40, 24
_DEVICE, _POWER, _FRONT = SERIES[0], SERIES[3], SERIES[2]

_Bar = tuple[Row, Bill, Cost]
_Three = tuple[float, float | None, float | None]


def money_plots(section: Section, prefix: str) -> Iterator[Plot]:
    """What a group costs by each way that has a price, and its choices; nothing where it has no money."""
    if section.money is None:
        return
    account = section.money.account
    bars = {way: _bars(account, way) for way in WAYS}
    ways = [way for way in WAYS[:2] if bars[way]] or [way for way in WAYS if bars[way]]
    for number, way in enumerate(ways):
        yield _cost(section, account, way, bars[way], f"{prefix}cost{number or ''}")
    choices = _pareto(section, account, f"{prefix}pareto")
    if choices is not None:
        yield choices


def _bars(account: Account, way: str) -> list[_Bar]:
    costs = [(row, bill, bill.paid(way)) for row, bill in account.priced]
    return [(row, bill, cost) for row, bill, cost in costs if cost is not None and not cost.estimated]


# --- cost ----------------------------------------------------------------------------------------------------------


def _cost(section: Section, account: Account, way: str, bars: Sequence[_Bar], prefix: str) -> Plot:
    """What a million items cost, electricity stacked on the device; with the interval of the whole."""
    currency = one_line(account.tariff.currency)

    def draw(figure: Figure) -> None:
        axes = _rows(figure, len(bars))
        for number, (row, bill, cost) in enumerate(bars):
            y, total = len(bars) - 1 - number, cost.value * MANY
            power = bill.electricity.value * MANY if way == "ownership" and bill.electricity is not None else 0.0
            _bar(axes, y, 0.0, total - power, _DEVICE)
            if power:
                _bar(axes, y, total - power, power, _POWER)
            if cost.low is not None and cost.high is not None:
                axes.plot([cost.low * MANY, cost.high * MANY], [y, y], "-", color=INK, linewidth=1.2)
                for end in (cost.low * MANY, cost.high * MANY):
                    axes.plot([end, end], [y - 0.11, y + 0.11], "-", color=INK, linewidth=1.2)
            _named(axes, y, _labelled(row, way), f"{total:.3g}")

    text = f"{currency} for a million {account.items}; less is better; with intervals"
    if way == "ownership":
        text += "; the second part is electricity while at work"
    described = "; ".join(f"{variant_of(row)} {cost.value * MANY:.3g}" for row, _, cost in bars)
    height = 0.42 * len(bars) + 0.36
    svg = picture(draw, height, prefix, f"Cost by {way}, {section.table.title}", f"{text}: {described}.")
    return Plot(f"cost by {way}", text, svg)


def _bar(axes: Axes, y: float, start: float, width: float, color: str) -> None:
    axes.barh(y, width, left=start, height=0.3, facecolor=(color, 0.5), edgecolor=color, linewidth=0.8)


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


def _named(axes: Axes, y: float, name: str, text: str) -> None:
    across = axes.get_yaxis_transform()
    axes.text(0.0, y + 0.22, shortened(name, _NAME), transform=across, color=INK, va="bottom")
    axes.text(1.0, y + 0.22, text, transform=across, color=INK, va="bottom", ha="right")


_MARKED = (Standing.BASELINE, Standing.UNSURE, Standing.SAME, Standing.UNJUDGED)


def _labelled(row: Row, way: str) -> str:
    """The name of a row, with what must be known before it is called cheap."""
    stands = standing_of(row, way)
    return f"{variant_of(row)} ({stands.value})" if stands in _MARKED else variant_of(row)


# --- choices -------------------------------------------------------------------------------------------------------


def _pareto(section: Section, account: Account, prefix: str) -> Plot | None:
    """Rate against energy, or else against money; what nothing beats is filled."""
    points = list(_choices(account))
    if len(points) < 2:
        return None
    best = front_of(account)
    by_energy = _by_energy(account)
    price = "J each" if by_energy else f"{one_line(account.tariff.currency)} a million"

    def draw(figure: Figure) -> None:
        axes = figure.add_axes((0.11, 0.16, 0.87, 0.82))
        for number, _, rate, paid in points:
            face, edge = (_FRONT, _FRONT) if number in best else ("none", MUTED)
            axes.errorbar(
                rate[0], paid[0], xerr=_error(rate), yerr=_error(paid), fmt="o", markersize=6, color=_FRONT,
                markerfacecolor=face, markeredgecolor=edge, ecolor=MUTED, elinewidth=1,
            )  # fmt: skip
        axes.margins(x=0.18, y=0.18)
        axes.set_xlabel("rate: more is better")
        axes.set_ylabel("energy: less is better" if by_energy else "money: less is better")
        plain(axes)
        _annotate(axes, [(rate[0], paid[0], variant_of(row)) for _, row, rate, paid in points])

    text = f"{account.items}/s (across) and {price} (up); filled: no other case is better in all that was measured"
    described = "; ".join(f"{variant_of(row)} {rate[0]:.4g}, {paid[0]:.4g}" for _, row, rate, paid in points)
    return Plot("choices", text, picture(draw, 3.4, prefix, f"Choices, {section.table.title}", described))


def _annotate(axes: Axes, points: Sequence[tuple[float, float, str]]) -> None:
    """A name beside each point, on the first side where it meets no other name, no point and no edge.

    Letters are taken to be as wide as most are: what a browser's font does is not known here.
    """
    letter, line = 4.9, 10.0  # of 8-point text, in points as all that follows
    axes.autoscale_view()
    size, origin = axes.get_window_extent(), axes.transAxes.transform((0.0, 0.0))
    in_points = 72 / axes.figure.dpi
    width, height = size.width * in_points, size.height * in_points
    places = [(axes.transData.transform((x, y)) - origin) * in_points for x, y, _ in points]
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in places]
    for (x, y), (data_x, data_y, name) in zip(places, points, strict=True):
        label = shortened(name, _NAME_IN_FIELD)
        long = letter * len(label)
        sides = [(6, 4, "left"), (6, -4 - line, "left"), (-6, 4, "right"), (-6, -4 - line, "right")]
        sides += [(6, 4 + line, "left"), (-6, 4 + line, "right"), (6, -4 - 2 * line, "left")]
        boxes = [_box(x + dx, y + dy, long, line, side) for dx, dy, side in sides]
        free = (n for n, box in enumerate(boxes) if _fits(box, width, height) and not any(_meet(box, t) for t in taken))
        inside = (n for n, box in enumerate(boxes) if _fits(box, width, height))
        chosen = next(free, next(inside, 0))
        dx, dy, side = sides[chosen]
        taken.append(boxes[chosen])
        where = (data_x, data_y)
        axes.annotate(label, where, (dx, dy), textcoords="offset points", ha=side, color=INK, fontsize=8)


_Box = tuple[float, float, float, float]


def _box(x: float, y: float, width: float, height: float, side: str) -> _Box:
    left = x if side == "left" else x - width
    return left, y, left + width, y + height


def _fits(box: _Box, width: float, height: float) -> bool:
    return box[0] >= 0 and box[1] >= 0 and box[2] <= width and box[3] <= height


def _meet(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _choices(account: Account) -> Iterator[tuple[int, Row, _Three, _Three]]:
    """Number, row, rate and price of every sound case; price is energy where all have it, else money."""
    by_energy = _by_energy(account)
    numbers = {id(row): number for number, row in enumerate(account.group.rows)}
    for row, bill in account.priced:
        rate, energy, way = row.rate_of_run, account.group.comparable_energy(row), bill.default_way
        if rate is None:
            continue
        if by_energy and energy is not None:
            yield numbers[id(row)], row, (rate.value, rate.low, rate.high), (energy.value, energy.low, energy.high)
        elif not by_energy and way is not None and not way[1].estimated:
            many = way[1].times(MANY)
            yield numbers[id(row)], row, (rate.value, rate.low, rate.high), (many.value, many.low, many.high)


def _by_energy(account: Account) -> bool:
    known = [account.group.comparable_energy(row) for row, _ in account.priced]
    return bool(known) and all(energy is not None and not energy.estimated for energy in known)


def _error(three: _Three) -> list[list[float]] | None:
    value, low, high = three
    return None if low is None or high is None else [[value - low], [high - value]]
