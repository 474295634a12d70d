"""ONNX Runtime's profile of a run, read: which nodes of the optimised graph ran, and on tensors of which types."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

#: Element types that products may have, in the words of proofs. 8-bit integers are one kind, whichever has the sign.
_TYPES = {
    "float": "float32",
    "double": "float64",
    "float16": "float16",
    "bfloat16": "bfloat16",
    "int8": "int8",
    "uint8": "int8",
}
#: Convolutions and matrix products, fused and quantised ones included (QLinearConv, QGemm, FusedMatMul, ...).
_PRODUCTS = ("Conv", "Gemm", "MatMul", "Attention")


@dataclass(frozen=True)
class Node:
    """One node that ran: its operator, and the element types of its inputs of at least two dimensions."""

    operator: str
    types: tuple[str, ...]


def read_nodes(trace: str) -> tuple[Node, ...]:
    """The nodes in a profile (JSON, one event a node), in the order in which they ran."""
    events = (event for event in json.loads(trace) if event.get("cat") == "Node")
    return tuple(
        Node(str(event["args"]["op_name"]), _types(event["args"].get("input_type_shape", ())))
        for event in events
        if "op_name" in event.get("args", {})
    )


def operand_types(nodes: Iterable[Node]) -> tuple[str, ...]:
    """The element types that convolutions and matrix products worked on, sorted, each once."""
    products = (node for node in nodes if any(word in node.operator for word in _PRODUCTS))
    return tuple(sorted({kind for node in products for kind in node.types}))


def _types(inputs: Iterable[dict[str, list[int]]]) -> tuple[str, ...]:
    """Scales, zero points and biases have one dimension or none, and do not count."""
    return tuple(_TYPES[kind] for each in inputs for kind, sizes in each.items() if len(sizes) >= 2 and kind in _TYPES)
