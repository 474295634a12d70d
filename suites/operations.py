"""What one step really computed, as PyTorch's own profiler saw it.

A profile sees below autocast and inside compiled code, where hooks on modules and dispatch modes see nothing: the
operations recorded here are those that ran, with the types and strides of the tensors that reached them. On a GPU the
kernels are among them, and the CUDA calls that launched them, where the driver lets CUPTI look.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function

#: Names the profiler gives to element types, in C++ words.
_TYPES = {
    "float": "float32",
    "double": "float64",
    "c10::BFloat16": "bfloat16",
    "c10::Half": "float16",
    "signed char": "int8",
    "unsigned char": "uint8",
}
#: Where nearly all arithmetic of a network is done. Below autocast, so their operands are what was computed with.
_PRODUCTS = (
    "aten::convolution",
    "aten::convolution_backward",
    "aten::addmm",
    "aten::mm",
    "aten::bmm",
    "aten::baddbmm",
    "aten::_scaled_dot_product",
    "mkldnn::_convolution_pointwise",
    "mkldnn::_linear_pointwise",
)
#: Dynamo marks whatever it wraps, code that it then leaves alone included; inductor marks only what it generated.
_WRAPPED, _GENERATED = "Torch-Compiled Region", "## Call CompiledFxGraph"
#: Categories of a trace's events. Source: libkineto's ActivityType.
_KERNEL, _CUDA_CALLS = "kernel", ("cuda_runtime", "cuda_driver")
#: What is recorded after this is the step; and how long the GPU rests before it.
_MARK, _APART_S = "joulemark: the step", 0.05
_GRAPH_LAUNCHES = ("cudaGraphLaunch", "cuGraphLaunch")


@dataclass(frozen=True)
class Operation:
    """One operator call: its name and, for each argument, element type ("" if no tensor), sizes and strides.

    ``kind`` is the category of the trace's event: "cpu_op", "kernel", "cuda_runtime", ...
    """

    name: str
    types: tuple[str, ...] = ()
    sizes: tuple[tuple[int, ...], ...] = ()
    strides: tuple[tuple[int, ...], ...] = ()
    kind: str = "cpu_op"


def record(step: Callable[[], object], device: str = "cpu") -> tuple[Operation, ...]:
    """Run one step under the profiler and return its operations, and on CUDA its kernels, in order of their start.

    On CUDA another step comes first, since the profiler may lose the kernels at the start of a session: their times
    come out before it (pytorch/pytorch issue 192021). What happened before the mark is not told.
    """
    on_cuda = device.startswith("cuda")
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_cuda else [])]
    with profile(activities=activities, record_shapes=True) as profiler:
        if on_cuda:
            step()
            torch.cuda.synchronize(device)
        with record_function(_MARK):
            pass
        if on_cuda:
            time.sleep(_APART_S)  # by which times on the GPU may be off, so that no kernel of the step seems earlier
        step()
        if on_cuda:
            torch.cuda.synchronize(device)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(path))
        return operations_of(json.loads(path.read_text(encoding="utf-8"))["traceEvents"])


def operations_of(events: Iterable[dict[str, Any]]) -> tuple[Operation, ...]:
    """The operations among the events of a Chrome trace, in order of their start; after the mark, if there is one."""
    complete = sorted((event for event in events if event.get("ph") == "X"), key=lambda event: float(event["ts"]))
    marks = [number for number, event in enumerate(complete) if event["name"] == _MARK]
    return tuple(_operation(event) for event in complete[marks[-1] + 1 if marks else 0 :])


def kernels(operations: Iterable[Operation]) -> tuple[str, ...]:
    """The names of the kernels that ran on the GPU, in order; none where CUPTI may not look."""
    return tuple(each.name for each in operations if each.kind == _KERNEL)


def graph_launches(operations: Sequence[Operation]) -> int | None:
    """How many CUDA graphs were launched; None where no CUDA call was seen at all, so that nothing can be said."""
    calls = [each for each in operations if each.kind in _CUDA_CALLS]
    return sum(each.name.startswith(_GRAPH_LAUNCHES) for each in calls) if calls else None


def products(operations: Iterable[Operation]) -> tuple[Operation, ...]:
    """The convolutions and matrix products among them."""
    return tuple(each for each in operations if each.name in _PRODUCTS or each.name.startswith("aten::_scaled_dot"))


def operand_types(operations: Iterable[Operation]) -> tuple[str, ...]:
    """The element types that convolutions and matrix products worked on, sorted, each once."""
    return tuple(sorted({kind for each in products(operations) for kind in each.types if kind}))


def wrapped_regions(operations: Iterable[Operation]) -> int:
    """How many calls went through torch.compile, whatever became of them."""
    return sum(each.name.startswith(_WRAPPED) for each in operations)


def generated_graphs(operations: Iterable[Operation]) -> int:
    """How many calls of code that torch.compile generated; forward and backward count apart."""
    return sum(each.name.startswith(_GENERATED) for each in operations)


def layout_of(sizes: Sequence[int], strides: Sequence[int]) -> str | None:
    """``"contiguous"`` or ``"channels_last"``; None for what is not an image or is both at once; else ``"other"``."""
    if len(sizes) != 4 or len(strides) != 4:
        return None
    _, channels, height, width = sizes
    if channels == 1 or height == width == 1:
        return None
    matches = {
        "contiguous": _fits(sizes, strides, (3, 2, 1, 0)),
        "channels_last": _fits(sizes, strides, (1, 3, 2, 0)),
    }
    return next((name for name, fits in matches.items() if fits), "other")


def convolution_layouts(operations: Iterable[Operation]) -> tuple[str, ...]:
    """The layouts of the images and weights that forward convolutions read, sorted, each once."""
    found = {
        layout_of(sizes, strides)
        for each in operations
        if each.name == "aten::convolution"
        for sizes, strides in zip(each.sizes[:2], each.strides[:2], strict=False)
    }
    return tuple(sorted(name for name in found if name))


def _fits(sizes: Sequence[int], strides: Sequence[int], order: Sequence[int]) -> bool:
    """Whether memory runs densely through the dimensions in this order, the fastest first."""
    expected = 1
    for dimension in order:
        if sizes[dimension] != 1 and strides[dimension] != expected:
            return False
        expected *= sizes[dimension]
    return True


def _operation(event: dict[str, Any]) -> Operation:
    arguments = event.get("args", {})
    return Operation(
        str(event["name"]),
        tuple(_TYPES.get(str(kind), "") for kind in arguments.get("Input type", ())),
        tuple(_numbers(sizes) for sizes in arguments.get("Input Dims", ())),
        tuple(_numbers(strides) for strides in arguments.get("Input Strides", ())),
        str(event.get("cat", "cpu_op")),
    )


def _numbers(values: object) -> tuple[int, ...]:
    """The sizes or strides of one tensor; empty for anything else, such as a list of tensors."""
    if isinstance(values, list) and all(isinstance(value, int) for value in values):
        return tuple(values)
    return ()
