"""Before anything is measured: what all cases of a workload share is made once, in a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import closing

from bench.errors import MeasurementError
from bench.records import Case, Plan
from bench.workers.crew import Crew, WorkerError, hire
from bench.workers.messages import Prepare, Prepared

Hire = Callable[[int, str], Crew]


#: A preparer may download data and train weights, which takes many times as long as setting up a case.
LIMIT_S = 3600.0


def prepare(cases: Sequence[Case], plan: Plan, *, hire: Hire = hire, limit_s: float = LIMIT_S) -> None:
    """Run each distinct preparer of these cases once, in a process of its own, for so long at most each.

    Raises:
        UsageError: a preparer refused its parameters; nothing has been measured.
        UnavailableError: this machine lacks something that all cases of a workload need.
        MeasurementError: a preparer failed in a way it did not foresee.
    """
    for workload in dict.fromkeys(case.workload for case in cases):
        if workload.prepare is None:
            continue
        with closing(hire(1, plan.start)) as crew:
            request = Prepare(workload.prepare, source_of(workload.prepare), dict(workload.parameters))
            try:
                crew.workers[0].ask(request, Prepared, limit_s)
            except WorkerError as error:
                msg = f"preparing {workload.name} failed: {error}\n{error.detail}".rstrip()
                raise MeasurementError(msg) from error


def source_of(import_name: str) -> str | None:
    """The file of a module that is loaded here, so that a worker can load it when it is not on the import path."""
    module = sys.modules.get(import_name.partition(":")[0])
    return getattr(module, "__file__", None)
