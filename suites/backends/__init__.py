"""How a model is made ready to run: one file for each way, one line in :data:`BACKENDS` to add another."""

from __future__ import annotations

from collections.abc import Mapping

from bench import UsageError
from suites.backends import compiled, eager
from suites.backends.ready import Backend, Brief, Ready
from suites.imports import find_function
from suites.outside import parse_backends

__all__ = ["BACKENDS", "Backend", "Brief", "Ready", "check_outside", "find_backend"]

BACKENDS: Mapping[str, Backend] = {
    "eager": eager.ready,
    "compile": compiled.ready,
}


def find_backend(name: str, outside: str = "") -> Backend:
    """The backend of this name; ``outside`` names those that are not of this package, as in a workload's parameters.

    Raises:
        UsageError: there is none, with the choices, or one from outside cannot be loaded.
    """
    places = parse_backends(outside)
    if name in places:
        return _load(name, places[name])
    if name not in BACKENDS:
        msg = f"the classifier knows no backend {name!r}; choose one of {', '.join((*BACKENDS, *places))}"
        raise UsageError(msg)
    return BACKENDS[name]


def check_outside(outside: str) -> None:
    """Refuse backends from outside that cannot be loaded, or have the name of another.

    Raises:
        UsageError: saying which, and why.
    """
    for name, place in parse_backends(outside).items():
        if name in BACKENDS:
            msg = f"backend {name!r} is one of Joulemark's own; give yours another name"
            raise UsageError(msg)
        _load(name, place)


def _load(name: str, place: str) -> Backend:
    return find_function(f"backend {name!r}", place, "def {name}(model, brief) -> suites.backends.Ready")
