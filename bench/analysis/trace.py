"""What a trace of PyTorch's profiler says: whose time it was, and what the device did meanwhile.

Source: the trace event format of Chrome ("X" events, ``ts`` and ``dur`` in microseconds) as Kineto writes it:
categories cpu_op, kernel, gpu_memcpy, gpu_memset, cuda_runtime; a kernel and its launch share ``args.correlation``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bench.analysis.timeline import Stretch, device_work
from bench.records.profile import DeviceWork, Hotspot, SpotKind

#: As many of each kind are kept; the rest of the host's time is kept as one figure, so that shares stay right.
KEPT = 40
_KINDS = {"kernel": SpotKind.KERNEL, "gpu_memcpy": SpotKind.COPY, "gpu_memset": SpotKind.COPY}
_LAUNCHES = ("cuda_runtime", "cuda_driver")

Event = Mapping[str, Any]


class Told(NamedTuple):
    """The hotspots of a trace, largest first within their kind; what the others took; what the device did."""

    hotspots: tuple[Hotspot, ...]
    left_out_s: float
    device: DeviceWork | None


def read_trace(events: Iterable[Event], window_s: float) -> Told:
    """What the complete events of a trace say of the window they were recorded in."""
    complete = [event for event in events if event.get("ph") == "X"]
    operators = _largest(_own_times(complete))
    on_device = [event for event in complete if event.get("cat") in _KINDS]
    return Told(
        (*operators[:KEPT], *_largest(_device_times(on_device))[:KEPT]),
        sum(spot.self_s for spot in operators[KEPT:]),
        device_work(_stretches(on_device, complete), window_s),
    )


def _own_times(events: Sequence[Event]) -> dict[tuple[SpotKind, str], tuple[int, float]]:
    """Of every operator, calls and their own time: without the operators that they called on the same thread."""
    threads: dict[object, list[tuple[float, float, str]]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "cpu_op":
            timed = float(event["ts"]), float(event.get("dur", 0)), str(event["name"])
            threads[event.get("pid"), event.get("tid")].append(timed)
    times: dict[tuple[SpotKind, str], tuple[int, float]] = {}
    for calls in threads.values():
        around: list[tuple[float, str]] = []  # end and name of the calls that the next one may lie in
        for start, length, name in sorted(calls, key=lambda call: (call[0], -call[1])):
            while around and around[-1][0] <= start:
                around.pop()
            if around:
                _add(times, (SpotKind.OPERATOR, around[-1][1]), 0, -length)
            _add(times, (SpotKind.OPERATOR, name), 1, length)
            around.append((start + length, name))
    return times


def _device_times(events: Sequence[Event]) -> dict[tuple[SpotKind, str], tuple[int, float]]:
    times: dict[tuple[SpotKind, str], tuple[int, float]] = {}
    for event in events:
        _add(times, (_KINDS[event["cat"]], str(event["name"])), 1, float(event.get("dur", 0)))
    return times


def _add(
    times: dict[tuple[SpotKind, str], tuple[int, float]], key: tuple[SpotKind, str], calls: int, us: float
) -> None:
    known_calls, known_s = times.get(key, (0, 0.0))
    times[key] = known_calls + calls, known_s + us / 1e6


def _largest(times: Mapping[tuple[SpotKind, str], tuple[int, float]]) -> list[Hotspot]:
    spots = [Hotspot(kind, name, calls, max(0.0, own_s)) for (kind, name), (calls, own_s) in times.items()]
    return sorted(spots, key=lambda spot: -spot.self_s)


def _stretches(on_device: Sequence[Event], events: Sequence[Event]) -> list[Stretch]:
    """When the device worked, each piece with the moment at which its launch had returned."""
    launched: dict[object, float] = {}
    for event in events:
        if event.get("cat") in _LAUNCHES and "correlation" in event.get("args", {}):
            launched[event["args"]["correlation"]] = (float(event["ts"]) + float(event.get("dur", 0))) / 1e6
    return [
        Stretch(
            float(event["ts"]) / 1e6,
            (float(event["ts"]) + float(event.get("dur", 0))) / 1e6,
            launched.get(event.get("args", {}).get("correlation")) if event["cat"] == "kernel" else None,
        )
        for event in on_device
    ]
