"""From the text of an option to its value. What cannot be meant raises ValueError, or a UsageError that says more."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

from bench.records.plan import TOLERANCES, WORKER_STARTS
from bench.storage import shown_path

#: How often the baseline of each group is measured once more, by the kind of self-check.
COPIES: Mapping[str, int] = {"short": 1, "long": 8}


def count(text: str) -> int:
    """A whole number from 1."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def classes(text: str) -> int:
    """A whole number from 2."""
    number = int(text)
    if number < 2:
        raise ValueError
    return number


def seconds(text: str) -> float:
    """A positive number of seconds."""
    number = float(text)
    if not (math.isfinite(number) and number > 0):
        raise ValueError
    return number


def length(text: str) -> float:
    """Seconds of "90", "90s", "5min" or "2h"."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h|)", text.strip())
    if match is None:
        raise ValueError
    return seconds(match[1]) * {"min": 60.0, "h": 3600.0}.get(match[2], 1.0)


def fraction(text: str) -> float:
    """A fraction from 0 to below 1, of ``"0.01"`` or ``"1%"``."""
    number = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    if not 0 <= number < 1:
        raise ValueError
    return number


def shape(text: str) -> tuple[int, int, int]:
    """Channels, height and width of ``"3x32x32"``."""
    match = re.fullmatch(r"(\d{1,4})x(\d{1,4})x(\d{1,4})", text)
    if match is None or "0" in match.groups():
        raise ValueError
    channels, height, width = (int(part) for part in match.groups())
    return channels, height, width


def power(text: str) -> str:
    """A meaning that the sensors' panel knows, as text."""
    from bench.instruments.panel import parse_power

    parse_power(text)  # raises a UsageError of its own, in a sentence
    return text


def prices(text: str) -> Path:
    """The file of a price book that can be read."""
    from bench.pricebook import read_prices

    read_prices(shown_path(Path(text)))  # raises a UsageError of its own: a fault must not come to light after an hour
    return Path(text)


def tolerances(text: str) -> dict[str, float]:
    """``"rmse_int8=0.3,agreement=90%"`` as fields of the plan."""
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(name in TOLERANCES and equals for name, equals, _ in pairs):
        raise ValueError
    return {name: fraction(value) for name, _, value in pairs}


def start(text: str) -> str:
    """How workers are started."""
    if text not in WORKER_STARTS:
        raise ValueError
    return text


def switch(text: str) -> bool:
    """Of ``"true"`` or ``"false"``."""
    if text.lower() not in {"true", "false"}:
        raise ValueError
    return text.lower() == "true"


def factory(text: str) -> str:
    """An import name, ``"module:function"``."""
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", text):
        raise ValueError
    return text


def self_check(text: str) -> str:
    """The kind of self-check."""
    if text not in COPIES:
        raise ValueError
    return text
