"""SI aliases, and the only place where a number is scaled for reading.

Everywhere else figures are plain floats in SI base units, and the name says which: ``host_s``,
``energy_j``, ``memory_bytes``.
"""

from __future__ import annotations

import math

Seconds = float
Bytes = int

_SI_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))
_BINARY_PREFIXES = ((2.0**40, "Ti"), (2.0**30, "Gi"), (2.0**20, "Mi"), (2.0**10, "Ki"), (1.0, ""))

#: Units that are never given a prefix, nor is any rate ("images/s"): they are read as they stand.
_UNPREFIXED = frozenset({"1", "%"})


def scale(value: float, unit: str) -> tuple[float, str]:
    """The value and unit a person would write: ``scale(0.0123, "s") == (12.3, "ms")``.

    Bytes take binary prefixes; rates and ratios stay as they are; zero keeps its base unit.
    """
    if unit in _UNPREFIXED or unit.endswith("/s") or value == 0 or not math.isfinite(value):
        return value, unit
    prefixes = _BINARY_PREFIXES if unit == "B" else _SI_PREFIXES
    for factor, prefix in prefixes:
        if abs(value) >= factor:
            return value / factor, prefix + unit
    factor, prefix = prefixes[-1]
    return value / factor, prefix + unit


def unscale(value: float, scaled_unit: str, unit: str) -> float:
    """The inverse of :func:`scale`: the value in ``unit`` again."""
    prefixes = _BINARY_PREFIXES if unit == "B" else _SI_PREFIXES
    for factor, prefix in prefixes:
        if prefix + unit == scaled_unit:
            return value * factor
    msg = f"{scaled_unit!r} is not a scaled form of {unit!r}"
    raise ValueError(msg)


def significant(value: float, digits: int = 3) -> str:
    """The value with so many significant digits, without exponent: 1234.5 -> "1234", 0.01234 -> "0.0123"."""
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    return f"{value:.{max(0, digits - 1 - magnitude)}f}"


def quantity(value: float | None, unit: str, digits: int = 3) -> str:
    """Value and unit as one string, ``"12.3 ms"``; an unknown value is a dash."""
    if value is None:
        return "–"
    scaled, scaled_unit = scale(value, unit)
    number = significant(scaled, digits)
    return number if scaled_unit == "1" else f"{number} {scaled_unit}"
