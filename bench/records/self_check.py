"""What the instruments themselves cost on the machine of a run: raw times, no figure computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class EmptyStep(NamedTuple):
    """A step that does nothing, of samples of two: what the stopwatch itself takes."""

    device: str
    host_s: float
    device_s: float | None  # between two CUDA events with nothing in between


@dataclass(frozen=True)
class SelfCheck:
    """Costs measured at the start of a run, each the median of many; ``None`` where there is nothing to measure.

    The trials of the copies stand among those of the run (:meth:`bench.records.Run.copies`).
    """

    copies: int  # of each group's baseline
    clock_call_s: float  # one reading of the clock
    clock_tick_s: float | None  # the least difference between two readings; None where it stood still
    round_trip_s: float | None = None  # a question to a worker and its answer; None without processes
    switch_s: float | None = None  # waking a worker for a block and freezing it again
    empty: tuple[EmptyStep, ...] = ()  # by device
