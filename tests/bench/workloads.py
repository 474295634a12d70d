"""Tiny workloads for tests with real worker processes: one that works, and every way in which one can fail."""

from __future__ import annotations

import os
import signal
import time

import numpy

from bench import Case, Check, CheckKind, Proof, Step, UsageError, Variant, Workload
from bench.errors import UnavailableError


def build(variant: Variant, size: int = 2000) -> Step:
    """A pure-Python step of well under a millisecond; the axis ``trouble`` says what goes wrong, and when."""
    trouble = dict(variant.axes).get("trouble", "none")
    if trouble == "raise_at_build":
        raise ValueError("broken on purpose")
    if trouble == "unavailable":
        raise UnavailableError("no such accelerator", "buy one")
    if trouble == "not_a_step":
        return None  # type: ignore[return-value]
    if trouble == "no_items":
        return Step(run=_nothing, items=0)
    at_step, strike = STRIKES.get(str(trouble), (-1, _nothing))
    counter = iter(range(10**9))

    def run() -> int:
        if next(counter) == at_step:
            strike()
        return sum(range(size))

    return Step(run=run, items=4)


def build_checked(variant: Variant) -> Step:
    """A step whose check tells what was called before it."""
    called: list[str] = []

    def proofs() -> tuple[Proof, ...]:
        called.append("proofs")
        return ()

    def checks(thorough: bool) -> tuple[Check, ...]:
        return (Check.of(CheckKind.TURNS, len(called), float(thorough), against=" ".join(called)),)

    return Step(lambda: called.append("run"), 1, proofs, checks)


def _nothing() -> None:
    pass


def _raise_first() -> None:
    raise RuntimeError("first step refused")


def _raise_later() -> None:
    raise RuntimeError("step 100 refused")


def _allocate_without_end() -> None:
    hoard = []
    while True:
        hoard.append(numpy.empty(2**30, numpy.uint8))  # asked for, never touched: quick to run out of


#: Trouble: at which step it strikes, and what then happens.
STRIKES = {
    "raise_at_first_step": (0, _raise_first),
    "raise_at_step_100": (100, _raise_later),
    "exit_3": (50, lambda: os._exit(3)),
    "kill": (50, lambda: os.kill(os.getpid(), signal.SIGKILL)),
    "sleep": (50, lambda: time.sleep(3600)),
    "allocate": (50, _allocate_without_end),
}


def prepare(size: int = 2000) -> None:
    """Refuses negative sizes."""
    if size < 0:
        raise UsageError(f"size {size} is negative; give a positive one")


def case(trouble: str | None = None, threads: int = 1, **parameters: int) -> Case:
    """A case of this workload."""
    workload = Workload("tiny", f"{__name__}:build", f"{__name__}:prepare", tuple(parameters.items()))
    axes: dict[str, str | int] = {"threads": threads, **({} if trouble is None else {"trouble": trouble})}
    return Case(workload, Variant.of(**axes))
