"""Arithmetic on readings of sensors, written anew and more simply than in bench, to be held against it.

A reading appeared between two moments; the middle of them is taken for its time::

    power     ________|''''''''''|________        the load begins at the edge
    counter   . . . . . . .'.'.'                  where the lines before and after cross, less the edge, is how late
                          ^                       it publishes
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

#: Left out at the start of a stretch: what may still speak of the one before.
SETTLE_S = 0.3


class Reading(NamedTuple):
    """A new value of a sensor, in joules or watts, and when it appeared."""

    time_s: float
    value: float


class Stretch(NamedTuple):
    """A time in which the load did not change; ``load`` is its name, "" for none."""

    load: str
    start_s: float
    stop_s: float


def readings_of(trace: Any) -> list[Reading]:
    """The readings of a trace of a power log."""
    return [Reading((one.since_s + one.at_s) / 2, one.value) for one in trace.readings]


def within(readings: Iterable[Reading], start_s: float, stop_s: float) -> list[Reading]:
    """Those that appeared between two times."""
    return [reading for reading in readings if start_s <= reading.time_s <= stop_s]


def counter_power(readings: Sequence[Reading], stretch: Stretch) -> float | None:
    """Watts of a steady stretch: what the counter grew by from its first change in it to its last, over the time."""
    inside = within(readings, stretch.start_s + SETTLE_S, stretch.stop_s)
    if len(inside) < 3:
        return None
    first, last = inside[0], inside[-1]
    return (last.value - first.value) / (last.time_s - first.time_s)


def polled_power(readings: Sequence[Reading], stretch: Stretch, averaged_s: float = 0.0) -> float | None:
    """Watts of a steady stretch: each reading held until the next, from the first that speaks of the stretch alone."""
    inside = within(readings, stretch.start_s + SETTLE_S + averaged_s, stretch.stop_s)
    if len(inside) < 3:
        return None
    joules = sum(one.value * (two.time_s - one.time_s) for one, two in pairwise(inside))
    return joules / (inside[-1].time_s - inside[0].time_s)


def difference(one: float | None, other: float | None) -> float | None:
    """How far apart two figures of one thing are, as a fraction of the larger; None where one is unknown."""
    if one is None or other is None or max(one, other) <= 0:
        return None
    return abs(one - other) / max(one, other)


def lateness(readings: Sequence[Reading], before: Stretch, after: Stretch) -> float | None:
    """Seconds by which a counter is late, from a load that begins where ``after`` does; None where it cannot be told.

    The power before and after must differ: lines that hardly bend cross anywhere.
    """
    old = _line(within(readings, before.start_s + SETTLE_S, before.stop_s))
    new = _line(within(readings, after.start_s + SETTLE_S, after.stop_s))
    if old is None or new is None or new.slope <= 0 or new.slope < 1.5 * old.slope:
        return None
    return (old.at_zero - new.at_zero) / (new.slope - old.slope) - after.start_s


class _Line(NamedTuple):
    slope: float
    at_zero: float


def _line(readings: Sequence[Reading]) -> _Line | None:
    """The line through readings; None with fewer than three."""
    if len(readings) < 3:
        return None
    origin = readings[0]
    line = statistics.linear_regression(
        [one.time_s - origin.time_s for one in readings], [one.value - origin.value for one in readings]
    )
    return _Line(line.slope, line.intercept + origin.value - line.slope * origin.time_s)


def response(readings: Sequence[Reading], edge_s: float, before_w: float, after_w: float) -> float | None:
    """Seconds from a load's begin to the first power reading that is nearer to the new level than to the old."""
    half_w = (before_w + after_w) / 2
    return next((one.time_s - edge_s for one in readings if one.time_s >= edge_s and one.value >= half_w), None)


def median_of(values: Iterable[float | None]) -> float | None:
    """The median of what is known; None of nothing."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
