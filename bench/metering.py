"""The sensors beside the measuring of one group: started before its workers, stopped after them.

::

    wave   set-up spans ... | timing rounds | idle | energy blocks | idle

The sampler runs all the while: at its cost of less than a percent of a core, the same for all cases, the ledger of
clocks, heat and strangers covers the timing blocks as well.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Protocol

from bench.instruments.power import Panel
from bench.instruments.sampler import Sampler
from bench.records.power import PowerLog, Span, SpanKind

#: How long the sampler may take to know its sensors' rhythm before the idle span begins all the same.
_LEARN_LIMIT_S = 2.0
_LOOK_EVERY_S = 0.01


class Meter(Protocol):
    """What the conductor asks of the sensors."""

    @property
    def measures(self) -> bool:
        """Whether there is anything to read; without, there are no energy blocks."""

    def start(self) -> None: ...

    def set_up(self, case: str, wave: int, start_s: float, stop_s: float) -> None:
        """Note when a case was set up, on the clock of samples."""

    def idle(self, wave: int, length_s: float) -> None:
        """Wait, with everything frozen, and note when."""

    def employ(self, pid: int | None) -> None:
        """Note that a process is ours, so that it is no stranger on a GPU."""

    def piece(self) -> PowerLog:
        """What was read since the piece before."""

    def stop(self) -> PowerLog:
        """End for good; the last piece."""


class SampledMeter:
    """A meter that follows the sensors of a panel in a thread."""

    def __init__(
        self,
        panel: Panel,
        *,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sampler = Sampler(panel, clock=clock)
        self._clock = clock
        self._sleep = sleep
        self._pids: set[int] = set()  # of workers that no piece has told of

    @property
    def measures(self) -> bool:
        return bool(self._sampler.panel.sensors)

    def start(self) -> None:
        self._sampler.start()

    def set_up(self, case: str, wave: int, start_s: float, stop_s: float) -> None:
        self._sampler.span(Span(SpanKind.SET_UP, wave, start_s, stop_s, case))

    def idle(self, wave: int, length_s: float) -> None:
        limit_s = self._clock() + _LEARN_LIMIT_S
        while not self._sampler.ready() and self._clock() < limit_s:
            self._sleep(_LOOK_EVERY_S)
        start_s = self._clock()
        self._sleep(length_s)
        self._sampler.span(Span(SpanKind.IDLE, wave, start_s, self._clock()))

    def employ(self, pid: int | None) -> None:
        self._pids.add(os.getpid() if pid is None else pid)

    def piece(self) -> PowerLog:
        piece = self._sampler.take(self._pids)
        self._pids.clear()
        return piece

    def stop(self) -> PowerLog:
        self._sampler.stop()
        return self.piece()
