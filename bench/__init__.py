"""Joulemark's instrument: what it takes to measure a step of work under many settings, and to compare.

A short glossary, from small to large:

step
    one call of the workload: one batch.
sample
    one timed stretch of steps.
block
    consecutive samples of one case, while all other workers are frozen.
round
    one block of every case in a group, in random order.
wave
    fresh worker processes for every case, and a number of rounds with them.
trial
    all that one run measured of one case. A case is one workload under one variant.
group
    the cases of one workload on one device: measured interleaved, compared with their baseline.

Importing this package imports neither torch nor pandas.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from bench.analysis import Comparison, Estimate, Verdict, compare, is_look, judge, may_leave, summarise
from bench.errors import BenchError, ComparisonError, MeasurementError, StorageError, UnavailableError, UsageError
from bench.records import AXES, Case, Check, CheckKind, Plan, Proof, Run, Sample, Trial, Variant, Workload, expand
from bench.storage import load
from bench.workers.step import Step

if TYPE_CHECKING:
    from bench.declaring import declare, options_of
    from bench.energy import energy_window
    from bench.instruments.nvtx import annotated
    from bench.instruments.spans import span
    from bench.instruments.stopwatch import HostStopwatch
    from bench.measurement import GroupMeasurement
    from bench.options import Options
    from bench.preparing import prepare
    from bench.selection import Selection
    from bench.surroundings import Progress

#: Public names that bring pytest or the instruments with them: loaded when asked for, so that a run is read quickly.
_LATE = {
    "GroupMeasurement": "bench.measurement",
    "HostStopwatch": "bench.instruments.stopwatch",
    "Options": "bench.options",
    "Progress": "bench.surroundings",
    "Selection": "bench.selection",
    "annotated": "bench.instruments.nvtx",
    "declare": "bench.declaring",
    "energy_window": "bench.energy",
    "options_of": "bench.declaring",
    "prepare": "bench.preparing",
    "span": "bench.instruments.spans",
}

__all__ = [
    "AXES",
    "BenchError",
    "Case",
    "Check",
    "CheckKind",
    "Comparison",
    "ComparisonError",
    "Estimate",
    "GroupMeasurement",
    "HostStopwatch",
    "MeasurementError",
    "Options",
    "Plan",
    "Progress",
    "Proof",
    "Run",
    "Sample",
    "Selection",
    "Step",
    "StorageError",
    "Trial",
    "UnavailableError",
    "UsageError",
    "Variant",
    "Verdict",
    "Workload",
    "annotated",
    "compare",
    "declare",
    "energy_window",
    "expand",
    "is_look",
    "judge",
    "load",
    "may_leave",
    "options_of",
    "prepare",
    "span",
    "summarise",
]


def __getattr__(name: str) -> object:
    if name not in _LATE:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    found: object = getattr(importlib.import_module(_LATE[name]), name)
    globals()[name] = found  # from now on it is an attribute like any other: span is looked up in every step
    return found
