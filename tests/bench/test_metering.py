"""Where the sensors stand in the story of a group; and that a run's energy is that of its energy blocks."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bench import Plan, Verdict, summarise
from bench.instruments.power import Panel
from bench.measurement import GroupMeasurement
from bench.metering import SampledMeter
from bench.records import Case, CaveatKind, SampleKind, Variant
from bench.records.power import Board, GpuState, PowerLog
from bench.shaping import shape_energy_block
from bench.workers.fakes import Scene, Script
from tests.factories import INFERENCE, LATENCY, make_run, make_trial, with_energy

A, B = (Case(INFERENCE, Variant.of(threads=n)) for n in (0, 1))


class RecordedMeter:
    """Writes what it is told into the scene's log."""

    def __init__(self, scene: Scene, *, measures: bool = True) -> None:
        self._scene = scene
        self.measures = measures
        self.set_ups: list[tuple[str, int, float]] = []

    def start(self) -> None:
        self._scene.log.append(("meter", "start"))

    def set_up(self, case: str, wave: int, start_s: float, stop_s: float) -> None:
        self.set_ups.append((case, wave, stop_s - start_s))

    def idle(self, wave: int, length_s: float) -> None:
        self._scene.log.append(("meter", f"idle {length_s}"))

    def employ(self, pid: int | None) -> None: ...

    def piece(self) -> PowerLog:
        return PowerLog(0.0, self._scene.now_s)

    def stop(self) -> PowerLog:
        self._scene.log.append(("meter", "stop"))
        return PowerLog(0.0, self._scene.now_s)


def _measure(folder: Path, *, measures: bool) -> tuple[GroupMeasurement, Scene, RecordedMeter]:
    scene = Scene({str(A): Script(step_s=0.02), str(B): Script(step_s=3.0, build_s=2.0)})
    meter = RecordedMeter(scene, measures=measures)
    plan = Plan(waves=1, rounds=2, idle_s=1.5)
    measurement = GroupMeasurement((A, B), plan, folder, meter=meter, hire=scene.hire, clock=scene.clock)
    measurement.run()
    return measurement, scene, meter


def test_a_wave_ends_with_energy_blocks_between_two_idle_spans(tmp_path: Path) -> None:
    _, scene, _ = _measure(tmp_path, measures=True)
    story = [(name, event) for name, event in scene.log if name in ("meter", "crew") or event.startswith("block")]
    assert story[0] == ("meter", "start")
    assert [event for _, event in story[1:2]] == ["hire 2 by fork_server"]
    assert {event for _, event in story[2:6]} == {"block 1", "block 2"}
    assert story[6] == ("meter", "idle 1.5")
    assert {event for _, event in story[7:9]} == {"block 3"}
    assert story[9:] == [("meter", "idle 1.5"), ("crew", "close"), ("meter", "stop")]


def test_a_worker_without_a_process_of_its_own_is_this_one() -> None:
    meter = SampledMeter(Panel())
    meter.employ(None)
    meter.employ(4711)
    assert set(meter.piece().ours) == {os.getpid(), 4711}


def test_the_energy_of_latency_is_that_of_single_steps_too(tmp_path: Path) -> None:
    case = Case(LATENCY, Variant.of(batch=1))
    scene = Scene({str(case): Script(step_s=0.02)})
    meter, plan = RecordedMeter(scene), Plan(waves=1, rounds=1)
    measurement = GroupMeasurement((case,), plan, tmp_path, meter=meter, hire=scene.hire, clock=scene.clock)
    measurement.run()
    energy = [sample for sample in measurement.trials[0].samples if sample.kind is SampleKind.ENERGY]
    assert {sample.steps for sample in energy} == {1}
    assert sum(sample.host_s for sample in energy) >= plan.energy_block_s


def test_without_a_sensor_there_are_no_energy_blocks(tmp_path: Path) -> None:
    measurement, scene, _ = _measure(tmp_path, measures=False)
    assert not [event for event in scene.events("meter") if event.startswith("idle")]
    assert {sample.kind for trial in measurement.trials for sample in trial.samples} == {SampleKind.TIMING}


def test_an_energy_block_is_one_sample_that_is_long_enough(tmp_path: Path) -> None:
    measurement, _, _ = _measure(tmp_path, measures=True)
    for trial in measurement.trials:
        (sample,) = (sample for sample in trial.samples if sample.kind is SampleKind.ENERGY)
        assert sample.host_s >= Plan().energy_block_s
    assert shape_energy_block(Plan(), 0.02).steps == 63
    assert shape_energy_block(Plan(), 3.0).steps == 1


def test_set_up_is_noted_from_the_build_to_the_end_of_the_first_step(tmp_path: Path) -> None:
    _, _, meter = _measure(tmp_path, measures=True)
    lengths = {case: length_s for case, _, length_s in meter.set_ups}
    assert lengths == {A.name: pytest.approx(1.02), B.name: pytest.approx(5.0)}


def test_energy_is_power_in_the_blocks_times_the_time_of_a_step() -> None:
    run = with_energy(
        make_run(make_trial(step_s=0.02), make_trial(step_s=0.01, threads=1)), [100.0, 150.0], idle_w=20.0
    )
    (group,) = summarise(run)
    first, second = group.rows
    assert first.energy is not None
    assert second.energy is not None
    assert first.energy.per_item is not None
    assert second.energy.per_item is not None
    assert first.energy.per_item.value == pytest.approx(100 * 0.02 / 32, rel=1e-3)
    assert second.energy.per_item.value == pytest.approx(150 * 0.01 / 32, rel=1e-3)
    assert second.energy_comparison is not None
    assert second.energy_comparison.speedup == pytest.approx(200 / 150, rel=1e-3)
    assert second.energy_verdict is Verdict.FASTER
    assert first.energy.total is not None
    assert first.energy.total.idle_w == pytest.approx(20.0, rel=1e-3)
    assert first.energy.total.net is not None
    assert first.energy.total.net.value == pytest.approx(80 * 0.02, rel=1e-2)


def test_an_estimate_decides_nothing() -> None:
    run = with_energy(
        make_run(make_trial(step_s=0.02), make_trial(step_s=0.01, threads=1)), [100.0, 150.0], estimated=True
    )
    (group,) = summarise(run)
    assert all(row.energy is not None and row.energy.per_item is not None for row in group.rows)
    assert all(row.energy_verdict is None for row in group.rows)
    assert group.rows[1].verdict is Verdict.FASTER
    assert "estimated" in {caveat.kind.value for caveat in group.rows[0].caveats}


def test_all_rows_of_a_group_carry_the_same_components() -> None:
    run = with_energy(make_run(make_trial(), make_trial(threads=1), make_trial(threads=2)), [50.0, 60.0, 70.0])
    (group,) = summarise(run)
    assert len({row.energy.total.gross.components for row in group.rows}) == 1  # type: ignore[union-attr]


def test_a_board_that_was_held_back_in_timing_blocks_is_named_with_the_blocks() -> None:
    gpu = {"device": "cuda:0"}
    run = with_energy(
        make_run(make_trial(step_s=0.02, **gpu), make_trial(step_s=0.01, layout="channels_last", **gpu)), [100.0, 150.0]
    )
    (log,) = run.power
    states = tuple(
        GpuState(at_s, "GPU-1", sm_clock_hz=1e9, reasons=("sw_power_cap",) if at_s == 102.0 else (), processes=())
        for at_s in (float(second) for second in range(600))
    )
    board = Board("GPU-1", "Example GPU", 0)
    (group,) = summarise(replace(run, power=(replace(log, states=states, boards=(board,)),)))
    (caveat,) = (caveat for caveat in group.rows[0].caveats if caveat.kind is CaveatKind.THROTTLED)
    figures = dict(caveat.figures)
    assert figures["reasons"] == "sw_power_cap"
    assert figures["named"] == "wave 2 round 3"
    assert group.rows[0].throughput is not None


def test_a_run_without_a_log_has_no_energy() -> None:
    (group,) = summarise(make_run(make_trial(), make_trial(threads=1)))
    assert [row.energy for row in group.rows] == [None, None]
