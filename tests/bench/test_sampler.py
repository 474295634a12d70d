"""The sampler in virtual time: what it notes, what it costs in reads, what it survives."""

from __future__ import annotations

import math
import random
import threading

import msgspec
import pytest

from bench.instruments.fakes import (
    GPU,
    ScriptedClock,
    ScriptedSensor,
    ScriptedWatch,
    constant,
    counter,
    drive,
    power,
    run_sampler,
    sine,
)
from bench.instruments.power import Panel, SensorError, SensorFacts
from bench.instruments.sampler import Sampler
from bench.records.power import Component, GpuState, Part, PowerLog, SourceKind, Span, SpanKind, TroubleKind, joined


@pytest.fixture
def clock() -> ScriptedClock:
    return ScriptedClock()


def trace_of(sampler: Sampler, number: int = 0):
    return sampler.take().traces[number]


def kinds(trace) -> list[TroubleKind]:
    return [trouble.kind for trouble in trace.troubles]


@pytest.mark.parametrize("step_s", [0.05, 0.1])
def test_every_change_of_a_counter_is_noted_to_within_a_few_milliseconds(clock, step_s):
    trace = trace_of(run_sampler(clock, [counter(clock, constant(300.0), step_s=step_s)], 10.0))
    assert len(trace.readings) == pytest.approx(10.0 / step_s, abs=2)
    assert max(reading.at_s - reading.since_s for reading in trace.readings) < 0.003
    for reading in trace.readings[1:]:
        change_s = math.floor(reading.at_s / step_s) * step_s
        assert reading.since_s <= change_s <= reading.at_s
    assert trace.period_s == pytest.approx(step_s, rel=0.02)


def test_of_a_fast_counter_every_third_change_is_waited_for(clock):
    trace = trace_of(run_sampler(clock, [counter(clock, constant(300.0), step_s=0.02)], 10.0))
    assert trace.period_s == pytest.approx(0.06, rel=0.02)
    assert max(reading.at_s - reading.since_s for reading in trace.readings) < 0.003


def test_a_counter_too_fast_to_follow_is_read_at_a_steady_pace(clock):
    trace = trace_of(run_sampler(clock, [counter(clock, constant(300.0), step_s=0.001)], 5.0))
    assert trace.period_s == 0.05
    assert len(trace.readings) < 300  # learning takes some


def test_it_sleeps_most_of_the_time(clock):
    sampler = run_sampler(clock, [counter(clock, constant(300.0)), power(clock, sine(300.0, 50.0, 0.77))], 100.0)
    assert sampler.take().cost.reads < 60 * 100


def test_a_sampler_that_wakes_late_now_and_then_finds_the_rhythm_again(clock):
    draw = random.Random(3)
    sampler = Sampler(Panel((counter(clock, constant(300.0)),)), clock=clock, cpu_clock=lambda: 0.0)
    drive(sampler, clock, 30.0, lambda _: 0.04 if draw.random() < 0.02 else 0.0002)
    blurs = sorted(reading.at_s - reading.since_s for reading in trace_of(sampler).readings)
    assert blurs[int(0.8 * len(blurs))] < 0.003
    assert sampler.take().cost.late_max_s == pytest.approx(0.04, rel=0.01)


def test_a_power_that_never_changes_is_noted_all_the_same(clock):
    trace = trace_of(run_sampler(clock, [power(clock, constant(250.0))], 5.0))
    assert {reading.value for reading in trace.readings} == {250.0}
    assert len(trace.readings) >= 35
    assert trace.troubles == ()


def test_a_second_source_of_a_component_is_read_along_with_the_first(clock):
    sensors = [counter(clock, constant(250.0)), power(clock, constant(250.0))]
    counted, polled = run_sampler(clock, sensors, 5.0).take().traces
    times = {reading.at_s for reading in counted.readings}
    assert sum(min(abs(reading.at_s - t) for t in times) < 0.001 for reading in polled.readings) > 40


def test_a_counter_that_stands_still_is_reported_once_and_goes_on(clock):
    def energy(time_s: float) -> float:
        return 300.0 * (min(time_s, 102.0) + max(0.0, time_s - 108.0))

    trace = trace_of(run_sampler(clock, [counter(clock, energy)], 12.0))
    (trouble,) = trace.troubles
    assert (trouble.kind, trouble.times) == (TroubleKind.STALLED, 1)
    assert trouble.at_s == pytest.approx(104.0, abs=0.2)
    assert trace.readings[-1].at_s > 111.0


def test_a_sensor_that_errs_is_tried_again(clock):
    trace = trace_of(
        run_sampler(clock, [counter(clock, constant(300.0), fails=lambda now_s: 102.0 < now_s < 103.0)], 6.0)
    )
    (trouble,) = trace.troubles
    assert trouble.kind is TroubleKind.ERRED
    assert 3 <= trouble.times <= 5
    assert trace.readings[-1].at_s > 105.5


def test_a_sensor_that_is_lost_is_left_alone_and_the_others_go_on(clock):
    other = Component(Part.CPU, "cpu package 0")
    sensors = [
        counter(clock, constant(300.0), loses_s=102.0),
        counter(clock, constant(50.0), component=other),
    ]
    first, second = run_sampler(clock, sensors, 6.0).take().traces
    assert kinds(first) == [TroubleKind.LOST]
    assert first.troubles[0].times == 1
    assert first.readings[-1].at_s < 102.0
    assert second.readings[-1].at_s > 105.5


def test_an_error_that_nobody_foresaw_ends_that_sensor_only(clock):
    def broken(_: float) -> float:
        raise ZeroDivisionError("surprise")

    facts = SensorFacts(GPU, "broken", SourceKind.POWER, "W", 1e-3)
    other = counter(clock, constant(50.0), component=Component(Part.CPU, "cpu"))
    first, second = run_sampler(clock, [ScriptedSensor(facts, clock, broken), other], 3.0).take().traces
    assert kinds(first) == [TroubleKind.LOST]
    assert "ZeroDivisionError: surprise" in first.troubles[0].reason
    assert len(second.readings) > 20


def test_memory_is_bounded_and_says_when_it_was(clock):
    sampler = Sampler(Panel((counter(clock, constant(300.0)),)), clock=clock, cpu_clock=lambda: 0.0, most_readings=100)
    drive(sampler, clock, 60.0)
    trace = trace_of(sampler)
    assert len(trace.readings) <= 100
    assert kinds(trace) == [TroubleKind.THINNED]
    assert trace.readings[0].at_s < 101.0
    assert trace.readings[-1].at_s > 159.0


def test_a_lost_watch_is_said_and_the_sensors_go_on(clock):
    def state(at_s: float) -> GpuState:
        if at_s > 102.0:
            raise SensorError("gone", lost=True)
        return GpuState(at_s, "GPU-fake")

    log = run_sampler(clock, [counter(clock, constant(300.0))], 4.0, watches=(ScriptedWatch(state),)).take()
    assert [trouble.kind for trouble in log.troubles] == [TroubleKind.LOST]
    assert len(log.states) in {4, 5}
    assert log.traces[0].readings[-1].at_s > 103.5


def test_a_log_goes_through_json_unchanged(clock):
    log = run_sampler(clock, [counter(clock, constant(300.0)), power(clock, constant(300.0))], 2.0).take(ours=[3, 2, 3])
    assert log.ours == (2, 3)
    assert msgspec.json.decode(msgspec.json.encode(log), type=PowerLog) == log


def test_a_panel_of_nothing_starts_no_thread():
    before = threading.active_count()
    sampler = Sampler(Panel())
    sampler.start()
    assert threading.active_count() == before
    sampler.stop()
    assert sampler.take().traces == ()
    assert sampler.ready()


def test_stopping_closes_the_panel_and_ends_the_thread():
    closed = []
    clock = ScriptedClock()
    panel = Panel((counter(clock, constant(1.0)),), close=lambda: closed.append(True))
    sampler = Sampler(panel)
    before = threading.active_count()
    sampler.start()
    assert threading.active_count() == before + 1
    sampler.pause()
    sampler.start()
    sampler.stop()
    assert threading.active_count() == before
    assert closed == [True]


def test_what_is_taken_in_pieces_is_what_would_have_been_taken_at_once_and_is_forgotten():
    def pieces(count: int) -> list[PowerLog]:
        clock = ScriptedClock()
        sensors = (counter(clock, constant(300.0)), power(clock, sine(300.0, 50.0, 0.77)))
        sampler = Sampler(
            Panel(sensors, watches=(ScriptedWatch(lambda at_s: GpuState(round(at_s, 3), "GPU-1")),)),
            clock=clock,
            cpu_clock=lambda: 0.0,
        )
        logs = []
        for number in range(count):
            sampler.span(Span(SpanKind.IDLE, number, clock(), clock() + 1.0))
            drive(sampler, clock, 12.0 / count)
            logs.append(sampler.take(ours=[number]))
        return logs

    (whole,), parts = pieces(1), pieces(4)
    again = joined(parts)
    assert again is not None
    assert [trace.readings for trace in again.traces] == [trace.readings for trace in whole.traces]
    assert again.states == whole.states
    assert len(whole.states) == 24
    assert (again.start_s, again.stop_s) == pytest.approx((whole.start_s, whole.stop_s), abs=1e-4)
    assert [len(part.spans) for part in parts] == [1] * 4
    assert max(len(part.traces[0].readings) for part in parts) < len(whole.traces[0].readings) / 3
    assert again.ours == (0, 1, 2, 3)
