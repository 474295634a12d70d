"""Combinations that cannot be, each with the reason in a sentence: rules as data. Imports no torch.

A rule is for what no machine can do. What this machine happens to lack is found out in the worker, and is a skip.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench import AXES, Variant


@dataclass(frozen=True)
class Purpose:
    """What a workload of the classifier is for; ``module`` is the module of suites that builds it."""

    name: str
    module: str
    training: bool = False
    latency: bool = False  # single steps of one image
    loads: bool = False  # images come from a loader instead of lying ready


Values = Mapping[str, str | int | bool]


@dataclass(frozen=True)
class Rule:
    """``broken`` is given all axis values, defaults included; ``reason`` completes "left out 3 cases: ..."."""

    reason: str
    broken: Callable[[Values, Purpose], bool]


#: Programs of their own, which infer what was exported to them and nothing else.
_RUNTIMES = frozenset({"onnxruntime", "onnxruntime_tensorrt", "onnxruntime_trt_rtx", "openvino"})
_INFER_ONLY = frozenset({*_RUNTIMES, "tensorrt"})
#: What they compute in, by the kind of device. Each backend refuses all else; a test holds the two against each other.
_PRECISIONS: Mapping[tuple[str, str], frozenset[str]] = {
    ("onnxruntime", "cpu"): frozenset({"fp32", "int8"}),
    ("onnxruntime", "cuda"): frozenset({"fp32", "tf32"}),
    ("onnxruntime_tensorrt", "cuda"): frozenset({"fp32", "tf32"}),
    ("onnxruntime_trt_rtx", "cuda"): frozenset({"fp32", "tf32"}),
    ("openvino", "cpu"): frozenset({"fp32", "bf16", "int8"}),
    ("tensorrt", "cuda"): frozenset({"fp32", "tf32", "fp16", "bf16"}),
}
_CUDA_ONLY = frozenset(
    {"tensorrt", "onnxruntime_tensorrt", "onnxruntime_trt_rtx", "cuda_graphs", "compile_reduce_overhead"}
)

RULES = (
    Rule("TF32 is a format of CUDA devices", lambda v, _: v["precision"] == "tf32" and _on_cpu(v)),
    Rule(
        "cuDNN convolves on CUDA devices only",
        lambda v, _: _on_cpu(v) and (v["cudnn_benchmark"] is True or v.get("cudnn") is False),
    ),
    Rule(
        "without cuDNN there is nothing for it to try out",
        lambda v, _: v["cudnn_benchmark"] is True and v.get("cudnn") is False,
    ),
    Rule("oneDNN computes on CPUs only", lambda v, _: v["onednn"] is False and not _on_cpu(v)),
    Rule("TensorRT and CUDA graphs need a CUDA device", lambda v, _: v["backend"] in _CUDA_ONLY and _on_cpu(v)),
    Rule("OpenVINO is measured on CPUs only", lambda v, _: v["backend"] == "openvino" and not _on_cpu(v)),
    Rule(
        "TensorRT, ONNX Runtime and OpenVINO infer, they do not train",
        lambda v, purpose: v["backend"] in _INFER_ONLY and purpose.training,
    ),
    Rule(
        "8-bit integers are a matter of ONNX Runtime and OpenVINO",
        lambda v, _: v["precision"] == "int8" and v["backend"] not in _RUNTIMES,
    ),
    Rule("8-bit integers infer, they do not train", lambda v, purpose: v["precision"] == "int8" and purpose.training),
    Rule(
        "a runtime has precisions of its own, and automatic mixed precision is PyTorch's",
        lambda v, _: v["backend"] in _INFER_ONLY and v["precision"] not in _precisions(v),
    ),
    Rule(
        "a runtime lays out its tensors itself",
        lambda v, _: v["layout"] != AXES["layout"] and v["backend"] in _INFER_ONLY,
    ),
    Rule(
        "a runtime computes by itself, and PyTorch's settings of oneDNN, cuDNN and determinism do not reach it",
        lambda v, _: v["backend"] in _INFER_ONLY and _is_set_in_pytorch_alone(v),
    ),
    Rule("only training_end_to_end loads images", lambda v, purpose: v["loaders"] != 0 and not purpose.loads),
)


def why_not(variant: Variant, purpose: Purpose) -> str | None:
    """The first reason why a variant of this workload cannot be; None for one that can."""
    values = {**AXES, **dict(variant)}
    return next((rule.reason for rule in RULES if rule.broken(values, purpose)), None)


def _on_cpu(values: Values) -> bool:
    return values["device"] == "cpu"


def _precisions(values: Values) -> frozenset[str]:
    kind = str(values["device"]).partition(":")[0]
    return _PRECISIONS.get((str(values["backend"]), kind), frozenset())


def _is_set_in_pytorch_alone(values: Values) -> bool:
    """Whether something is not at its default that only PyTorch obeys; ONNX Runtime's CUDA provider tries out too."""
    tried_out = values["cudnn_benchmark"] is True and values["backend"] != "onnxruntime"
    return values["onednn"] is False or values.get("cudnn") is False or values["deterministic"] is True or tried_out
