from __future__ import annotations

import json

from suites.backends.node_trace import Node, operand_types, read_nodes


def event(operator: str, *inputs: tuple[str, list[int]], category: str = "Node") -> dict[str, object]:
    shapes = [{kind: sizes} for kind, sizes in inputs]
    return {"cat": category, "name": "n", "args": {"op_name": operator, "input_type_shape": shapes}}


IMAGES, KERNELS = [2, 3, 8, 8], [4, 3, 3, 3]


def test_scales_zero_points_and_biases_are_no_operands():
    trace = [event("QLinearConv", ("uint8", IMAGES), ("float", []), ("uint8", []), ("int8", KERNELS), ("float", [4]))]
    assert read_nodes(json.dumps(trace)) == (Node("QLinearConv", ("int8", "int8")),)


def test_only_products_count_and_fused_ones_do():
    trace = [
        event("FusedConv", ("bfloat16", IMAGES), ("bfloat16", KERNELS)),
        event("QGemm", ("uint8", [2, 8]), ("int8", [8, 4])),
        event("Add", ("float", IMAGES), ("float", IMAGES)),
        event("Gather", ("int64", [2, 2])),
        event("Conv", ("float", IMAGES), category="Session"),
    ]
    assert operand_types(read_nodes(json.dumps(trace))) == ("bfloat16", "int8")


def test_a_quantised_model_of_which_a_convolution_stayed_behind_shows_both():
    trace = [event("QLinearConv", ("uint8", IMAGES)), event("Conv", ("float", IMAGES), ("float", KERNELS))]
    assert operand_types(read_nodes(json.dumps(trace))) == ("float32", "int8")


def test_events_without_an_operator_are_passed_over():
    assert read_nodes(json.dumps([{"cat": "Node", "name": "fence", "args": {}}, {"cat": "Session"}])) == ()
