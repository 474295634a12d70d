"""What a workload's builder hands to the worker: one callable to time, and the evidence that goes with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench.records import Proof


def _nothing() -> None:
    """Nothing to close."""


@dataclass(frozen=True)
class Step:
    """One step of a workload, ready to run in this process.

    ``run`` does one step and returns anything (it is dropped); on CUDA it only enqueues the work, the worker
    synchronises. ``items`` is how many items one step works through (images in a batch). ``proofs`` is called
    once, after the first step and outside all timing, and reads back whether the variant took effect.
    """

    run: Callable[[], object]
    items: int = 1
    proofs: Callable[[], Iterable[Proof]] = tuple
    close: Callable[[], None] = _nothing
