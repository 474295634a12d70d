"""How a model is made ready to run: one file for each way, one line in :data:`BACKENDS` to add another."""

from __future__ import annotations

from collections.abc import Mapping

from bench import UsageError, Variant
from suites.backends import compiled, cuda_graphs, eager, onnxruntime, openvino, tensorrt
from suites.backends.ready import Backend, Brief, Captured, NewWork, Ready, Work
from suites.imports import find_function
from suites.outside import parse_backends

__all__ = [
    "BACKENDS",
    "OUTSIDE_TORCH",
    "Backend",
    "Brief",
    "Captured",
    "NewWork",
    "Ready",
    "Work",
    "as_placed",
    "check_outside",
    "find_backend",
]

BACKENDS: Mapping[str, Backend] = {
    "eager": eager.ready,
    "compile": compiled.ready,
    "compile_frozen": compiled.frozen,
    "compile_reduce_overhead": compiled.reduce_overhead,
    "compile_max_autotune": compiled.max_autotune,
    "cuda_graphs": cuda_graphs.ready,
    "tensorrt": tensorrt.ready,
    "onnxruntime": onnxruntime.ready,
    "onnxruntime_tensorrt": onnxruntime.ready_tensorrt,
    "onnxruntime_trt_rtx": onnxruntime.ready_trt_rtx,
    "openvino": openvino.ready,
}

#: Backends that compute outside PyTorch: the precision of a variant is theirs to see to, and theirs to prove.
OUTSIDE_TORCH = frozenset({"onnxruntime", "onnxruntime_tensorrt", "onnxruntime_trt_rtx", "openvino"})


def as_placed(variant: Variant) -> Variant:
    """The variant by which PyTorch places model and images: for a runtime outside it, both stay in float32."""
    if variant["backend"] not in OUTSIDE_TORCH:
        return variant
    return Variant.of(**{**dict(variant), "precision": "fp32"})


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
