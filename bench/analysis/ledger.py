"""What the hardware was doing while a block ran: clocks, heat, throttling, strangers. Nothing is discarded for it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from statistics import median
from typing import NamedTuple

from bench.records import Caveat, CaveatKind
from bench.records.power import Board, GpuState, PowerLog

#: Reasons that hold the clocks below what was asked for; the others are how the GPU was set, or idleness.
SLOWING = frozenset(
    {"sw_power_cap", "hw_slowdown", "sw_thermal_slowdown", "hw_thermal_slowdown", "hw_power_brake_slowdown"}
)
#: So many kelvins between the coolest and the hottest block are worth a word.
_DRIFT_C = 10.0
#: A block shorter than the distance between looks is judged by the looks on either side of it.
_REACH_S = 0.5
_MOST_NAMED = 5

_at_s = attrgetter("at_s")


class Block(NamedTuple):
    """One block of one case: which, when, and how long a step of it took."""

    wave: int
    round: int
    start_s: float
    stop_s: float
    step_s: float
    for_energy: bool = False

    @property
    def name(self) -> str:
        """As people count: "wave 1 round 3", "wave 1 energy", and a second one of that "wave 1 energy 2"."""
        if not self.for_energy:
            return f"wave {self.wave + 1} round {self.round + 1}"
        return f"wave {self.wave + 1} energy{f' {self.round + 1}' if self.round else ''}"


class Watch(NamedTuple):
    """All that was seen of one GPU, and how to tell strangers on it.

    A container sees other process ids than the driver. If none of ours is among those the driver names, ours
    cannot be told by their numbers (None), and only what was there before we started is known to be a stranger.
    """

    uuid: str
    states: Sequence[GpuState]
    ours: frozenset[int] | None
    before: frozenset[int]

    @classmethod
    def of(cls, log: PowerLog, uuid: str) -> Watch:
        states = [state for state in log.states if state.uuid == uuid]
        ours = frozenset(log.ours)
        named = any(pid in ours for state in states for pid in state.processes or ())
        return cls(uuid, states, ours if named else None, frozenset(pid for on, pid in log.before if on == uuid))

    def is_stranger(self, pid: int) -> bool:
        """Whether a process on the GPU is not ours."""
        return pid in self.before if self.ours is None else pid not in self.ours


class Conditions(NamedTuple):
    """One GPU during one block; ``None`` where it did not say."""

    uuid: str
    sm_clock_hz: float | None  # median
    memory_clock_hz: float | None
    temperature_c: float | None  # highest
    slowing: frozenset[str]
    strangers: frozenset[int]  # processes that are not ours


def conditions(watch: Watch, start_s: float, stop_s: float) -> Conditions | None:
    """The state of a GPU between two times; None when nobody looked."""
    states = _during(watch.states, start_s, stop_s)
    if not states:
        return None
    temperatures = [state.temperature_c for state in states if state.temperature_c is not None]
    return Conditions(
        watch.uuid,
        _median(state.sm_clock_hz for state in states),
        _median(state.memory_clock_hz for state in states),
        max(temperatures, default=None),
        frozenset(reason for state in states for reason in state.reasons or () if reason in SLOWING),
        frozenset(pid for state in states for pid in state.processes or () if watch.is_stranger(pid)),
    )


class Spread(NamedTuple):
    """What differed from block to block: the median with the least and the most."""

    value: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Spread | None:
        """None where nobody said."""
        known = [value for value in values if value is not None]
        return cls(median(known), min(known), max(known), len(known)) if known else None


class Climate(NamedTuple):
    """One GPU over all blocks of a case: how fast it ran, and how warm it was; None where it did not say."""

    uuid: str
    sm_clock_hz: Spread | None
    memory_clock_hz: Spread | None
    temperature_c: Spread | None


def climates(log: PowerLog, blocks: Sequence[Block], uuids: Iterable[str] | None = None) -> tuple[Climate, ...]:
    """The climate of each GPU, or of those named, in these blocks of one case."""
    wanted = None if uuids is None else set(uuids)
    boards = [board.uuid for board in log.boards if wanted is None or board.uuid in wanted]
    return tuple(climate for uuid in boards if (climate := _climate(log, uuid, blocks)) is not None)


def _climate(log: PowerLog, uuid: str, blocks: Sequence[Block]) -> Climate | None:
    watch = Watch.of(log, uuid)
    seen = [found for block in blocks if (found := conditions(watch, block.start_s, block.stop_s)) is not None]
    clock, memory, heat = (
        Spread.of(getattr(found, name) for found in seen)
        for name in ("sm_clock_hz", "memory_clock_hz", "temperature_c")
    )
    return Climate(uuid, clock, memory, heat) if clock or memory or heat else None


def doubts(log: PowerLog, blocks: Sequence[Block], uuids: Iterable[str] | None = None) -> tuple[Caveat, ...]:
    """What these blocks of one case must be doubted for, with the blocks named; ``uuids`` limits it to some GPUs."""
    wanted = None if uuids is None else set(uuids)
    return tuple(
        caveat
        for board in log.boards
        if wanted is None or board.uuid in wanted
        for caveat in _doubts_of(log, board, blocks)
    )


def _doubts_of(log: PowerLog, board: Board, blocks: Sequence[Block]) -> Iterator[Caveat]:
    watch = Watch.of(log, board.uuid)
    seen = [(block, found) for block in blocks if (found := conditions(watch, block.start_s, block.stop_s)) is not None]
    slowed = [(block, found) for block, found in seen if found.slowing]
    if slowed:
        reasons = ", ".join(sorted(set().union(*(found.slowing for _, found in slowed))))
        yield Caveat.of(CaveatKind.THROTTLED, gpu=board.uuid, reasons=reasons, **_named(slowed, seen))
    shared = [(block, found) for block, found in seen if found.strangers]
    if shared:
        processes = len(set().union(*(found.strangers for _, found in shared)))
        yield Caveat.of(CaveatKind.SHARED, gpu=board.uuid, processes=processes, **_named(shared, seen))
    heat = [found.temperature_c for _, found in seen if found.temperature_c is not None]
    if heat and max(heat) - min(heat) >= _DRIFT_C:
        yield Caveat.of(CaveatKind.TEMPERATURE_DRIFT, gpu=board.uuid, low_c=min(heat), high_c=max(heat))
    if board.slices or board.mig:  # a process may see a slice without having named it
        yield Caveat.of(CaveatKind.WHOLE_GPU, gpu=board.uuid)


def _named(hit: Sequence[tuple[Block, Conditions]], seen: Sequence[object]) -> dict[str, float | str]:
    names = [block.name for block, _ in hit]
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return {"blocks": len(hit), "of": len(seen), "named": ", ".join(names[:_MOST_NAMED]) + more}


def _during(states: Sequence[GpuState], start_s: float, stop_s: float) -> Sequence[GpuState]:
    inside = states[bisect_left(states, start_s, key=_at_s) : bisect_right(states, stop_s, key=_at_s)]
    if inside:
        return inside
    reach = bisect_left(states, start_s - _REACH_S, key=_at_s), bisect_right(states, stop_s + _REACH_S, key=_at_s)
    return states[slice(*reach)]


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
