"""``bench.energy_window``: a user's own code, no pytest, no torch."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from bench.analysis.energy import EnergyEstimate
from bench.energy import EnergyWindow, _fill, _without_us, energy_window
from bench.errors import UsageError
from bench.instruments.fakes import ScriptedClock, ScriptedWatch, constant, counter, power, run_sampler, square
from bench.instruments.power import Panel, SensorError, SensorFacts
from bench.records import CaveatKind
from bench.records.power import Board, Component, GpuState, Part, SourceKind, Unread

CPU = Component(Part.CPU, "cpu package 0")


def filled(*sensors, clock: ScriptedClock, **panel) -> EnergyWindow:
    """A window from second 102 to 104, in virtual time."""
    window = EnergyWindow()
    _fill(window, run_sampler(clock, sensors, 6.0, **panel).take(), 102.0, 104.0)
    return window


class RealCounter:
    """A counter of 100 W on the real clock that is always up to date; errs once it has been told to."""

    facts = SensorFacts(CPU, "scripted", SourceKind.COUNTER, "J", 1e-6, None, 0.0, 0.001)
    gone = False

    def read(self) -> float:
        if self.gone:
            raise SensorError("gone", lost=True)
        return 100.0 * time.perf_counter()


def work_that_fails() -> None:
    time.sleep(0.4)
    raise KeyError("theirs")


def test_energy_is_the_sum_of_what_was_measured_with_bounds_around_it():
    clock = ScriptedClock()
    window = filled(counter(clock, constant(300.0)), counter(clock, constant(50.0), component=CPU), clock=clock)
    assert isinstance(window.energy, EnergyEstimate)
    assert window.energy.value == pytest.approx(700.0, rel=0.01)
    assert window.energy.low is not None
    assert window.energy.high is not None
    assert window.energy.low < 700.0 < window.energy.high
    assert window.energy.unit == "J"
    assert window.duration_s == 2.0
    assert [(component.name, round(e.value, -1)) for component, e in window.components if e] == [
        ("GPU-fake", 600.0),
        ("cpu package 0", 100.0),
    ]
    assert window.caveats == ()


@pytest.mark.parametrize("at_work", [True, False])
@pytest.mark.parametrize("hidden", [True, False])
def test_our_own_process_on_a_gpu_is_no_stranger(at_work, hidden):
    """In a container the driver knows us by another number: who was there before is then us, if we were there."""
    known_as = 4711 if hidden else os.getpid()
    clock = ScriptedClock()
    state = GpuState(0.0, "GPU-fake", processes=(known_as,))
    sampler = run_sampler(
        clock,
        [counter(clock, constant(300.0))],
        6.0,
        watches=(ScriptedWatch(lambda at_s: state._replace(at_s=at_s)),),
        boards=(Board("GPU-fake", "a GPU", 0),),
        before=(("GPU-fake", known_as),),
    )
    window = EnergyWindow()
    _fill(window, _without_us(sampler.take([os.getpid()]), at_work=at_work), 102.0, 104.0)
    strangers = [caveat.kind for caveat in window.caveats if caveat.kind is CaveatKind.SHARED]
    assert strangers == ([CaveatKind.SHARED] if hidden and not at_work else [])


def test_psys_stands_beside_the_sum():
    clock = ScriptedClock()
    window = filled(
        counter(clock, constant(50.0), component=CPU),
        counter(clock, constant(90.0), component=Component(Part.PSYS, "psys")),
        clock=clock,
    )
    assert window.energy is not None
    assert window.energy.components == ("cpu package 0",)
    assert len(window.components) == 2


def test_a_swinging_load_is_not_called_a_disagreement():
    clock = ScriptedClock()
    load = square(50.0, 600.0, 0.3)
    assert filled(counter(clock, load), power(clock, load), clock=clock).caveats == ()


def test_sensors_that_disagree_are_called_so():
    clock = ScriptedClock()
    window = filled(counter(clock, constant(187.0)), power(clock, constant(327.0)), clock=clock)
    assert [caveat.kind for caveat in window.caveats] == [CaveatKind.COUNTERS_DISAGREE]


def test_a_sensor_lost_inside_leaves_the_others_and_is_named():
    clock = ScriptedClock()
    window = filled(
        counter(clock, constant(300.0), loses_s=103.0), counter(clock, constant(50.0), component=CPU), clock=clock
    )
    assert window.energy is not None
    assert window.energy.components == ("cpu package 0",)
    assert [caveat.kind for caveat in window.caveats] == [CaveatKind.SENSOR_LOST]


def test_what_could_not_be_read_is_named_and_without_any_there_is_no_number():
    lack = Unread(Part.GPU, "GPU", "nvml", "no driver", "install it")
    window = filled(clock=ScriptedClock(), unread=(lack,))
    assert window.energy is None
    assert window.duration_s == 2.0
    assert [caveat.kind for caveat in window.caveats] == [CaveatKind.NO_SENSOR]


def test_a_model_makes_an_estimate():
    clock = ScriptedClock()
    window = filled(counter(clock, constant(50.0), component=CPU, kind=SourceKind.MODEL), clock=clock)
    assert window.energy is not None
    assert window.energy.estimated
    assert [caveat.kind for caveat in window.caveats] == [CaveatKind.ESTIMATED]


def test_in_real_time_the_truth_lies_within_the_bounds():
    with energy_window(panel=Panel((RealCounter(),))) as window:
        assert window.energy is None
        start_s = time.perf_counter()
        time.sleep(0.4)
        truth_j = 100.0 * (time.perf_counter() - start_s)
    assert window.energy is not None
    assert window.energy.low is not None
    assert window.energy.high is not None
    assert window.energy.low <= truth_j <= window.energy.high
    assert window.duration_s == pytest.approx(truth_j / 100.0, abs=0.05)


def test_a_body_that_raises_is_measured_and_its_error_goes_on():
    closed = []
    panel = replace(Panel((RealCounter(),)), close=lambda: closed.append(True))
    with pytest.raises(KeyError, match="theirs"), energy_window(panel=panel) as window:
        work_that_fails()
    assert window.energy is not None
    assert closed == [True]


def test_a_window_too_short_for_its_sensor_says_so():
    with energy_window(panel=Panel((RealCounter(),))) as window:
        pass
    assert window.energy is None
    assert [caveat.kind for caveat in window.caveats] == [CaveatKind.WINDOW_TOO_SHORT]


def test_off_measures_the_time_only():
    with energy_window("off") as window:
        pass
    assert window.energy is None
    assert window.duration_s is not None
    assert window.caveats == ()


def test_nonsense_is_refused_before_the_body_runs():
    with pytest.raises(UsageError), energy_window("gpu"):
        pytest.fail("the body ran")


def test_it_loads_neither_torch_nor_pandas_nor_the_vendors_library():
    code = (
        "import sys, bench.energy\n"
        "with bench.energy.energy_window('off') as window: pass\n"
        "print(sorted({'torch', 'pandas', 'pynvml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


def test_several_gpus_that_nobody_named_are_summed_and_it_is_said():
    clock = ScriptedClock()
    other = Component(Part.GPU, "GPU-other")
    window = filled(counter(clock, constant(300.0)), counter(clock, constant(70.0), component=other), clock=clock)
    (caveat,) = window.caveats
    assert (caveat.kind, dict(caveat.figures)["gpus"]) == (CaveatKind.SUMMED_GPUS, 2)
    clock = ScriptedClock()
    sensors = [counter(clock, constant(300.0)), counter(clock, constant(70.0), component=other)]
    named = EnergyWindow()
    _fill(named, run_sampler(clock, sensors, 6.0).take(), 102.0, 104.0, named=True)
    assert named.caveats == ()
