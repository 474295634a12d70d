"""How a model is made ready to run: one file for each way, one line in :data:`BACKENDS` to add another."""

from __future__ import annotations

from collections.abc import Mapping

from bench import UsageError
from suites.backends import compiled, cuda_graphs, eager, tensorrt
from suites.backends.ready import Backend, Brief, Captured, NewWork, Ready, Work

__all__ = ["BACKENDS", "Backend", "Brief", "Captured", "NewWork", "Ready", "Work", "find_backend"]

BACKENDS: Mapping[str, Backend] = {
    "eager": eager.ready,
    "compile": compiled.ready,
    "compile_frozen": compiled.frozen,
    "compile_reduce_overhead": compiled.reduce_overhead,
    "compile_max_autotune": compiled.max_autotune,
    "cuda_graphs": cuda_graphs.ready,
    "tensorrt": tensorrt.ready,
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
