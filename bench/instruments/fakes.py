"""Hardware that follows a script, in virtual time: for tests of whatever samples, here and in other projects.

A :class:`ScriptedClock` moves only when it is told to; a :class:`ScriptedSensor` shows a known power as a real
sensor would: in steps, late, or as the mean over a part of each step.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.instruments.power import Panel, SensorError, SensorFacts
from bench.instruments.sampler import Sampler
from bench.records.power import Component, GpuState, Part, SourceKind

#: Joules used from time 0 to a time: the integral of a power.
Energy = Callable[[float], float]

GPU = Component(Part.GPU, "GPU-fake")


@dataclass
class ScriptedClock:
    """Virtual seconds; each read of it takes ``tick_s``, as reading a real one does."""

    now_s: float = 100.0
    tick_s: float = 1e-6

    def __call__(self) -> float:
        self.now_s += self.tick_s
        return self.now_s


class ScriptedSensor:
    """A sensor whose reading is a function of the time; ``loses_s`` is when it is lost for good."""

    def __init__(
        self,
        facts: SensorFacts,
        clock: ScriptedClock,
        reading: Callable[[float], float],
        *,
        read_s: float = 1e-5,
        loses_s: float = math.inf,
        fails: Callable[[float], bool] = lambda _: False,
    ) -> None:
        self.facts = facts
        self._clock = clock
        self._reading = reading
        self._read_s = read_s
        self._loses_s = loses_s
        self._fails = fails

    def read(self) -> float:
        """What the script says at this moment."""
        self._clock.now_s += self._read_s
        now_s = self._clock.now_s
        if now_s >= self._loses_s:
            msg = "the GPU is lost"
            raise SensorError(msg, lost=True)
        if self._fails(now_s):
            msg = "no answer"
            raise SensorError(msg)
        return self._reading(now_s)


class ScriptedWatch:
    """A GPU whose state is a function of the time."""

    def __init__(self, state: Callable[[float], GpuState]) -> None:
        self._state = state

    def look(self, at_s: float) -> GpuState:
        return self._state(at_s)


def counter(
    clock: ScriptedClock,
    energy: Energy,
    *,
    step_s: float = 0.1,
    late_s: float = 0.0,
    component: Component = GPU,
    kind: SourceKind = SourceKind.COUNTER,
    loses_s: float = math.inf,
    fails: Callable[[float], bool] = lambda _: False,
) -> ScriptedSensor:
    """A counter of joules that grows every ``step_s``, by what was used up to ``late_s`` before."""
    facts = SensorFacts(component, "scripted counter", kind, "J", 1e-3, None, 0.05)

    def reading(now_s: float) -> float:
        return round(energy(math.floor((now_s - late_s) / step_s) * step_s), 3)

    return ScriptedSensor(facts, clock, reading, loses_s=loses_s, fails=fails)


def power(
    clock: ScriptedClock,
    energy: Energy,
    *,
    refresh_s: float = 0.1,
    mean_s: float = 0.025,
    component: Component = GPU,
    averaged_s: float | None = None,
) -> ScriptedSensor:
    """Watts, refreshed every ``refresh_s`` with the mean over the last ``mean_s`` only."""
    facts = SensorFacts(component, "scripted power", SourceKind.POWER, "W", 1e-3, averaged_s, 0.05)

    def reading(now_s: float) -> float:
        end_s = math.floor(now_s / refresh_s) * refresh_s
        return round((energy(end_s) - energy(end_s - mean_s)) / mean_s, 3)

    return ScriptedSensor(facts, clock, reading)


def constant(power_w: float) -> Energy:
    """The energy of a power that never changes."""
    return lambda time_s: power_w * time_s


def square(low_w: float, high_w: float, period_s: float, duty: float = 0.5) -> Energy:
    """The energy of a power that is high for a share of each period, then low."""

    def energy(time_s: float) -> float:
        whole, rest_s = divmod(time_s, period_s)
        high_s = whole * duty * period_s + min(rest_s, duty * period_s)
        return high_w * high_s + low_w * (time_s - high_s)

    return energy


def sine(mean_w: float, amplitude_w: float, period_s: float) -> Energy:
    """The energy of a power that swings about its mean."""
    omega = 2 * math.pi / period_s
    return lambda time_s: mean_w * time_s - amplitude_w / omega * math.cos(omega * time_s)


def steps(*parts: tuple[float, float]) -> Energy:
    """The energy of a power that changes at given times: (time, watts from then on), in order of time."""

    def energy(time_s: float) -> float:
        ends = [start_s for start_s, _ in parts[1:]] + [math.inf]
        return sum(
            watts * max(0.0, min(time_s, end_s) - start_s) for (start_s, watts), end_s in zip(parts, ends, strict=True)
        )

    return energy


def run_sampler(clock: ScriptedClock, sensors: Sequence[ScriptedSensor], seconds: float, **panel: object) -> Sampler:
    """A sampler that has followed these sensors for some virtual time; no thread, no waiting."""
    sampler = Sampler(Panel(tuple(sensors), **panel), clock=clock, cpu_clock=lambda: 0.0)  # type: ignore[arg-type]
    drive(sampler, clock, seconds)
    return sampler


def drive(
    sampler: Sampler, clock: ScriptedClock, seconds: float, lag_s: Callable[[int], float] = lambda _: 0.0
) -> None:
    """Let a sampler do what its thread would do, for some virtual time; ``lag_s`` is how late it wakes each time."""
    end_s = clock.now_s + seconds
    for count in itertools.count():
        due_s = sampler.step()
        if due_s >= end_s:
            break
        clock.now_s = max(clock.now_s, due_s) + lag_s(count)
    clock.now_s = end_s
