"""Medians and intervals of plain numbers; every interval says how it was made.

Sources: Student's t (Student 1908, Biometrika 6); distribution-free interval of a median from order
statistics (Thompson 1936, Ann. Math. Statist. 7; David & Nagaraja, Order Statistics, 2003, section 7.1);
Holm's step-down procedure (Holm 1979, Scand. J. Statist. 6); score interval of a proportion (Wilson 1927,
J. Am. Stat. Assoc. 22; recommended for small samples by Brown, Cai & DasGupta 2001, Statist. Sci. 16);
biweight (Beaton & Tukey 1974, Technometrics 16; its constants in Maronna, Martin, Yohai & Salibian-Barrera 2019, Robust
Statistics, section 2.4).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

median = statistics.median


class Interval(NamedTuple):
    """A point with the bounds of its confidence interval; bounds are None where the data cannot give any."""

    value: float
    low: float | None
    high: float | None


#: Values this far out, in median deviations, do not count: 80 % as good as the mean where values are normal. The usual
#: 4.685, for 95 %, does worse in the noise of shared machines, where there is always somebody far out.
BIWEIGHT_REACH = 3.14 * 1.4826
BIWEIGHT_STEPS = 10


def biweight(values: Sequence[float]) -> float:
    """The centre of the values, each of which counts the less the further out it lies: Tukey's biweight.

    It withstands as many outliers as the median, and is less at the mercy of chance. Where most values are equal it is
    that value.

    Raises:
        StatisticsError: no values.
    """
    middle = median(values)
    offsets = [value - middle for value in values]
    reach = BIWEIGHT_REACH * median([abs(offset) for offset in offsets])
    centre = 0.0
    for _ in range(BIWEIGHT_STEPS if reach > 0 else 0):
        distances = [min(1.0, abs(offset - centre) / reach) for offset in offsets]
        weights = [(1 - distance * distance) ** 2 for distance in distances]
        centre = sum(weight * offset for weight, offset in zip(weights, offsets, strict=True)) / sum(weights)
    return middle + centre


def exponential(interval: Interval) -> Interval:
    """The interval of a logarithm, taken back to the quantity itself."""
    low, high = (None if bound is None else math.exp(bound) for bound in (interval.low, interval.high))
    return Interval(math.exp(interval.value), low, high)


def t_interval(values: Sequence[float], confidence: float) -> Interval:
    """Mean and Student's t interval of independent values; one value has no bounds.

    Raises:
        ValueError: no values.
    """
    mean = statistics.fmean(values)
    if len(values) < 2:
        return Interval(mean, None, None)
    half = t_quantile(len(values) - 1, confidence) * standard_error(values)
    return Interval(mean, mean - half, mean + half)


def sign_interval(values: Sequence[float], confidence: float) -> Interval:
    """Median and its distribution-free interval between two order statistics.

    Coverage is at least ``confidence`` for independent values of any continuous distribution; with too few
    values (below six at 95 %) there are no bounds.
    """
    ordered = sorted(values)
    n = len(ordered)
    below = -1  # the largest k with P(Binomial(n, 1/2) <= k) <= (1 - confidence) / 2
    bdtr = _special().bdtr
    while below + 1 < n / 2 and bdtr(below + 1, n, 0.5) <= (1 - confidence) / 2:
        below += 1
    if below < 0:
        return Interval(median(ordered), None, None)
    return Interval(median(ordered), ordered[below], ordered[n - 1 - below])


def wilson_interval(successes: int, n: int, confidence: float) -> Interval:
    """A proportion and its score interval, which stays between 0 and 1 and has a width even at 0 or n of n.

    Raises:
        ValueError: no trials, or more successes than trials.
    """
    if not 0 <= successes <= n or n == 0:
        msg = f"{successes} of {n} is no proportion"
        raise ValueError(msg)
    z = statistics.NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # Rounding must not put the proportion itself outside its interval.
    return Interval(share, min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half)))


def _special() -> Any:
    """scipy.special, imported when first needed: every pytest run of the environment imports this module."""
    from scipy import special

    return special


def binomial_interval(count: int, of: int, confidence: float) -> Interval:
    """A share and its exact interval (Clopper & Pearson 1934, Biometrika 26); at least ``confidence``, often more.

    Raises:
        ValueError: nothing was counted.
    """
    if not 0 <= count <= of or of < 1:
        msg = f"{count} of {of} is no share"
        raise ValueError(msg)
    tail = (1 - confidence) / 2
    inverse = _special().betaincinv
    low = float(inverse(count, of - count + 1, tail)) if count else 0.0
    high = float(inverse(count + 1, of - count, 1 - tail)) if count < of else 1.0
    return Interval(count / of, low, high)


def binomial_cdf(successes: int, n: int, probability: float) -> float:
    """P(Binomial(n, probability) <= successes)."""
    return float(_special().bdtr(successes, n, probability))


def t_quantile(degrees: float, confidence: float) -> float:
    """The two-sided quantile: 12.7 for one degree of freedom at 95 %."""
    if degrees in _FEW_DEGREES and 0 < confidence < 1:
        return _whole_t_quantile(int(degrees), confidence)
    return float(_special().stdtrit(degrees, (1 + confidence) / 2))


#: For so few whole degrees the sum below is short; scipy takes a tenth of a second to load, and is for the others.
_FEW_DEGREES = range(1, 65)


def _whole_t_quantile(degrees: int, confidence: float) -> float:
    """The quantile from the finite sum that the distribution has for whole degrees, inverted by halving.

    Source: Abramowitz & Stegun 1964, 26.7.3 and 26.7.4, in the angle whose tangent is t over the root of the degrees.
    """
    low, high = 0.0, math.pi / 2
    for _ in range(64):
        angle = (low + high) / 2
        if _within(angle, degrees) < confidence:
            low = angle
        else:
            high = angle
    return math.sqrt(degrees) * math.tan((low + high) / 2)


def _within(angle: float, degrees: int) -> float:
    """The chance that t lies no further from zero than the angle says."""
    odd, square = degrees % 2, math.cos(angle) ** 2
    term = total = (math.cos(angle) if degrees > 1 else 0.0) if odd else 1.0
    for power in range(2 + odd, degrees - 1, 2):
        term *= square * (power - 1) / power
        total += term
    total *= math.sin(angle)
    return (angle + total) * 2 / math.pi if odd else total


def standard_error(values: Sequence[float]) -> float:
    """Standard error of the mean of independent values (Bessel's divisor)."""
    return statistics.stdev(values) / math.sqrt(len(values))


class Welch(NamedTuple):
    """How far apart the means of two independent sets are, with the error of that and its degrees of freedom."""

    difference: float
    error: float
    degrees: float

    def tail(self, margin: float) -> float:
        """One-sided p-value against "the difference is at most the margin"; without any spread it is 0 or 1."""
        if self.error == 0:
            return 0.0 if self.difference > margin else 1.0
        return float(_special().stdtr(self.degrees, (margin - self.difference) / self.error))


def welch(ours: Sequence[float], theirs: Sequence[float]) -> Welch | None:
    """Our mean less theirs, whatever their spreads; None where a side has fewer than two values.

    Source: Welch 1947, Biometrika 34; degrees of freedom by Satterthwaite 1946, Biometrics Bulletin 2.
    """
    if min(len(ours), len(theirs)) < 2:
        return None
    difference = statistics.fmean(ours) - statistics.fmean(theirs)
    parts = [standard_error(values) ** 2 for values in (ours, theirs)]
    total = sum(parts)
    if total == 0:
        return Welch(difference, 0.0, len(ours) + len(theirs) - 2)
    scale = sum(part**2 / (len(values) - 1) for part, values in zip(parts, (ours, theirs), strict=True))
    return Welch(difference, math.sqrt(total), total**2 / scale)


def t_tail(values: Sequence[float], margin: float, spread: float = 0.0) -> float:
    """One-sided p-value against "the mean lies within the margin of zero", in the direction of the mean.

    ``spread`` is the least standard deviation that the values are believed to have. Values without any are taken at
    their word: 0 beyond the margin, 1 within.
    """
    if len(values) < 2:
        return 1.0
    distance = abs(statistics.fmean(values)) - margin
    error = max(standard_error(values), spread / math.sqrt(len(values)))
    if error == 0:
        return 0.0 if distance > 0 else 1.0
    return float(_special().stdtr(len(values) - 1, -distance / error))


def holm(p_values: Sequence[float], level: float) -> tuple[bool, ...]:
    """Which hypotheses Holm's procedure rejects, so that the chance of any false rejection is at most ``level``."""
    rejected = [False] * len(p_values)
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[index] > level / (len(p_values) - rank):
            break
        rejected[index] = True
    return tuple(rejected)
