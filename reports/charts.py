"""Pictures of a group as inline SVG: the rate of every case, and its speed-up, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bench.analysis import Row, StepTimes, step_times
from bench.units import quantity, scale, unscale
from reports.document import Section
from reports.drawing import BAND, INK, MUTED, RULE, picture
from reports.figures import Bounds, bounds, percent
from reports.standing import Standing, standing
from reports.tables import energy_per_item
from reports.text import one_line, shortened

_ROW_IN = 0.42
_AXIS_IN = 0.36
_LABEL_LENGTH = 42
_OF_STANDING: Mapping[Standing, str] = {
    Standing.FASTER: "#050607",
    Standing.SLOWER: "#060708",
    Standing.SAME: "#070809",
    Standing.UNSURE: "#08090a",
    Standing.BASELINE: "#090a0b",
}

#: Phases in the colours that the page has; the same phase is the same colour in every picture.
_PHASE_COLORS = ("#070809", "#08090a", "#060708", "#050607")
_OF_PHASE: Mapping[str, str] = {
    "data": "#08090a",
    "host-to-device": "#060708",
    "forward": "#070809",
    "loss": "#08090a",
    "backward": "#060708",
    "optimizer": "#050607",
    "other": "#090a0b",
}
_LEAST_NAMED = 0.005


@dataclass(frozen=True)
class _Mark:
    """What is drawn of one case: its label, the figure as its table has it, and the interval."""

    label: str
    text: str
    bounds: Bounds
    standing: Standing

    @property
    def color(self) -> str:
        return _OF_STANDING.get(self.standing, MUTED)


def rate_chart(section: Section, prefix: str) -> str | None:
    """Items per second as bars from zero, each with its interval; None where no case has a rate."""
    marks = _marks(section, "rate")
    if not marks:
        return None
    unit = section.table.columns[2].heading
    return _svg(
        lambda axes: _draw_rates(axes, marks),
        marks,
        prefix,
        f"{unit}, {section.table.title}",
        f"Bars with confidence intervals, in {unit}",
    )


def speedup_chart(section: Section, prefix: str, band: float) -> str | None:
    """Speed-ups as points with intervals beside the noise band; None where nothing is compared."""
    marks = _marks(section, "speedup")
    if not marks:
        return None
    return _svg(
        lambda axes: _draw_speedups(axes, marks, band),
        marks,
        prefix,
        f"Speed-up, {section.table.title}",
        f"Points with confidence intervals; 1 is as fast as the baseline, the noise band is ±{percent(band)}",
    )


def energy_chart(section: Section, prefix: str) -> str | None:
    """Joules per item as bars from zero, each with its interval; None where no energy was measured.

    What a model estimated is not drawn: a picture outlives the note beneath it.
    """
    marks = _marks(section, "energy")
    if not marks:
        return None
    unit = next(column.under for column in section.table.columns if column.key == "energy")
    shown_j = unscale(1.0, unit.partition("/")[0], "J")
    return _svg(
        lambda axes: _draw_rates(axes, marks, shown_j),
        marks,
        prefix,
        f"Energy, {section.table.title}",
        f"Bars with confidence intervals, in {unit}",
    )


def phase_chart(section: Section, prefix: str) -> str | None:
    """The step of each case as a bar of its phases, one behind the other; None where they were not timed."""
    timed = [
        (row, times) for row in section.group.rows if (times := step_times(row.trial, section.confidence)) is not None
    ]
    if not timed:
        return None
    marks = tuple(
        _Mark(
            shortened(one_line(row.trial.case.variant.id), _LABEL_LENGTH),
            ", ".join(
                f"{one_line(one.name)} {percent(one.share)}" for one in times.phases if one.share >= _LEAST_NAMED
            ),
            Bounds(times.step.value, None, None),
            standing(row),
        )
        for row, times in timed
    )
    return _svg(
        lambda axes: _draw_phases(axes, marks, [times for _, times in timed]),
        tuple(replace(mark, text=quantity(mark.bounds.value, "s")) for mark in marks),
        prefix,
        f"Phases of a step, {section.table.title}",
        f"Bars of one step each: {'; '.join(f'{mark.label}: {mark.text}' for mark in marks)}. Whole steps",
    )


def _draw_phases(axes: Axes, marks: Sequence[_Mark], timed: Sequence[StepTimes]) -> None:
    """Stacked bars from zero; a phase is named in its part of the bar where there is room."""
    limit = max(mark.bounds.value for mark in marks)
    unit, factor = scale(limit, "s")[1], limit / scale(limit, "s")[0]
    axes.set_xlim(0, limit * 1.02)
    for (y, _), times in zip(_placed(marks), timed, strict=True):
        start = 0.0
        for number, one in enumerate(times.phases):
            color = _OF_PHASE.get(one.name, _PHASE_COLORS[number % len(_PHASE_COLORS)])
            width = one.seconds.value
            axes.barh(y, width, left=start, height=0.30, facecolor=(color, 0.45), edgecolor=color, linewidth=0.8)
            label = f"{one_line(one.name)} {percent(one.share)}"
            if one.name.isascii() and width / limit > 0.017 * len(label):
                inside = f"inside{y:g}-{number}"
                axes.text(start + width / 2, y, label, color=INK, ha="center", va="center", fontsize=7.5, gid=inside)
            start += width
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / factor:g} {unit}"))


def _figure_of(row: Row, key: str) -> Bounds | None:
    energy = energy_per_item(row)
    figures = {
        "rate": row.throughput,
        "speedup": row.comparison,
        "energy": None if energy is None or energy.estimated else energy,
    }
    return bounds(figures[key])


def _standing_of(row: Row, key: str) -> Standing:
    """What colours a mark: in the picture of energy its verdict, elsewhere that of speed."""
    if key != "energy" or row.is_baseline or standing(row) in (Standing.STRUCK, Standing.FAILED):
        return standing(row)
    return Standing.UNJUDGED if row.energy_verdict is None else Standing[row.energy_verdict.name]


def _marks(section: Section, key: str) -> tuple[_Mark, ...]:
    keys = [column.key for column in section.table.columns]
    if key not in keys:
        return ()  # of latency there are no rates
    index, marks = keys.index(key), []
    for row, line in zip(section.group.rows, section.table.lines, strict=True):
        known = _figure_of(row, key)
        if known is not None:
            stands = _standing_of(row, key)
            suffix = f" ({stands.value})" if stands in (Standing.STRUCK, Standing.FAILED, Standing.BASELINE) else ""
            label = f"{shortened(line.cells[0].text, _LABEL_LENGTH - len(suffix))}{suffix}"
            marks.append(_Mark(label, line.cells[index].text, known, stands))
    return tuple(marks)


def _draw_rates(axes: Axes, marks: Sequence[_Mark], factor: float = 1.0) -> None:
    """Bars from zero; ``factor`` is how many base units the axis shows as one."""
    limit = max(mark.bounds.value for mark in marks) * 1.5  # an interval wider than that runs out of the picture
    axes.set_xlim(0, min(limit, 1.02 * max(mark.bounds.high or mark.bounds.value for mark in marks)))
    for y, mark in _placed(marks):
        whole = mark.standing not in (Standing.STRUCK, Standing.FAILED)
        face = (mark.color, 0.55) if whole else "none"  # light enough for the interval to show on it
        axes.barh(y, mark.bounds.value, height=0.30, facecolor=face, edgecolor=mark.color, linewidth=0.8)
        _draw_interval(axes, y, mark.bounds, INK)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / factor:g}"))


def _draw_speedups(axes: Axes, marks: Sequence[_Mark], band: float) -> None:
    points = [1.0, *(mark.bounds.value for mark in marks)]
    ends = [*(mark.bounds.low for mark in marks), *(mark.bounds.high for mark in marks)]
    low = min([*points, *(end for end in ends if end is not None and end > min(points) / 2)])
    high = max([*points, *(end for end in ends if end is not None and end < max(points) * 2)])
    margin = max(0.06 * (high - low), 2 * band, 0.005)
    room_for_figures = 0.16 * (high - low)  # they stand at the right edge, above the marks
    axes.set_xlim(max(0.0, low - margin), high + max(margin, room_for_figures))
    axes.axvspan(1 / (1 + band), 1 + band, facecolor=BAND, edgecolor="none", linewidth=0)
    axes.axvline(1, color=MUTED, linewidth=1)
    for y, mark in _placed(marks):
        _draw_interval(axes, y, mark.bounds, mark.color, linewidth=2.2)
        whole = mark.standing not in (Standing.STRUCK, Standing.FAILED)
        face = mark.color if whole else "none"
        axes.plot([mark.bounds.value], [y], "o", markersize=6, markerfacecolor=face, markeredgecolor=mark.color)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))


def _placed(marks: Sequence[_Mark]) -> list[tuple[float, _Mark]]:
    """Marks with their heights, the first at the top."""
    return [(len(marks) - 1 - number, mark) for number, mark in enumerate(marks)]


def _draw_interval(axes: Axes, y: float, known: Bounds, color: str, linewidth: float = 1.2) -> None:
    if known.low is None or known.high is None:
        return
    axes.plot([known.low, known.high], [y, y], "-", color=color, linewidth=linewidth, solid_capstyle="butt")
    for end in (known.low, known.high):
        axes.plot([end, end], [y - 0.11, y + 0.11], "-", color=color, linewidth=1.2)


def _svg(draw: Callable[[Axes], None], marks: Sequence[_Mark], prefix: str, title: str, description: str) -> str:
    height = _ROW_IN * len(marks) + _AXIS_IN

    def drawn(figure: Figure) -> None:
        bottom = _AXIS_IN / height
        axes = figure.add_axes((0.002, bottom, 0.996, 1 - bottom))
        axes.set_ylim(-0.45, len(marks) - 0.35)
        draw(axes)
        _dress(axes, marks)

    figures = "; ".join(f"{mark.label} {mark.text}" for mark in marks)
    return picture(drawn, height, prefix, title, f"{description}: {figures}.")


def _dress(axes: Axes, marks: Sequence[_Mark]) -> None:
    """Names and figures above their marks, so that the picture needs no margin and stays readable when small."""
    axes.patch.set_visible(False)
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(RULE)
    axes.set_yticks([])
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.tick_params(axis="x", color=RULE, labelcolor=MUTED, labelsize=8.5, length=3)
    axes.grid(axis="x", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    across = axes.get_yaxis_transform()
    for y, mark in _placed(marks):
        color = INK if mark.standing in _OF_STANDING else MUTED
        axes.text(0.0, y + 0.22, mark.label, transform=across, color=color, va="bottom")
        axes.text(1.0, y + 0.22, mark.text, transform=across, color=color, va="bottom", ha="right")
