"""The order in which a group is measured, and what becomes of cases that fail; in virtual time, with no process."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bench import Case, Check, CheckKind, Plan, Proof, UnavailableError, UsageError, Variant, Workload
from bench.analysis import judge_checks
from bench.analysis.correctness import is_right
from bench.analysis.stopping import Pace, affordable_rounds, affordable_waves
from bench.dossier import Dossier
from bench.entries import Checked, Enrolled, GroupEnded, GroupEntry
from bench.errors import MeasurementError
from bench.measurement import GroupMeasurement
from bench.records import CaveatKind, Life, SampleKind, Trial
from bench.shaping import alike, shape_block, shape_latency_block
from bench.workers.crew import WorkerError
from bench.workers.fakes import Scene, Script, ScriptedCrew
from bench.workers.messages import Block
from tests.factories import INFERENCE, LATENCY

A, B, C = (Case(INFERENCE, Variant.of(threads=n)) for n in (0, 1, 2))
NAMES = ("cpu-fp32", "cpu-fp32-threads1", "cpu-fp32-threads2")


def _measure(
    scripts: Mapping[str, Script], plan: Plan, folder: Path, cases: tuple[Case, ...] = (A, B, C)
) -> tuple[GroupMeasurement, Scene]:
    scene = Scene(scripts)
    measurement = GroupMeasurement(cases, plan, folder, hire=scene.hire, clock=scene.clock)
    measurement.run()
    return measurement, scene


def _by_id(measurement: GroupMeasurement) -> dict[str, Trial]:
    return {str(trial.case): trial for trial in measurement.trials}


def test_a_case_is_built_warmed_up_and_frozen_and_thawed_only_for_its_blocks(tmp_path: Path) -> None:
    _, scene = _measure({}, Plan(waves=1, rounds=2), tmp_path)
    stretches = ["thaw", "stretch", "freeze"] * 7  # the first is too short to be a witness
    blocks = ["thaw", "block 1", "freeze", "thaw", "block 2", "freeze"]
    for name in NAMES:
        assert scene.events(name) == [
            "build",
            "freeze",
            *stretches,
            *blocks,
            "thaw",
            "check",
            "freeze",
            "thaw",
            "finish",
        ]


def test_warm_up_goes_on_until_successive_stretches_agree(tmp_path: Path) -> None:
    falling = iter([0.9, 0.6, 0.4, 0.2, 0.1, 0.05, 0.04, 0.03])
    script = Script(step_s=lambda wave, block: 0.03 if block else next(falling, 0.03))
    measurement, scene = _measure({NAMES[0]: script}, Plan(waves=1, rounds=1), tmp_path, (A,))
    (life,) = measurement.trials[0].lives
    assert life.warmed
    assert scene.events(NAMES[0]).count("stretch") > 8
    assert measurement.trials[0].samples[0].step_s == 0.03


def test_warm_up_gives_up_at_its_limit_and_says_so(tmp_path: Path) -> None:
    growing = itertools.count(1)
    script = Script(step_s=lambda wave, block: 0.1 if block else 0.1 * 1.1 ** next(growing))
    measurement, _ = _measure({NAMES[0]: script}, Plan(waves=1, rounds=1, warm_up_s=4.0), tmp_path, (A,))
    (life,) = measurement.trials[0].lives
    assert not life.warmed
    assert 4.0 <= life.warm_up_s < 6.0


def test_the_order_of_setting_up_is_drawn_anew_in_each_wave(tmp_path: Path) -> None:
    def orders(seed: int) -> list[tuple[str, ...]]:
        _, scene = _measure({}, Plan(waves=12, rounds=1, seed=seed), tmp_path)
        built = [name for name, event in scene.log if event == "build"]
        return [tuple(built[start : start + 3]) for start in range(0, len(built), 3)]

    drawn = orders(5)
    assert all(sorted(order) == sorted(NAMES) for order in drawn)
    assert {order[0] for order in drawn} == set(NAMES)
    assert drawn == orders(5) != orders(6)


def test_exactly_one_worker_is_awake_at_any_time(tmp_path: Path) -> None:
    _, scene = _measure({}, Plan(waves=2, rounds=5), tmp_path)
    awake: set[str] = set()
    for name, event in scene.log:
        if event in ("build", "thaw"):
            awake.add(name)
        elif event in ("freeze", "finish"):
            awake.discard(name)
        assert len(awake) <= 1, (name, event, awake)


def test_every_wave_has_a_fresh_crew_that_is_closed_before_the_next(tmp_path: Path) -> None:
    _, scene = _measure({}, Plan(waves=3, rounds=1), tmp_path)
    assert scene.events("crew") == ["hire 3 by fork_server", "close"] * 3


def test_a_round_has_one_block_of_every_case_in_an_order_that_changes(tmp_path: Path) -> None:
    measurement, _ = _measure({}, Plan(waves=2, rounds=10), tmp_path)
    orders = set()
    for wave, round_ in itertools.product(range(2), range(10)):
        positions = {}
        for name, trial in _by_id(measurement).items():
            positions[name] = {s.position for s in trial.samples if (s.wave, s.round) == (wave, round_)}
        assert sorted(positions.values(), key=min) == [{0}, {1}, {2}]
        orders.add(tuple(sorted(positions, key=lambda name: min(positions[name]))))
    assert len(orders) > 2


def test_the_seed_decides_the_order(tmp_path: Path) -> None:
    def order(seed: int) -> list[tuple[str, str]]:
        return _measure({}, Plan(waves=1, rounds=10, seed=seed), tmp_path)[1].log

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_each_block_knows_whose_block_ran_before_it(tmp_path: Path) -> None:
    measurement, _ = _measure({}, Plan(waves=1, rounds=3), tmp_path)
    blocks = sorted(
        {
            (sample.round, sample.position, sample.predecessor, index)
            for index, trial in enumerate(measurement.trials)
            for sample in trial.samples
        }
    )
    before = None
    for _, _, predecessor, index in blocks:
        assert predecessor == before
        before = index


def test_samples_hold_what_the_script_says(tmp_path: Path) -> None:
    scripts = {NAMES[0]: Script(step_s=0.02, items=32), NAMES[1]: Script(step_s=0.004)}
    measurement, _ = _measure(scripts, Plan(waves=1, rounds=1, block_s=0.05), tmp_path, (A, B))
    first, second = measurement.trials
    assert [sample.step_s for sample in first.samples] == [0.02] * 3
    assert {sample.steps for sample in second.samples} == {3}
    assert all(sample.step_s == pytest.approx(0.004) for sample in second.samples)
    assert first.items_per_step == 32
    assert [life.cold for life in first.lives] == [True]


@pytest.mark.parametrize(
    ("device", "step_s", "steps", "samples"),
    [
        ("cpu", 0.015, 1, 3),
        ("cpu", 0.4, 1, 1),
        ("cpu", 1e-5, 1000, 4),
        ("cuda:0", 0.002, 25, 10),
        ("cuda:0", 2.0, 1, 1),
    ],
)
def test_a_block_is_long_enough_in_samples_that_are_long_enough(
    device: str, step_s: float, steps: int, samples: int
) -> None:
    plan = Plan()
    block = shape_block(plan, device, step_s)
    assert (block.steps, block.samples) == (steps, samples)
    assert block.steps * block.samples * step_s >= plan.block_length_s(device) * 0.999
    assert block.drop_steps * step_s + block.drop_s >= (0.1 if device.startswith("cuda") else 0.03) * 0.999


def test_steps_that_take_about_as_long_get_one_kind_of_block() -> None:
    block, longer = shape_block(Plan(), "cpu", 0.0149), shape_block(Plan(), "cpu", 0.0301)
    assert alike(0.0151, [(0.0149, block), (0.0301, longer)]) is block
    assert alike(0.029, [(0.0149, block), (0.0301, longer)]) is longer
    assert alike(0.02, [(0.0149, block), (0.0301, longer)]) is None
    assert alike(0.02, []) is None


def test_a_copy_has_the_block_of_its_like_however_its_step_is_first_timed(tmp_path: Path) -> None:
    scripts = {NAMES[0]: Script(step_s=0.0149), NAMES[1]: Script(step_s=0.0152), NAMES[2]: Script(step_s=0.1)}
    measurement, _ = _measure(scripts, Plan(waves=1, rounds=1), tmp_path)
    first, second, third = measurement.trials
    assert len(first.samples) == len(second.samples) > len(third.samples)


@pytest.mark.parametrize("event", ["build", "stretch", "block 2", "finish"])
def test_a_case_that_fails_costs_its_own_figures_only(event: str, tmp_path: Path) -> None:
    scripts = {NAMES[1]: Script(fails={event: WorkerError("the worker was killed by SIGKILL", "last words")})}
    measurement, scene = _measure(scripts, Plan(waves=2, rounds=3), tmp_path)
    trials = _by_id(measurement)
    failure = trials[NAMES[1]].failure
    assert failure is not None
    assert (failure.reason, failure.detail, failure.wave) == ("the worker was killed by SIGKILL", "last words", 0)
    assert scene.events(NAMES[1])[-1] == "kill"
    for name in (NAMES[0], NAMES[2]):
        assert trials[name].failure is None
        assert len({(sample.wave, sample.round) for sample in trials[name].samples}) == 6


def test_a_case_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    scripts = {NAMES[1]: Script(build_s=1e6)}
    measurement, _ = _measure(scripts, Plan(waves=1, rounds=1), tmp_path)
    failure = _by_id(measurement)[NAMES[1]].failure
    assert failure is not None
    assert failure.phase == "set-up"
    assert "limit of 600 s" in failure.reason


def test_what_the_machine_lacks_becomes_a_skip_with_its_fix(tmp_path: Path) -> None:
    scripts = {NAMES[2]: Script(fails={"build": UnavailableError("no C++ compiler", "install g++")})}
    measurement, _ = _measure(scripts, Plan(waves=2, rounds=1), tmp_path)
    (skip,) = measurement.skips
    assert (skip.case, skip.reason, skip.fix) == (C, "no C++ compiler", "install g++")
    assert [trial.case for trial in measurement.trials] == [A, B]


def test_an_interruption_keeps_what_was_measured_and_marks_it(tmp_path: Path) -> None:
    scene = Scene({NAMES[1]: Script(step_s=_interrupt_in_second_wave)})
    measurement = GroupMeasurement((A, B), Plan(waves=4, rounds=2), tmp_path, hire=scene.hire, clock=scene.clock)
    with pytest.raises(KeyboardInterrupt):
        measurement.run()
    assert scene.log[-1] == ("crew", "close")
    for trial in measurement.trials:
        assert {sample.wave for sample in trial.samples} >= {0}
        (caveat,) = (caveat for caveat in trial.caveats if caveat.kind is CaveatKind.INTERRUPTED)
        assert dict(caveat.figures) == {"waves": 1, "planned": 4}


def _interrupt_in_second_wave(wave: int, block: int) -> float:
    if (wave, block) == (1, 1):
        raise KeyboardInterrupt
    return 0.02


def test_when_no_worker_can_be_started_all_cases_say_so(tmp_path: Path) -> None:
    def hire(count: int, start: str) -> None:
        raise MeasurementError("worker processes cannot be started")

    measurement = GroupMeasurement((A, B), Plan(), tmp_path, hire=hire)  # type: ignore[arg-type]
    measurement.run()
    assert [trial.failure and trial.failure.phase for trial in measurement.trials] == ["start", "start"]


def test_waves_that_are_whole_stand_when_no_more_workers_can_be_started(tmp_path: Path) -> None:
    scene = Scene({NAMES[1]: Script(step_s=lambda wave, _: 0.02 * (1 + 0.05 * (-1) ** wave))})

    def hire(count: int, start: str) -> ScriptedCrew:
        if scene.waves == 3:
            raise MeasurementError("worker processes cannot be started")
        return scene.hire(count, start)

    entries: list[GroupEntry] = []
    plan = Plan(waves=6, rounds=3)
    measurement = GroupMeasurement((A, B), plan, tmp_path, hire=hire, clock=scene.clock, record=entries.append)
    measurement.run()
    for trial in measurement.trials:
        assert trial.failure is None
        assert {sample.wave for sample in trial.samples} == {0, 1, 2}
        (caveat,) = (caveat for caveat in trial.caveats if caveat.kind is CaveatKind.NO_WORKERS)
        assert dict(caveat.figures) == {"waves": 3, "planned": 6, "reason": "worker processes cannot be started"}
    assert isinstance(entries[-1], GroupEnded)
    assert entries[-1].whole  # the next group can be measured


def test_a_case_whose_ratio_is_clear_leaves_half_way_and_the_baseline_never(tmp_path: Path) -> None:
    scripts = {
        NAMES[0]: Script(step_s=0.02),
        NAMES[1]: Script(step_s=lambda wave, _: 0.02 * (1 + 0.05 * (-1) ** wave)),
        NAMES[2]: Script(step_s=0.2),
    }
    measurement, scene = _measure(scripts, Plan(waves=6, rounds=2), tmp_path)
    waves = {name: {sample.wave for sample in trial.samples} for name, trial in _by_id(measurement).items()}
    assert waves == {NAMES[0]: set(range(6)), NAMES[1]: set(range(6)), NAMES[2]: {0, 1, 2}}
    assert [event for event in scene.events("crew") if event.startswith("hire")] == [
        *["hire 3 by fork_server"] * 3,
        *["hire 2 by fork_server"] * 3,
    ]


def test_a_group_ends_when_only_its_baseline_is_left(tmp_path: Path) -> None:
    scripts = {NAMES[0]: Script(step_s=0.02), NAMES[1]: Script(step_s=0.04), NAMES[2]: Script(step_s=0.2)}
    measurement, _ = _measure(scripts, Plan(waves=6, rounds=2), tmp_path)
    assert {sample.wave for trial in measurement.trials for sample in trial.samples} == {0, 1, 2}


def test_a_baseline_that_is_alone_is_measured_in_all_waves(tmp_path: Path) -> None:
    measurement, _ = _measure({}, Plan(waves=4, rounds=2), tmp_path, (A,))
    assert {sample.wave for sample in measurement.trials[0].samples} == {0, 1, 2, 3}


@pytest.mark.parametrize(("budget_s", "rounds"), [(12.0, 9), (60.0, 40), (4.0, 3)])
def test_rounds_fill_the_budget_where_the_plan_names_none(tmp_path: Path, budget_s: float, rounds: int) -> None:
    scripts = {name: Script(step_s=0.1) for name in NAMES}
    measurement, _ = _measure(scripts, Plan(waves=2, budget_s=budget_s), tmp_path)
    for trial in measurement.trials:
        assert len({sample.round for sample in trial.samples}) == rounds
        assert any(caveat.kind is CaveatKind.CUT_TO_BUDGET for caveat in trial.caveats) == (rounds < 10)


def test_rounds_are_paced_by_what_blocks_took_and_not_by_the_warm_up(tmp_path: Path) -> None:
    scripts = {name: Script(step_s=lambda _, block: 0.2 if block else 0.1) for name in NAMES}
    measurement, _ = _measure(scripts, Plan(waves=3, budget_s=30.0), tmp_path)
    rounds = [len({s.round for s in measurement.trials[0].samples if s.wave == wave}) for wave in range(3)]
    assert rounds == [16, 5, 5]


def test_a_slow_case_takes_part_in_fewer_rounds_but_in_three_at_least(tmp_path: Path) -> None:
    scripts = {NAMES[0]: Script(step_s=0.02), NAMES[1]: Script(step_s=0.02), NAMES[2]: Script(step_s=0.4)}
    measurement, _ = _measure(scripts, Plan(waves=1, rounds=20), tmp_path)
    rounds = {name: {sample.round for sample in trial.samples} for name, trial in _by_id(measurement).items()}
    assert rounds == {NAMES[0]: set(range(20)), NAMES[1]: set(range(20)), NAMES[2]: {0, 4, 8, 12, 16}}
    measurement, _ = _measure(scripts, Plan(waves=1, rounds=4), tmp_path)
    assert {sample.round for sample in measurement.trials[2].samples} == {0, 1, 2, 3}


def test_those_who_stay_after_the_look_get_the_time_of_those_who_left(tmp_path: Path) -> None:
    scripts = {
        NAMES[0]: Script(step_s=0.02),
        NAMES[1]: Script(step_s=lambda wave, _: 0.02 * (1 + 0.05 * (-1) ** wave)),
        NAMES[2]: Script(step_s=0.1),
    }
    measurement, _ = _measure(scripts, Plan(waves=6, fewest_waves=6, budget_s=30.0), tmp_path)
    baseline = measurement.trials[0]
    rounds = [len({sample.round for sample in baseline.samples if sample.wave == wave}) for wave in range(6)]
    assert rounds[1] == rounds[2] < rounds[3] == rounds[4] == rounds[5]


def test_rounds_are_cut_to_what_the_budget_affords_and_the_rows_say_so(tmp_path: Path) -> None:
    scripts = {name: Script(step_s=0.5) for name in NAMES}
    measurement, _ = _measure(scripts, Plan(waves=2, rounds=50, budget_s=60.0), tmp_path)
    for trial in measurement.trials:
        (caveat,) = (caveat for caveat in trial.caveats if caveat.kind is CaveatKind.CUT_TO_BUDGET)
        assert dict(caveat.figures) == {"rounds": 8, "planned": 50}
        assert len({(sample.wave, sample.round) for sample in trial.samples}) == 9 + 8


@pytest.mark.parametrize(
    ("budget_s", "overhead_s", "round_s", "rounds"),
    [(60.0, 2.0, 1.0, 8), (60.0, 5.0, 1.0, 5), (60.0, 50.0, 1.0, 3), (600.0, 1.0, 1.0, 10)],
)
def test_the_affordable_rounds_are_simple_arithmetic(
    budget_s: float, overhead_s: float, round_s: float, rounds: int
) -> None:
    assert affordable_rounds(Plan(rounds=10), 6, Pace(budget_s, overhead_s, round_s)) == rounds


@pytest.mark.parametrize(
    ("pace", "waves"),
    [
        (Pace(120.0, 5.0, 1.0), 6),  # 15 rounds
        (Pace(90.0, 5.0, 1.0), 6),  # 10
        (Pace(84.0, 5.0, 1.0), 6),  # 9 rounds, or 12 in five waves: t(4) costs as much as they earn
        (Pace(72.0, 8.0, 1.0), 5),  # 4 rounds, 6.4 in five waves, or 10
        (Pace(324.0, 50.0, 1.6), 4),  # 2.5 rounds, 9.3 in five waves, or 19
        (Pace(60.0, 60.0, 1.0), 4),  # none at all, so the less the better
    ],
)
def test_there_are_fewer_waves_where_setting_up_leaves_them_no_rounds(pace: Pace, waves: int) -> None:
    assert affordable_waves(Plan(), pace) == waves
    assert affordable_waves(Plan(fewest_waves=6), pace) == 6
    assert affordable_waves(Plan(waves=3), pace) == 3


def test_waves_that_have_the_rounds_of_the_plan_are_enough() -> None:
    assert affordable_waves(Plan(rounds=3), Pace(60.0, 7.0, 1.0)) == 6
    assert affordable_waves(Plan(rounds=4), Pace(60.0, 7.0, 1.0)) == 6
    assert affordable_waves(Plan(rounds=4), Pace(60.0, 8.0, 1.0)) == 5


#: Two seconds of set-up for steps of 20 ms; from wave to wave they differ too much for any case to leave.
SLOW_TO_BUILD = {
    name: Script(step_s=lambda wave, _, by=by: 0.02 * (1 + by * (-1) ** wave), build_s=2.0)
    for name, by in zip(NAMES, (0.0, 0.05, -0.05), strict=True)
}


def test_a_group_whose_set_up_eats_its_budget_has_fewer_waves_and_says_so(tmp_path: Path) -> None:
    measurement, scene = _measure(SLOW_TO_BUILD, Plan(budget_s=44.0), tmp_path)
    assert len([event for event in scene.events("crew") if event.startswith("hire")]) == 4
    for trial in measurement.trials:
        rounds = [len({s.round for s in trial.samples if s.wave == wave}) for wave in range(6)]
        assert rounds[4:] == [0, 0]
        assert min(rounds[:4]) >= 10
        (caveat,) = (caveat for caveat in trial.caveats if caveat.kind is CaveatKind.FEWER_WAVES)
        assert dict(caveat.figures) == {"waves": 4, "planned": 6}
    assert measurement.book.done


def test_waves_that_the_user_insists_on_are_measured_whatever_the_budget(tmp_path: Path) -> None:
    measurement, _ = _measure(SLOW_TO_BUILD, Plan(waves=6, fewest_waves=6, budget_s=44.0), tmp_path)
    assert {sample.wave for sample in measurement.trials[0].samples} == set(range(6))
    assert not any(caveat.kind is CaveatKind.FEWER_WAVES for caveat in measurement.trials[0].caveats)


@pytest.mark.parametrize(("cases", "budget_s"), [(2, 63), (6, 99), (12, 153)])
def test_a_budget_that_nobody_names_grows_with_the_cases(cases: int, budget_s: float) -> None:
    assert Plan().group_budget_s(cases) == budget_s
    assert Plan(budget_s=30.0).group_budget_s(cases) == 30.0


def test_a_dishonoured_label_in_any_wave_spoils_the_case(tmp_path: Path) -> None:
    lie = Proof("precision", "bf16", "fp32")
    scene = Scene({NAMES[0]: Script(), NAMES[1]: Script(proofs=(lie,))})
    measurement = GroupMeasurement((A, B), Plan(waves=2, rounds=1), tmp_path, hire=scene.hire, clock=scene.clock)
    measurement.run()
    assert not _by_id(measurement)[NAMES[1]].honoured
    assert _by_id(measurement)[NAMES[0]].honoured


def test_the_evidence_of_a_whole_wave_outlasts_a_wave_that_is_broken_off() -> None:
    seen, flag = Proof("precision", "fp32", "fp32"), Proof("threads", "1", "1")
    dossier = Dossier(A, 0)
    life = Life(0, True, 1.0, 0.1, 1.0, 5, True)
    for wave in range(2):
        dossier.note(Enrolled(wave, 0, replace(life, wave=wave), 32, Block(1, 1, 1, 0.0), 0.02, 1.0, proofs=[flag]))
        if wave == 0:
            dossier.note(Checked(0, 0, [], 0.0, [seen]))
        assert dossier.proofs == (flag, seen)
    lie = Proof("precision", "fp32", "bf16")
    dossier.note(Checked(1, 0, [], 0.0, [lie]))
    assert dossier.proofs == (flag, lie)


def test_a_flag_that_was_not_set_hides_none_of_what_the_step_showed() -> None:
    seen, flag = Proof("precision", "fp32", "fp32"), Proof("threads", "1", "2")
    dossier = Dossier(A, 0)
    life = Life(0, True, 1.0, 0.1, 1.0, 5, True)
    dossier.note(Enrolled(0, 0, life, 32, Block(1, 1, 1, 0.0), 0.02, 1.0, proofs=[flag]))
    dossier.note(Checked(0, 0, [], 0.0, [seen]))
    assert dossier.proofs == (flag, seen)


def test_a_case_of_which_no_wave_came_to_its_end_is_unproven(tmp_path: Path) -> None:
    def stop(wave: int, block: int) -> float:
        if block == 3:
            raise KeyboardInterrupt
        return 0.02

    scene = Scene({NAMES[1]: Script(step_s=stop)})
    measurement = GroupMeasurement((A, B), Plan(waves=2, rounds=5), tmp_path, hire=scene.hire, clock=scene.clock)
    with pytest.raises(KeyboardInterrupt):
        measurement.run()
    kinds = {caveat.kind for trial in measurement.trials for caveat in trial.caveats}
    assert CaveatKind.UNPROVEN in kinds
    whole, _ = _measure({}, Plan(waves=2, rounds=2), tmp_path / "whole", (A, B))
    assert not any(caveat.kind is CaveatKind.UNPROVEN for trial in whole.trials for caveat in trial.caveats)


def test_peak_memory_is_kept_for_each_wave(tmp_path: Path) -> None:
    measurement, _ = _measure({}, Plan(waves=2, rounds=1), tmp_path, (A,))
    assert [life.peak_memory_bytes for life in measurement.trials[0].lives] == [2**29, 2**29]


def test_a_copy_of_the_baseline_is_a_case_like_any_other_but_never_leaves(tmp_path: Path) -> None:
    copy = replace(A, copy=1)
    scripts = {NAMES[1]: Script(step_s=0.2)}
    measurement, scene = _measure(scripts, Plan(waves=6, rounds=4), tmp_path, (A, B, copy))
    original, left, copied = measurement.trials
    assert (original.case.name, copied.case.name) == ("inference[cpu-fp32]", "inference[cpu-fp32]~1")
    rounds = [{(s.wave, s.round) for s in trial.samples} for trial in (original, left, copied)]
    assert rounds[0] == rounds[2]
    assert rounds[1] < rounds[0]
    assert {sample.position for sample in copied.samples} == {0, 1, 2}
    assert scene.events("cpu-fp32~1").count("build") == 6


def test_a_latency_workload_is_measured_in_blocks_of_single_steps(tmp_path: Path) -> None:
    case = Case(LATENCY, Variant.of(batch=1))
    measurement, _ = _measure({str(case): Script(step_s=0.004)}, Plan(waves=2, rounds=3), tmp_path, (case,))
    (trial,) = measurement.trials
    assert {(sample.kind, sample.steps) for sample in trial.samples} == {(SampleKind.LATENCY, 1)}
    assert len(trial.samples) == 2 * 3 * 50
    assert trial.kind is SampleKind.LATENCY


@pytest.mark.parametrize(
    ("device", "step_s", "samples"),
    [("cpu", 0.02, 50), ("cpu", 2.0, 50), ("cpu", 0.0002, 200), ("cuda:0", 0.002, 250), ("cuda:0", 1e-4, 500)],
)
def test_a_latency_block_has_enough_single_steps_and_not_too_many(device: str, step_s: float, samples: int) -> None:
    block = shape_latency_block(Plan(), device, step_s)
    assert (block.steps, block.samples) == (1, samples)
    assert block.drop_steps * step_s + block.drop_s >= (0.1 if device.startswith("cuda") else 0.03) * 0.999


def test_a_workload_that_measures_something_else_is_refused() -> None:
    with pytest.raises(UsageError, match="choose throughput or latency"):
        Workload("inference", "suites.inference:build", measures="luck")


def _looked(thorough: bool) -> tuple[Check, ...]:
    return (Check.of(CheckKind.SCORES, 360 if thorough else 96, 1e-6),)


def test_results_are_checked_at_length_in_the_first_wave_and_quickly_in_the_others(tmp_path: Path) -> None:
    measurement, _ = _measure({NAMES[0]: Script(checks=_looked)}, Plan(waves=3, rounds=1), tmp_path, (A,))
    assert [(check.wave, check.n) for check in measurement.trials[0].checks] == [(0, 360), (1, 96), (2, 96)]


def test_a_wrong_result_in_any_wave_spoils_the_case(tmp_path: Path) -> None:
    looks = iter([1e-6, 0.5, 1e-6])
    script = Script(checks=lambda thorough: (Check.of(CheckKind.SCORES, 96, next(looks)),))
    measurement, _ = _measure({NAMES[0]: script}, Plan(waves=3, rounds=1), tmp_path, (A,))
    assert not is_right(judge_checks(measurement.trials[0], Plan()))


def test_the_time_of_a_thorough_check_is_not_taken_from_the_rounds(tmp_path: Path) -> None:
    rounds = []
    for check_s in (0.0, 60.0):
        scripts = {name: Script(step_s=0.5, checks=_looked, check_s=check_s) for name in NAMES}
        measurement, _ = _measure(scripts, Plan(waves=2, rounds=50, budget_s=60.0), tmp_path)
        rounds.append(len({(s.wave, s.round) for s in measurement.trials[0].samples if s.wave == 0}))
    assert rounds == [9, 9]
