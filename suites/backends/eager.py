"""PyTorch as it comes: each operation is launched as Python reaches it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import nn

from bench import Proof
from suites.backends.ready import Brief, Ready
from suites.operations import Operation, wrapped_regions


def ready(model: nn.Module, brief: Brief) -> Ready:
    """The model itself."""
    del brief
    return Ready(model, _proofs)


def _proofs(operations: Sequence[Operation]) -> Iterable[Proof]:
    regions = wrapped_regions(operations)
    yield Proof("backend", "eager", "wrapped by torch.compile" if regions else "eager")
