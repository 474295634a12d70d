"""A workload of nothing at all: what is measured of it is what measuring costs."""

from __future__ import annotations

from bench.records import Variant
from bench.workers.step import Step


def build(variant: Variant) -> Step:
    """A step that does nothing on the variant's device."""
    del variant
    return Step(run=nothing, items=1)


def nothing() -> None:
    """Done."""
