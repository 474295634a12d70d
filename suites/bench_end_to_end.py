"""Measures :mod:`suites.training_end_to_end`: one test for each case."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import bench
from suites.training_end_to_end import selection


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    bench.declare(metafunc, selection)


def test_training_end_to_end(case: bench.Case, measure: Callable[[bench.Case], object]) -> None:
    measure(case)
