"""Estimates of known samples."""

from dataclasses import replace

import pytest

from bench.analysis import peak_memory, set_up, throughput, time_per_step
from bench.analysis.estimates import block_seconds
from bench.records import SampleKind
from tests.factories import make_trial


def test_the_time_of_a_constant_step_is_that_constant() -> None:
    estimate = time_per_step(make_trial(step_s=0.02, wobble=0.0), 0.95)
    assert estimate is not None
    assert (estimate.value, estimate.low, estimate.high) == tuple(pytest.approx(0.02) for _ in range(3))
    assert (estimate.unit, estimate.n) == ("s", 6)


def test_throughput_is_items_over_time_with_its_bounds_turned_round() -> None:
    trial = make_trial(step_s=0.02, wobble=0.01, items=64)
    time, rate = time_per_step(trial, 0.95), throughput(trial, 0.95)
    assert time is not None
    assert rate is not None
    assert rate.unit == "images/s"
    assert rate.value == pytest.approx(64 / time.value)
    assert time.low is not None
    assert rate.high == pytest.approx(64 / time.low)
    assert rate.low is not None
    assert rate.low < rate.value < rate.high


def test_a_block_is_the_median_of_its_samples_so_that_one_hiccup_does_not_count() -> None:
    trial = make_trial(step_s=0.02, waves=1, rounds=1, wobble=0.0)
    first, *others = trial.samples
    disturbed = replace(trial, samples=(first._replace(host_s=9.0), *others))
    assert block_seconds(disturbed) == {(0, 0): pytest.approx(0.02 / 32)}


def test_samples_of_other_kinds_stay_out() -> None:
    trial = make_trial(step_s=0.02, waves=1, rounds=1)
    stray = trial.samples[0]._replace(host_s=9.0, round=7, kind=SampleKind.ENERGY)
    assert block_seconds(replace(trial, samples=(*trial.samples, stray))).keys() == {(0, 0)}


def test_cold_and_warm_set_up_are_kept_apart() -> None:
    trial = make_trial(build_s=2.0)
    cold, warm = set_up(trial, cold=True), set_up(trial, cold=False)
    assert cold is not None
    assert warm is not None
    assert (cold.value, cold.n) == (pytest.approx(6.05), 1)
    assert (warm.value, warm.n) == (pytest.approx(2.05), 5)


def test_a_trial_without_samples_has_no_estimates() -> None:
    trial = replace(make_trial(), samples=(), lives=())
    assert time_per_step(trial, 0.95) is None
    assert throughput(trial, 0.95) is None
    assert set_up(trial, cold=True) is None
    assert peak_memory(trial) is None
