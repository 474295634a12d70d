"""Frozen facts, standard library only. Nothing here computes a figure or chooses a word."""

from bench.records.check import Check, CheckKind
from bench.records.environment import Environment, Gpu
from bench.records.plan import Plan
from bench.records.run import SCHEMA, Run
from bench.records.self_check import EmptyStep, SelfCheck
from bench.records.trial import Caveat, CaveatKind, Failure, Life, Proof, Sample, SampleKind, Skip, Trial
from bench.records.variant import AXES, AxisValue, Variant, expand
from bench.records.workload import Case, Scalar, Workload

__all__ = [
    "AXES",
    "SCHEMA",
    "AxisValue",
    "Case",
    "Caveat",
    "CaveatKind",
    "Check",
    "CheckKind",
    "EmptyStep",
    "Environment",
    "Failure",
    "Gpu",
    "Life",
    "Plan",
    "Proof",
    "Run",
    "Sample",
    "SampleKind",
    "Scalar",
    "SelfCheck",
    "Skip",
    "Trial",
    "Variant",
    "Workload",
    "expand",
]
