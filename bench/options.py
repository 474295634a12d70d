"""What the user asked for: read from the command line and ``[tool.joulemark]``, checked, and frozen.

The command line wins over ``pyproject.toml``, which wins over the defaults. Every option is called the same in
both places: ``--bench-waves 3`` is ``waves = 3``.
"""

from __future__ import annotations

import math
import random
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bench.errors import UsageError
from bench.records import Plan
from bench.records.plan import WORKER_STARTS


@dataclass(frozen=True)
class Options:
    """The plan, where results go, and what the shipped suites measure."""

    plan: Plan = field(default_factory=Plan)
    out: Path = Path("out")
    data: str = "digits"
    model: str | None = None  # "module:factory"; None for the shipped ResNet-18
    input_shape: tuple[int, int, int] = (3, 32, 32)
    classes: int = 10
    prices: Path | None = None  # None for the price book that is shipped


#: Where the plugin keeps the options of a session.
OPTIONS = pytest.StashKey[Options]()


def options_of(config: pytest.Config) -> Options:
    """The options of this pytest session, as the plugin read them."""
    return config.stash[OPTIONS]


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _classes(text: str) -> int:
    classes = int(text)
    if classes < 2:
        raise ValueError
    return classes


def _seconds(text: str) -> float:
    seconds = float(text)
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError
    return seconds


def _fraction(text: str) -> float:
    fraction = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    if not 0 <= fraction < 1:
        raise ValueError
    return fraction


def _shape(text: str) -> tuple[int, int, int]:
    match = re.fullmatch(r"(\d{1,4})x(\d{1,4})x(\d{1,4})", text)
    if match is None or "0" in match.groups():
        raise ValueError
    channels, height, width = (int(part) for part in match.groups())
    return channels, height, width


def _power(text: str) -> str:
    from bench.instruments.panel import parse_power

    parse_power(text)  # raises a UsageError of its own, in a sentence
    return text


def _prices(text: str) -> Path:
    from bench.pricebook import read_prices

    read_prices(Path(text))  # raises a UsageError of its own: a fault must not come to light after an hour
    return Path(text)


def _start(text: str) -> str:
    if text not in WORKER_STARTS:
        raise ValueError
    return text


def _factory(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", text):
        raise ValueError
    return text


class _Option(NamedTuple):
    parse: Callable[[str], Any]
    example: str  # completes the sentence "give ..."
    help: str


_PLAN_OPTIONS: Mapping[str, _Option] = {
    "waves": _Option(_count, "a whole number from 1, like 6", "fresh worker processes per case (default 6)"),
    "rounds": _Option(
        _count,
        "a whole number from 1, like 10",
        "interleaved rounds per wave, at most (default: as many as the budget affords)",
    ),
    "budget": _Option(_seconds, "a positive number of seconds, like 150", "seconds per group (default 150)"),
    "precision": _Option(
        _fraction, "a fraction, like 1% or 0.01", "half-width wanted of a ratio's interval (default 1%%)"
    ),
    "band": _Option(_fraction, "a fraction, like 1% or 0.01", "differences that do not matter (default 1%%)"),
    "seed": _Option(
        int, "a whole number", "seed of the block order and of torch in the workers (default: drawn, recorded)"
    ),
    "power": _Option(
        _power,
        "auto, off, nvml[:INDEX,...], rapl or tdp:WATTS",
        "what to read energy by: auto, off, nvml[:INDEX,...], rapl, tdp:WATTS, joined by + (default auto)",
    ),
    "start": _Option(_start, "one of " + ", ".join(WORKER_STARTS), "how workers are started (default fork_server)"),
}
_SUITE_OPTIONS: Mapping[str, _Option] = {
    "out": _Option(Path, "a folder", "folder for runs and reports (default out/)"),
    "data": _Option(
        str, "a data set", "digits, mnist, medmnist:NAME or synthetic:CxHxW for the shipped suites (default digits)"
    ),
    "model": _Option(_factory, "module:factory", "your own model: module:factory, a function that returns a Module"),
    "input": _Option(_shape, "channels x height x width, like 3x32x32", "input shape of the model (default 3x32x32)"),
    "prices": _Option(_prices, "a price book", "what time and energy cost: a TOML file (default: the one shipped)"),
    "classes": _Option(_classes, "a whole number from 2, like 10", "number of classes of the model (default 10)"),
}
_ALL: Mapping[str, _Option] = {**_PLAN_OPTIONS, **_SUITE_OPTIONS}
#: Options whose name on the command line is not that of the field.
_FIELDS = {"budget": "budget_s", "input": "input_shape"}


def add_options(parser: pytest.Parser) -> None:
    """Declare ``--bench-*``."""
    group = parser.getgroup("joulemark", "joulemark: benchmarks of deep-learning classifiers")
    for name, option in _ALL.items():
        group.addoption(f"--bench-{name}", metavar=name.upper(), default=None, help=option.help)


def read_options(config: pytest.Config) -> Options:
    """The options of a session.

    Raises:
        UsageError: an option has a value that cannot be meant; the message says which, and what to give.
    """
    settings = _project_settings(config)
    values: dict[str, Any] = {}
    for name, option in _ALL.items():
        given = config.getoption(f"bench_{name}")
        where = f"--bench-{name}"
        if given is None and name in settings:
            given, where = settings[name], f"[tool.joulemark] {name}"
        if given is not None:
            values[_FIELDS.get(name, name)] = _parsed(option, str(given), where)
    _check_root(config, values.get("out"))
    plan_fields = {_FIELDS.get(name, name) for name in _PLAN_OPTIONS}
    plan_values = {name: value for name, value in values.items() if name in plan_fields}
    plan_values.setdefault("seed", random.SystemRandom().randrange(2**31))
    rest = {name: value for name, value in values.items() if name not in plan_fields}
    return Options(plan=Plan(**plan_values), **rest)


def _check_root(config: pytest.Config, out: Path | None) -> None:
    """An existing folder that follows a space is a place with tests for pytest, which may even root itself there."""
    start = config.invocation_params.dir
    detached = "--bench-out" in config.invocation_params.args
    if out is not None and detached and out.exists() and not out.resolve().is_relative_to(start):
        msg = f"pytest would take {out} for a folder of tests; write --bench-out={out}"
        raise UsageError(msg)


def _parsed(option: _Option, text: str, where: str) -> Any:
    try:
        return option.parse(text)
    except ValueError as error:
        msg = f"{where} {text}: that is not possible; give {option.example}"
        raise UsageError(msg) from error


def _project_settings(config: pytest.Config) -> Mapping[str, Any]:
    """``[tool.joulemark]`` of pytest's root, or else of the folder pytest was started in or the nearest above it."""
    start = config.invocation_params.dir
    for folder in (config.rootpath, start, *start.parents):
        settings = _settings(folder / "pyproject.toml")
        if settings is not None:
            return settings
    return {}


def _settings(path: Path) -> Mapping[str, Any] | None:
    try:
        with path.open("rb") as file:
            tool = tomllib.load(file).get("tool", {})
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # TOML and Unicode errors are ValueErrors
        msg = f"{path} cannot be read ({error}); mend it or remove it"
        raise UsageError(msg) from error
    table = tool.get("joulemark") if isinstance(tool, dict) else None
    if table is None:
        return None
    if not isinstance(table, dict):
        msg = f"{path}: tool.joulemark is not a table; write [tool.joulemark]"
        raise UsageError(msg)
    for name in table:
        if name not in _ALL:
            msg = f"{path}: [tool.joulemark] has no setting {name!r}; the settings are {', '.join(_ALL)}"
            raise UsageError(msg)
    return table
