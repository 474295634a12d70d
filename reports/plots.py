"""Pictures beside those of rate, speed-up and energy: power over time, latency and set-up, and those of money.

Names and figures come from the tables, so a picture says nothing that its table does not.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from bench.analysis import Row
from bench.records import Sample, SampleKind
from bench.records.power import PowerTrace, SourceKind
from bench.units import quantity
from reports.document import Section
from reports.drawing import BAND, DASHES, INK, MUTED, SERIES, Plot, picture, plain
from reports.plots_money import money_plots
from reports.standing import Standing, standing
from reports.text import one_line, shortened

_NAME = 40
_LINES = 5  # more lines than this cannot be told apart
_POINTS = 600  # of one line: finer than the screen is
_SOUND = frozenset({Standing.FASTER, Standing.SLOWER, Standing.SAME, Standing.UNSURE, Standing.BASELINE})


#: Lengths of time that people know, for an axis.
_LENGTHS = {
    0.001: "1 ms", 0.01: "10 ms", 0.1: "0.1 s", 1.0: "1 s", 10.0: "10 s", 60.0: "1 min", 600.0: "10 min",
    3600.0: "1 h", 36_000.0: "10 h", 604_800.0: "1 week", 2_592_000.0: "30 days", 31_536_000.0: "1 year",
}  # fmt: skip

_Numbers = NDArray[np.float64]


def plots_of(section: Section, prefix: str) -> tuple[Plot, ...]:
    """Every picture of a group for which there are figures."""
    drawn = (_power(section, prefix), _latency(section, prefix), _set_up(section, prefix))
    return (*money_plots(section, prefix), *(plot for plot in drawn if plot is not None))


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
        for color, dash, (trace, times, watts) in zip(SERIES, DASHES, lines, strict=False):
            label = shortened(_drawable(f"{trace.component.name}, {trace.source}"), _NAME)
            axes.step(times - first_s, watts, where="pre", color=color, linestyle=dash, linewidth=1.2, label=label)
        axes.set_ylim(0, 1.15 * max(float(watts.max()) for _, _, watts in lines))  # the numbers stand above
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
        for color, dash, (row, steps) in zip(SERIES, DASHES, curves, strict=False):
            places = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), _POINTS)).round().astype(int))
            share = (places + 1) / len(steps)
            label = shortened(_variant(row), _NAME)
            axes.step(steps[places], share, where="post", color=color, linestyle=dash, linewidth=1.4, label=label)
        least, most = min(steps[0] for _, steps in curves), max(steps[-1] for _, steps in curves)
        digits = 2 if most > 8 * least else 3
        if most > 8 * least:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if most < 100 * least else (1.0,)))
            axes.xaxis.set_minor_formatter(NullFormatter())
        else:
            axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: quantity(value, "s", digits)))
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
        axes = figure.add_axes((0.11, 0.16, 0.83, 0.80))
        for color, dash, row in zip(SERIES, DASHES, rows, strict=False):
            if row.throughput is None or row.set_up_cold is None:
                continue
            seconds = row.set_up_cold.value + items / row.throughput.value
            label = shortened(_variant(row), _NAME)
            axes.plot(items, seconds, color=color, linestyle=dash, linewidth=1.4, label=label)
        axes.set_xscale("log")
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        axes.set_yticks([seconds for seconds in _LENGTHS if low <= seconds <= high], minor=False)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _LENGTHS.get(round(value, 6), "")))
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


def _said(row: Row) -> str:
    return quantity(None if row.set_up_cold is None else row.set_up_cold.value, "s")


def _telling(section: Section) -> list[Row]:
    """The baseline and the fastest others: as many as can be told apart in one picture."""
    sound = [row for row in section.group.rows if standing(row) in _SOUND and row.throughput is not None]
    others = [row for row in sound if not row.is_baseline]
    others.sort(key=lambda row: 0.0 if row.throughput is None else -row.throughput.value)
    return [*(row for row in sound if row.is_baseline), *others[: _LINES - 1]]


# --- parts ---------------------------------------------------------------------------------------------------------


def _legend(axes: Axes) -> None:
    axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc="best")


def _drawable(text: str) -> str:
    """The text in letters that every font has: the layout measures it, and a browser's font is not at hand."""
    return one_line(text).encode("ascii", "replace").decode("ascii")


def _variant(row: Row) -> str:
    return one_line(row.trial.case.variant.id)
