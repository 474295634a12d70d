"""A PyTorch model as ONNX, which the runtimes outside PyTorch read; and a small ONNX model that shows their arithmetic.

The exporter is the one on torch.export (``dynamo=True``, PyTorch's default since 2.9); it needs onnx and onnxscript.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from bench import UsageError
from suites import evidence
from suites.backends.kept import kept
from suites.backends.runtimes import find_runtime

INPUT, OUTPUT = "images", "scores"
#: Read by every runtime release that this is used with; what the exporter chooses by itself grows with its version.
_OPSET = 18
_PROBE_IR = 8

Forward = Callable[[torch.Tensor], torch.Tensor]


def exported(model: nn.Module, images: torch.Tensor, extra: str) -> bytes:
    """The model in evaluation mode as ONNX, for batches of exactly the size of ``images``; float32 throughout.

    Input and output are called :data:`INPUT` and :data:`OUTPUT`. Batch normalisation is folded into convolutions.

    Raises:
        UnavailableError: a package of Joulemark's ``extra`` is missing.
        UsageError: the exporter does not understand the model, or the model is larger than ONNX holds in one piece.
    """
    find_runtime("onnx", extra)
    find_runtime("onnxscript", extra)
    return kept("exported.onnx", lambda: _export(model, images))


def _export(model: nn.Module, images: torch.Tensor) -> bytes:
    if images.device.type != "cpu":
        model, images = copy.deepcopy(model).cpu(), images.cpu()
    try:
        program = torch.onnx.export(
            model.eval(),
            (images,),
            input_names=[INPUT],
            output_names=[OUTPUT],
            opset_version=_OPSET,
            dynamo=True,
            verbose=False,
        )
        assert program is not None, "only the older exporter, which writes to a file, returns nothing"
        data: bytes = program.model_proto.SerializeToString()
    except Exception as error:  # a user's model may make the exporter raise anything
        msg = f"the model cannot be exported to ONNX ({_first_cause(error)}); use backend eager or compile"
        raise UsageError(msg) from error
    return data


def _first_cause(error: BaseException) -> str:
    """What went wrong to begin with: the exporter wraps it in pages of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def float32_arithmetic(forward_of: Callable[[bytes], Forward], device: str, extra: str) -> str:
    """How many bits a runtime's products keep, in the words of :func:`suites.evidence.float32_arithmetic`.

    ``forward_of`` makes a forward pass of an ONNX model as it did for the model that is measured.
    """
    return evidence.float32_arithmetic(device, forward_of(_probe(find_runtime("onnx", extra))))


def _probe(onnx: Any) -> bytes:
    """:class:`suites.evidence.Probe` as an ONNX model."""
    helper, numbers, probe = onnx.helper, onnx.TensorProto.FLOAT, evidence.Probe()
    nodes = (
        helper.make_node("Conv", [INPUT, "kernels"], ["convolved"]),
        helper.make_node("Flatten", ["convolved"], ["first"]),
        helper.make_node("Flatten", [INPUT], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["second"]),
        helper.make_node("Concat", ["first", "second"], [OUTPUT], axis=1),
    )
    constants = [onnx.numpy_helper.from_array(tensor.numpy(), name) for name, tensor in probe.named_buffers()]
    ends = (
        helper.make_tensor_value_info(INPUT, numbers, list(probe.images.shape)),
        helper.make_tensor_value_info(OUTPUT, numbers, list(probe(probe.images).shape)),
    )
    graph = helper.make_graph(nodes, "probe", [ends[0]], [ends[1]], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_PROBE_IR)
    data: bytes = model.SerializeToString()
    return data
