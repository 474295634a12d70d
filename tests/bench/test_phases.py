"""The pass that times phases: beside the samples, additive, and without harm to a case when it fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import MeasurementError, Plan, Run, load, profiling
from bench.analysis import differences, host_bound, spots, step_times, summarise
from bench.measurement import GroupMeasurement
from bench.records import Caveat, CaveatKind, DeviceWork, Hotspot, PhaseBlock, Profile, SpotKind, Trial
from bench.storage import save
from bench.surroundings import Surroundings
from bench.workers.crew import WorkerError
from bench.workers.fakes import Scene, Script
from bench.workers.messages import Inspect
from tests.bench import workloads
from tests.factories import make_run, make_trial

NAMES = ("backward", "forward")


def _block(wave: int, *rows: tuple[float, float, float]) -> PhaseBlock:
    return PhaseBlock(wave, "host", NAMES, rows)


def test_phases_and_the_rest_add_up_to_the_step_and_stand_in_the_order_of_a_step() -> None:
    trial = replace(make_trial(), phases=(_block(0, (10.0, 6.0, 3.0)), _block(1, (12.0, 7.0, 4.0))))
    times = step_times(trial, 0.95)
    assert times is not None
    assert [(one.name, one.seconds.value) for one in times.phases] == [
        ("forward", 3.5),
        ("backward", 6.5),
        ("other", 1.0),
    ]
    assert times.step.value == 11.0
    assert times.phases[0].share == pytest.approx(3.5 / 11)
    assert times.phases[0].seconds.low is not None


def test_a_stall_in_one_step_moves_nothing() -> None:
    rows = [(10.0, 6.0, 3.0)] * 7 + [(500.0, 6.0, 493.0)]
    times = step_times(replace(make_trial(), phases=(_block(0, *rows),)), 0.95)
    assert times is not None
    assert times.step.value == 10.0
    assert times.step.low is None  # one wave has no interval


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30))
def test_whatever_was_seen_the_parts_are_the_whole(parts: list[tuple[float, float, float]]) -> None:
    rows = [(sum(one) + 0.01, one[0], one[1]) for one in parts]
    times = step_times(replace(make_trial(), phases=(_block(0, *rows),)), 0.95)
    assert times is not None
    assert sum(one.seconds.value for one in times.phases) == pytest.approx(times.step.value)


def test_a_trial_without_the_pass_has_no_phases() -> None:
    assert step_times(make_trial(), 0.95) is None


def test_a_row_that_is_no_evidence_is_refused() -> None:
    with pytest.raises(MeasurementError, match="no evidence"):
        _block(0, (1.0, 2.0, -1.0))
    with pytest.raises(MeasurementError, match="no evidence"):
        PhaseBlock(0, "host", ("forward",), ((1.0,),))


def test_a_step_of_no_time_has_phases_without_a_share() -> None:
    times = step_times(replace(make_trial(), phases=(_block(0, (0.0, 0.0, 0.0)),)), 0.95)
    assert times is not None
    assert {phase.share for phase in times.phases} == {0.0}


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": 0},
        {"steps": 10**400},
        {"window_s": -1.0},
        {"left_out_s": 1e300},
        {"hotspots": (Hotspot(SpotKind.KERNEL, "gemm", 10**400, 0.2),)},
        {"device": DeviceWork(1.0, 1e300, 1, None)},
        {"device": DeviceWork(1.0, 0.5, -1, None)},
    ],
)
def test_a_profile_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(MeasurementError, match="no evidence"):
        replace(PROFILE, **changes)


PROFILE = Profile(
    "torch 2.15.0",
    4,
    1.0,
    (
        Hotspot(SpotKind.OPERATOR, "aten::mm", 8, 0.3),
        Hotspot(SpotKind.OPERATOR, "aten::relu", 4, 0.06),
        Hotspot(SpotKind.KERNEL, "gemm", 8, 0.2),
        Hotspot(SpotKind.COPY, "Memcpy HtoD", 4, 0.05),
    ),
    0.04,
    DeviceWork(1.0, 0.25, 11, 0.01, 0.00002),
)


def test_shares_of_operators_and_of_the_device_are_each_of_their_own_whole() -> None:
    assert [(one.name, one.calls, pytest.approx(one.share)) for one in spots(PROFILE)] == [
        ("aten::mm", 2, 0.75),
        ("aten::relu", 1, 0.15),
        ("gemm", 2, 0.8),
        ("Memcpy HtoD", 1, 0.2),
    ]
    assert spots(PROFILE)[0].seconds == pytest.approx(0.075)


def test_host_bound_is_the_time_in_which_the_device_had_nothing_to_do() -> None:
    assert host_bound(PROFILE) == pytest.approx(0.75)
    assert host_bound(replace(PROFILE, device=None)) is None


def test_the_largest_difference_between_two_cases_comes_first() -> None:
    first = replace(make_trial(), phases=(_block(0, (10.0, 6.0, 3.0)),), profile=PROFILE)
    slower = replace(PROFILE, hotspots=(*PROFILE.hotspots[1:], Hotspot(SpotKind.OPERATOR, "aten::add", 4, 4.0)))
    second = replace(make_trial(threads=1), phases=(_block(0, (20.0, 7.0, 12.0)),), profile=slower)
    found = differences(first, second, 0.95)
    assert [(one.what, one.name) for one in found[:4]] == [
        ("phase", "forward"),
        ("phase", "backward"),
        ("phase", "other"),
        ("operator", "aten::add"),
    ]
    assert found[0].more_s == pytest.approx(9.0)
    assert found[3].first_s is None


def _measured(scene: Scene, tmp_path: Path, plan: Plan, profiler: str | None = None) -> tuple[Trial, ...]:
    cases = [workloads.case(), workloads.case("other")]
    measurement = GroupMeasurement(
        cases, plan, tmp_path, hire=scene.hire, clock=scene.clock, surroundings=Surroundings("r", tmp_path, profiler)
    )
    measurement.run()
    return measurement.trials


def test_the_pass_comes_after_all_measuring_and_adds_no_sample(tmp_path: Path) -> None:
    plans = [Plan(waves=2, rounds=3, phases=phases, power="off") for phases in (False, True)]
    scenes = [Scene({}), Scene({})]
    without, with_phases = (
        _measured(*pair, plan) for pair, plan in zip(((s, tmp_path) for s in scenes), plans, strict=True)
    )
    assert [len(trial.samples) for trial in with_phases] == [len(trial.samples) for trial in without]
    assert [[block.wave for block in trial.phases] for trial in with_phases] == [[0, 1], [0, 1]]
    events = scenes[1].events("cpu-fp32-threads1")
    last = len(events) - 1 - events[::-1].index("inspect")
    assert events[last - 1 :] == ["thaw", "inspect", "freeze", "thaw", "check", "freeze", "thaw", "finish"]
    assert "inspect" not in scenes[0].events("cpu-fp32-threads1")


def test_a_look_that_fails_costs_no_figure_and_says_so(tmp_path: Path) -> None:
    name = "cpu-fp32-threads1-other"
    scene = Scene({name: Script(fails={"inspect": WorkerError("the profiler fell over")})})
    healthy, troubled = _measured(scene, tmp_path, Plan(waves=2, rounds=3, phases=True, power="off"))
    assert troubled.failure is None
    assert troubled.phases == ()
    assert {sample.wave for sample in troubled.samples} == {0, 1}
    assert Caveat.of(CaveatKind.NOT_INSPECTED, reason="the profiler fell over") in troubled.caveats
    assert len(healthy.phases) == 2


def test_what_was_measured_under_a_profiler_is_marked_and_gets_no_verdict(tmp_path: Path) -> None:
    scene = Scene({"cpu-fp32-threads1-other": Script(step_s=0.05)})
    trials = _measured(scene, tmp_path, Plan(waves=3, rounds=5, power="off"), "Nsight Systems")
    assert all(Caveat.of(CaveatKind.PROFILED, profiler="Nsight Systems") in trial.caveats for trial in trials)
    (group,) = summarise(make_run(*trials))
    assert [row.verdict for row in group.rows] == [None, None]
    assert group.rows[1].comparison is not None
    plain = make_run(*(replace(trial, caveats=()) for trial in trials))
    assert summarise(plain)[0].rows[1].verdict is not None


def test_phases_profiles_and_captures_survive_the_disk(tmp_path: Path) -> None:
    trial = replace(make_trial(), phases=(_block(0, (10.0, 6.0, 3.0)),), profile=PROFILE)
    run = make_run(trial)
    save(run, tmp_path)
    assert load(tmp_path) == run


def test_a_run_of_before_is_read_without_them(tmp_path: Path) -> None:
    save(make_run(make_trial()), tmp_path)
    file = tmp_path / "run.json"
    text = file.read_text()
    for gone in (',"phases":[],"profile":null', ',"captures":[]', ',"phases":false,"profile":false'):
        assert gone in text
        text = text.replace(gone, "")
    file.write_text(text)
    run: Run = load(tmp_path)
    assert (run.captures, run.trials[0].phases, run.trials[0].profile, run.plan.phases) == ((), (), None, False)


def test_only_what_was_asked_for_is_looked_for() -> None:
    case = workloads.case()
    folder = Path("/runs/1")
    assert profiling.request(case, Plan(), 0, 0.01, folder) is None
    asked = profiling.request(case, Plan(phases=True), 3, 0.01, folder)
    assert asked == Inspect(3, 50, 0, None)
    asked = profiling.request(case, Plan(profile=True), 0, 0.01, folder)
    assert asked == Inspect(0, 0, 5, "/runs/1/traces/tiny-cpu-fp32-threads1.json.gz")
    assert profiling.request(case, Plan(profile=True), 1, 0.01, folder) is None


@pytest.mark.parametrize(("step_s", "steps"), [(10.0, 10), (0.01, 50), (1e-6, 100)])
def test_a_pass_has_enough_steps_and_not_too_many(step_s: float, steps: int) -> None:
    asked = profiling.request(workloads.case(), Plan(phases=True), 0, step_s, None)
    assert asked is not None
    assert asked.phase_steps == steps
