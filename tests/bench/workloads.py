"""Tiny workloads for tests with real worker processes: one that works, and every way in which one can fail."""

from __future__ import annotations

import os
import signal
import time

from bench import Case, Step, UsageError, Variant, Workload
from bench.errors import UnavailableError


def build(variant: Variant, size: int = 2000) -> Step:
    """A pure-Python step of well under a millisecond; the axis ``trouble`` says what goes wrong, and when."""
    trouble = dict(variant.axes).get("trouble", "none")
    counter = iter(range(10**9))
    if trouble == "raise_at_build":
        raise ValueError("broken on purpose")
    if trouble == "unavailable":
        raise UnavailableError("no such accelerator", "buy one")
    if trouble == "not_a_step":
        return None  # type: ignore[return-value]

    def run() -> int:
        number = next(counter)
        if trouble == "raise_at_first_step" and number == 0:
            raise RuntimeError("first step refused")
        if trouble == "raise_at_step_100" and number == 100:
            raise RuntimeError("step 100 refused")
        if trouble == "exit_3" and number == 50:
            os._exit(3)
        if trouble == "kill" and number == 50:
            os.kill(os.getpid(), signal.SIGKILL)
        if trouble == "sleep" and number == 50:
            time.sleep(3600)
        if trouble == "allocate" and number == 50:
            hoard = []
            while True:
                hoard.append(bytearray(2**30))
        return sum(range(size))

    return Step(run=run, items=4)


def prepare(size: int = 2000) -> None:
    """Refuses negative sizes."""
    if size < 0:
        raise UsageError(f"size {size} is negative; give a positive one")


def case(trouble: str | None = None, **parameters: int) -> Case:
    """A case of this workload."""
    workload = Workload("tiny", f"{__name__}:build", f"{__name__}:prepare", tuple(parameters.items()))
    return Case(workload, Variant.of(threads=1) if trouble is None else Variant.of(threads=1, trouble=trouble))
