"""Arithmetic of the energy cross-checks, on literal readings and on sensors whose truth is known."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from bench.instruments.fakes import ScriptedClock, counter, power, run_sampler, steps
from suites.proof import energy
from suites.proof.energy_figures import (
    Reading,
    Stretch,
    counter_power,
    difference,
    lateness,
    median_of,
    polled_power,
    readings_of,
    response,
)
from suites.proof.outcome import NotHereError, Outcome

IDLE_W, LOAD_W = 70.0, 500.0
#: Nothing for five seconds, a load for three, nothing for three, a load for six, nothing.
PARTS = ((100.0, IDLE_W), (105.0, LOAD_W), (108.0, IDLE_W), (111.0, LOAD_W), (117.0, IDLE_W))
STRETCHES = tuple(
    Stretch("products" if watts == LOAD_W else "", start_s, stop_s)
    for (start_s, watts), stop_s in zip(PARTS, (105.0, 108.0, 111.0, 117.0, 120.0), strict=True)
)


def test_a_counter_of_literal_readings():
    readings = [Reading(0.1 * n, 20.0 * n) for n in range(11)]  # 20 J each tenth of a second
    assert counter_power(readings, Stretch("", 0.0, 1.0)) == pytest.approx(200.0)


def test_power_is_held_until_the_next_reading():
    readings = [Reading(0.3, 100.0), Reading(0.5, 200.0), Reading(0.6, 0.0), Reading(0.7, 900.0)]
    assert polled_power(readings, Stretch("", 0.0, 1.0)) == pytest.approx((0.2 * 100 + 0.1 * 200 + 0.1 * 0) / 0.4)


def test_what_still_speaks_of_the_stretch_before_is_left_out():
    readings = [Reading(0.1, 900.0), *(Reading(0.4 + 0.1 * n, 100.0) for n in range(5))]
    assert polled_power(readings, Stretch("", 0.0, 1.0)) == pytest.approx(100.0)
    assert polled_power(readings, Stretch("", 0.0, 1.0), averaged_s=0.6) is None


def test_two_readings_give_no_power():
    readings = [Reading(0.5, 1.0), Reading(0.6, 2.0)]
    assert counter_power(readings, Stretch("", 0.0, 1.0)) is None


@pytest.mark.parametrize(
    ("one", "other", "expected"), [(95.0, 100.0, 0.05), (100.0, 95.0, 0.05), (None, 1.0, None), (0.0, 0.0, None)]
)
def test_a_difference_is_a_share_of_the_larger(one, other, expected):
    assert difference(one, other) == (None if expected is None else pytest.approx(expected))


def test_the_crossing_of_two_literal_lines_is_the_lateness():
    # 10 W up to 5.05 s as it is published, then 110 W: the load began at 5.0.
    readings = [Reading(n / 10, 10 * n / 10 + 100 * max(0.0, n / 10 - 5.05)) for n in range(101)]
    assert lateness(readings, Stretch("", 0.0, 5.0), Stretch("x", 5.0, 10.0)) == pytest.approx(0.05)


def test_lines_that_hardly_bend_tell_no_lateness():
    readings = [Reading(n / 10, 100 * n / 10) for n in range(101)]
    assert lateness(readings, Stretch("", 0.0, 5.0), Stretch("x", 5.0, 10.0)) is None


def test_power_responds_when_it_is_nearer_to_the_new_level():
    readings = [Reading(4.9, 70.0), Reading(5.1, 200.0), Reading(5.2, 400.0), Reading(5.3, 500.0)]
    assert response(readings, 5.0, 70.0, 500.0) == pytest.approx(0.2)
    assert response(readings, 6.0, 70.0, 500.0) is None


def test_a_median_of_nothing_known_is_unknown():
    assert median_of([None, 3.0, 1.0]) == 2.0
    assert median_of([None]) is None


def sensed(late_s=0.0, step_s=0.1, factor=1.0):
    """What a counter so late, and a power sensor that reads so many times the truth, said of the parts above."""
    clock, truth = ScriptedClock(now_s=100.0), steps(*PARTS)
    told = [counter(clock, truth, step_s=step_s, late_s=late_s), power(clock, lambda t: factor * truth(t))]
    traces = run_sampler(clock, told, 20.0).take().traces
    return {trace.source: (trace, readings_of(trace)) for trace in traces}


@pytest.mark.parametrize("late_s", [0.0, 0.05, 0.12])
@pytest.mark.parametrize("step_s", [0.02, 0.1])
def test_the_lateness_of_a_counter_is_found_whatever_its_rhythm(late_s, step_s):
    told = energy.judge(sensed(late_s, step_s), STRETCHES, 0.002, ()).facts
    assert [round(each, 3) for each in told["counter_late_s"]] == pytest.approx([late_s] * 2, abs=0.006)


def test_counter_and_power_of_one_truth_agree_and_all_claims_hold():
    outcome = energy.judge(sensed(), STRETCHES, 0.002, ())
    assert {claim.text: claim.holds for claim in outcome.claims} == {
        "counter and integrated power agree within 5% under products": True,
        "the counter is no later than is allowed for": True,
        "each load takes more than idling does": True,
        "the sampler takes less than 1 % of a core": True,
    }
    assert outcome.facts["idle_w"] == pytest.approx(IDLE_W, rel=0.01)
    (steady,) = {row["counter_w"] for row in outcome.facts["stretches"] if row["load"] and row["seconds"] > 5}
    assert steady == pytest.approx(LOAD_W, rel=0.01)
    assert max(outcome.facts["power_response_s"]) < 0.25


def test_a_power_reading_that_is_off_by_a_tenth_contradicts_the_claim():
    held = [claim.holds for claim in energy.judge(sensed(factor=0.9), STRETCHES, 0.002, ()).claims]
    assert held == [False, True, True, True]


def test_a_counter_later_than_is_allowed_for_and_a_costly_sampler_are_named():
    outcome = energy.judge(sensed(late_s=0.12), STRETCHES, 0.02, ())
    assert [claim.holds for claim in outcome.claims] == [True, False, True, False]


def test_a_counter_alone_leaves_the_comparison_open():
    alone = {name: each for name, each in sensed().items() if each[0].unit == "J"}
    assert next(iter(energy.judge(alone, STRETCHES, None, ()).claims)).holds is None


def test_a_machine_without_a_sensor_is_told_before_any_load_is_applied(task):
    with pytest.raises(NotHereError, match="no sensor"):
        energy.check(task(power="off"))


def test_of_several_boards_that_of_the_device_is_looked_at():
    traces = [
        SimpleNamespace(component=SimpleNamespace(name=name), source=source)
        for name in ("GPU-a", "GPU-b")
        for source in ("nvml counter", "nvml instant power")
    ]
    log = SimpleNamespace(traces=traces, devices=(("cuda:0", "GPU-b"), ("cuda:1", "GPU-a")))
    assert energy.traces_of(log, "cuda:0") == traces[2:]
    assert energy.traces_of(log, "cpu") == traces[:2]


def test_a_counter_must_change_and_a_power_may_stay_what_it_is():
    every = {"median_s": 0.1, "least_s": 0.1, "most_s": 0.1, "changes": 9}
    found = {"nvml counter of GPU-1": None, "nvml instant power of GPU-1": None, "rapl of dram 0": every}
    outcome = energy.with_rhythms(Outcome({"idle_w": 1.0}), found, {"nvml counter", "rapl"})
    assert [claim.holds for claim in outcome.claims] == [False, None, True]
    assert set(outcome.facts) == {"idle_w", "rhythms"}


def test_loads_are_played_in_order_and_their_times_kept():
    clock, played = ScriptedClock(now_s=0.0, tick_s=0.0), []

    def last(name):
        def load(seconds):
            played.append((name, seconds))
            clock.now_s += seconds

        return load

    parts = [("", 2.0), ("fast", 3.0), ("", 1.0), ("slow", 4.0)]
    found = list(energy.play(parts, {"fast": last("fast"), "slow": last("slow")}, clock, last("")))
    assert played == parts
    assert found == [Stretch("", 0, 2), Stretch("fast", 2, 5), Stretch("", 5, 6), Stretch("slow", 6, 10)]


def test_the_timeline_pulses_the_first_load_and_then_holds_each(task):
    parts = energy.timeline(task(), ("first", "second"))
    assert parts[0][0] == ""
    assert [name for name, _ in parts].count("first") == energy._PULSES + 1
    assert [name for name, _ in parts][-4:] == ["first", "", "second", ""]
    assert all(seconds >= 1 for _, seconds in parts)


def test_real_loads_last_about_as_long_as_they_are_told_to():
    import time

    for load in energy._loads("cpu").values():
        begin = time.perf_counter()
        load(0.05)
        assert 0.05 <= time.perf_counter() - begin < 5


def test_readings_stand_in_the_middle_of_when_they_may_have_appeared():
    trace = SimpleNamespace(readings=[SimpleNamespace(since_s=1.0, at_s=1.2, value=3.0)])
    (found,) = readings_of(trace)
    assert math.isclose(found.time_s, 1.1)
