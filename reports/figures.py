"""Figures as text: one unit and one number of decimals for a whole column, so that figures can be read downwards."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.analysis import Comparison, Estimate
from bench.units import scale, unscale

DASH = "–"


@dataclass(frozen=True)
class Bounds:
    """A value with its interval, of whatever kind; bounds are None where there is no interval."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Scale:
    """How every figure of one column is written: ``unit`` is shown once, in the heading."""

    unit: str
    factor: float  # base units in one shown unit: 0.001 for ms
    decimals: int

    def number(self, value: float | None) -> str:
        """The value in this scale, without its unit; an unknown value is a dash."""
        return DASH if value is None else f"{value / self.factor:.{self.decimals}f}"

    def interval(self, low: float | None, high: float | None) -> str:
        """``"low–high"``, or nothing where there is no interval."""
        return "" if low is None or high is None else f"{self.number(low)}–{self.number(high)}"


def bounds(figure: Estimate | Comparison | None) -> Bounds | None:
    """The value and interval of an estimate or a comparison; None stays None."""
    if figure is None:
        return None
    value = figure.value if isinstance(figure, Estimate) else figure.speedup
    return Bounds(value, figure.low, figure.high)


def column_scale(column: Sequence[Bounds | None], unit: str) -> Scale:
    """The scale for a column whose first known value, if it is not zero, sets the unit.

    The smallest value gets three significant digits, or four where an interval would be rounded away otherwise.
    A rate or a ratio keeps its unit.
    """
    known = [bound for bound in column if bound is not None]
    if not known:
        return Scale(unit, 1.0, 0)
    first = next((bound.value for bound in known if bound.value), 0.0)
    shown = unit if unit == "1" or unit.endswith("/s") else scale(first, unit)[1]
    factor = 1.0 if shown == unit else unscale(1.0, shown, unit)
    smallest = min((abs(bound.value) for bound in known if bound.value), default=0.0) / factor
    decimals = _decimals(smallest, 3)
    fine = any(_half_width(bound) / factor < 10.0**-decimals for bound in known)
    return Scale(shown, factor, _decimals(smallest, 4) if fine else decimals)


def ratio_scale(column: Sequence[Bounds | None]) -> Scale:
    """The scale for speed-ups: hundredths, or thousandths where an interval is narrower than that."""
    fine = any(_half_width(bound) < 0.01 for bound in column if bound is not None)
    return Scale("1", 1.0, 3 if fine else 2)


def percent(fraction: float) -> str:
    """``0.0123`` -> ``"1.2 %"``, ``0.01`` -> ``"1 %"``; the space is one at which no line is broken.

    From a tenth on in whole percent, but for what is an exact tenth of one, as somebody wrote it: ``"99.5 %"``.
    """
    hundredfold = fraction * 100
    if abs(fraction) < 0.1:
        return f"{hundredfold:.2g}\u00a0%"
    exact = math.isclose(hundredfold, round(hundredfold, 1), rel_tol=1e-9)
    return f"{hundredfold:.1f}\u00a0%".replace(".0\u00a0", "\u00a0") if exact else f"{hundredfold:.0f}\u00a0%"


def told_apart(first: float, second: float, write: Callable[[float], str] = percent) -> tuple[str, str]:
    """Two fractions of which one is beyond the other, in as many digits as it takes to see that."""
    shown = write(first), write(second)
    for digits in range(3, 9):
        if _order(*map(_number, shown)) == _order(first, second):
            break
        shown = f"{first * 100:.{digits}g}\u00a0%", f"{second * 100:.{digits}g}\u00a0%"
    return shown


def _number(text: str) -> float:
    """What a reader takes it for."""
    return float(text.removesuffix("\u00a0%")) / (100 if text.endswith("%") else 1)


def _order(first: float, second: float) -> int:
    return (first > second) - (first < second)


def rounded(count: float) -> str:
    """A large number of things to three digits, in full: ``"12,400"``."""
    return f"{float(f'{count:.3g}'):,.0f}"


def share(value: float) -> str:
    """A part of a whole in tenths of a percent: ``"98.6 %"``."""
    return f"{value * 100:.1f}\u00a0%"


def scientific(value: float) -> str:
    """Two digits and a power of ten, for figures that span many: ``"6.1e-7"``."""
    digits, _, power = f"{value:.1e}".partition("e")
    return f"{digits}e{int(power)}"


def fraction(value: float) -> str:
    """A share or an error of any size: percent, or a power of ten below a thousandth."""
    return scientific(value) if 0 < abs(value) < 0.001 else percent(value)


def duration(seconds: float | None) -> str:
    """A length of time as people say it, from seconds to hours: ``"5 min 12 s"``."""
    if seconds is None:
        return DASH
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def _half_width(bound: Bounds) -> float:
    """Half the interval; infinite where there is none, so that it never asks for more digits."""
    return math.inf if bound.low is None or bound.high is None else (bound.high - bound.low) / 2


def _decimals(value: float, digits: int) -> int:
    return 0 if value == 0 else min(6, max(0, digits - 1 - math.floor(math.log10(value))))
