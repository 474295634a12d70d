"""Measures :mod:`suites.inference`: one test for each case."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import bench
from suites.inference import selection


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    bench.declare(metafunc, selection)


def test_inference(case: bench.Case, measure: Callable[[bench.Case], object]) -> None:
    measure(case)
