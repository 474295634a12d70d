"""How long each phase of a step takes: a reading of a clock at either end of each span.

::

    host    |<- data ->|<----- forward ----->|<- loss ->|<------ backward ------>|<- optimizer ->|
            |<--------------------------------- step ------------------------------------------->|
    cuda    the same with events on the stream: from when the device reaches one to when it reaches the next

What lies between two spans belongs to neither. On CUDA each step is synchronised, which the measured samples are not:
the pass tells shares of a step, and no sample comes of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from bench.instruments.spans import told


class Marks(Protocol):
    """Readings of one clock, of the host or of a device."""

    clock: str

    def mark(self) -> Any:
        """A reading, or the promise of one."""

    def between_s(self, first: Any, last: Any) -> float:
        """Seconds from one reading to another, both settled."""

    def settle(self) -> None:
        """Wait until all that was enqueued is done."""


class HostMarks:
    """For work that is done when the call returns."""

    clock = "host"

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.mark = clock

    def between_s(self, first: float, last: float) -> float:
        return last - first

    def settle(self) -> None: ...


class CudaMarks:
    """For work that a call only enqueues: events on the current stream."""

    clock = "device"

    def __init__(self, torch: Any, device: str) -> None:
        self._cuda = torch.cuda
        self._device = torch.device(device)

    def mark(self) -> Any:
        event = self._cuda.Event(enable_timing=True)
        event.record()
        return event

    def between_s(self, first: Any, last: Any) -> float:
        return float(first.elapsed_time(last)) / 1e3

    def settle(self) -> None:
        self._cuda.synchronize(self._device)


class PhaseTimer:
    """A tracer that reads a clock. A span inside another is part of the outer one; equal names add up."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._depth = 0
        self._stretches: list[tuple[str, Any, Any]] = []

    def span(self, name: str) -> _Stretch:
        return _Stretch(self, name)

    def time(self, run: Callable[[], object], tracer: Any = None) -> tuple[float, dict[str, float]]:
        """Seconds of one step, and of each of its phases in the order in which they first began.

        ``tracer`` is who is told of the spans: this timer, unless others are to be told with it.
        """
        marks = self._marks
        self._stretches.clear()
        marks.settle()
        with told(tracer or self):
            first = marks.mark()
            run()
            last = marks.mark()
        marks.settle()
        phases: dict[str, float] = {}
        for name, begin, end in self._stretches:
            phases[name] = phases.get(name, 0.0) + marks.between_s(begin, end)
        return marks.between_s(first, last), phases

    def enter(self) -> Any:
        """The reading at the begin of an outermost span; None inside another."""
        self._depth += 1
        return self._marks.mark() if self._depth == 1 else None

    def leave(self, name: str, begin: Any) -> None:
        """The end of a span."""
        self._depth -= 1
        if self._depth == 0:
            self._stretches.append((name, begin, self._marks.mark()))


class _Stretch:
    __slots__ = ("_begin", "_name", "_timer")

    def __init__(self, timer: PhaseTimer, name: str) -> None:
        self._timer = timer
        self._name = name
        self._begin: Any = None

    def __enter__(self) -> None:
        self._begin = self._timer.enter()

    def __exit__(self, *_: object) -> None:
        self._timer.leave(self._name, self._begin)
