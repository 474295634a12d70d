"""The house keeps its layers: who may import whom, read from the sources.

An import inside a function counts, and so does one for type checkers only: both are knowledge of another room.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import bench

ROOT = Path(__file__).parent.parent
OURS = ("bench", "joulemark", "reports", "suites", "tests")

_GROUND = ("bench.units", "bench.errors")
_FACTS = (*_GROUND, "bench.records")
_WORKS = (
    "bench.dossier",
    "bench.entries",
    "bench.journal",
    "bench.keeping",
    "bench.measurement",
    "bench.metering",
    "bench.pacing",
    "bench.packing",
    "bench.preparing",
    "bench.profiling",
    "bench.recovery",
    "bench.shaping",
    "bench.skim",
    "bench.storage",
    "bench.surroundings",
    "bench.warming",
    "bench.watching",
    "bench.workers",
)

#: What each room may import of ours, the longest name first that fits; a name stands for all below it.
LAYERS: dict[str, tuple[str, ...]] = {
    "bench.units": (),
    "bench.errors": (),
    "bench.records": _FACTS,
    "bench.analysis": (*_FACTS, "bench.analysis"),
    "bench.instruments": (*_FACTS, "bench.instruments"),
    **dict.fromkeys(_WORKS, (*_FACTS, "bench.analysis", "bench.instruments", *_WORKS)),
    "bench": ("bench",),
    "suites": ("bench", "suites"),  # and of bench only its public names, see below
    "bench.pricebook": _FACTS,
    "reports": (*_FACTS, "bench.analysis", "bench.storage", "bench.skim", "bench.pricebook", "bench.hooks", "reports"),
    "joulemark": ("bench", "reports", "suites", "joulemark"),
}
#: Rooms that live on the standard library alone; and libraries that must never be loaded for reading a run.
STANDARD_LIBRARY_ONLY = ("bench.units", "bench.errors", "bench.records", "joulemark")
NOT_FOR_REPORTS = ("torch", "torchvision", "pynvml", "nvtx")
#: Experiments on the instrument itself; the other suites see of bench what it shows everybody.
MAY_OPEN_THE_INSTRUMENT = ("suites.experiments",)
#: Libraries that a standard-library room may import when it is asked for something they do.
WHEN_CALLED = {"joulemark": ("pytest",)}


class Import(NamedTuple):
    """One name that a source takes from a module: ``from module import name``, ``import module`` or ``module.name``."""

    line: int
    module: str
    name: str | None


def imports_of(source: str) -> Iterator[Import]:
    """Everything a source imports, and what it then reaches through ``import bench``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from (Import(node.lineno, module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "bench":
            yield Import(node.lineno, "bench", node.attr)


def trespasses(module: str, source: str) -> list[str]:
    """Sentences about the imports of a module that its layer does not allow."""
    return [
        f"{module}, line {found.line}: must not import {found.module}{f' ({found.name})' if found.name else ''}"
        for found in imports_of(source)
        if not _allowed(module, found)
    ]


def _allowed(module: str, found: Import) -> bool:
    if found.module.startswith("."):
        return False  # a relative import hides whose room is entered
    target = _target(found)
    top = target.partition(".")[0]
    if top not in OURS:
        return _library_allowed(module, top)
    if _within(module, ("suites",)) and not _within(module, MAY_OPEN_THE_INSTRUMENT) and top == "bench":
        return found.module == "bench" and (found.name is None or found.name in bench.__all__)
    room = max((name for name in LAYERS if _within(module, (name,))), key=len)
    return _within(target, LAYERS[room])


def _library_allowed(module: str, top: str) -> bool:
    if _within(module, ("reports",)):
        return top not in NOT_FOR_REPORTS
    if _within(module, STANDARD_LIBRARY_ONLY):
        return top in sys.stdlib_module_names or top in WHEN_CALLED.get(module, ())
    return True


def _target(found: Import) -> str:
    """The module that is meant: ``from bench import records`` is one of ``bench.records``."""
    if found.name is not None:
        path = ROOT.joinpath(*found.module.split("."), found.name)
        if path.is_dir() or path.with_suffix(".py").is_file():
            return f"{found.module}.{found.name}"
    return found.module


def _within(module: str, names: tuple[str, ...]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in names)


def _sources() -> dict[str, Path]:
    """Module names and files of everything that is installed."""
    files = [
        ROOT / "joulemark.py",
        *(file for top in ("bench", "reports", "suites") for file in ROOT.glob(f"{top}/**/*.py")),
    ]
    return {_module_name(file): file for file in sorted(files)}


def _module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = _sources()


@pytest.mark.parametrize("module", SOURCES)
def test_a_module_imports_only_what_its_layer_may(module):
    assert trespasses(module, SOURCES[module].read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("bench.units", "from bench.errors import BenchError"),
        ("bench.records.run", "import bench.storage"),
        ("bench.records.run", "from bench import storage"),
        ("bench.records.run", "import msgspec"),
        ("bench.analysis.quality", "from bench.instruments import clock"),
        ("bench.instruments.clock", "from bench.analysis import estimates"),
        ("bench.instruments.clock", "from ..analysis import estimates"),
        ("bench.storage", "from bench.plugin import measure"),
        ("bench.plugin", "import suites"),
        ("bench.plugin", "import reports.console"),
        ("suites.training", "from bench.records import Case"),
        ("suites.training", "from bench import records"),
        ("suites.training", "import bench\nbench.storage.save"),
        ("suites.training", "from reports import tables"),
        ("reports.tables", "from bench import Case"),
        ("reports.tables", "def table():\n    from bench.workers import crew"),
        ("reports.tables", "if TYPE_CHECKING:\n    from bench.instruments import clock"),
        ("reports.tables", "import suites.training"),
        ("reports.tables", "def table():\n    import torch.nn"),
        ("joulemark", "import torch"),
    ],
)
def test_an_import_across_the_layers_is_noticed(module, source):
    assert len(trespasses(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("bench.analysis.quality", "from bench import units\nfrom bench.records import Trial"),
        ("bench.plugin", "import bench\nfrom bench import hooks\nimport torch"),
        ("bench.measurement", "from bench.workers.crew import Crew"),
        (
            "suites.training",
            "import torch\nimport bench\nfrom bench import Case\nfrom suites.data import digits\nbench.expand",
        ),
        ("reports.tables", "import pandas\nfrom bench.analysis import summarise\nfrom reports.text import one_line"),
        ("joulemark", "import sys\ndef run():\n    import pytest"),
    ],
)
def test_an_import_within_the_layers_is_let_be(module, source):
    assert trespasses(module, source) == []


def test_the_public_names_are_sorted_unique_and_there():
    assert bench.__all__ == sorted(set(bench.__all__))
    assert [name for name in bench.__all__ if not hasattr(bench, name)] == []
