"""How a model is made ready to run: one file for each way, one line in :data:`BACKENDS` to add another."""

from __future__ import annotations

from collections.abc import Mapping

from bench import UsageError, Variant
from suites.backends import compiled, eager, onnxruntime, openvino
from suites.backends.ready import Backend, Brief, Ready

__all__ = ["BACKENDS", "OUTSIDE_TORCH", "Backend", "Brief", "Ready", "as_placed", "find_backend"]

BACKENDS: Mapping[str, Backend] = {
    "eager": eager.ready,
    "compile": compiled.ready,
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


def find_backend(name: str) -> Backend:
    """The backend of this name.

    Raises:
        UsageError: there is none, with the choices.
    """
    if name not in BACKENDS:
        msg = f"the classifier knows no backend {name!r}; choose one of {', '.join(BACKENDS)}"
        raise UsageError(msg)
    return BACKENDS[name]
