"""The slow end of latency: p90 and p99, each with a bound from above, or nothing.

For n independent samples the bound is an order statistic: the r-th smallest lies above the quantile q with
probability P(Binomial(n, q) < r), whatever the distribution. For p99 at 95 % that takes 299 samples, for p90, 29.

Samples of one block are not independent: a burst (another program, a late interrupt) slows several in a row, and a
process keeps an offset of its own. So n is divided by how many times more the share of slow samples differs between
blocks, or between waves, than it would by chance (the design effect of cluster samples)::

    block 1  . . . . . . . . .      5 slow of 50 in all:     spread over the blocks: n stays n
    block 2  . . . X X X X X .      all 5 in one block:      they count as one event, n is a fifth

What is left must still be enough, or there is no figure. In simulation (6 waves of 10 blocks of 50) the bound of p99
held in 98 % for independent samples, 92 % with bursts of ten, 94 % with offsets of processes beside them. What is so
rare that a run holds one of it or none is in nobody's bound.

Sources: order statistics, David & Nagaraja, Order Statistics, 2003, section 7.1; design effect, Kish, Survey
Sampling, 1965, section 8.2.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from statistics import variance

from bench.analysis.statistics import binomial_cdf
from bench.records import Sample, SampleKind, Trial

#: The tails that are reported.
QUANTILES = (0.9, 0.99)


@dataclass(frozen=True)
class Tail:
    """One quantile of the time of single steps, in seconds; value and bound are None where there are too few.

    ``bound_s`` is above the quantile with the confidence. ``n`` counts the samples, ``needed`` those that it takes,
    given how much they depend on each other in this trial.
    """

    quantile: float
    value_s: float | None
    bound_s: float | None
    confidence: float
    n: int
    needed: int

    @property
    def name(self) -> str:
        """``"p99"``, ``"p99.9"``."""
        return f"p{100 * self.quantile:g}"


def tails(trial: Trial, confidence: float) -> tuple[Tail, ...]:
    """The tails of a latency trial; none where no single steps were timed."""
    samples = [sample for sample in trial.samples if sample.kind is SampleKind.LATENCY]
    return tuple(tail(samples, quantile, confidence) for quantile in QUANTILES) if samples else ()


def tail(samples: Sequence[Sample], quantile: float, confidence: float) -> Tail:
    """One quantile of these samples.

    Raises:
        ValueError: no samples.
    """
    ordered = sorted(sample.step_s for sample in samples)
    n = len(ordered)
    value_s = ordered[math.ceil(quantile * n) - 1]
    dependence = design_effect(samples, value_s)
    effective = int(n / dependence)
    needed = math.ceil(least_samples(quantile, confidence) * dependence)
    rank = bound_rank(effective, quantile, confidence)
    if rank is None:
        return Tail(quantile, None, None, confidence, n, max(needed, n + 1))
    bound_s = ordered[min(n, math.ceil(rank / effective * n)) - 1]
    return Tail(quantile, value_s, bound_s, confidence, n, needed)


def least_samples(quantile: float, confidence: float) -> int:
    """How many independent samples it takes for the largest to bound the quantile: 299 for p99 at 95 %."""
    return math.ceil(math.log(1 - confidence) / math.log(quantile))


def bound_rank(n: int, quantile: float, confidence: float) -> int | None:
    """The least r such that the r-th smallest of n lies above the quantile with the confidence; None for too few."""
    if n < 1 or binomial_cdf(n - 1, n, quantile) < confidence:
        return None
    low, high = 1, n
    while low < high:
        middle = (low + high) // 2
        if binomial_cdf(middle - 1, n, quantile) >= confidence:
            high = middle
        else:
            low = middle + 1
    return low


def design_effect(samples: Sequence[Sample], threshold_s: float) -> float:
    """How many samples count as one where slow ones come together; the larger of that by blocks and by waves."""
    by_block = _effect(samples, threshold_s, lambda sample: (sample.wave, sample.round))
    return max(by_block, _effect(samples, threshold_s, lambda sample: sample.wave))


def _effect(samples: Sequence[Sample], threshold_s: float, cluster: Callable[[Sample], Hashable]) -> float:
    """Variance of the clusters' shares of slow samples over that of independent samples; at least 1."""
    clusters: dict[Hashable, list[bool]] = defaultdict(list)
    for sample in samples:
        clusters[cluster(sample)].append(sample.step_s > threshold_s)
    share = sum(map(sum, clusters.values())) / len(samples)
    if len(clusters) < 2 or share == 0:
        return 1.0
    size = len(samples) / len(clusters)
    by_chance = share * (1 - share) / size
    return max(1.0, variance(sum(slow) / len(slow) for slow in clusters.values()) / by_chance)
