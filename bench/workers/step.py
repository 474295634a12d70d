"""What a workload's builder hands to the worker: one callable to time, and the evidence that goes with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench.records import Check, Proof


def _nothing() -> None:
    """Nothing to close."""


def _no_checks(thorough: bool) -> Iterable[Check]:  # noqa: ARG001 - the contract of Step.checks
    """Nothing to compare with."""
    return ()


@dataclass(frozen=True)
class Step:
    """One step of a workload, ready to run in this process.

    ``run`` does one step and returns anything (it is dropped); on CUDA it only enqueues the work, the worker
    synchronises. ``items`` is how many items one step works through (images in a batch). ``proofs`` is called once,
    after all timing, and reads back whether the variant took effect. ``checks`` is called once after it and compares
    what ``run`` computes with a reference: at length when it is given True (in the first wave), with a quick look when
    it is given False.
    """

    run: Callable[[], object]
    items: int = 1
    proofs: Callable[[], Iterable[Proof]] = tuple
    checks: Callable[[bool], Iterable[Check]] = _no_checks
    close: Callable[[], None] = _nothing
