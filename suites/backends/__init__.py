"""How a model is made ready to run: one file for each way, one line in :data:`BACKENDS` to add another."""

from __future__ import annotations

from collections.abc import Mapping

from bench import UsageError
from suites.backends import compiled, eager
from suites.backends.ready import Backend, Brief, Ready

__all__ = ["BACKENDS", "Backend", "Brief", "Ready", "find_backend"]

BACKENDS: Mapping[str, Backend] = {
    "eager": eager.ready,
    "compile": compiled.ready,
}


def find_backend(name: str) -> Backend:
    """The backend of this name.

    Raises:
        UsageError: there is none, with the choices.
    """
    if name not in BACKENDS:
        msg = f"the classifier knows no backend {name!r}; choose one of {', '.join(BACKENDS)}"
        raise UsageError(msg)
    return BACKENDS[name]
