"""The latency workload: inference as one client sees it, one image at a time, each answer waited for."""

from __future__ import annotations

from bench import Case, Options, Selection
from suites.choice import classifier_selection
from suites.feasible import Purpose


def selection(options: Options) -> Selection:
    """What is measured of latency, and what is left out; it is built as inference is. Imports no torch."""
    return classifier_selection(Purpose("latency", "inference", latency=True), options)


def cases(options: Options) -> tuple[Case, ...]:
    """The cases of :func:`selection`, baselines first."""
    return selection(options).cases
