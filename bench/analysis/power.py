"""From the readings of one sensor to the power of a steady block, or the energy of any window.

A block is steady, and may begin while the counter still holds what the case before it used::

    block     |<------------------ one case, a second or more ------------------>|
    changes   |  x       x       x       x       x       x       x       x       |
                 first:  |<------------- energy over time is the power --------->|
                 dropped second                                                last

A window of a user's own is not steady; there the counter is interpolated at both edges, and the error bar says
between which readings the truth must lie. Energy only grows, so these are bounds and not guesses::

    window            |<------------------------------------>|
    changes   x       |       x       x       x       x       |      x
              at least                                        |      at most
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import combinations, pairwise
from operator import attrgetter
from typing import NamedTuple

from bench.records import Caveat, CaveatKind
from bench.records.power import PowerTrace, Reading, TroubleKind

#: At the start of a block so much is dropped in any case: sensors with a short period may publish late by several.
SETTLE_S = 0.1
#: With fewer changes than this there is no number.
LEAST_CHANGES = 3
#: A counter is not believed across a silence of so many periods.
_SILENCE_PERIODS = 5
#: How well a time is known at best; keeps the widest pair of changes when all are equally sharp.
_LEAST_BLUR_S = 2e-4

_at_s = attrgetter("at_s")
_since_s = attrgetter("since_s")


class Metered(NamedTuple):
    """A figure of one sensor with the bounds that reading it allows: not a confidence interval, and without gain."""

    value: float
    low: float
    high: float
    readings: int


def steady_power(trace: PowerTrace, start_s: float, stop_s: float) -> Metered | Caveat:
    """Mean watts of a block of steady work, from the second change inside it to the last; or why there is none.

    What appears in the first ``SETTLE_S`` is left out as well: a counter of 20 ms that publishes 50 ms late still
    shows the case before it in its second change.
    """
    settle_s = max(SETTLE_S, trace.averaged_s or 0.0)
    spacing_s = trace.period_s or SETTLE_S
    needed_s = settle_s + spacing_s * (LEAST_CHANGES + 2)
    inside = _inside(trace.readings, start_s, stop_s)
    if trace.unit == "J":
        changes = [reading for reading in inside[1:] if reading.since_s >= start_s + settle_s - spacing_s / 2]
        changes = _longest_stretch(changes, _SILENCE_PERIODS * spacing_s)
    else:
        changes = [reading for reading in inside if reading.at_s >= start_s + settle_s + spacing_s]
    if len(changes) < LEAST_CHANGES or (trace.unit == "W" and _fell_silent(trace, changes, stop_s)):
        return _lack(trace, start_s, stop_s, needed_s)
    return _slope(changes, trace.resolution) if trace.unit == "J" else _held(changes, trace, changes[0].at_s, stop_s)


def window_energy(trace: PowerTrace, start_s: float, stop_s: float) -> Metered | Caveat:
    """Joules between two times, whatever the load did; or why there is no number."""
    spacing_s = trace.period_s or SETTLE_S
    lag_s = max(trace.late_s, trace.averaged_s or 0.0)
    needed_s = max(spacing_s * (LEAST_CHANGES + 1), trace.averaged_s or 0.0)
    inside = _inside(trace.readings, start_s, stop_s)
    silence_s = max((later.at_s - earlier.at_s for earlier, later in pairwise(inside)), default=0.0)
    if len(inside) < LEAST_CHANGES or silence_s > _silence_s(trace):
        return _lack(trace, start_s, stop_s, needed_s)
    if trace.unit == "W":
        if inside[0].at_s - start_s > _silence_s(trace) or _fell_silent(trace, inside, stop_s):
            return _lack(trace, start_s, stop_s, needed_s)
        held = _held(trace.readings, trace, start_s, stop_s)
        length_s = stop_s - start_s
        return Metered(held.value * length_s, held.low * length_s, held.high * length_s, len(inside))
    first, last = _edge(trace.readings, start_s, lag_s), _edge(trace.readings, stop_s, lag_s)
    if first is None or last is None:
        return _lack(trace, start_s, stop_s, needed_s)
    quantum_j = trace.resolution
    low = max(0.0, last.low - first.high - quantum_j)
    return Metered(last.value - first.value, low, last.high - first.low + quantum_j, len(inside))


def peak_power(trace: PowerTrace, start_s: float, stop_s: float) -> float | None:
    """The highest power that was seen in a block, in watts: of a counter, the steepest step."""
    inside = _inside(trace.readings, start_s, stop_s)
    if trace.unit == "W":
        return max((reading.value for reading in inside), default=None)
    steps = [
        (later.value - earlier.value) / (later.at_s - earlier.at_s)
        for earlier, later in pairwise(inside[1:])
        if later.at_s - earlier.at_s > (trace.period_s or SETTLE_S) / 2
    ]
    return max(steps, default=None)


class _Edge(NamedTuple):
    """What a counter stood at, at some moment: interpolated, at least, at most."""

    value: float
    low: float
    high: float


def _edge(readings: Sequence[Reading], time_s: float, late_s: float) -> _Edge | None:
    """The counter at a time, or None where no reading lies before it or after it.

    A change that had been seen by then was used up before; one that came more than the lateness after it had
    not been.
    """
    after = bisect_right(readings, time_s, key=_middle)
    certain = bisect_left(readings, time_s + late_s, key=_since_s)
    before = bisect_right(readings, time_s, key=_at_s) - 1
    if before < 0 or certain >= len(readings):
        return None
    left, right = readings[after - 1], readings[after]
    share = (time_s - _middle(left)) / (_middle(right) - _middle(left))
    value = left.value + share * (right.value - left.value)
    return _Edge(value, readings[before].value, readings[certain].value)


def _held(readings: Sequence[Reading], trace: PowerTrace, start_s: float, stop_s: float) -> Metered:
    """Mean watts, every reading held until the next one; the first also back to the start.

    The error bar has two parts. Between two readings the truth lies between the two: what they differ by, for as
    long as they are apart and may be late. And a sensor sees a part of the time only (25 of 100 ms is common), so
    that its readings are a sample of a load that swings: twice the standard error of that sample at its worst.
    What no polled sensor can see is a load that repeats in step with it; comparing with a counter shows that.
    """
    lag_s = max(trace.late_s, trace.averaged_s or 0.0)
    first = max(0, bisect_right(readings, start_s, key=_at_s) - 1)
    last = bisect_left(readings, stop_s, key=_at_s)
    held = readings[first:last]
    ends = [*(reading.at_s for reading in held[1:]), stop_s]
    begins = [start_s, *ends[:-1]]
    energy_j = sum(r.value * (end - begin) for r, begin, end in zip(held, begins, ends, strict=True))
    swing_j = sum(
        abs(later.value - earlier.value) * (later.at_s - earlier.at_s + lag_s)
        for earlier, later in pairwise(readings[first : last + 1])
    )
    values = [reading.value for reading in readings[first : last + 1]]
    length_s = stop_s - start_s
    mean_w = energy_j / length_s
    swing_w = swing_j / length_s + (max(values) - min(values)) / math.sqrt(len(held)) + trace.resolution
    return Metered(mean_w, max(0.0, mean_w - swing_w), mean_w + swing_w, len(held))


def _slope(changes: Sequence[Reading], resolution_j: float) -> Metered:
    """Watts between the two changes whose distance in time is known best: as a rule the first and the last."""
    first, last = min(combinations(changes, 2), key=_looseness)
    seconds = _middle(last) - _middle(first)
    joules = last.value - first.value
    error = (_blur_s(first) + _blur_s(last)) / 2 / seconds
    error_w = joules / seconds * error + resolution_j / seconds
    power_w = joules / seconds
    return Metered(power_w, max(0.0, power_w - error_w), power_w + error_w, len(changes))


def _looseness(pair: tuple[Reading, Reading]) -> float:
    first, last = pair
    return (_blur_s(first) + _blur_s(last) + _LEAST_BLUR_S) / (_middle(last) - _middle(first))


def _blur_s(reading: Reading) -> float:
    return reading.at_s - reading.since_s


def _middle(reading: Reading) -> float:
    return (reading.at_s + reading.since_s) / 2


def _silence_s(trace: PowerTrace) -> float:
    """What is a silence, and no longer the distance of two readings."""
    return _SILENCE_PERIODS * max(trace.period_s or SETTLE_S, SETTLE_S)


def _fell_silent(trace: PowerTrace, readings: Sequence[Reading], stop_s: float) -> bool:
    """Whether the last of these cannot be held to the end: whatever came after it, nobody saw."""
    return stop_s - readings[-1].at_s > _silence_s(trace)


def _inside(readings: Sequence[Reading], start_s: float, stop_s: float) -> Sequence[Reading]:
    """The readings that certainly appeared between two times."""
    first = bisect_left(readings, start_s, key=_since_s)
    return readings[first : bisect_right(readings, stop_s, key=_at_s)]


def _longest_stretch(changes: Sequence[Reading], silence_s: float) -> list[Reading]:
    """The longest run of changes without a silence in it."""
    stretches: list[list[Reading]] = [[]]
    for reading in changes:
        if stretches[-1] and reading.at_s - stretches[-1][-1].at_s > silence_s:
            stretches.append([])
        stretches[-1].append(reading)
    return max(stretches, key=len)


def _lack(trace: PowerTrace, start_s: float, stop_s: float, needed_s: float) -> Caveat:
    """Why a window has no number: the sensor was lost, it stood still, or the window is too short for it."""
    component, source = trace.component.name, trace.source
    for trouble in trace.troubles:
        if trouble.kind is TroubleKind.LOST and trouble.at_s <= stop_s:
            return Caveat.of(CaveatKind.SENSOR_LOST, component=component, source=source, reason=trouble.reason)
    if stop_s - start_s < needed_s:
        return Caveat.of(
            CaveatKind.WINDOW_TOO_SHORT,
            component=component,
            source=source,
            window_s=stop_s - start_s,
            needed_s=needed_s,
        )
    return Caveat.of(CaveatKind.SENSOR_STALLED, component=component, source=source, window_s=stop_s - start_s)
