"""Stretches of work on one device: how much of the time it was busy, and how long the gaps were."""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import NamedTuple

from bench.analysis.statistics import median
from bench.records.profile import DeviceWork

_start_s = attrgetter("start_s")


class Stretch(NamedTuple):
    """From when to when something ran, on one clock; ``launched_s`` is when the host had asked for it."""

    start_s: float
    end_s: float
    launched_s: float | None = None


def merged(stretches: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same time as stretches that do not touch, in order."""
    whole: list[tuple[float, float]] = []
    for start_s, end_s in sorted(stretches):
        if whole and start_s <= whole[-1][1]:
            whole[-1] = whole[-1][0], max(whole[-1][1], end_s)
        else:
            whole.append((start_s, end_s))
    return whole


def device_work(stretches: Sequence[Stretch], window_s: float) -> DeviceWork | None:
    """What a device did in a window of this length, all of it given; None where it did nothing.

    A gap lies between two stretches of work. Work on several streams at once counts once.
    """
    whole = merged(one[:2] for one in stretches)
    if not whole:
        return None
    return _summed(whole, [_gaps(whole)], stretches, max(window_s, whole[-1][1] - whole[0][0]))


def work_within(stretches: Sequence[Stretch], windows: Sequence[tuple[float, float]]) -> DeviceWork | None:
    """What a device did in several windows: work that begins in one counts, up to the window's end.

    What lies between two windows is no gap.
    """
    inside: list[Stretch] = []
    whole: list[tuple[float, float]] = []
    gaps: list[list[float]] = []
    ordered = sorted(stretches, key=_start_s)
    for start_s, end_s in merged(windows):
        first, last = (bisect_left(ordered, edge_s, key=_start_s) for edge_s in (start_s, end_s))
        here = [one._replace(end_s=min(one.end_s, end_s)) for one in ordered[first:last]]
        pieces = merged(one[:2] for one in here)
        inside += here
        whole += pieces
        gaps.append(_gaps(pieces))
    if not whole:
        return None
    return _summed(whole, gaps, inside, sum(end_s - start_s for start_s, end_s in merged(windows)))


def within(windows: Sequence[tuple[float, float]]) -> Callable[[float], bool]:
    """What says whether a time lies in one of these windows, the beginning included and the end not."""
    whole = merged(windows)
    starts = [start_s for start_s, _ in whole]

    def lies_within(time_s: float) -> bool:
        place = bisect_right(starts, time_s) - 1
        return place >= 0 and time_s < whole[place][1]

    return lies_within


def _gaps(whole: Sequence[tuple[float, float]]) -> list[float]:
    return [later[0] - earlier[1] for earlier, later in itertools.pairwise(whole)]


def _summed(
    whole: Sequence[tuple[float, float]], gaps: Sequence[Sequence[float]], stretches: Sequence[Stretch], window_s: float
) -> DeviceWork:
    all_gaps = [gap for some in gaps for gap in some]
    launches = [one.start_s - one.launched_s for one in stretches if one.launched_s is not None]
    return DeviceWork(
        window_s=window_s,
        busy_s=sum(end_s - start_s for start_s, end_s in whole),
        gaps=len(all_gaps),
        gap_median_s=median(all_gaps) if all_gaps else None,
        launch_median_s=median(launches) if launches else None,
    )
