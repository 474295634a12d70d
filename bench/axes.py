"""Axis values as a person writes them: ``batch=1,32`` becomes ``("batch", (1, 32))``."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bench.errors import UsageError
from bench.records import AXES, AxisValue, Variant

#: Axis names, each with the values it shall have, in the order given.
Axes = tuple[tuple[str, tuple[AxisValue, ...]], ...]

_SWITCHES = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}
_DEVICE = re.compile(r"cpu|cuda:\d+")


def parse_axes(given: Iterable[tuple[str, str]]) -> Axes:
    """The axes in these texts, each with where it was given; one axis given twice has the values of both.

    Raises:
        UsageError: an axis that is none, or a value that its axis cannot have; the message says where.
    """
    axes: dict[str, tuple[AxisValue, ...]] = {}
    for where, text in given:
        name, equals, values = text.partition("=")
        name = name.strip()
        if not equals:
            msg = f"{where} {text}: that is not possible; give NAME=VALUE,VALUE, like batch=1,32"
            raise UsageError(msg)
        if name not in AXES:
            msg = f"{where} {text}: there is no axis {name!r}; choose one of {', '.join(AXES)}"
            raise UsageError(msg)
        parsed = tuple(_value(name, value.strip(), f"{where} {text}") for value in values.split(","))
        axes[name] = tuple(dict.fromkeys((*axes.get(name, ()), *parsed)))
    return tuple(axes.items())


def _value(name: str, text: str, where: str) -> AxisValue:
    """One value, as the type that the axis has."""
    default = AXES[name]
    try:
        if isinstance(default, bool):
            return _SWITCHES[text.lower()]
        if isinstance(default, int):
            return _number(name, text)
    except (KeyError, ValueError) as error:
        wanted = "on or off" if isinstance(default, bool) else f"whole numbers from {_least(name)}"
        msg = f"{where}: {name} cannot be {text!r}; give {wanted}"
        raise UsageError(msg) from error
    if name == "device" and not _DEVICE.fullmatch(text):
        msg = f"{where}: there is no device {text!r}; give cpu, cuda:0, cuda:1, ..."
        raise UsageError(msg)
    return Variant.of(**{name: text})[name]  # which refuses what could not stand in an id


def _number(name: str, text: str) -> int:
    number = int(text)
    if number < _least(name):
        raise ValueError
    return number


def _least(name: str) -> int:
    """A batch holds at least one item; of everything else there may be none."""
    return 1 if name == "batch" else 0
