"""Timing a number of steps: on the host clock alone, or on CUDA events as well.

The clock is ``time.perf_counter``: monotonic, and one for all processes of a machine, so that start times of
different workers can be put in order.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol


class Reading(NamedTuple):
    """One timed stretch: when it began, its wall-clock length, its length between CUDA events; in seconds."""

    start_s: float
    host_s: float
    device_s: float | None


class Stopwatch(Protocol):
    """Times ``steps`` calls made back to back, with one synchronise at the end."""

    def time(self, run: Callable[[], object], steps: int) -> Reading: ...


class HostStopwatch:
    """For work that is done when the call returns."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock

    def time(self, run: Callable[[], object], steps: int) -> Reading:
        clock = self._clock
        calls = range(steps)
        start = clock()
        for _ in calls:
            run()
        return Reading(start, clock() - start, None)


class CudaStopwatch:
    """For work that a call only enqueues.

    ::

        synchronise | start | event | step step ... step | event | synchronise | stop
                    |<------------------- host_s ------------------------------>|
                            |<------- device_s ---------------->|

    A single step is timed by the host's clock alone: beside a replayed graph, which takes a fifth of a millisecond, two
    events would cost percents.
    """

    def __init__(self, torch: Any, device: str, clock: Callable[[], float] = time.perf_counter) -> None:
        self._cuda = torch.cuda
        self._device = torch.device(device)
        self._clock = clock

    def time(self, run: Callable[[], object], steps: int) -> Reading:
        cuda, clock = self._cuda, self._clock
        if steps == 1:
            cuda.synchronize(self._device)
            start = clock()
            run()
            cuda.synchronize(self._device)
            return Reading(start, clock() - start, None)
        first, last = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
        calls = range(steps)
        cuda.synchronize(self._device)
        start = clock()
        first.record()
        for _ in calls:
            run()
        last.record()
        cuda.synchronize(self._device)
        host_s = clock() - start
        return Reading(start, host_s, first.elapsed_time(last) / 1e3)
