"""The estimates of many trials at once, in arrays: the same figures as one by one, in a hundredth of the time.

::

    samples  (trial, wave, round) -> seconds per item
    blocks   the median over the samples of a block
    waves    the median over the blocks of a wave;  of ratios: the biweight of the logarithms of paired samples
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

from bench.analysis.comparison import CROWDED_SHARE, LOOK_SHARE, MOST_PAIRED
from bench.analysis.statistics import BIWEIGHT_REACH, BIWEIGHT_STEPS, Interval, exponential, sign_interval, t_quantile

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
    """The median of every block, ordered by trial, wave and round, and what of it is paired."""

    key: Integers  # trial, wave and round in one number
    item_s: Floats
    logs: Floats  # of the seconds per item of samples, one block after the other
    start: Integers  # where a block's logarithms begin
    count: Integers  # how many of them are paired: one, of the median, where the samples are too many

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
    key, item_s = _ordered((samples.trial << (2 * _BITS)) | (samples.wave << _BITS) | samples.round, samples.item_s)
    start, length = _stretches(key)
    key, medians = _medians(key, item_s)
    logs, long = np.log(item_s), length > MOST_PAIRED
    logs[start[long]] = np.log(medians[long])
    return Blocks(key, medians, logs, start, np.where(long, 1, length))


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
    block, logs = _pairs(blocks, np.flatnonzero(paired), place[paired])
    last = np.full(len(baselines), -1, np.int64)
    np.maximum.at(last, blocks.trial, blocks.wave & _MASK)
    busy = np.asarray(crowded, bool)
    shares = np.where(last < last[baseline], LOOK_SHARE, 1.0) * np.where(busy | busy[baseline], CROWDED_SHARE, 1.0)
    levels = 1 - shares * (1 - confidence)

    def alone(trial: int) -> Interval:
        of_trial = blocks.trial[block] == trial
        return exponential(sign_interval(_medians(block[of_trial], logs[of_trial])[1].tolist(), confidence))

    return _over_waves(*_biweights(blocks.wave[block], logs), levels, alone)


def _pairs(blocks: Blocks, ours: Integers, theirs: Integers) -> tuple[Integers, Floats]:
    """Of each two samples of paired blocks the logarithm of theirs over ours, and which of our blocks it is of."""
    pairs = blocks.count[ours] * blocks.count[theirs]
    pair = np.repeat(np.arange(len(ours)), pairs)
    number = np.arange(len(pair)) - np.repeat(np.cumsum(pairs) - pairs, pairs)  # within its two blocks
    us, them = np.divmod(number, blocks.count[theirs][pair])
    logs = blocks.logs[blocks.start[theirs][pair] + them] - blocks.logs[blocks.start[ours][pair] + us]
    return ours[pair], logs


def _biweights(key: Integers, values: Floats) -> tuple[Integers, Floats]:
    """:func:`bench.analysis.statistics.biweight` of the values of each key, keys ascending."""
    keys, middle = _medians(key, values)
    group = np.repeat(np.arange(len(keys)), _stretches(key)[1])
    offsets = values - middle[group]
    reach = BIWEIGHT_REACH * _medians(key, np.abs(offsets))[1]
    spread = reach[group] > 0
    group, offsets = group[spread], offsets[spread]
    centre = np.zeros(len(keys))
    for _ in range(BIWEIGHT_STEPS):
        weights = np.maximum(0.0, 1 - ((offsets - centre[group]) / reach[group]) ** 2) ** 2
        total, weighted = (np.bincount(group, each, len(keys)) for each in (weights, weights * offsets))
        centre = np.divide(weighted, total, out=np.zeros(len(keys)), where=total > 0)
    return keys, middle + centre


def _ordered(key: Integers, values: Floats) -> tuple[Integers, Floats]:
    """Both by ascending key."""
    if np.diff(key).min(initial=0) < 0:
        order = np.argsort(key, kind="stable")
        return key[order], values[order]
    return key, values


def _stretches(key: Integers) -> tuple[Integers, Integers]:
    """Where each stretch of one key starts, and its length; keys ascend."""
    if not len(key):
        return key, key
    starts = np.concatenate(([0], np.flatnonzero(np.diff(key)) + 1))
    return starts, np.diff(starts, append=len(key))


def _medians(key: Integers, values: Floats) -> tuple[Integers, Floats]:
    """The median of the values of each key; keys ascend."""
    if not len(key):
        return key, values
    starts, lengths = _stretches(key)
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
