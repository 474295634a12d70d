"""The guess of how long measuring takes."""

import pytest

from bench import Case, Plan, Variant
from bench.forecast import forecast_s
from tests.factories import INFERENCE, LATENCY

EAGER = Case(INFERENCE, Variant.of())
COMPILED = Case(INFERENCE, Variant.of(backend="compile"))


def test_nothing_takes_no_time() -> None:
    assert forecast_s([], Plan()) == 0


def test_groups_add_up_and_every_case_costs_something() -> None:
    one = forecast_s([[EAGER]], Plan())
    assert forecast_s([[EAGER], [EAGER]], Plan()) == pytest.approx(2 * one)
    assert forecast_s([[EAGER, COMPILED]], Plan()) > one + 25  # what compiling takes with empty caches


def test_the_budget_bounds_what_is_not_set_up() -> None:
    many = [Case(INFERENCE, Variant.of(batch=n)) for n in range(1, 101)]
    assert forecast_s([many], Plan(budget_s=1000)) - forecast_s([many], Plan(budget_s=10)) == pytest.approx(990)


def test_single_steps_take_the_time_of_their_number() -> None:
    case = Case(LATENCY, Variant.of(batch=1))
    plan = Plan(rounds=10)
    assert forecast_s([[case]], plan) > forecast_s([[EAGER]], plan)
