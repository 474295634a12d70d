"""The small protocol of everything that reads power, energy or the state of hardware.

A sensor is asked for one number and knows no clock; a watch is asked for a state. When to ask is the business of
:mod:`bench.instruments.sampler`, which sensors there are that of :mod:`bench.instruments.panel`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from bench.errors import MeasurementError
from bench.records.power import Board, Component, GpuState, HostState, SourceKind, Unread


class SensorError(MeasurementError):
    """A read failed. ``lost`` says that no later read can succeed; otherwise it is worth trying again."""

    def __init__(self, reason: str, *, lost: bool = False) -> None:
        super().__init__(reason)
        self.lost = lost


class SensorFacts(NamedTuple):
    """What a sensor is, as its trace will say; see :class:`bench.records.power.PowerTrace`.

    ``fresh_s`` is how old a value can be when it is read, for a sensor that is always up to date; None for one
    that is brought up to date at intervals of its own, which are worth finding out.
    """

    component: Component
    source: str
    kind: SourceKind
    unit: str  # "J" for a sum that only grows, "W" for power
    resolution: float
    averaged_s: float | None = None
    late_s: float = 0.0
    fresh_s: float | None = None


class Sensor(Protocol):
    """One number of one component."""

    @property
    def facts(self) -> SensorFacts: ...

    def read(self) -> float:
        """Joules since some start, never falling; or watts.

        Raises:
            SensorError: it cannot be read, now or ever again.
        """


class Watch(Protocol):
    """The state of something that bears on energy without being it: clocks, heat, load."""

    def look(self, at_s: float) -> GpuState | HostState | None:
        """The state now, or None when there is none yet; ``at_s`` is the time to write on it.

        Raises:
            SensorError: it is gone.
        """


def _nothing() -> None:
    """What closing a panel takes when nothing is open."""


@dataclass(frozen=True)
class Panel:
    """The instruments of one machine that are to be read, best source of each component first."""

    sensors: tuple[Sensor, ...] = ()
    watches: tuple[Watch, ...] = ()
    unread: tuple[Unread, ...] = ()
    boards: tuple[Board, ...] = ()
    devices: tuple[tuple[str, str], ...] = ()  # ("cuda:0", UUID), where it can be told which is which
    before: tuple[tuple[str, int], ...] = ()  # (GPU, process id) at the time of opening
    close: Callable[[], None] = field(default=_nothing, compare=False)
