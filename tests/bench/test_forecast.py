"""The guess of how long measuring takes."""

from collections.abc import Sequence

import pytest

from bench import Case, Plan, Variant
from bench.forecast import forecast_s
from tests.factories import INFERENCE, LATENCY

EAGER = Case(INFERENCE, Variant.of())
COMPILED = Case(INFERENCE, Variant.of(backend="compile"))


def _forecast(group: Sequence[Case], plan: Plan | None = None) -> float:
    return forecast_s([(group, plan or Plan())])


def test_nothing_takes_no_time() -> None:
    assert forecast_s([]) == 0


def test_groups_add_up_and_every_case_costs_something() -> None:
    one = _forecast([EAGER])
    assert forecast_s([([EAGER], Plan()), ([EAGER], Plan())]) == pytest.approx(2 * one)
    assert _forecast([EAGER, COMPILED]) > one + 25  # what compiling takes with empty caches


def test_the_budget_bounds_what_is_not_set_up() -> None:
    assert _forecast([EAGER], Plan(budget_s=50)) - _forecast([EAGER], Plan(budget_s=30)) == pytest.approx(20)


def test_a_few_rounds_of_every_wave_are_measured_whatever_the_budget() -> None:
    many = [Case(INFERENCE, Variant.of(batch=n)) for n in range(1, 101)]
    least = _forecast(many, Plan(budget_s=10))
    assert least > 100 + 4 * 3 * 100 * 0.1  # first steps, and three rounds in each of four waves
    assert _forecast(many, Plan(budget_s=20)) == least
    insisted = Plan(waves=30, fewest_waves=30, budget_s=10)
    assert _forecast([EAGER] * 6, insisted) > 5 * _forecast([EAGER] * 6, Plan(budget_s=10))


def test_single_steps_take_the_time_of_their_number() -> None:
    case = Case(LATENCY, Variant.of(batch=1))
    plan = Plan(rounds=10)
    assert _forecast([case], plan) > _forecast([EAGER], plan)
