"""Items until a setting has paid for its set-up, on literal numbers."""

from dataclasses import replace

import pytest

from bench import Run, Verdict, summarise
from bench.analysis import Row
from bench.analysis.break_even import break_even
from tests.factories import make_run, make_trial


def row(run: Run) -> Row:
    return summarise(run)[0].rows[1]


BASELINE = make_trial(step_s=0.020, items=32, wobble=0)  # 0.625 ms an image; set up in 3.05 s cold, 1.05 s warm
COMPILED = make_trial(step_s=0.010, items=32, wobble=0, backend="compile", build_s=11.0)  # 33.05 s cold, 11.05 s warm

BASELINE_SET_UP = summarise(make_run(BASELINE))[0].rows[0].set_up_cold


def test_the_extra_set_up_is_divided_by_what_an_item_saves() -> None:
    found = row(make_run(BASELINE, COMPILED))
    assert found.break_even_cold is not None
    assert found.break_even_warm is not None
    assert found.break_even_cold.items == pytest.approx(30 / 0.0003125)
    assert found.break_even_warm.items == pytest.approx(10 / 0.0003125)


def test_after_so_many_items_both_have_taken_as_long() -> None:
    found = row(make_run(BASELINE, COMPILED))
    assert found.break_even_cold is not None
    items = found.break_even_cold.items
    assert 3.05 + items * 0.020 / 32 == pytest.approx(33.05 + items * 0.010 / 32)


@pytest.mark.parametrize("build_s", [0.5, 1.0, 1.05])  # dearer by 5 % of one cold set-up: that is noise
def test_what_costs_no_more_to_set_up_pays_at_once(build_s: float) -> None:
    found = row(make_run(BASELINE, make_trial(step_s=0.010, layout="channels_last", build_s=build_s)))
    assert found.break_even_cold is not None
    assert (found.break_even_cold.items, found.break_even_cold.high) == (0, 0)


@pytest.mark.parametrize("step_s", [0.020, 0.030])
def test_what_is_not_faster_never_pays(step_s: float) -> None:
    found = row(make_run(BASELINE, make_trial(step_s=step_s, backend="compile", build_s=11.0)))
    assert found.verdict in (Verdict.SAME, Verdict.SLOWER)
    assert found.break_even_cold is None


def test_the_interval_is_that_of_the_speed_up_turned_round() -> None:
    found = row(make_run(BASELINE, COMPILED))
    assert found.comparison is not None
    wide = replace(found.comparison, speedup=2.0, low=1.25, high=4.0)
    even = break_even(found.set_up_cold, BASELINE_SET_UP, wide, Verdict.FASTER, 1.0)
    assert even is not None
    assert (even.low, even.items, even.high) == (pytest.approx(40), pytest.approx(60), pytest.approx(150))


def test_where_the_interval_reaches_no_speed_up_there_is_no_upper_end() -> None:
    found = row(make_run(BASELINE, COMPILED))
    assert found.comparison is not None
    wide = replace(found.comparison, low=0.9)
    even = break_even(found.set_up_cold, BASELINE_SET_UP, wide, Verdict.FASTER, 1.0)
    assert even is not None
    assert even.high is None


def test_without_warm_lives_there_is_no_warm_break_even() -> None:
    trials = make_trial(step_s=0.020), make_trial(step_s=0.010, backend="compile", build_s=11.0)
    found = row(make_run(*(replace(one, lives=tuple(life for life in one.lives if life.cold)) for one in trials)))
    assert found.break_even_cold is not None
    assert found.break_even_warm is None
