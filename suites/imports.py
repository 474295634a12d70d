"""Functions of the user's own, found by name: in a module, or in a file that is on no import path."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from bench import UsageError


def find_function(subject: str, name: str, signature: str) -> Callable[..., Any]:
    """The function behind ``"module:function"`` or ``"file.py:function"``; the current folder is searched too, last.

    ``subject`` begins each complaint ("model 'mine:make'"), ``signature`` says what to write.

    Raises:
        UsageError: there is no such module or file, it does not import, or has no such function.
    """
    place, _, attribute = name.rpartition(":")
    try:
        module = _load_file(place) if place.endswith(".py") else _import(place)
    except Exception as error:  # a user's module may raise anything while it is imported
        missing = isinstance(error, ModuleNotFoundError) and str(error.name) in (place, place.split(".")[0])
        advice = "put its folder on PYTHONPATH" if missing else "mend the module"
        msg = f"{subject}: module {place} cannot be imported ({describe(error)}); {advice}"
        raise UsageError(msg) from error
    function: Callable[..., Any] | None = getattr(module, attribute, None)
    if not callable(function):
        msg = f"{subject}: {place} has no function {attribute}; define {signature.format(name=attribute)}"
        raise UsageError(msg)
    return function


def describe(error: BaseException) -> str:
    """An exception on one line."""
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message}"[:300] if message else type(error).__name__


def _import(module: str) -> ModuleType:
    current = str(Path.cwd())
    if current not in sys.path:
        sys.path.append(current)
    return importlib.import_module(module)


def _load_file(place: str) -> ModuleType:
    name = f"joulemark_{Path(place).stem}"
    spec = importlib.util.spec_from_file_location(name, place)
    if spec is None or spec.loader is None:
        msg = f"{place} is no Python file"
        raise ImportError(msg)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles in it look themselves up there
    spec.loader.exec_module(module)
    return module
