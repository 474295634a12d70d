from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.analysis import summarise
from bench.analysis.soundness import is_profiled
from bench.errors import StorageError
from bench.records import Case, Caveat, CaveatKind, Life, Plan, Run, Sample, SampleKind, Trial, Variant
from bench.skim import skim
from bench.storage import load, save
from tests.factories import INFERENCE, make_run, make_trial, with_energy
from tests.reports.example import example_run

#: What a wave, a round and the seconds of a step may be.
_SAMPLES = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 3), st.floats(1e-4, 1e-1), st.integers(1, 5)), max_size=40
)


PROFILED = Caveat.of(CaveatKind.PROFILED, profiler="nsys")
CROWD = Caveat.of(CaveatKind.BUSY_HOST, waves=1, named="1", others=1.0, stolen=0.0, cores=2)


def assert_same(run: Run, folder: Path) -> None:
    """What is skimmed of a stored run is what it says when it is read in full."""
    path = save(run, folder)
    (skimmed,) = skim([path])
    assert (skimmed.id, skimmed.started, skimmed.environment, skimmed.plan) == (
        run.id, run.started, run.environment, run.plan,
    )  # fmt: skip
    rows = {row.trial.case: row for group in summarise(load(path)) for row in group.rows}
    assert {glance.case for glance in skimmed.glances} == set(rows)
    for glance in skimmed.glances:
        row = rows[glance.case]
        assert glance.is_baseline == row.is_baseline
        assert glance.honoured == row.trial.honoured
        assert glance.right == row.right
        assert glance.failed == (row.trial.failure is not None)
        assert glance.profiled == is_profiled(row.trial)
        if row.time_per_step is None:
            assert glance.item_s is None
        else:
            assert glance.item_s is not None
            expected = (row.time_per_step.value, row.time_per_step.low, row.time_per_step.high)
            found = [None if one is None else one * glance.items_per_step for one in glance.item_s]
            assert_close(found, expected)
        if row.comparison is None:
            assert glance.speedup is None
        else:
            expected = (row.comparison.speedup, row.comparison.low, row.comparison.high)
            assert glance.speedup is not None
            assert_close(glance.speedup, expected)


def assert_close(found: Iterable[float | None], expected: Iterable[float | None]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert (one is None) == (other is None)
        assert one is None or one == pytest.approx(other, rel=1e-9)


@pytest.mark.parametrize(
    "run",
    [
        example_run(),
        make_run(),
        make_run(make_trial(waves=1), make_trial(waves=1, step_s=0.01, layout="channels_last")),
        make_run(make_trial(waves=1, rounds=2), make_trial(waves=1, rounds=2, layout="channels_last")),
        make_run(make_trial(waves=6), make_trial(waves=3, step_s=0.01, layout="channels_last")),
        with_energy(make_run(make_trial(), make_trial(step_s=0.01, layout="channels_last")), [100.0, 60.0]),
        make_run(replace(make_trial(), caveats=(CROWD,)), make_trial(step_s=0.01, layout="channels_last")),
        make_run(make_trial(), replace(make_trial(layout="channels_last"), caveats=(PROFILED,))),
    ],
    ids=["example", "empty", "one wave", "two rounds", "left at the look", "energy", "crowded", "profiled"],
)
def test_what_is_skimmed_is_what_reading_in_full_gives(run: Run, tmp_path: Path) -> None:
    assert_same(run, tmp_path)


@settings(max_examples=60, deadline=None)
@given(st.lists(_SAMPLES, min_size=1, max_size=3))
def test_any_samples_are_skimmed_as_they_are_read(
    tmp_path_factory: pytest.TempPathFactory, cases: list[list[tuple[int, int, float, int]]]
) -> None:
    trials = []
    for number, rows in enumerate(cases):
        samples = [
            Sample(wave, round_, 0, None, float(place), steps, step_s * steps, None)
            for place, (wave, round_, step_s, steps) in enumerate(rows)
        ]
        case = Case(INFERENCE, Variant.of(threads=number))
        trials.append(Trial(case, 32, (Life(0, True, 1.0, 0.1, 0.1, 1, True),), tuple(samples)))
    assert_same(make_run(*trials, plan=Plan(seed=1)), tmp_path_factory.mktemp("run"))


def test_single_steps_count_where_a_case_has_no_others(tmp_path: Path) -> None:
    trial = make_trial()
    single = replace(trial, samples=tuple(sample._replace(kind=SampleKind.LATENCY) for sample in trial.samples))
    (skimmed,) = skim([save(make_run(single), tmp_path)])
    (plain,) = skim([save(make_run(trial), tmp_path)])
    assert skimmed.glances[0].item_s == plain.glances[0].item_s


@pytest.mark.parametrize(
    ("old", "new", "trouble"),
    [
        (b'"schema":1', b'"schema":999', "has schema 999"),
        (b'"waves":6', b'"waves":"6"', "is damaged"),
        (b",0.02,", b",7e307,", "that is no evidence"),
        (b'"items_per_step":32', b'"items_per_step":0', "items; it must be at least 1"),
    ],
)
def test_what_reading_refuses_skimming_refuses_with_the_same_words(
    tmp_path: Path, old: bytes, new: bytes, trouble: str
) -> None:
    path = save(make_run(make_trial(wobble=0.0)), tmp_path)
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(StorageError) as skimmed:
        skim([path])
    with pytest.raises(StorageError) as read:
        load(path)
    assert str(skimmed.value) == str(read.value)
    assert trouble in str(skimmed.value)


def test_a_run_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is not there"):
        skim([tmp_path / "none"])
