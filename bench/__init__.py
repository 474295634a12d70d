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

from bench.analysis import Comparison, Estimate, Verdict, compare, judge, summarise
from bench.errors import BenchError, ComparisonError, MeasurementError, StorageError, UnavailableError, UsageError
from bench.options import Options, options_of
from bench.records import Case, Plan, Proof, Run, Sample, Trial, Variant, Workload, expand
from bench.storage import load
from bench.workers.step import Step

__all__ = [
    "BenchError",
    "Case",
    "Comparison",
    "ComparisonError",
    "Estimate",
    "MeasurementError",
    "Options",
    "Plan",
    "Proof",
    "Run",
    "Sample",
    "Step",
    "StorageError",
    "Trial",
    "UnavailableError",
    "UsageError",
    "Variant",
    "Verdict",
    "Workload",
    "compare",
    "expand",
    "judge",
    "load",
    "options_of",
    "summarise",
]
