"""From samples to estimates: a value, its interval, its unit, and how many independent pieces of evidence.

Absolute times describe one run on one machine. On a shared machine a nominal 95 % interval of an absolute
median misses the next window's median more often than not, so nothing is decided by them; decisions are
made on paired ratios (:mod:`bench.analysis.comparison`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

from bench.analysis.statistics import Interval, exponential, median, sign_interval, t_interval
from bench.records import Life, SampleKind, Trial


@dataclass(frozen=True)
class Estimate:
    """One statistic of one trial; ``low`` and ``high`` are None where the evidence gives no interval."""

    statistic: str
    value: float
    low: float | None
    high: float | None
    confidence: float | None  # None: low and high are the smallest and the largest seen
    unit: str
    n: int  # waves, or rounds when there was one wave only


def block_seconds(trial: Trial, kind: SampleKind | None = None) -> dict[tuple[int, int], float]:
    """(wave, round) -> seconds per item in that block, the median over its samples of a kind: the trial's own."""
    return {key: median(values) for key, values in block_samples(trial, kind).items()}


def block_samples(trial: Trial, kind: SampleKind | None = None) -> dict[tuple[int, int], list[float]]:
    """(wave, round) -> seconds per item in each of that block's samples of a kind: the trial's own."""
    blocks: dict[tuple[int, int], list[float]] = defaultdict(list)
    items, wanted = trial.items_per_step or 1, kind or trial.kind
    for sample in trial.samples:
        if sample.kind is wanted:
            blocks[sample.wave, sample.round].append(sample.step_s / items)
    return blocks


def wave_seconds(trial: Trial) -> dict[int, float]:
    """Wave -> seconds per item, the median over its blocks."""
    return _by_wave(block_seconds(trial))


def time_per_step(trial: Trial, confidence: float) -> Estimate | None:
    """Wall-clock time of one step in seconds, or None when the trial has no samples."""
    seconds = _seconds_per_item(block_seconds(trial), confidence)
    if seconds is None:
        return None
    return _estimate("time per step", seconds, trial.items_per_step or 1, "s", confidence)


def time_paid(trial: Trial, confidence: float) -> Estimate | None:
    """Seconds for which an item is paid, or None when the trial has no samples.

    Of single steps that are waited for it is their mean: who pays by the hour pays for the slow ones as well, which a
    median leaves out. Of steps back to back it is the time per step over its items.
    """
    blocks = _means(trial) if trial.kind is SampleKind.LATENCY else block_seconds(trial)
    seconds = _seconds_per_item(blocks, confidence)
    return None if seconds is None else _estimate("time paid per item", seconds, 1, "s", confidence)


def throughput(trial: Trial, confidence: float) -> Estimate | None:
    """Items per second, or None when the trial has no samples."""
    seconds = _seconds_per_item(block_seconds(trial), confidence)
    if seconds is None:
        return None
    interval, n = seconds
    inverse = Interval(1 / interval.value, _inverse(interval.high), _inverse(interval.low))
    return _estimate("throughput", (inverse, n), 1, f"{trial.case.workload.items}/s", confidence)


def set_up(trial: Trial, *, cold: bool) -> Estimate | None:
    """Seconds from nothing to the end of the first step: with empty caches, or with those of an earlier wave."""
    return _of_lives(
        "set-up, cold" if cold else "set-up, warm",
        (set_up_seconds(life) for life in trial.lives if life.cold == cold),
        "s",
    )


def peak_memory(trial: Trial) -> Estimate | None:
    """Bytes of the worker, the most in any wave: resident after set-up on a CPU, held of the GPU at the end on CUDA."""
    peaks = [life.peak_memory_bytes for life in trial.lives if life.peak_memory_bytes is not None]
    if not peaks:
        return None
    return Estimate("peak memory", max(peaks), None, None, None, "B", len(peaks))


def set_up_seconds(life: Life) -> float:
    """What one life cost before its first step was done."""
    return life.build_s + life.first_step_s


def _means(trial: Trial) -> dict[tuple[int, int], float]:
    """(wave, 0) -> seconds per item of all samples of a wave; of a single wave, of each of its blocks."""
    blocks = block_samples(trial)
    if len({wave for wave, _ in blocks}) < 2:
        return {key: fmean(values) for key, values in blocks.items()}
    waves: dict[tuple[int, int], list[float]] = defaultdict(list)
    for (wave, _), values in blocks.items():
        waves[wave, 0] += values
    return {key: fmean(values) for key, values in waves.items()}


def _by_wave(blocks: Mapping[tuple[int, int], float]) -> dict[int, float]:
    waves: dict[int, list[float]] = defaultdict(list)
    for (wave, _), value in blocks.items():
        waves[wave].append(value)
    return {wave: median(values) for wave, values in waves.items()}


def _seconds_per_item(blocks: Mapping[tuple[int, int], float], confidence: float) -> tuple[Interval, int] | None:
    waves = _by_wave(blocks)
    if not waves:
        return None
    if len(waves) == 1:
        return sign_interval(tuple(blocks.values()), confidence), len(blocks)
    logs = t_interval([math.log(value) for value in waves.values()], confidence)
    return exponential(logs), len(waves)


def _of_lives(statistic: str, values: Iterable[float], unit: str) -> Estimate | None:
    values = tuple(values)
    if not values:
        return None
    low, high = (min(values), max(values)) if len(values) > 1 else (None, None)
    return Estimate(statistic, median(values), low, high, None, unit, len(values))


def _estimate(statistic: str, evidence: tuple[Interval, int], factor: float, unit: str, confidence: float) -> Estimate:
    interval, n = evidence
    low, high = (None if bound is None else bound * factor for bound in (interval.low, interval.high))
    return Estimate(statistic, interval.value * factor, low, high, confidence, unit, n)


def _inverse(value: float | None) -> float | None:
    return None if value is None else 1 / value
