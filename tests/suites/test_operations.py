from __future__ import annotations

import pytest
import torch

from suites.operations import (
    _MARK,
    Operation,
    convolution_layouts,
    generated_graphs,
    graph_launches,
    kernels,
    layout_of,
    operand_types,
    operations_of,
    record,
    wrapped_regions,
)
from tests.suites.models import Tiny


def test_operand_types_are_those_below_autocast():
    model, images = Tiny(), torch.randn(2, 3, 8, 8)
    assert operand_types(record(lambda: model(images))) == ("float32",)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert operand_types(record(lambda: model(images))) == ("bfloat16",)


def test_the_layout_of_a_convolution_is_that_of_its_tensors():
    model, images = Tiny(), torch.randn(2, 3, 8, 8)
    assert convolution_layouts(record(lambda: model(images))) == ("contiguous",)
    model, images = (each.to(memory_format=torch.channels_last) for each in (model, images))
    assert convolution_layouts(record(lambda: model(images))) == ("channels_last",)


@pytest.mark.parametrize(
    ("tensor", "layout"),
    [
        (torch.zeros(2, 3, 4, 5), "contiguous"),
        (torch.zeros(2, 3, 4, 5).to(memory_format=torch.channels_last), "channels_last"),
        (torch.zeros(2, 3, 5, 4).transpose(2, 3), "other"),
        (torch.zeros(2, 1, 4, 5), None),
        (torch.zeros(2, 3, 1, 1), None),
        (torch.zeros(2, 3), None),
    ],
)
def test_a_layout_is_read_from_strides_and_ambiguous_ones_are_left_out(tensor, layout):
    assert layout_of(tensor.shape, tensor.stride()) == layout


def test_what_torch_compile_wraps_is_told_from_what_it_generates():
    names = ("Torch-Compiled Region: 0/0", "## Call CompiledFxGraph f4sb ##", "aten::add", "Torch-Compiled Region: 1/0")
    operations = [Operation(name) for name in names]
    assert (wrapped_regions(operations), generated_graphs(operations)) == (2, 1)


def event(name: str, category: str, start: float) -> dict[str, object]:
    return {"ph": "X", "name": name, "cat": category, "ts": start, "dur": 1.0}


def test_kernels_and_graph_launches_are_read_from_a_trace_in_order_of_their_start():
    trace = operations_of(
        [
            event("second_kernel", "kernel", 4.0),
            event("first_kernel", "kernel", 3.0),
            event("cudaGraphLaunch", "cuda_runtime", 2.0),
            event("cudaMemcpyAsync", "cuda_runtime", 1.0),
            event("aten::copy_", "cpu_op", 0.5),
            {"ph": "M", "name": "process_name"},
        ]
    )
    assert kernels(trace) == ("first_kernel", "second_kernel")
    assert graph_launches(trace) == 1
    assert graph_launches(trace[:2]) == 0


def test_without_any_cuda_call_nothing_is_said_of_graphs():
    assert graph_launches(operations_of([event("aten::copy_", "cpu_op", 0.5)])) is None


def test_what_came_before_the_mark_is_not_the_step():
    """On CUDA another step comes first, whose kernels the profiler may lose."""
    events = [
        event("aten::mm", "cpu_op", 1.0),
        event("cut_kernel", "kernel", 2.0),
        event(_MARK, "user_annotation", 3.0),
    ]
    trace = operations_of([*events, event("aten::mm", "cpu_op", 4.0), event("kernel", "kernel", 5.0)])
    assert [each.name for each in trace] == ["aten::mm", "kernel"]


def test_a_recorded_step_ran_once_on_a_cpu_and_its_mark_is_not_told():
    calls = []
    operations = record(lambda: calls.append(torch.ones(2, 2) @ torch.ones(2, 2)))
    assert len(calls) == 1
    assert _MARK not in {each.name for each in operations}
    assert "aten::mm" in {each.name for each in operations}
