"""The estimates of many trials at once, in arrays: the same figures as one by one, in a hundredth of the time.

::

    samples  (trial, wave, round) -> seconds per item
    blocks   the median over the samples of a block
    waves    the median over the blocks of a wave;  of ratios: over the logarithms of paired blocks
    trial    Student's t over the logarithms of its waves

What a single wave allows (an interval by order statistics) is left to :mod:`bench.analysis.statistics`, case by case.
Tests hold every figure against :func:`bench.analysis.throughput` and :func:`bench.analysis.compare`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bench.analysis.comparison import CROWDED_SHARE, LOOK_SHARE
from bench.analysis.statistics import Interval, exponential, sign_interval, t_quantile

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
#: Room for wave and round in a key: a million of each.
_BITS = 20
_MASK = (1 << _BITS) - 1


@dataclass(frozen=True)
class Samples:
    """The samples of several trials, one after the other; ``trial`` counts from 0 and never falls."""

    trial: Integers
    wave: Integers
    round: Integers
    item_s: Floats


@dataclass(frozen=True)
class Blocks:
    """The median of every block, ordered by trial, wave and round."""

    key: Integers  # trial, wave and round in one number
    item_s: Floats

    @property
    def trial(self) -> Integers:
        """Which trial each block is of."""
        return self.key >> (2 * _BITS)

    @property
    def wave(self) -> Integers:
        """Trial and wave of each block in one number."""
        return self.key >> _BITS


def blocks_of(samples: Samples) -> Blocks:
    """The blocks of these samples."""
    key = (samples.trial << (2 * _BITS)) | (samples.wave << _BITS) | samples.round
    return Blocks(*_medians(key, samples.item_s))


def item_seconds(blocks: Blocks, trials: int, confidence: float) -> tuple[Interval | None, ...]:
    """Seconds per item of every trial; None for one without blocks."""
    waves, medians = _medians(blocks.wave, blocks.item_s)

    def alone(trial: int) -> Interval:
        return sign_interval(blocks.item_s[blocks.trial == trial].tolist(), confidence)

    return _over_waves(waves, np.log(medians), np.full(trials, confidence), alone)


def speedups(
    blocks: Blocks, baselines: Sequence[int], crowded: Sequence[bool], confidence: float
) -> tuple[Interval | None, ...]:
    """Every trial's speed-up over its baseline; None for the baseline itself, and where no round is shared."""
    baseline = np.asarray(baselines, np.int64)
    theirs = (baseline[blocks.trial] << (2 * _BITS)) | (blocks.key & ((1 << (2 * _BITS)) - 1))
    place = np.minimum(np.searchsorted(blocks.key, theirs), max(0, len(blocks.key) - 1))
    paired = (blocks.key[place] == theirs) & (blocks.trial != baseline[blocks.trial])
    logs = np.log(blocks.item_s[place[paired]] / blocks.item_s[paired])
    last = np.full(len(baselines), -1, np.int64)
    np.maximum.at(last, blocks.trial, blocks.wave & _MASK)
    busy = np.asarray(crowded, bool)
    shares = np.where(last < last[baseline], LOOK_SHARE, 1.0) * np.where(busy | busy[baseline], CROWDED_SHARE, 1.0)
    levels = 1 - shares * (1 - confidence)

    def alone(trial: int) -> Interval:
        return exponential(sign_interval(logs[blocks.trial[paired] == trial].tolist(), confidence))

    return _over_waves(*_medians(blocks.wave[paired], logs), levels, alone)


def _medians(key: Integers, values: Floats) -> tuple[Integers, Floats]:
    """The median of the values of each key, keys ascending."""
    if not len(key):
        return key, values
    steps = np.diff(key)
    if steps.min(initial=0) < 0:
        order = np.argsort(key, kind="stable")
        key, values = key[order], values[order]
        steps = np.diff(key)
    starts = np.concatenate(([0], np.flatnonzero(steps) + 1))
    lengths = np.diff(starts, append=len(key))
    longest = int(lengths.max())
    if longest == 1:
        return key, values
    if int(lengths.min()) == longest:  # as in any run that was not cut short
        rows = np.sort(values.reshape(-1, longest), axis=1)
        return key[starts], (rows[:, (longest - 1) // 2] + rows[:, longest // 2]) / 2
    values = values[np.lexsort((values, key))]
    return key[starts], (values[starts + (lengths - 1) // 2] + values[starts + lengths // 2]) / 2


def _over_waves(
    waves: Integers, logs: Floats, levels: Floats, alone: Callable[[int], Interval]
) -> tuple[Interval | None, ...]:
    """Of each trial the mean of its waves' logarithms with its t interval, taken back; ``alone`` where it has one."""
    trials = len(levels)
    trial = waves >> _BITS
    count = np.bincount(trial, minlength=trials)
    known = np.maximum(count, 1)
    mean = np.bincount(trial, logs, trials) / known
    spread = np.bincount(trial, (logs - mean[trial]) ** 2, trials) / np.maximum(count - 1, 1)
    counts = count.tolist()
    quantiles = [_quantile(n - 1, level) if n > 1 else 0.0 for n, level in zip(counts, levels.tolist(), strict=True)]
    half = np.sqrt(spread / known) * quantiles
    bounds = zip(np.exp(mean).tolist(), np.exp(mean - half).tolist(), np.exp(mean + half).tolist(), strict=True)
    return tuple(
        Interval(*three) if n > 1 else alone(number) if n else None
        for number, (n, three) in enumerate(zip(counts, bounds, strict=True))
    )


@lru_cache(maxsize=1024)
def _quantile(freedom: int, confidence: float) -> float:
    return t_quantile(freedom, confidence)
