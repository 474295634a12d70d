"""What the user asked for: read from the command line and ``[tool.joulemark]``, checked, and frozen.

The command line wins over ``pyproject.toml``, which wins over the defaults. Every option is called the same in
both places: ``--bench-waves 3`` is ``waves = 3``.
"""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench import option_values
from bench.analysis import Gate, parse_gate
from bench.axes import Axes, parse_axes
from bench.errors import UsageError
from bench.option_values import COPIES
from bench.records import Plan
from bench.records.plan import TOLERANCES, WORKER_STARTS
from bench.storage import shown_path

if TYPE_CHECKING:  # workers load the suites, and these options with them; pytest would cost each a quarter of a second
    import pytest


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
    axes: Axes = ()  # a grid of the user's own in place of the curated set
    full: bool = False  # every sensible combination
    backends: tuple[tuple[str, str], ...] = ()  # names of backends from outside, and where each is found
    self_check: str | None = None  # "short" or "long"; None for none
    against: Path | None = None  # the run that this one is compared with
    fail_on: tuple[Gate, ...] = ()
    case: str | None = None  # the only one to be measured; None for all that are selected
    resume: Path | None = None  # the folder of a run that was broken off, to be gone on with
    resumed_cases: tuple[str, ...] = ()  # the names of its cases
    time_limit_s: float | None = None  # of the session: what was measured by then is reported


class _Option(NamedTuple):
    parse: Callable[[str], Any]
    example: str  # completes the sentence "give ..."
    help: str
    bare: str | None = None  # what it means without a value; None where it needs one
    many: bool = False  # may be given several times; a list in pyproject.toml
    flag: bool = False  # stands alone on the command line, true or false in pyproject.toml


_PLAN_OPTIONS: Mapping[str, _Option] = {
    "waves": _Option(
        option_values.count,
        "a whole number from 1, like 6",
        "fresh worker processes per case (default 6; 4 or 5 where setting up takes too long)",
    ),
    "rounds": _Option(
        option_values.count,
        "a whole number from 1, like 10",
        "interleaved rounds per wave, at most (default: as many as the budget affords)",
    ),
    "budget": _Option(
        option_values.seconds,
        "a positive number of seconds, like 150",
        "seconds per group (default 45, and 9 for each of its cases)",
    ),
    "precision": _Option(
        option_values.fraction, "a fraction, like 1% or 0.01", "half-width wanted of a ratio's interval (default 1%%)"
    ),
    "band": _Option(
        option_values.fraction, "a fraction, like 1% or 0.01", "differences that do not matter (default 1%%)"
    ),
    "tolerance": _Option(
        option_values.tolerances,
        f"name=fraction, several joined by commas; the names are {', '.join(TOLERANCES)}",
        f"what right results may be off by: name=fraction,..., of {', '.join(TOLERANCES)} (defaults: see the report)",
    ),
    "seed": _Option(
        int, "a whole number", "seed of the block order and of torch in the workers (default: drawn, recorded)"
    ),
    "power": _Option(
        option_values.power,
        "auto, off, nvml[:INDEX,...], rapl or tdp:WATTS",
        "what to read energy by: auto, off, nvml[:INDEX,...], rapl, tdp:WATTS, joined by + (default auto)",
    ),
    "phases": _Option(
        option_values.switch,
        "true or false",
        "time each phase of a step as well, in a pass of its own (budget apart)",
        flag=True,
    ),
    "profile": _Option(
        option_values.switch,
        "true or false",
        "record a few steps of each case with PyTorch's profiler (budget apart)",
        flag=True,
    ),
    "case-limit": _Option(
        option_values.length,
        "a length of time, like 300, 5min or 1h",
        "a case fails if its set-up, or one block of it, takes longer (default 10min for set-up, 2min for a block)",
    ),
    "start": _Option(
        option_values.start, "one of " + ", ".join(WORKER_STARTS), "how workers are started (default fork_server)"
    ),
}
_SUITE_OPTIONS: Mapping[str, _Option] = {
    "case": _Option(str, "a case's name", "measure this case alone, by its full name: inference[cpu-fp32]"),
    "resume": _Option(
        Path,
        "the folder of a run",
        "go on with a run that was broken off: its finished waves are kept",
    ),
    "time-limit": _Option(
        option_values.length,
        "a length of time, like 300, 5min or 2h",
        "stop after so long, and report what was measured by then",
    ),
    "out": _Option(Path, "a folder", "folder for runs and reports (default out/)"),
    "data": _Option(
        str,
        "a data set",
        "digits, mnist, medmnist:NAME, synthetic:CxHxW or FILE.npz for the shipped suites (default digits)",
    ),
    "model": _Option(
        option_values.factory, "module:factory", "your own model: module:factory, a function that returns a Module"
    ),
    "input": _Option(
        option_values.shape, "channels x height x width, like 3x32x32", "input shape of the model (default 3x32x32)"
    ),
    "prices": _Option(
        option_values.prices, "a price book", "what time and energy cost: a TOML file (default: the one shipped)"
    ),
    "classes": _Option(
        option_values.classes, "a whole number from 2, like 10", "number of classes of the model (default 10)"
    ),
    "self-check": _Option(
        option_values.self_check,
        "--bench-self-check=short or =long, with the equals sign, and paths after it",
        "measure each baseline once more, to know the least difference this machine shows; =long: eight times",
        bare="short",
    ),
    "against": _Option(Path, "a run's folder", "compare with a stored run, or the latest in a folder of runs"),
    "fail-on": _Option(
        parse_gate, "METRIC:LIMIT", "with --bench-against: fail if METRIC surely grew by more, as time:5%%", many=True
    ),
}
_ALL: Mapping[str, _Option] = {**_PLAN_OPTIONS, **_SUITE_OPTIONS}
#: Options that may be given several times; in the project file they are a table, or a list of the same texts.
_REPEATED: Mapping[str, str] = {
    "axis": "NAME=VALUE,VALUE: measure these values of an axis, in all combinations with those of other axes, instead "
    "of the usual settings; may be repeated",
    "backend": "NAME=module:function or NAME=file.py:function: a backend of your own; may be repeated",
}
_FULL = "measure all sensible combinations of settings; give it a larger --bench-budget"
#: Options that say which cases a suite has: see :func:`bench.declare`.
FOR_SUITES = ("axis", "full", "backend", "model", "data", "input", "classes")
#: Options that name a file or a folder.
_PLACES = ("out", "resume", "against", "prices")
#: Options whose name on the command line is not that of the field.
_FIELDS = {
    "budget": "budget_s",
    "case-limit": "case_limit_s",
    "fail-on": "fail_on",
    "input": "input_shape",
    "self-check": "self_check",
    "time-limit": "time_limit_s",
}


def add_options(parser: pytest.Parser) -> None:
    """Declare ``--bench-*``."""
    group = parser.getgroup("joulemark", "joulemark: benchmarks of deep-learning classifiers")
    for name, option in _ALL.items():
        extra: dict[str, Any] = {"action": "append"} if option.many else {}
        extra |= {"nargs": "?", "const": option.bare} if option.bare is not None else {}
        extra |= {"action": "store_true"} if option.flag else {"metavar": name.upper()}
        group.addoption(f"--bench-{name}", default=None, help=option.help, **extra)
    for name, text in _REPEATED.items():
        group.addoption(f"--bench-{name}", metavar="NAME=...", action="append", default=None, help=text)
    group.addoption("--bench-full", action="store_true", default=None, help=_FULL)


def read_options(config: pytest.Config) -> Options:
    """The options of a session.

    Raises:
        UsageError: an option has a value that cannot be meant; the message says which, and what to give.
    """
    settings, home = _project_settings(config)
    values: dict[str, Any] = {}
    for name, option in _ALL.items():
        given, where = _given(config, settings, home, name)
        if given is not None and option.many:
            each = given if isinstance(given, list) else [given]
            values[_FIELDS.get(name, name)] = tuple(_parsed(option, str(one), where) for one in each)
        elif given is not None and not (given is False and option.bare is not None):
            text = option.bare if given is True and option.bare is not None else str(given)
            values[_FIELDS.get(name, name)] = _parsed(option, text, where)
    for name in _PLACES:
        _check_root(config, f"--bench-{name}", values.get(name))
    values.setdefault("out", config.invocation_params.dir / Options.out)
    plan_fields = {_FIELDS.get(name, name) for name in _PLAN_OPTIONS}
    plan_values = {name: value for name, value in values.items() if name in plan_fields}
    plan_values.update(plan_values.pop("tolerance", {}))
    if (limit_s := plan_values.pop("case_limit_s", None)) is not None:
        plan_values.update(build_limit_s=limit_s, block_limit_s=limit_s)
    rest = {name: value for name, value in values.items() if name not in plan_fields}
    if "fail_on" in rest and "against" not in rest:
        msg = "--bench-fail-on compares with a stored run; name it with --bench-against=RUN"
        raise UsageError(msg)
    folders = (config.invocation_params.dir, home, config.rootpath)
    return Options(
        plan=_plan(plan_values, rest),
        axes=parse_axes(_repeated(config, settings, "axis")),
        full=_full(config, settings),
        backends=tuple(_backend(where, text, folders) for where, text in _repeated(config, settings, "backend")),
        **rest,
    )


def _given(config: pytest.Config, settings: Mapping[str, Any], home: Path, name: str) -> tuple[Any, str]:
    """What was given for an option, on the command line or else in the file, and where that was.

    A place is meant from the folder it was written in, whichever a test goes to later.
    """
    given, where = config.getoption(f"bench_{name.replace('-', '_')}"), f"--bench-{name}"
    folder = config.invocation_params.dir
    if given is None and name in settings:
        given, where, folder = settings[name], f"[tool.joulemark] {name}", home
    if given is not None and name in _PLACES:
        return str(folder / str(given)), where
    if given is not None and name == "data" and str(given).endswith(".npz") and folder == home:
        return str(shown_path(folder / str(given))), where  # as short as can be: runs are compared by it
    return given, where


def _plan(values: dict[str, Any], rest: dict[str, Any]) -> Plan:
    """The plan of these values, or of the run that is to be resumed, whose self-check is then repeated too."""
    if "resume" not in rest:
        insisted = {"fewest_waves": values["waves"]} if "waves" in values else {}
        return Plan(**{"seed": random.SystemRandom().randrange(2**31), **insisted, **values})
    from bench.resuming import planned

    plan, opened = planned(rest["resume"], values)
    rest["resumed_cases"] = tuple(opened.cases)
    copies = 0 if opened.self_check is None else opened.self_check.copies
    begun_with = next((kind for kind, count in COPIES.items() if count == copies), None)
    if rest.setdefault("self_check", begun_with) != begun_with:
        begun = "without a self-check" if begun_with is None else f"with --bench-self-check={begun_with}"
        msg = f"--bench-resume {rest['resume']}: the run was begun {begun}; leave out --bench-self-check"
        raise UsageError(msg)
    return plan


def _repeated(config: pytest.Config, settings: Mapping[str, Any], name: str) -> Iterator[tuple[str, str]]:
    """Each text of an option that may be repeated, with where it was given; the command line replaces the file."""
    given = config.getoption(f"bench_{name}")
    if given is not None:
        yield from ((f"--bench-{name}", text) for text in given)
        return
    where, found = f"[tool.joulemark] {name}", settings.get(name, [])
    if isinstance(found, dict):
        yield from ((where, f"{key}={_joined(value)}") for key, value in found.items())
    elif isinstance(found, list):
        yield from ((where, str(text)) for text in found)
    else:
        yield where, str(found)


def _joined(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _full(config: pytest.Config, settings: Mapping[str, Any]) -> bool:
    found = settings.get("full", False)
    if not isinstance(found, bool):
        msg = f"[tool.joulemark] full = {found!r}: that is not possible; give true or false"
        raise UsageError(msg)
    return found or bool(config.getoption("bench_full"))


def _backend(where: str, text: str, folders: tuple[Path, ...]) -> tuple[str, str]:
    """A backend's name and import name; a file is given its whole path, since workers may start elsewhere."""
    match = re.fullmatch(r"([a-z][a-z0-9_]*)=([^,;=]+):([A-Za-z_]\w*)", text.strip())
    if match is None:
        msg = f"{where} {text}: that is not possible; give NAME=module:function or NAME=file.py:function"
        raise UsageError(msg)
    name, place, function = match.groups()
    if not place.endswith(".py"):
        return name, f"{place}:{function}"
    files = [folder / place for folder in folders if (folder / place).is_file()]
    if not files:
        msg = f"{where} {text}: there is no file {place}; give a path from {folders[0]}"
        raise UsageError(msg)
    return name, f"{files[0].resolve()}:{function}"


def _check_root(config: pytest.Config, option: str, place: Path | None) -> None:
    """An existing folder that follows a space is a place with tests for pytest, which may even root itself there."""
    start = config.invocation_params.dir
    detached = option in config.invocation_params.args
    if place is not None and detached and place.exists() and not place.resolve().is_relative_to(start):
        msg = f"pytest would take {place} for a folder of tests; write {option}={place}"
        raise UsageError(msg)


def _parsed(option: _Option, text: str, where: str) -> Any:
    try:
        return option.parse(text)
    except ValueError as error:
        msg = f"{where} {text}: that is not possible; give {option.example}"
        raise UsageError(msg) from error


def _project_settings(config: pytest.Config) -> tuple[Mapping[str, Any], Path]:
    """``[tool.joulemark]`` of pytest's root, or else of the folder pytest was started in or the nearest above it.

    With the folder of that file, from which the places in it are meant.
    """
    start = config.invocation_params.dir
    for folder in (config.rootpath, start, *start.parents):
        settings = _settings(folder / "pyproject.toml")
        if settings is not None:
            return settings, folder
    return {}, start


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
        if name not in (known := (*_ALL, *_REPEATED, "full")):
            msg = f"{path}: [tool.joulemark] has no setting {name!r}; the settings are {', '.join(known)}"
            raise UsageError(msg)
    return table
