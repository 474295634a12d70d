"""From readings to joules: literal traces, known powers, and what must hold for any of them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.energy import EnergyEstimate, compare_energy, counted_gpus, energy_of
from bench.analysis.power import Metered, peak_power, steady_power, window_energy
from bench.errors import ComparisonError, MeasurementError
from bench.instruments.fakes import GPU, ScriptedClock, constant, counter, power, run_sampler, sine, square, steps
from bench.records import Caveat, CaveatKind, Sample, SampleKind, Trial
from bench.records.power import (
    Component,
    Part,
    PowerLog,
    PowerTrace,
    Reading,
    SourceKind,
    Span,
    SpanKind,
    Trouble,
    TroubleKind,
    Unread,
)
from tests.factories import make_run, make_trial

CPU = Component(Part.CPU, "cpu package 0")
PSYS = Component(Part.PSYS, "psys")


def counted(power_w: float = 100.0, *, to_s: float = 60.0, component: Component = GPU, **facts) -> PowerTrace:
    """A counter that steps every 0.1 s, exactly on time."""
    readings = tuple(Reading(n / 10, n / 10, power_w * n / 10) for n in range(int(to_s * 10) + 1))
    trace = PowerTrace(component, "nvml counter", SourceKind.COUNTER, "J", 1e-3, 0.1, None, 0.0, readings)
    return replace(trace, **facts)


def polled(*watts: float, component: Component = GPU) -> PowerTrace:
    """A power reading every 0.1 s."""
    readings = tuple(Reading(n / 10, n / 10, value) for n, value in enumerate(watts))
    return PowerTrace(component, "nvml instant power", SourceKind.POWER, "W", 1e-3, 0.1, None, 0.0, readings)


def energy_trial(waves: int = 2, rounds: int = 2, step_s: float = 0.1, **axes) -> Trial:
    """Blocks of a second, every two seconds from second 2 on; ten seconds are left between waves."""
    samples = tuple(
        Sample(wave, n, 0, None, 2.0 + 20 * wave + 2 * n, round(1 / step_s), 1.0, None, SampleKind.ENERGY)
        for wave in range(waves)
        for n in range(rounds)
    )
    trial = make_trial(step_s=step_s, wobble=0.0, waves=waves, rounds=rounds, **({"device": "cuda:0"} | axes))
    return replace(trial, samples=(*trial.samples, *samples))


def log_of(*traces: PowerTrace, **facts) -> PowerLog:
    return PowerLog(0.0, 60.0, traces, **facts)


def kinds(caveats) -> list[CaveatKind]:
    return [caveat.kind for caveat in caveats]


# --- one sensor, one stretch ---------------------------------------------------------------------------------------


def test_a_steady_block_has_the_power_that_its_counter_grew_by():
    found = steady_power(counted(100.0), 2.05, 3.05)
    assert isinstance(found, Metered)
    assert found.value == pytest.approx(100.0)
    assert found.low <= 100.0 <= found.high


def test_what_the_case_before_used_is_not_in_it():
    readings = [Reading(n / 10, n / 10, 500.0 * min(n, 21) / 10 + 100.0 * max(0, n - 21) / 10) for n in range(60)]
    found = steady_power(counted(readings=tuple(readings)), 2.05, 3.05)
    assert isinstance(found, Metered)
    assert found.value == pytest.approx(100.0)


def test_the_pair_of_changes_is_used_whose_times_are_known_best():
    exact = counted(100.0).readings
    late = tuple(r._replace(at_s=r.at_s + 0.05) if r.since_s in {2.3, 2.9} else r for r in exact)
    found = steady_power(counted(readings=late), 2.05, 3.05)
    assert isinstance(found, Metered)
    assert found.value == pytest.approx(100.0)
    assert found.high - found.low < 0.1


@pytest.mark.parametrize("read", [steady_power, window_energy])
def test_a_window_too_short_says_how_long_it_must_be(read):
    found = read(counted(), 2.05, 2.25)
    assert isinstance(found, Caveat)
    assert found.kind is CaveatKind.WINDOW_TOO_SHORT
    needed_s = dict(found.figures)["needed_s"]
    assert isinstance(read(counted(), 2.05, 2.05 + float(needed_s)), Metered)


@pytest.mark.parametrize("read", [steady_power, window_energy])
def test_a_counter_that_stands_still_gives_no_number(read):
    stuck = counted(to_s=2.0)
    found = read(stuck, 2.05, 4.05)
    assert isinstance(found, Caveat)
    assert found.kind is CaveatKind.SENSOR_STALLED


@pytest.mark.parametrize("read", [steady_power, window_energy])
def test_a_sensor_that_was_lost_is_said_to_be(read):
    lost = counted(to_s=2.0, troubles=(Trouble(TroubleKind.LOST, 2.1, "GPU is lost"),))
    found = read(lost, 2.05, 4.05)
    assert isinstance(found, Caveat)
    assert found.kind is CaveatKind.SENSOR_LOST


def test_a_silence_in_a_block_is_not_bridged():
    gap = tuple(reading for reading in counted().readings if not 2.5 < reading.at_s < 3.3)
    found = steady_power(counted(readings=gap), 2.05, 4.05)
    assert isinstance(found, Metered)
    assert found.readings < 10
    assert isinstance(window_energy(counted(readings=gap), 2.05, 4.05), Caveat)


def test_a_constant_power_reading_is_a_reading():
    trace = polled(*[250.0] * 60)
    block, window = steady_power(trace, 2.05, 3.05), window_energy(trace, 2.05, 4.05)
    assert isinstance(block, Metered)
    assert block.value == pytest.approx(250.0)
    assert isinstance(window, Metered)
    assert window.value == pytest.approx(500.0)


def test_polled_power_is_held_until_the_next_reading_and_to_both_edges():
    found = window_energy(polled(*[100.0] * 10, *[200.0] * 10, *[100.0] * 20), 0.95, 2.05)
    assert isinstance(found, Metered)
    assert found.value == pytest.approx(0.05 * 100 + 1.0 * 200 + 0.05 * 100)
    assert found.low < found.value < found.high


@pytest.mark.parametrize("read", [steady_power, window_energy])
def test_polled_power_that_falls_silent_is_not_held_to_the_end(read):
    readings = [250.0] * 40  # until 3.9 s
    assert isinstance(read(polled(*readings), 2.05, 4.3), Metered)
    assert isinstance(read(polled(*readings), 2.05, 5.05), Caveat)
    lost = replace(polled(*readings), troubles=(Trouble(TroubleKind.LOST, 4.0, "GPU is lost"),))
    found = read(lost, 2.05, 5.05)
    assert isinstance(found, Caveat)
    assert found.kind is CaveatKind.SENSOR_LOST


def test_polled_power_that_began_late_is_not_held_back_to_the_start():
    late = tuple(reading for reading in polled(*[250.0] * 80).readings if reading.at_s > 3.0)
    assert isinstance(window_energy(replace(polled(), readings=late), 2.05, 7.05), Caveat)


def test_a_mean_over_a_second_needs_a_block_longer_than_that():
    slow = replace(polled(*[250.0] * 60), averaged_s=1.0)
    assert isinstance(steady_power(slow, 2.05, 3.05), Caveat)
    assert isinstance(steady_power(slow, 2.05, 4.55), Metered)


def test_the_bounds_of_a_window_are_the_readings_around_its_edges():
    found = window_energy(counted(100.0), 2.05, 4.05)
    assert isinstance(found, Metered)
    assert found.value == pytest.approx(200.0)
    assert (found.low, found.high) == (pytest.approx(190.0, abs=0.01), pytest.approx(210.0, abs=0.01))


def test_a_counter_that_may_be_late_has_wider_bounds():
    found = window_energy(counted(100.0, late_s=0.05), 2.08, 4.08)
    assert isinstance(found, Metered)
    assert found.high == pytest.approx(220.0, abs=0.01)


def test_the_peak_is_the_highest_power_that_was_seen():
    assert peak_power(polled(100.0, 100.0, 400.0, 100.0, 100.0), 0.0, 0.4) == 400.0
    assert peak_power(counted(150.0), 2.0, 3.0) == pytest.approx(150.0)
    assert peak_power(polled(), 0.0, 1.0) is None


@given(
    edges=st.lists(st.floats(101.5, 108.0), min_size=3, max_size=3, unique=True).map(sorted),
    load=st.sampled_from([constant(300.0), square(80.0, 500.0, 0.7), sine(300.0, 200.0, 1.3)]),
    by_counter=st.booleans(),
)
def test_the_energy_of_a_window_is_the_sum_of_its_parts(edges, load, by_counter):
    clock = ScriptedClock()
    trace = run_sampler(clock, [(counter if by_counter else power)(clock, load)], 10.0).take().traces[0]
    start_s, middle_s, stop_s = edges
    whole, left, right = (
        window_energy(trace, *window) for window in ((start_s, stop_s), (start_s, middle_s), (middle_s, stop_s))
    )
    if isinstance(left, Metered) and isinstance(right, Metered):
        assert isinstance(whole, Metered)
        assert left.value + right.value == pytest.approx(whole.value, abs=1e-6)


@given(factor=st.floats(0.1, 10.0), start_s=st.floats(2.0, 5.0), length_s=st.floats(1.0, 10.0))
def test_scaling_the_power_scales_the_energy(factor, start_s, length_s):
    one, other = (window_energy(counted(100.0 * f), start_s, start_s + length_s) for f in (1.0, factor))
    assert isinstance(one, Metered)
    assert isinstance(other, Metered)
    assert other.value == pytest.approx(factor * one.value)


@given(
    step_s=st.sampled_from([0.02, 0.1]),
    late_s=st.floats(0.0, 0.05),
    phase_s=st.floats(0.0, 0.1),
    start_s=st.floats(101.5, 102.5),
)
def test_a_block_of_a_second_is_within_a_percent_whatever_ran_before(step_s, late_s, phase_s, start_s):
    clock = ScriptedClock(now_s=100.0 + phase_s)
    load = steps((0.0, 500.0), (start_s, 100.0))
    trace = run_sampler(clock, [counter(clock, load, step_s=step_s, late_s=late_s)], 4.0).take().traces[0]
    found = steady_power(trace, start_s, start_s + 1.0)
    assert isinstance(found, Metered)
    assert found.value == pytest.approx(100.0, rel=0.01)


@given(
    load=st.sampled_from([square(50.0, 600.0, 0.37, 0.3), square(50.0, 600.0, 1.9), sine(300.0, 250.0, 0.6)]),
    late_s=st.floats(0.0, 0.05),
    start_s=st.floats(101.5, 102.5),
    length_s=st.floats(0.6, 4.0),
)
def test_the_truth_lies_within_the_bounds_of_any_window_by_the_counter(load, late_s, start_s, length_s):
    clock = ScriptedClock()
    trace = run_sampler(clock, [counter(clock, load, late_s=late_s)], 8.0).take().traces[0]
    found = window_energy(trace, start_s, start_s + length_s)
    assert isinstance(found, Metered)
    assert found.low <= load(start_s + length_s) - load(start_s) <= found.high


# --- a trial -------------------------------------------------------------------------------------------------------


def test_energy_per_step_is_power_times_seconds_per_step():
    energy = energy_of(energy_trial(step_s=0.1), log_of(counted(100.0)), 0.95)
    assert energy.total is not None
    gross = energy.total.gross
    assert gross is not None
    assert (gross.value, gross.unit, gross.n) == (pytest.approx(10.0), "J", 2)
    assert gross.components == ("GPU-fake",)
    assert not gross.estimated
    assert energy.per_item is not None
    assert energy.per_item.value == pytest.approx(10.0 / 32)
    assert energy.energy_delay is not None
    assert energy.energy_delay.value == pytest.approx(1.0)
    assert energy.caveats == ()


def test_the_systematic_error_is_kept_apart_and_is_that_of_the_boards_gain():
    energy = energy_of(energy_trial(), log_of(counted(100.0)), 0.95)
    assert energy.total is not None
    power_w = energy.total.power
    assert isinstance(power_w, EnergyEstimate)
    assert power_w.high == pytest.approx(100.0, rel=1e-3)
    assert (power_w.systematic_low, power_w.systematic_high) == (
        pytest.approx(90.1, abs=0.1),
        pytest.approx(106.4, abs=0.1),
    )


def test_net_of_idle_is_less_by_what_idling_takes_as_long():
    readings = [Reading(n / 10, n / 10, 40.0 * min(n, 20) / 10 + 100.0 * max(0, n - 20) / 10) for n in range(600)]
    spans = (Span(SpanKind.IDLE, 0, 0.2, 1.8),)
    energy = energy_of(energy_trial(), log_of(counted(readings=tuple(readings)), spans=spans), 0.95)
    assert energy.total is not None
    assert energy.total.idle_w == pytest.approx(40.0)
    assert energy.total.net is not None
    assert energy.total.net.value == pytest.approx(6.0)


def test_without_idle_there_is_no_net():
    energy = energy_of(energy_trial(), log_of(counted(100.0)), 0.95)
    assert energy.total is not None
    assert (energy.total.net, energy.total.idle_w) == (None, None)


def test_components_are_added_and_psys_is_not():
    traces = [
        counted(100.0),
        counted(30.0, component=CPU, source="rapl"),
        counted(200.0, component=PSYS, source="rapl"),
    ]
    energy = energy_of(energy_trial(), log_of(*traces), 0.95)
    assert energy.total is not None
    assert energy.total.gross is not None
    assert energy.total.gross.value == pytest.approx(13.0)
    assert energy.total.gross.components == ("GPU-fake", "cpu package 0")
    assert energy.total.gross.systematic_low is None  # nothing is known of RAPL's gain
    assert [part.component for part in energy.components] == [GPU, CPU, PSYS]


def test_only_the_gpus_asked_for_are_counted():
    other = Component(Part.GPU, "GPU-other")
    log = log_of(counted(100.0), counted(300.0, component=other))
    for gpus, expected in ((None, 40.0), ({"GPU-fake"}, 10.0), ({"GPU-other"}, 30.0)):
        energy = energy_of(energy_trial(), log, 0.95, gpus)
        assert energy.total is not None
        assert energy.total.gross is not None
        assert energy.total.gross.value == pytest.approx(expected)


@pytest.mark.parametrize(
    ("device", "power", "expected"),
    [
        ("cuda:0", "auto", {"GPU-fake"}),
        ("cuda:1", "nvml+tdp:65", {"GPU-other"}),
        ("cuda", "auto", {"GPU-fake"}),
        ("cpu", "auto", set()),  # idle GPUs are no part of what a CPU did
        ("cuda:2", "auto", None),  # not among those that could be told apart
        ("cuda:0", "rapl+nvml:0,1", {"GPU-fake", "GPU-other"}),  # as the user says
        ("cpu", "rapl+nvml:0,1", set()),  # of groups on GPUs
    ],
)
def test_the_gpus_that_count_are_the_group_s_own_or_those_the_user_named(device, power, expected):
    other = Component(Part.GPU, "GPU-other")
    devices = (("cuda:0", "GPU-fake"), ("cuda:1", "GPU-other"))
    log = log_of(counted(100.0), counted(300.0, component=other), counted(30.0, component=CPU), devices=devices)
    assert counted_gpus(log, device, power) == expected


@pytest.mark.parametrize(
    ("device", "trace", "lacking"),
    [
        ("cuda:0", counted(30.0, component=CPU, source="rapl"), ("GPU-own", "nvml")),  # --bench-power rapl
        ("cuda:0", counted(100.0), ("GPU-own", "nvml")),  # --bench-power nvml:1
        ("cuda:1", counted(30.0, component=CPU, source="rapl"), ("GPU", "nvml")),
        ("cpu", counted(100.0), ("cpu package", "rapl")),  # --bench-power nvml
    ],
)
def test_without_what_did_the_work_nothing_is_summed_and_the_row_says_so(device, trace, lacking):
    log = log_of(trace, devices=(("cuda:0", "GPU-own"),))
    trial, other = energy_trial(device=device), energy_trial(device=device, layout="channels_last")
    energy = energy_of(trial, log, 0.95)
    assert (energy.total, energy.per_item, energy.energy_delay, energy.set_up_cold) == (None, None, None, None)
    (caveat,) = energy.caveats
    figures = dict(caveat.figures)
    assert (caveat.kind, figures["component"], figures["source"]) == (CaveatKind.NO_SENSOR, *lacking)
    assert "--bench-power left it out" in str(figures["reason"])
    assert len(energy.components) == 1  # which is shown for what it is
    assert compare_energy(other, trial, log, 0.95) is None


def test_a_part_that_could_not_be_read_is_not_told_of_twice():
    lack = Unread(Part.GPU, "GPU", "nvml", "not supported", "another board")
    log = log_of(counted(30.0, component=CPU, source="rapl"), unread=(lack,), devices=(("cuda:0", "GPU-own"),))
    energy = energy_of(energy_trial(), log, 0.95, {"GPU-own"})
    assert energy.total is None
    assert [dict(caveat.figures)["reason"] for caveat in energy.caveats] == ["not supported"]


def test_where_a_gpu_cannot_be_told_from_another_all_count_and_the_row_says_so():
    other = Component(Part.GPU, "GPU-other")
    both = log_of(counted(100.0), counted(300.0, component=other))
    (caveat,) = energy_of(energy_trial(), both, 0.95, None).caveats
    assert caveat.kind is CaveatKind.EVERY_GPU
    assert dict(caveat.figures)["gpus"] == 2
    assert energy_of(energy_trial(), log_of(counted(100.0)), 0.95, None).caveats == ()


def test_a_gpu_that_could_not_be_read_is_no_lack_of_a_group_on_the_cpu():
    lack = Unread(Part.GPU, "GPU", "nvml", "no driver", "install it")
    log = log_of(counted(30.0, component=CPU, source="rapl"), unread=(lack,))
    assert energy_of(energy_trial(device="cpu"), log, 0.95, set()).caveats == ()
    assert kinds(energy_of(energy_trial(), log, 0.95, None).caveats) == [CaveatKind.NO_SENSOR]


def test_the_log_of_a_run_that_was_broken_off_may_end_before_its_last_blocks():
    trial = energy_trial()
    first, *_, last = sorted(sample.start_s for sample in trial.samples)
    log = PowerLog(first - 1.0, last - 0.1, (counted(100.0),))
    elsewhere = PowerLog(last + 500.0, last + 600.0, (counted(100.0),))
    run = replace(make_run(trial), power=(elsewhere, log))
    assert run.log_of([trial]) is log
    assert replace(run, power=(elsewhere,)).log_of([trial]) is None


def test_a_component_that_could_not_be_read_is_named():
    lack = Unread(Part.CPU, "cpu package", "rapl", "no permission", "chmod it")
    energy = energy_of(energy_trial(), log_of(counted(100.0), unread=(lack,)), 0.95)
    (caveat,) = energy.caveats
    assert caveat == Caveat.of(
        CaveatKind.NO_SENSOR, component="cpu package", source="rapl", reason="no permission", fix="chmod it"
    )


def test_a_log_of_nothing_gives_no_numbers():
    energy = energy_of(energy_trial(), log_of(), 0.95)
    assert (energy.total, energy.components, energy.per_item, energy.set_up_cold) == (None, (), None, None)


def test_where_the_counter_stalls_power_stands_in_and_it_is_said():
    energy = energy_of(energy_trial(), log_of(counted(100.0, to_s=1.0), polled(*[110.0] * 600)), 0.95)
    assert energy.total is not None
    assert energy.total.gross is not None
    assert energy.total.gross.sources == ("nvml instant power",)
    assert energy.total.gross.value == pytest.approx(11.0)
    assert kinds(energy.caveats) == [CaveatKind.SENSOR_STALLED]


def test_a_counter_and_power_readings_that_disagree_are_called_so():
    agree = energy_of(energy_trial(), log_of(counted(187.0), polled(*[190.0] * 600)), 0.95)
    assert agree.caveats == ()
    energy = energy_of(energy_trial(), log_of(counted(187.0), polled(*[327.0] * 600)), 0.95)
    (caveat,) = energy.caveats
    assert caveat.kind is CaveatKind.COUNTERS_DISAGREE
    assert dict(caveat.figures)["difference"] == pytest.approx(1 - 187 / 327)


def test_energy_blocks_at_another_speed_than_the_timing_blocks_are_doubted():
    trial = energy_trial(step_s=0.1)
    slower = replace(
        trial, samples=tuple(s._replace(steps=8) if s.kind is SampleKind.ENERGY else s for s in trial.samples)
    )
    assert kinds(energy_of(slower, log_of(counted()), 0.95).caveats) == [CaveatKind.SPEED_DISAGREES]


def test_a_model_is_flagged_as_an_estimate_wherever_it_has_a_part():
    model = counted(40.0, component=CPU, source="tdp model", kind=SourceKind.MODEL)
    energy = energy_of(energy_trial(), log_of(counted(100.0), model), 0.95)
    assert energy.total is not None
    assert energy.total.gross is not None
    assert energy.total.gross.estimated
    assert [part.gross.estimated for part in energy.components if part.gross] == [False, True]
    assert kinds(energy.caveats) == [CaveatKind.ESTIMATED]


def test_the_gaps_between_single_steps_are_in_their_energy():
    """Power is that of the whole block, so a joule a step is that power times all that passes until the next step."""
    trial = energy_trial(waves=1, rounds=1)
    steps = tuple(Sample(0, 0, 0, None, 2.0 + 0.1 * n, 1, 0.08, None, SampleKind.ENERGY) for n in range(20))
    singly = replace(trial, samples=(*(s for s in trial.samples if s.kind is not SampleKind.ENERGY), *steps))
    energy = energy_of(singly, log_of(counted(100.0)), 0.95)
    assert energy.total is not None
    assert energy.total.gross is not None
    assert energy.total.gross.value == pytest.approx(100.0 * (1.9 + 0.08) / 20)


def test_set_up_energy_is_that_of_the_spans_of_the_case():
    trial = energy_trial()
    spans = (
        Span(SpanKind.SET_UP, 0, 10.05, 14.05, trial.case.name),
        Span(SpanKind.SET_UP, 1, 30.05, 31.05, trial.case.name),
        Span(SpanKind.SET_UP, 1, 40.05, 45.05, "somebody else"),
    )
    energy = energy_of(trial, log_of(counted(100.0), spans=spans), 0.95)
    assert energy.set_up_cold is not None
    assert energy.set_up_warm is not None
    assert energy.set_up_cold.value == pytest.approx(400.0)
    assert energy.set_up_warm.value == pytest.approx(100.0)


def test_several_set_ups_have_a_range_and_no_confidence():
    trial = energy_trial(waves=3)
    spans = tuple(
        Span(SpanKind.SET_UP, wave, 10.05 + 20 * wave, 11.05 + 20 * wave + wave, trial.case.name) for wave in range(3)
    )
    warm = energy_of(trial, log_of(counted(100.0), spans=spans), 0.95).set_up_warm
    assert warm is not None
    assert (warm.low, warm.high) == (pytest.approx(200.0), pytest.approx(300.0))
    assert warm.confidence is None


def test_a_gpu_that_the_user_named_and_nobody_could_read_is_told():
    lack = Unread(Part.GPU, "GPU-other", "nvml", "no permission", "ask for it")
    log = log_of(counted(100.0), unread=(lack,))
    counts = counted_gpus(log, "cuda:0", "nvml:0,1")
    assert counts == {"GPU-fake", "GPU-other"}
    assert kinds(energy_of(energy_trial(), log, 0.95, counts).caveats) == [CaveatKind.NO_SENSOR]


def test_readings_that_do_not_follow_one_another_are_no_evidence():
    for readings in (
        (Reading(0.0, 0.1, 1.0), Reading(0.1, 0.1, 2.0)),
        (Reading(0.2, 0.1, 1.0),),
        (Reading(0.0, 0.1, math.nan),),
    ):
        with pytest.raises(MeasurementError, match="no evidence"):
            counted(readings=readings)


def test_half_the_energy_is_a_ratio_of_two():
    readings = [Reading(n / 10, n / 10, 100.0 * n / 10) for n in range(600)]
    log = log_of(counted(readings=tuple(readings)))
    fast, slow = energy_trial(step_s=0.05, precision="bf16"), energy_trial(step_s=0.1)
    comparison = compare_energy(fast, slow, log, 0.95)
    assert comparison is not None
    assert comparison.speedup == pytest.approx(2.0)
    assert comparison.over_waves
    same = compare_energy(slow, slow, log, 0.95)
    assert same is not None
    assert same.speedup == pytest.approx(1.0)
    assert compare_energy(fast, slow, log_of(), 0.95) is None


def test_an_estimate_is_never_compared_with_a_measurement():
    trial, baseline = make_trial(layout="channels_last"), energy_trial(waves=1, device="cpu")
    late = tuple(Sample(0, n, 0, None, 32.0 + 2 * n, 10, 1.0, None, SampleKind.ENERGY) for n in range(2))
    ours = replace(trial, samples=late)
    model = counted(40.0, component=CPU, source="tdp model", kind=SourceKind.MODEL)
    until = counted(100.0, to_s=30.0, component=CPU)
    with pytest.raises(ComparisonError, match="same sensors"):
        compare_energy(ours, baseline, log_of(until, model), 0.95)


@given(st.lists(st.floats(50.0, 500.0), min_size=1, max_size=3))
def test_all_rows_of_a_run_carry_the_same_components(watts):
    components = [Component(Part.GPU, f"GPU-{n}") for n in range(len(watts))]
    log = log_of(*(counted(w, component=c) for w, c in zip(watts, components, strict=True)))
    rows = [energy_of(energy_trial(step_s=step_s), log, 0.95) for step_s in (0.05, 0.1)]
    for row in rows:
        assert tuple(part.component for part in row.components) == log.components
        assert row.total is not None
        assert row.total.power is not None
        assert row.total.power.value == pytest.approx(math.fsum(watts))
