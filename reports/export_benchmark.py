"""A run as pytest-benchmark would have saved it, for its own ``compare``: seconds per step of every timing sample.

Cases without samples are left out, as pytest-benchmark leaves out benchmarks that failed, and so are the copies of a
self-check. What is struck out says so in its ``extra_info``, since a table of times has no other place for it.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest_benchmark
from pytest_benchmark.stats import Stats

from bench.analysis.soundness import status_of
from bench.records import Run, SampleKind, Trial
from reports.text import one_line


def encoded(run: Run) -> bytes:
    """The JSON of a run, indented as pytest-benchmark indents it."""
    benchmarks = [entry for trial in run.trials if (entry := _benchmark(trial, run)) is not None]
    return msgspec.json.format(msgspec.json.encode({**_head(run), "benchmarks": benchmarks}), indent=4) + b"\n"


def _head(run: Run) -> dict[str, Any]:
    environment = run.environment
    return {
        "machine_info": {
            "node": "",
            "processor": one_line(environment.cpu or ""),
            "machine": one_line((environment.system or "").rpartition(" ")[2]),
            "system": one_line((environment.system or "").partition(" ")[0]),
            "release": one_line(environment.system or ""),
            "python_version": one_line(environment.python or ""),
            "python_implementation": "",
            "python_implementation_version": "",
            "cpu": {"brand_raw": one_line(environment.cpu or ""), "count": environment.cores_usable},
        },
        "commit_info": {"id": "unknown", "time": None, "dirty": False, "project": "joulemark", "branch": "unknown"},
        "datetime": run.started,
        "version": pytest_benchmark.__version__,
        "joulemark": {"run": run.id},
    }


def _benchmark(trial: Trial, run: Run) -> dict[str, Any] | None:
    if trial.case.copy:
        return None
    wanted = SampleKind.TIMING
    if not any(sample.kind is wanted for sample in trial.samples):
        wanted = SampleKind.LATENCY
    times = [sample.step_s for sample in trial.samples if sample.kind is wanted]
    if not times:
        return None
    stats = Stats()
    for time_s in times:
        stats.update(time_s)
    workload, variant = one_line(trial.case.workload.name), one_line(trial.case.variant.id)
    return {
        "group": f"{workload} on {one_line(trial.case.variant.device)}",
        "name": f"{workload}[{variant}]",
        "fullname": f"joulemark::{workload}[{variant}]",
        "params": {"case": variant},
        "param": variant,
        "extra_info": {
            "case": one_line(trial.case.name),
            "items_per_step": trial.items_per_step,
            "status": status_of(trial, run.plan),
        },
        "options": {
            "disable_gc": False,
            "timer": "joulemark_samples",
            "min_rounds": len(times),
            "max_time": 0.0,
            "min_time": 0.0,
            "warmup": False,
        },
        "stats": {**stats.as_dict(), "data": times, "iterations": 1},
    }
