"""Intervals and tests against closed forms, tables and simulation."""

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtrit

from bench.analysis.statistics import biweight, holm, sign_interval, t_interval, t_quantile, t_tail

VALUES = st.lists(st.floats(min_value=-1e3, max_value=1e3), min_size=1, max_size=40)


@pytest.mark.parametrize(("degrees", "quantile"), [(1, 12.706), (2, 4.303), (5, 2.571), (30, 2.042)])
def test_the_quantiles_are_those_of_the_printed_table(degrees: int, quantile: float) -> None:
    assert t_quantile(degrees, 0.95) == pytest.approx(quantile, abs=5e-4)


@pytest.mark.parametrize("confidence", [0.1, 0.5, 0.9, 0.95, 0.98, 0.995, 0.9999])
@pytest.mark.parametrize("degrees", [*range(1, 70), 2.5, 1000])
def test_the_quantiles_are_those_of_scipy(degrees: float, confidence: float) -> None:
    assert t_quantile(degrees, confidence) == pytest.approx(stdtrit(degrees, (1 + confidence) / 2), rel=1e-11)


def test_a_biweight_is_the_mean_of_values_near_each_other_and_ignores_those_far_out() -> None:
    near = [1.0, 1.1, 1.2, 1.3, 1.4]
    assert biweight(near) == pytest.approx(1.2)
    assert biweight([*near, 50.0, 60.0]) == biweight([*near, 5e6, 6e6])
    assert biweight([*near, 50.0, 60.0]) == pytest.approx(1.2, abs=0.06)
    assert [biweight([3.0]), biweight([3.0, 5.0]), biweight([3.0, 3.0, 3.0, 9.0])] == [3.0, 4.0, 3.0]


def test_a_biweight_solves_the_equation_it_is_defined_by() -> None:
    """The sum of u (1 - u^2)^2 is zero, with u in units of 3.14 times the scaled median deviation."""
    values = [-0.4, 0.2, 0.9, 1.0, 1.3, 2.0, 2.2, 9.0]
    middle = sorted(values)[3] / 2 + sorted(values)[4] / 2
    deviations = sorted(abs(value - middle) for value in values)
    reach = 3.14 * 1.4826 * (deviations[3] + deviations[4]) / 2
    units = [(value - biweight(values)) / reach for value in values]
    assert sum(u * (1 - u * u) ** 2 for u in units if abs(u) < 1) == pytest.approx(0.0, abs=1e-6)


@given(VALUES)
def test_a_biweight_lies_among_its_values_whichever_way_they_are_looked_at(values: list[float]) -> None:
    centre = biweight(values)
    assert min(values) - 1e-9 <= centre <= max(values) + 1e-9
    assert biweight([-value for value in values]) == pytest.approx(-centre, abs=1e-6)
    assert biweight(values[::-1]) == pytest.approx(centre, abs=1e-9)


def test_a_biweight_is_less_at_the_mercy_of_chance_than_the_median() -> None:
    """Of normal values its variance is 1 / 0.8 of the mean's, the median's pi / 2 of it (asymptotically)."""
    draw = random.Random(1)
    samples = [[draw.gauss(0, 1) for _ in range(40)] for _ in range(2000)]
    variances = [sum(of(sample) ** 2 for sample in samples) / 2000 * 40 for of in (biweight, statistics.median)]
    assert variances == [pytest.approx(1 / 0.8, abs=0.12), pytest.approx(math.pi / 2, abs=0.17)]


def test_a_t_interval_is_the_textbook_one() -> None:
    interval = t_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 0.95)
    assert interval.value == 3.5
    half = 2.5706 * math.sqrt(3.5) / math.sqrt(6)
    assert interval.low == pytest.approx(3.5 - half, abs=1e-3)
    assert interval.high == pytest.approx(3.5 + half, abs=1e-3)


def test_one_value_has_no_bounds() -> None:
    assert t_interval([2.0], 0.95) == (2.0, None, None)
    assert sign_interval([2.0], 0.95) == (2.0, None, None)


def test_five_values_cannot_give_a_distribution_free_interval_at_95_percent_but_six_can() -> None:
    assert sign_interval([1, 2, 3, 4, 5], 0.95).low is None
    assert sign_interval([1, 2, 3, 4, 5, 6], 0.95) == (3.5, 1, 6)


def test_ten_values_give_the_second_and_the_ninth() -> None:
    assert sign_interval(list(range(1, 11)), 0.95) == (5.5, 2, 9)


@given(VALUES)
def test_an_interval_contains_its_value(values: list[float]) -> None:
    for interval in (t_interval(values, 0.95), sign_interval(values, 0.95)):
        if interval.low is not None and interval.high is not None:
            slack = 1e-9 * max(1.0, abs(interval.value))
            assert interval.low - slack <= interval.value <= interval.high + slack


@pytest.mark.parametrize("n", [6, 10, 30])
def test_both_intervals_cover_the_truth_about_as_often_as_they_say(n: int) -> None:
    """Independent normal values, seeded; 2,000 draws have a standard error of half a percent."""
    rng = random.Random(n)
    draws = [[rng.gauss(0, 1) for _ in range(n)] for _ in range(2000)]
    covered_t = sum(_covers(t_interval(draw, 0.95)) for draw in draws) / len(draws)
    covered_sign = sum(_covers(sign_interval(draw, 0.95)) for draw in draws) / len(draws)
    assert 0.935 <= covered_t <= 0.965
    assert 0.935 <= covered_sign <= 1.0


def _covers(interval: tuple[float, float | None, float | None]) -> bool:
    _, low, high = interval
    return low is not None and high is not None and low <= 0 <= high


def test_the_tail_against_a_margin_is_a_shifted_t_test() -> None:
    values = [0.05, 0.06, 0.04, 0.05]
    shifted = [value - 0.01 for value in values]
    assert t_tail(values, 0.01) == pytest.approx(t_tail(shifted, 0.0))
    assert t_tail([-value for value in values], 0.01) == pytest.approx(t_tail(values, 0.01))


def test_values_without_spread_are_taken_at_their_word() -> None:
    assert t_tail([0.02, 0.02, 0.02], 0.01) == 0.0
    assert t_tail([0.005, 0.005, 0.005], 0.01) == 1.0


def test_holm_rejects_step_by_step_and_stops_at_the_first_that_holds() -> None:
    assert holm([0.01, 0.04, 0.03], 0.05) == (True, False, False)
    assert holm([0.01, 0.02, 0.03], 0.05) == (True, True, True)
    assert holm([], 0.05) == ()


@given(st.lists(st.floats(min_value=0, max_value=1), min_size=1, max_size=20))
def test_holm_never_rejects_what_a_single_test_would_not(p_values: list[float]) -> None:
    for p_value, rejected in zip(p_values, holm(p_values, 0.05), strict=True):
        assert not rejected or p_value <= 0.05
