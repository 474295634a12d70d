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
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple


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

    @property
    def origin(self) -> tuple[Component, str]:
        """What tells traces of one log apart: component and source."""
        return self.component, self.source

    def continued(self, more: PowerTrace) -> PowerTrace:
        """The same with further readings. A counter that has begun anew meanwhile goes on from where it stood."""
        readings, further = self.readings, more.readings
        if self.unit == "J" and readings and further and further[0].value < readings[-1].value:
            base = readings[-1].value - further[0].value
            further = tuple(reading._replace(value=round(reading.value + base, 6)) for reading in further)
        return replace(
            more,
            period_s=more.period_s or self.period_s,
            late_s=max(self.late_s, more.late_s),
            readings=(*readings, *further),
            troubles=_latest((*self.troubles, *more.troubles)),
        )


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

    def covers(self, start_s: float, stop_s: float) -> bool:
        """Whether sampling went on during all of this stretch."""
        return self.start_s <= start_s and stop_s <= self.stop_s

    @property
    def components(self) -> tuple[Component, ...]:
        """What has a reading of its own: the same for all rows of a group."""
        return tuple(dict.fromkeys(trace.component for trace in self.traces))


def joined(logs: Iterable[PowerLog]) -> PowerLog | None:
    """Logs of one group, each begun after the one before, as one; None where there is none.

    Nothing is computed across the gap between two of them, as it is between two sittings of a run.
    """
    whole: PowerLog | None = None
    for log in logs:
        whole = log if whole is None else _appended(whole, log)
    return whole


def _appended(log: PowerLog, more: PowerLog) -> PowerLog:
    traces = {trace.origin: trace for trace in log.traces}
    for trace in more.traces:
        known = traces.get(trace.origin)
        traces[trace.origin] = trace if known is None else known.continued(trace)
    return PowerLog(
        start_s=log.start_s,
        stop_s=more.stop_s,
        traces=tuple(traces.values()),
        unread=tuple(dict.fromkeys((*log.unread, *more.unread))),
        boards=tuple({board.uuid: board for board in (*log.boards, *more.boards)}.values()),
        devices=tuple(dict.fromkeys((*log.devices, *more.devices))),
        states=(*log.states, *more.states),
        host=(*log.host, *more.host),
        spans=(*log.spans, *more.spans),
        before=tuple(dict.fromkeys((*log.before, *more.before))),
        ours=tuple(sorted({*log.ours, *more.ours})),
        cost=more.cost or log.cost,
        troubles=_latest((*log.troubles, *more.troubles)),
    )


def _latest(troubles: Iterable[Trouble]) -> tuple[Trouble, ...]:
    """Each trouble once, with what was counted last."""
    return tuple({(one.kind, one.at_s, one.reason): one for one in troubles}.values())
