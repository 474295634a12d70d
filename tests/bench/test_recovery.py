"""Runs that are broken off at any entry and gone on with, in virtual time: nothing is lost, nothing counted twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as replace_struct

from bench import Case, Plan, UnavailableError, Variant
from bench.dossier import GroupBook
from bench.entries import (
    Anchor,
    Closed,
    Doubted,
    Entry,
    GroupEnded,
    GroupOpened,
    LookDone,
    Measured,
    Opened,
    Resumed,
    RoundsSet,
    WaveDone,
)
from bench.errors import StorageError
from bench.instruments.clock import RunClock
from bench.journal import Journal, read_journal
from bench.measurement import GroupMeasurement
from bench.records import Caveat, CaveatKind, Environment, Run, Trial
from bench.recovery import history
from bench.surroundings import OutOfTimeError, Surroundings
from bench.workers.crew import WorkerError
from bench.workers.fakes import Scene, Script
from tests.factories import INFERENCE

A, B, C, D = (Case(INFERENCE, Variant.of(threads=n)) for n in range(4))
CASES = (A, B, C, D)
PLAN = Plan(waves=6, rounds=3)
OPENED = Opened(1, "20261125-120000-abcd", "2026-11-25T12:00:00+00:00", Environment(cpu="a"), PLAN, Anchor(0, 0))
SCRIPTS = {
    str(A): Script(step_s=lambda wave, block: 0.02 + 0.0001 * wave),
    str(B): Script(step_s=0.011),  # clear at the look
    str(C): Script(step_s=lambda wave, block: 0.02 + 0.001 * (wave % 2)),
    str(D): Script(fails={"block 5": WorkerError("the worker was killed by SIGKILL")}),
}


def _scene() -> Scene:
    return Scene(SCRIPTS)


def _measure(told: list[Entry], folder: Path, scene: Scene, book: GroupBook | None = None) -> None:
    surroundings = Surroundings(clock=RunClock(clock=scene.clock, wall=scene.clock))
    measurement = GroupMeasurement(
        CASES,
        PLAN,
        folder,
        hire=scene.hire,
        clock=scene.clock,
        surroundings=surroundings,
        record=told.append,
        book=book,
    )
    measurement.run()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[Entry]:
    """The entries of a run that nothing interrupted."""
    told: list[Entry] = [OPENED, GroupOpened(list(CASES), PLAN)]
    _measure(told, tmp_path_factory.mktemp("caches"), _scene())
    return [*told, Closed(12.5)]


def _resumed(entries: Sequence[Entry], folder: Path) -> list[Entry]:
    """A run that was broken off after these entries, and gone on with."""
    told = [*entries, Resumed("2026-11-26T08:00:00+00:00", Environment(cpu="b"), Anchor(5000, 5000))]
    before = history(told)
    book = before.groups[-1].book if before.groups else None
    if not before.groups:
        told.append(GroupOpened(list(CASES), PLAN))
    if not before.groups or not before.groups[-1].whole:
        scene = _scene()
        scene.waves, scene.now_s = (book.waves_done if book else 0), 5000.0
        _measure(told, folder, scene, book)
    return [*told, Closed(12.5)]


def _skeleton(trial: Trial) -> tuple:
    """All of a trial but what a clock said."""
    samples = [sample._replace(start_s=0.0, host_s=round(sample.host_s, 9)) for sample in trial.samples]
    lives = [replace(life, cold=False, warm_up_s=round(life.warm_up_s, 9)) for life in trial.lives]
    return trial.case, trial.items_per_step, lives, samples, trial.proofs, trial.caveats, trial.failure


def test_a_run_that_is_broken_off_anywhere_and_resumed_is_the_run_it_would_have_been(
    whole: list[Entry], tmp_path: Path
) -> None:
    expected = history(whole).run()
    for cut in range(1, len(whole)):
        kept = history(whole[:cut])
        told = history(_resumed(whole[:cut], tmp_path))
        run = told.run()
        assert [_skeleton(trial) for trial in run.trials] == [_skeleton(trial) for trial in expected.trials], cut
        for before, after in zip(kept.groups[-1].trials if kept.groups else (), run.trials, strict=False):
            done = kept.groups[-1].book.waves_done
            assert [s for s in before.samples if s.wave < done] == [s for s in after.samples if s.wave < done]
        blocks = [(s.wave, s.round, s.position, s.start_s) for t in run.trials for s in t.samples]
        assert len(blocks) == len(set(blocks))
        assert len(run.sittings) == 1


def test_what_is_kept_and_what_is_measured_again_is_told_by_finished_waves(whole: list[Entry], tmp_path: Path) -> None:
    third = [index for index, entry in enumerate(whole) if isinstance(entry, WaveDone)][2]
    told = _resumed(whole[: third + 6], tmp_path)
    fresh = {entry.samples[0].wave for entry in told[third + 6 :] if isinstance(entry, Measured)}
    assert fresh == {3, 4, 5}
    (sitting,) = history(told).run().sittings
    assert (sitting.group, sitting.wave) == (A.name, 3)


def test_a_run_of_fewer_waves_is_gone_on_with_to_the_last_of_those(whole: list[Entry], tmp_path: Path) -> None:
    fewer = [replace_struct(entry, waves=4) if isinstance(entry, RoundsSet) else entry for entry in whole]
    third = [index for index, entry in enumerate(fewer) if isinstance(entry, WaveDone)][2]
    told = _resumed(fewer[: third + 1], tmp_path)
    assert {entry.samples[0].wave for entry in told[third + 1 :] if isinstance(entry, Measured)} == {3}
    assert history(told).groups[0].whole
    assert not any(
        caveat.kind is CaveatKind.INTERRUPTED for trial in history(told).run().trials for caveat in trial.caveats
    )


def test_a_journal_that_names_no_number_of_waves_means_those_of_the_plan(whole: list[Entry]) -> None:
    unnamed = [replace_struct(entry, waves=None) if isinstance(entry, RoundsSet) else entry for entry in whole]
    assert history(unnamed).groups[0].book.waves == PLAN.waves


def test_the_first_wave_of_a_further_sitting_has_empty_caches_and_says_so(whole: list[Entry], tmp_path: Path) -> None:
    second = [index for index, entry in enumerate(whole) if isinstance(entry, WaveDone)][1]
    run = history(_resumed(whole[: second + 1], tmp_path)).run()
    assert [life.wave for life in run.trials[0].lives if life.cold] == [0, 2]


def test_a_run_may_be_broken_off_more_than_once(whole: list[Entry], tmp_path: Path) -> None:
    told = whole[:40]
    for _ in range(6):
        told = _resumed(told, tmp_path)[:-1]
        last = max(index for index, entry in enumerate(told) if not isinstance(entry, GroupEnded | LookDone | WaveDone))
        told = told[: last - 5]
    run = history(_resumed(told, tmp_path)).run()
    assert [_skeleton(t) for t in run.trials] == [_skeleton(t) for t in history(whole).run().trials]
    assert len(run.sittings) > 1


def test_recovering_keeps_the_blocks_of_the_unfinished_wave_and_says_interrupted(whole: list[Entry]) -> None:
    cut = [index for index, entry in enumerate(whole) if isinstance(entry, Measured)][-2]
    run = history(whole[:cut]).run()
    assert run.duration_s is None
    baseline = run.trials[0]
    assert max(sample.wave for sample in baseline.samples) == 5
    (caveat,) = (caveat for caveat in baseline.caveats if caveat.kind is CaveatKind.INTERRUPTED)
    assert dict(caveat.figures) == {"waves": 5, "planned": 6}


def test_a_run_that_came_to_its_end_is_the_same_from_its_journal(whole: list[Entry], tmp_path: Path) -> None:
    journal = Journal.create(tmp_path)
    for entry in whole:
        journal.append(entry)
    journal.close()
    reading = read_journal(tmp_path)
    assert reading.damage is None
    run: Run = history(reading.entries).run()
    assert run == history(whole).run()
    assert run.duration_s == 12.5


def test_a_journal_of_every_schema_can_still_be_read() -> None:
    for folder in sorted((Path(__file__).parent / "stored").iterdir()):
        reading = read_journal(folder)
        assert reading.damage is None
        told = history(reading.entries)
        assert told.kept_waves == 4
        run = told.run()
        assert [trial.case.name for trial in run.trials] == told.opened.cases
        assert all(trial.samples and trial.lives for trial in run.trials)
        assert CaveatKind.INTERRUPTED in {caveat.kind for caveat in run.trials[-1].caveats}


def test_a_time_limit_ends_a_group_and_what_was_measured_stands(tmp_path: Path) -> None:
    scene, told = _scene(), [OPENED, GroupOpened(list(CASES), PLAN)]
    clock = RunClock(clock=scene.clock, wall=scene.clock)
    measurement = GroupMeasurement(
        CASES,
        PLAN,
        tmp_path,
        hire=scene.hire,
        clock=scene.clock,
        surroundings=Surroundings(clock=clock, deadline_s=scene.now_s + 15),
        record=told.append,
    )
    with pytest.raises(OutOfTimeError):
        measurement.run()
    assert 15 <= scene.now_s - 1000 < 17  # what was under way is awaited
    kinds = {caveat.kind for caveat in history(told).run().trials[0].caveats}
    assert CaveatKind.OUT_OF_TIME in kinds
    assert CaveatKind.INTERRUPTED not in kinds
    resumed = history(_resumed(told, tmp_path)).run()
    assert not {CaveatKind.OUT_OF_TIME, CaveatKind.INTERRUPTED} & {c.kind for t in resumed.trials for c in t.caveats}


def test_what_takes_longer_than_the_run_has_time_for_is_broken_off_and_no_fault_of_the_case(tmp_path: Path) -> None:
    """A build may take ten minutes, and a scheduler kills what is not at its end by then."""
    scene = Scene({**SCRIPTS, str(B): Script(build_s=400.0)})
    told = [OPENED, GroupOpened(list(CASES), PLAN)]
    clock = RunClock(clock=scene.clock, wall=scene.clock)
    surroundings = Surroundings(clock=clock, deadline_s=scene.now_s + 20)
    measurement = GroupMeasurement(
        CASES, PLAN, tmp_path, hire=scene.hire, clock=scene.clock, surroundings=surroundings, record=told.append
    )
    with pytest.raises(OutOfTimeError):
        measurement.run()
    assert scene.now_s - 1000 == pytest.approx(20)
    assert [trial.failure for trial in history(told).run().trials] == [None] * 4


@pytest.mark.parametrize("kind", [CaveatKind.INTERRUPTED, CaveatKind.OUT_OF_TIME])
def test_that_it_was_broken_off_is_forgotten_once_it_is_gone_on_with(whole: list[Entry], kind, tmp_path: Path) -> None:
    """Even where it was said of a wave that was whole by then."""
    (place,) = (n for n, entry in enumerate(whole) if isinstance(entry, WaveDone) and entry.wave == 1)
    doubt = Doubted(1, 0, Caveat.of(kind, waves=2, planned=6))
    cut = [*whole[: place + 1], doubt, GroupEnded(whole=False, power=None)]
    assert kind in {caveat.kind for caveat in history(cut).run().trials[0].caveats}
    resumed = history(_resumed(cut, tmp_path)).run()
    assert kind not in {caveat.kind for trial in resumed.trials for caveat in trial.caveats}


def test_a_skip_in_a_finished_wave_stays_one(tmp_path: Path) -> None:
    scripts = {**SCRIPTS, str(C): Script(fails={"build": UnavailableError("no compiler", "install one")})}
    scene, told = Scene(scripts), [OPENED, GroupOpened(list(CASES), PLAN)]
    _measure(told, tmp_path, scene)
    run = history(told).run()
    assert [skip.case for skip in run.skips] == [C]
    assert [trial.case for trial in run.trials] == [A, B, D]


@pytest.mark.parametrize(
    "entries",
    [
        [GroupOpened([A], PLAN)],
        [OPENED, OPENED],
        [OPENED, WaveDone(0, 1.0, Anchor(1, 1))],
        [OPENED, GroupOpened([], PLAN)],
        [OPENED, GroupOpened([A], PLAN), GroupOpened([B], PLAN)],
        [OPENED, GroupOpened([A], PLAN), Measured(7, [])],
        [OPENED, GroupOpened([A], PLAN), LookDone(2, [5])],
    ],
)
def test_entries_that_contradict_each_other_are_refused_in_a_sentence(entries: list[Entry]) -> None:
    with pytest.raises(StorageError, match=r"journal (begins with|contradicts itself)"):
        history(entries)


def test_the_clock_of_a_further_sitting_begins_after_the_one_before() -> None:
    rebooted = RunClock.following(5000.0, 100.0, clock=lambda: 3.0, wall=lambda: 160.0)
    assert rebooted.now() == 5060.0
    set_back = RunClock.following(5000.0, 100.0, clock=lambda: 3.0, wall=lambda: 40.0)
    assert set_back.now() == 5001.0
