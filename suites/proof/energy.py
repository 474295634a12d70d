"""Energy cross-checked: the counter against integrated power, idle and under steady loads, and how late both are.

::

    nothing | first touch of the device | nothing | load nothing load nothing ... | each load for long, with pauses
    bare                                  idle      pulses: edges                   steady

On CUDA three loads: products in float32 and in half precision, and copies. A CPU has a counter and no power reading.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import bench
from suites.experiments.rhythm import rhythms, sentence, spacing
from suites.proof.energy_figures import (
    Reading,
    Stretch,
    counter_power,
    difference,
    lateness,
    median_of,
    polled_power,
    readings_of,
    response,
)
from suites.proof.outcome import Claim, NotHereError, Outcome, Task
from suites.proof.runs import MOST_CORES

#: Where reports say that counter and power disagree.
AGREE = 0.05
_IDLE_S, _PULSE_S, _STEADY_S, _PAUSE_S, _RHYTHM_S = 8.0, 2.0, 15.0, 3.0, 4.0
_PULSES = 8
#: A load is handed to the device in pieces of about so long.
_PIECE_S = 0.02

Load = Callable[[float], None]


def check(task: Task) -> Outcome:
    """Follow the sensors through the timeline.

    Raises:
        NotHereError: no sensor can be read.
    """
    power = str(task.settings["power"])
    with bench.energy_window(power) as window:  # whether there is anything to read, before time is spent on loads
        pass
    _check_sensors(window.log)
    with bench.energy_window(power) as window:
        begin = time.perf_counter()
        time.sleep(task.seconds(_IDLE_S, 1.0))
        bare = Stretch("", begin, time.perf_counter())
        loads = _loads(task.device)
        stretches = [bare, *play(timeline(task, tuple(loads)), loads, time.perf_counter, time.sleep)]
    log = window.log
    assert log is not None
    cores = None if log.cost is None else log.cost.cores
    caveats = sorted({caveat.kind.value for caveat in window.caveats})
    sensors = {trace.source: (trace, readings_of(trace)) for trace in traces_of(log, task.device)}
    counters = {trace.source for trace in log.traces if trace.unit == "J"}
    return with_rhythms(judge(sensors, stretches, cores, caveats), rhythms_under(task, loads), counters)


def traces_of(log: Any, device: str) -> list[Any]:
    """The traces of one component: the device's own board where it is known, else the first one that was read."""
    name = dict(log.devices).get(device, log.traces[0].component.name)
    return [trace for trace in log.traces if trace.component.name == name]


def _check_sensors(log: Any) -> None:
    """Refuse a machine without a sensor.

    Raises:
        NotHereError: with what could not be read, and why.
    """
    if log is None or not log.traces:
        lacks = [] if log is None else [f"{one.name}: {one.reason}; {one.fix}" for one in log.unread]
        msg = "; ".join(lacks) or "no sensor of energy or power"
        raise NotHereError(msg)


def rhythms_under(task: Task, loads: Mapping[str, Load]) -> dict[str, dict[str, float] | None]:
    """How often each sensor changes under the first load, which runs in a thread beside; nothing sleeps meanwhile."""
    seconds = task.seconds(_RHYTHM_S, 1.0)
    load = threading.Thread(target=next(iter(loads.values())), args=(4 * seconds,), daemon=True)
    load.start()
    found = rhythms(str(task.settings["power"]), seconds)
    load.join()
    return found


def with_rhythms(outcome: Outcome, found: Mapping[str, dict[str, float] | None], counters: Collection[str]) -> Outcome:
    """The outcome with how often each sensor changes: a counter must, while power may stay what it is."""
    claims = []
    for name, rhythm in found.items():
        must = name.partition(" of ")[0] in counters
        claims.append(
            Claim(f"{name} changes", rhythm is not None or (False if must else None), sentence((name, rhythm)))
        )
    return Outcome({**outcome.facts, "rhythms": found}, (*outcome.claims, *claims))


def timeline(task: Task, loads: Sequence[str]) -> list[tuple[str, float]]:
    """Loads by name ("" for none), each with its seconds, after the first touch of the device."""
    pulse_s, pause_s, steady_s = (task.seconds(each, 1.0) for each in (_PULSE_S, _PAUSE_S, _STEADY_S))
    pulses = [("", pulse_s), (loads[0], pulse_s)] * _PULSES
    steady = [part for load in loads for part in (("", pause_s), (load, steady_s))]
    return [("", task.seconds(_IDLE_S, 1.0)), *pulses, *steady, ("", pause_s)]


def play(
    parts: Sequence[tuple[str, float]],
    loads: Mapping[str, Load],
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> Iterator[Stretch]:
    """Apply the loads one after the other; when each began and ended."""
    for name, seconds in parts:
        begin = clock()
        loads[name](seconds) if name else sleep(seconds)
        yield Stretch(name, begin, clock())


def judge(
    sensors: Mapping[str, tuple[Any, Sequence[Reading]]],
    stretches: Sequence[Stretch],
    cores: float | None,
    caveats: Sequence[str],
) -> Outcome:
    """What the readings say of counter, power and their delays."""
    counter = next((each for each in sensors.values() if each[0].unit == "J"), None)
    power = next((each for each in sensors.values() if each[0].unit == "W"), None)
    rows = [_row(stretch, counter, power) for stretch in stretches]
    idle_w = median_of(row["counter_w"] for row in rows[1:] if not row["load"])
    late = _lateness(counter, stretches)
    facts = {
        "sources": list(sensors),
        "followed": {source: spacing([one.time_s for one in each]) for source, (_, each) in sensors.items()},
        "stretches": rows,
        "idle_w": idle_w,
        "counter_late_s": late,
        "power_response_s": _responses(power, rows, stretches),
        "sampler_cores": cores,
        "caveats": list(caveats),
    }
    steady = _steady(rows)
    claims = [
        *_agreements(steady, both=counter is not None and power is not None),
        _late_claim(late, counter),
        _net_claim(steady, idle_w),
        Claim("the sampler takes less than 1 % of a core", None if cores is None else cores < MOST_CORES,
              "" if cores is None else f"{cores:.2%}"),
    ]  # fmt: skip
    return Outcome(facts, tuple(claims))


def _row(stretch: Stretch, counter: Any, power: Any) -> dict[str, Any]:
    counted = None if counter is None else counter_power(counter[1], stretch)
    polled = None if power is None else polled_power(power[1], stretch, power[0].averaged_s or 0.0)
    return {
        "load": stretch.load,
        "seconds": stretch.stop_s - stretch.start_s,
        "counter_w": counted,
        "polled_w": polled,
        "difference": difference(counted, polled),
    }


def _steady(rows: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The longest stretch of each load."""
    longest: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        if row["load"] and row["seconds"] > longest.get(row["load"], {"seconds": 0.0})["seconds"]:
            longest[row["load"]] = row
    return longest


def _agreements(steady: Mapping[str, Mapping[str, Any]], *, both: bool) -> Iterator[Claim]:
    if not both:
        yield Claim("counter and integrated power agree", None, "only one of them can be read here")
        return
    for load, row in steady.items():
        apart = row["difference"]
        told = "too few readings" if apart is None else f"{row['counter_w']:.1f} W and {row['polled_w']:.1f} W"
        text = f"counter and integrated power agree within {AGREE:.0%} under {load}"
        yield Claim(text, apart is not None and apart <= AGREE, told)


def _edges(stretches: Sequence[Stretch]) -> Iterator[tuple[Stretch, Stretch]]:
    """Where a load begins after nothing."""
    return ((before, after) for before, after in pairwise(stretches) if after.load and not before.load)


def _lateness(counter: Any, stretches: Sequence[Stretch]) -> list[float]:
    if counter is None:
        return []
    found = (lateness(counter[1], before, after) for before, after in _edges(stretches))
    return [seconds for seconds in found if seconds is not None]


def _responses(power: Any, rows: Sequence[Mapping[str, Any]], stretches: Sequence[Stretch]) -> list[float]:
    if power is None:
        return []
    levels = [row["polled_w"] for row in rows]
    found = []
    for number, (before, after) in enumerate(pairwise(stretches)):
        old, new = levels[number], levels[number + 1]
        if after.load and not before.load and old is not None and new is not None and new > 1.5 * old:
            found.append(response(power[1], after.start_s, old, new))
    return [seconds for seconds in found if seconds is not None]


def _late_claim(late: Sequence[float], counter: Any) -> Claim:
    typical = median_of(late)
    if counter is None or typical is None:
        return Claim("the counter is no later than is allowed for", None, "no edge could be seen")
    allowed = counter[0].late_s
    told = f"{1e3 * typical:.0f} ms in the middle of {len(late)} edges, {1e3 * allowed:.0f} ms allowed"
    return Claim("the counter is no later than is allowed for", typical <= allowed, told)


def _net_claim(steady: Mapping[str, Mapping[str, Any]], idle_w: float | None) -> Claim:
    net = {load: row["counter_w"] - idle_w for load, row in steady.items() if idle_w and row["counter_w"] is not None}
    told = ", ".join(f"{load}: {watts:.1f} W" for load, watts in net.items())
    return Claim("each load takes more than idling does", all(each > 0 for each in net.values()) if net else None, told)


def _loads(device: str) -> dict[str, Load]:
    """Steady work on a device, warm; the first of them is what pulses are made of."""
    import torch

    half = torch.float16 if device != "cpu" else torch.bfloat16
    size = 8192 if device != "cpu" else 1024
    made: dict[str, Load] = {}
    for name, kind in (("products in half precision", half), ("products in float32", torch.float32)):
        left, right = (torch.randn(size, size, device=device).to(kind) for _ in range(2))
        out = torch.empty(size, size, device=device, dtype=kind)
        made[name] = _repeated(partial(torch.mm, left, right, out=out), device)
    source = torch.randn(2**28 if device != "cpu" else 2**24, device=device)
    target = torch.empty_like(source)
    made["copies"] = _repeated(lambda: target.copy_(source), device)
    return made


def _repeated(step: Callable[[], object], device: str) -> Load:
    """The step again and again for some seconds, waited for at the end of each piece."""
    import torch

    def wait() -> None:
        if device != "cpu":
            torch.cuda.synchronize(device)

    step()
    wait()
    begin = time.perf_counter()
    step()
    wait()
    steps = max(1, round(_PIECE_S / (time.perf_counter() - begin)))

    def load(seconds: float) -> None:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            for _ in range(steps):
                step()
            wait()

    return load
