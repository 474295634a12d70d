"""What was read of power, energy and the state of the hardware: readings with their times, no figure computed.

All times are those of ``time.perf_counter``, the clock of :class:`bench.records.Sample`: one clock for all
processes of a machine, comparable within one run only. A log lies beside the trials of its group; which stretch
of it belongs to which block follows from the times alone::

    log      |---- readings ---- readings ---- readings ----|
    spans      [idle]                               [idle]
    samples             [ A ][ B ]   [ B ][ A ]
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from bench.errors import MeasurementError


class Part(enum.Enum):
    """What kind of hardware a component is. PSYS covers the whole platform, so it is never added to the others."""

    GPU = "gpu"
    CPU = "cpu"
    DRAM = "dram"
    PSYS = "psys"


class Component(NamedTuple):
    """A piece of hardware with a reading of its own."""

    part: Part
    name: str  # "GPU-5c0d...", "cpu package 0", "dram 0", "psys"


class SourceKind(enum.Enum):
    """How a figure came about. A model is no measurement, and says so wherever it shows."""

    COUNTER = "counter"  # joules since some start
    POWER = "power"  # watts, polled
    MODEL = "model"  # joules, computed from something that is not power


class Reading(NamedTuple):
    """One new value of a sensor. It appeared after ``since_s``, when the old one was last seen, and by ``at_s``."""

    since_s: float
    at_s: float
    value: float


class TroubleKind(enum.Enum):
    """What can befall a sensor while it is being read."""

    LOST = "lost"  # gone for good: no reading after this
    ERRED = "erred"  # a read failed; later ones may have succeeded
    STALLED = "stalled"  # a counter stood still for much longer than its period
    THINNED = "thinned"  # memory was bounded: every other earlier reading was dropped


class Trouble(NamedTuple):
    """Something that befell a sensor, for the first time at ``at_s``, and so many times in all."""

    kind: TroubleKind
    at_s: float
    reason: str
    times: int = 1


@dataclass(frozen=True)
class PowerTrace:
    """All that one sensor said. ``unit`` is "J" (readings only grow) or "W"; traces stand best source first.

    ``period_s`` is the observed distance between readings. ``averaged_s`` and ``late_s`` are what is known or
    allowed for: every reading is the mean over so long, and may be published so late.
    """

    component: Component
    source: str  # "nvml counter", "nvml instant power", "nvml average power", "rapl", "tdp model"
    kind: SourceKind
    unit: str
    resolution: float  # the least difference between two values, in the unit
    period_s: float | None = None
    averaged_s: float | None = None
    late_s: float = 0.0
    readings: tuple[Reading, ...] = ()
    troubles: tuple[Trouble, ...] = ()

    def __post_init__(self) -> None:
        ends = [reading.at_s for reading in self.readings]
        sound = all(reading.since_s <= reading.at_s and math.isfinite(reading.value) for reading in self.readings)
        if not sound or not all(earlier < later for earlier, later in pairwise(ends)):
            msg = f"readings of {self.source} do not follow one another in time; that is no evidence"
            raise MeasurementError(msg)

    @property
    def origin(self) -> tuple[Component, str]:
        """What tells traces of one log apart: component and source."""
        return self.component, self.source


class Unread(NamedTuple):
    """A component that could not be read, so that nothing looks cheap because nothing measured it."""

    part: Part
    name: str  # of the component, or of the kind of it where there is not even a name: "GPU", "cpu package"
    source: str
    reason: str
    fix: str


@dataclass(frozen=True)
class Board:
    """A GPU as it was set when the log began; ``None`` where it could not be read."""

    uuid: str
    name: str
    index: int  # as nvidia-smi counts
    power_limit_w: float | None = None
    default_power_limit_w: float | None = None
    persistence: bool | None = None
    mig: bool | None = None
    slices: tuple[str, ...] = ()  # MIG instances that CUDA_VISIBLE_DEVICES names on this board


class GpuState(NamedTuple):
    """What a GPU said of itself at one moment; ``None`` where it could not be read."""

    at_s: float
    uuid: str
    sm_clock_hz: float | None = None
    memory_clock_hz: float | None = None
    temperature_c: float | None = None
    reasons: tuple[str, ...] | None = None  # clock-event reasons, such as "sw_power_cap"; () means none
    power_limit_w: float | None = None
    utilisation: float | None = None  # fraction of time with a kernel running, as the driver counts it
    memory_used_bytes: int | None = None
    processes: tuple[int, ...] | None = None  # ids as the driver sees them: other than ours in a container


class HostState(NamedTuple):
    """How many cores' worth of work the whole machine did since the state before."""

    at_s: float
    busy_cores: float


class HostLoad(NamedTuple):
    """What others did on the cores we may use, over the rounds of a wave; what is stolen, a hypervisor gave away."""

    seconds: float
    cores: int  # usable
    others_cores: float
    stolen_cores: float
    quota_cores: float | None = None  # of time that our control group may use; None without a limit
    cut_short: float = 0.0  # the fraction of its periods in which that ran out, and all of it stood still


class SpanKind(enum.Enum):
    """Why a stretch of the log is of interest, apart from the energy blocks themselves."""

    IDLE = "idle"  # contexts loaded, all workers frozen
    SET_UP = "set_up"  # build and first step of one case


class Span(NamedTuple):
    """A stretch of the log that is no block; ``case`` is the case's name, None for what concerns all."""

    kind: SpanKind
    wave: int
    start_s: float
    stop_s: float
    case: str | None = None


class SamplerCost(NamedTuple):
    """What the sampling itself took, and how late its thread woke, over ``active_s`` of sampling."""

    active_s: float
    cpu_s: float
    reads: int
    late_median_s: float | None = None
    late_p99_s: float | None = None
    late_max_s: float | None = None

    @property
    def cores(self) -> float | None:
        """Fraction of one core that the sampler used."""
        return self.cpu_s / self.active_s if self.active_s > 0 else None


@dataclass(frozen=True)
class PowerLog:
    """Everything read beside the trials of one group, from the sampler's start to its end."""

    start_s: float
    stop_s: float
    traces: tuple[PowerTrace, ...] = ()
    unread: tuple[Unread, ...] = ()
    boards: tuple[Board, ...] = ()
    devices: tuple[tuple[str, str], ...] = ()  # ("cuda:0", UUID), where it can be told which is which
    states: tuple[GpuState, ...] = ()
    host: tuple[HostState, ...] = ()
    spans: tuple[Span, ...] = ()
    before: tuple[tuple[str, int], ...] = ()  # (GPU, process id) that were there before any worker
    ours: tuple[int, ...] = ()  # process ids of the workers, as this process sees them
    cost: SamplerCost | None = None
    troubles: tuple[Trouble, ...] = ()  # of the ledger and of the sampler itself

    def overlap_s(self, start_s: float, stop_s: float) -> float:
        """Seconds of this stretch during which sampling went on; none where negative."""
        return min(self.stop_s, stop_s) - max(self.start_s, start_s)

    @property
    def components(self) -> tuple[Component, ...]:
        """What has a reading of its own: the same for all rows of a group."""
        return tuple(dict.fromkeys(trace.component for trace in self.traces))


def joined(logs: Iterable[PowerLog]) -> PowerLog | None:
    """Logs of one group, each begun after the one before, as one; None where there is none.

    Nothing is computed across the gap between two of them, as it is between two sittings of a run.
    """
    pieces = tuple(logs)
    if not pieces:
        return None
    traces: dict[tuple[Component, str], list[PowerTrace]] = {}
    for trace in (trace for log in pieces for trace in log.traces):
        traces.setdefault(trace.origin, []).append(trace)
    costs = [log.cost for log in pieces if log.cost is not None]
    return PowerLog(
        start_s=pieces[0].start_s,
        stop_s=pieces[-1].stop_s,
        traces=tuple(map(_whole, traces.values())),
        unread=tuple(dict.fromkeys(lack for log in pieces for lack in log.unread)),
        boards=tuple({board.uuid: board for log in pieces for board in log.boards}.values()),
        devices=tuple(dict.fromkeys(device for log in pieces for device in log.devices)),
        states=tuple(state for log in pieces for state in log.states),
        host=tuple(state for log in pieces for state in log.host),
        spans=tuple(span for log in pieces for span in log.spans),
        before=tuple(dict.fromkeys(one for log in pieces for one in log.before)),
        ours=tuple(sorted({pid for log in pieces for pid in log.ours})),
        cost=costs[-1] if costs else None,
        troubles=_latest(trouble for log in pieces for trouble in log.troubles),
    )


def _whole(pieces: Sequence[PowerTrace]) -> PowerTrace:
    """The pieces of one trace as one. A counter that has begun anew meanwhile goes on from where it stood."""
    readings: list[Reading] = []
    for piece in pieces:
        base = 0.0
        if piece.unit == "J" and readings and piece.readings and piece.readings[0].value < readings[-1].value:
            base = readings[-1].value - piece.readings[0].value
        readings += (one._replace(value=round(one.value + base, 6)) if base else one for one in piece.readings)
    periods = [piece.period_s for piece in pieces if piece.period_s]
    return replace(
        pieces[-1],
        period_s=periods[-1] if periods else None,
        late_s=max(piece.late_s for piece in pieces),
        readings=tuple(readings),
        troubles=_latest(trouble for piece in pieces for trouble in piece.troubles),
    )


def _latest(troubles: Iterable[Trouble]) -> tuple[Trouble, ...]:
    """Each trouble once, with what was counted last."""
    return tuple({(one.kind, one.at_s, one.reason): one for one in troubles}.values())
