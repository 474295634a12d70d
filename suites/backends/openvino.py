"""OpenVINO on the CPU, told the precision to compute in: left to itself it runs a float32 model in bfloat16.

What it really runs stands in its execution graph, layer by layer.

Source: docs.openvino.ai, CPU device: ``inference_precision`` defaults to bf16 where the CPU has it natively.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from bench import Proof, UnavailableError, Variant
from suites.backends.onnx_export import Forward, exported, float32_arithmetic
from suites.backends.quantised import quantised
from suites.backends.ready import Brief, Ready
from suites.backends.runtimes import dense, find_runtime, joined, refuse_unfit
from suites.operations import Operation

_EXTRA = "openvino"
#: What is asked of the runtime, and what must be found: of a quantised model, the layers that have no scales stay f32.
_HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
_PRODUCTS = {"fp32": "float32", "bf16": "bfloat16", "int8": "int8"}
_TYPES = {"f32": "float32", "bf16": "bfloat16", "f16": "float16", "i8": "int8", "u8": "int8"}
_LAYERS = ("Convolution", "Deconvolution", "FullyConnected", "MatMul", "Attention", "Gemm")


def ready(model: nn.Module, brief: Brief) -> Ready:
    """The model compiled for the CPU, for one stream of batches."""
    refuse_unfit(brief, precisions=tuple(_HINTS), kind="cpu")
    return ready_under(new_settings(brief.variant, torch.get_num_threads()), model, brief)


def ready_under(settings: Mapping[str, object], model: nn.Module, brief: Brief) -> Ready:
    """The model compiled under these settings of OpenVINO's; the proofs hold it to the variant all the same."""
    runtime = find_runtime("openvino", _EXTRA)
    core, precision = runtime.Core(), str(brief.variant["precision"])
    if precision == "bf16":
        _check_bfloat16(core)
    onnx_model, calibrated = exported(model, brief.images, _EXTRA), None
    if precision == "int8":
        onnx_model, calibrated = quantised(onnx_model, brief.calibration, len(brief.images), "onnx")
    compiled = core.compile_model(core.read_model(onnx_model), "CPU", settings)

    def proofs(operations: Sequence[Operation]) -> Iterable[Proof]:
        del operations
        yield Proof("execution device", "CPU", joined(compiled.get_property("EXECUTION_DEVICES")))
        yield Proof("products", _PRODUCTS[precision], joined(product_types(compiled)))
        threads = compiled.get_property("INFERENCE_NUM_THREADS")
        yield Proof("runtime threads", str(torch.get_num_threads()), str(threads))
        if calibrated is not None:
            yield calibrated
        if precision == "fp32":
            yield Proof("float32 arithmetic", "full", float32_arithmetic(forward_of, "cpu", _EXTRA))

    def forward_of(probe: bytes) -> Forward:
        return _forward(runtime, core.compile_model(core.read_model(probe), "CPU", settings))

    return Ready(_forward(runtime, compiled), proofs, own_layout=True)


def new_settings(variant: Variant, threads: int) -> Mapping[str, object]:
    """What OpenVINO is told. By default there is a thread for each core; more, where asked for, share cores."""
    return {
        "INFERENCE_PRECISION_HINT": _HINTS[str(variant["precision"])],
        "INFERENCE_NUM_THREADS": threads,
        "ENABLE_HYPER_THREADING": variant.threads > 0,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
    }


def product_types(compiled: Any) -> tuple[str, ...]:
    """The element types that the layers with convolutions and matrix products run in, sorted, each once."""
    facts = (operation.get_rt_info() for operation in compiled.get_runtime_model().get_ops())
    layers = ((each["layerType"].astype(str), each["runtimePrecision"].astype(str)) for each in facts)
    found = {_TYPES.get(kind, kind) for layer, kind in layers if any(word in layer for word in _LAYERS)}
    return tuple(sorted(found))


def _forward(runtime: Any, compiled: Any) -> Forward:
    """One inference request as a function; images and scores are read and written where PyTorch has them."""
    request = compiled.create_infer_request()
    sizes = tuple(compiled.output(0).shape)

    def run(images: torch.Tensor) -> torch.Tensor:
        given, scores = dense(images), torch.empty(sizes)  # held until the request is done: it has addresses only
        request.set_input_tensor(runtime.Tensor(given.numpy(), shared_memory=True))
        request.set_output_tensor(runtime.Tensor(scores.numpy(), shared_memory=True))
        request.infer(share_outputs=True)
        return scores

    return run


def _check_bfloat16(core: Any) -> None:
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        reason = "OpenVINO finds no bfloat16 arithmetic in this CPU"
        raise UnavailableError(reason, "measure precision fp32 or int8, or on a CPU with avx512_bf16 or AMX")
