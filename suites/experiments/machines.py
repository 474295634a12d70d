"""Simulated machines: the step times of two cases of a group, as they disturb each other and are disturbed.

A group of six cases is imagined, of which two are looked at; what all cases share depends on when a block ran::

    wave      fresh processes, each with an offset of its own
    round     [ . ][ B ][ . ][ . ][ A ][ . ]      60 ms a block, order drawn; A is the baseline
    sample    five of A and three of B in a block

Everything is a logarithm: 0.01 is about one percent of a step's time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy
from numpy.typing import NDArray

Array = NDArray[numpy.float64]

ROUNDS = 10
STEP_S = 0.015
_PLACES = 6  # blocks in a round
_SLOT_S = 0.06
_BASELINE_SAMPLES, _CASE_SAMPLES = 5, 3
_FAST_STEP_S, _SLOW_STEP_S = 0.015, 0.018


@dataclass(frozen=True)
class Machine:
    """What disturbs a step, and by how much; a machine without any of it is perfectly still."""

    sample: float = 0.01  # spread from sample to sample ...
    tails: str = "normal"  # ... and its shape: "normal", "t2", "t3", "lognormal" (one-sided, in time)
    offset: float = 0.004  # spread between processes of one case ...
    offsets: str = "normal"  # ... and its shape: "normal", "t3" or "two" (plus or minus)
    block: float = 0.0  # spread from block to block of one process ...
    follow: float = 0.0  # ... which remembers so much of the block before, an AR(1)
    bursts: float = 0.0  # share of blocks that something slows by 10 to 50 % ...
    bursts_of: str = "any"  # ... of either case, or only those of the "case"
    spikes: float = 0.0  # share of samples that something slows by 30 %
    slope_per_s: float = 0.0  # drift in one direction, common to all cases
    walk_per_root_s: float = 0.0  # random walk, common to all cases
    mode_s: float = 0.0  # mean seconds at each of two speeds (15 and 18 ms a step), common to all cases
    wave_follow: float = 0.0  # offsets remember so much of the wave before
    second_mode: float = 0.0  # share of the case's processes that are 5 % slower, whatever else


class Times(NamedTuple):
    """Seconds per step, by run, wave, round and sample."""

    baseline: Array
    case: Array


#: What is in the table of coverage; each has in it what ``Machine()`` has, unless it says otherwise.
MACHINES: Mapping[str, Machine] = {
    "independent samples": Machine(),
    "processes alike (0.2 %)": Machine(offset=0.002),
    "processes unlike (0.9 %)": Machine(offset=0.009),
    "offsets of two values (±0.5 %)": Machine(offset=0.005, offsets="two"),
    "offsets with heavy tails (t, 3 df)": Machine(offsets="t3"),
    "blocks remember 0.3": Machine(block=0.01, follow=0.3),
    "blocks remember 0.5": Machine(block=0.01, follow=0.5),
    "blocks remember 0.8": Machine(block=0.01, follow=0.8),
    "samples with heavy tails (t, 2 df)": Machine(tails="t2"),
    "samples with heavy tails (t, 3 df)": Machine(tails="t3"),
    "one-sided samples (lognormal)": Machine(sample=0.02, tails="lognormal"),
    "spikes: every tenth sample +30 %": Machine(spikes=0.1),
    "bursts: every tenth block +10 to 50 %": Machine(bursts=0.1),
    "bursts that hit one case only": Machine(bursts=0.1, bursts_of="case"),
    "drift, +5 % a minute": Machine(slope_per_s=0.05 / 60),
    "drift, +60 % a minute": Machine(slope_per_s=0.01),
    "random walk, 1 % in a second": Machine(walk_per_root_s=0.01),
    "two speeds, 15 or 18 ms for 0.5 s": Machine(mode_s=0.5),
    "two speeds, 15 or 18 ms for 3 s": Machine(mode_s=3.0),
    "all of it": Machine(
        tails="t3", block=0.01, follow=0.5, bursts=0.1, spikes=0.05, slope_per_s=0.001, walk_per_root_s=0.01, mode_s=3.0
    ),
}
#: Machines that break what the method stands on: waves that are independent draws of one kind.
BEYOND: Mapping[str, Machine] = {
    "a wave remembers 0.3 of the last": Machine(wave_follow=0.3),
    "a wave remembers 0.6 of the last": Machine(wave_follow=0.6),
    "every fourth process of one case 5 % slower": Machine(second_mode=0.25),
}


def step_times(machine: Machine, log_speedup: float, runs: int, waves: int, random: numpy.random.Generator) -> Times:
    """Seconds per step of both cases in so many runs; the case is faster by ``log_speedup``."""
    places = _places(runs, waves, random)
    common = numpy.take_along_axis(_common(machine, runs, waves, random), places, axis=3)
    both = []
    for index, samples in enumerate((_BASELINE_SAMPLES, _CASE_SAMPLES)):
        own = _offsets(machine, runs, waves, random)[..., None] + _blocks(machine, runs, waves, random)
        if index == 1:
            own += 0.05 * (random.random((runs, waves)) < machine.second_mode)[..., None]
        if machine.bursts_of == "any" or index == 1:
            own += _bursts(machine, runs, waves, random)
        logs = (common[..., index] + own)[..., None] + _samples(machine, (runs, waves, ROUNDS, samples), random)
        both.append(STEP_S * numpy.exp(logs))
    return Times(both[0], both[1] * numpy.exp(-log_speedup))


def _places(runs: int, waves: int, random: numpy.random.Generator) -> NDArray[numpy.int64]:
    """The places in their round of the baseline's and the case's block: never the same."""
    first = random.integers(_PLACES, size=(runs, waves, ROUNDS))
    second = (first + random.integers(1, _PLACES, size=first.shape)) % _PLACES
    return numpy.stack([first, second], axis=-1)


def _common(machine: Machine, runs: int, waves: int, random: numpy.random.Generator) -> Array:
    """What all cases share, at every place of every round."""
    shape = (runs, waves, ROUNDS * _PLACES)
    logs = machine.slope_per_s * _SLOT_S * numpy.arange(shape[2]) + numpy.zeros(shape)
    if machine.walk_per_root_s:
        logs += machine.walk_per_root_s * _SLOT_S**0.5 * random.standard_normal(shape).cumsum(axis=2)
    if machine.mode_s:
        switches = random.random(shape) < _SLOT_S / machine.mode_s
        slow = (random.integers(2, size=(runs, waves, 1)) + switches.cumsum(axis=2)) % 2
        logs += slow * numpy.log(_SLOW_STEP_S / _FAST_STEP_S)
    return logs.reshape(runs, waves, ROUNDS, _PLACES)


def _offsets(machine: Machine, runs: int, waves: int, random: numpy.random.Generator) -> Array:
    shape = (runs, waves)
    if machine.offsets == "two":
        return machine.offset * random.choice([-1.0, 1.0], shape)
    if machine.offsets == "t3":
        return machine.offset * random.standard_t(3, shape) / 3**0.5  # of unit variance
    return _remembering(machine.offset * random.standard_normal(shape), machine.wave_follow)


def _blocks(machine: Machine, runs: int, waves: int, random: numpy.random.Generator) -> Array:
    if not machine.block:
        return numpy.zeros((runs, waves, ROUNDS))
    return _remembering(machine.block * random.standard_normal((runs, waves, ROUNDS)), machine.follow)


def _remembering(shocks: Array, share: float) -> Array:
    """An AR(1) along the last axis, of the same spread as the shocks."""
    for index in range(1, shocks.shape[-1] if share else 0):
        shocks[..., index] = share * shocks[..., index - 1] + (1 - share**2) ** 0.5 * shocks[..., index]
    return shocks


def _bursts(machine: Machine, runs: int, waves: int, random: numpy.random.Generator) -> Array:
    shape = (runs, waves, ROUNDS)
    slower = numpy.log(random.uniform(1.1, 1.5, shape))
    return slower * (random.random(shape) < machine.bursts)


def _samples(machine: Machine, shape: tuple[int, ...], random: numpy.random.Generator) -> Array:
    match machine.tails:
        case "t2" | "t3":
            logs = numpy.clip(machine.sample * random.standard_t(int(machine.tails[1]), shape), -1.0, 1.0)
        case "lognormal":
            logs = numpy.log1p(machine.sample * random.lognormal(0.0, 1.0, shape))
        case _:
            logs = machine.sample * random.standard_normal(shape)
    if machine.spikes:
        logs = logs + numpy.log(1.3) * (random.random(shape) < machine.spikes)
    return numpy.asarray(logs)
