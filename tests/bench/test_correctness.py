"""Which results are right, by literal figures; and that a wrong one never wins, however fast."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import Check, CheckKind, MeasurementError, Plan, Trial, UsageError, load, storage
from bench.analysis import Group, judge_checks, summarise
from bench.analysis.correctness import accuracy, is_right, loss_difference, score_error
from bench.analysis.statistics import wilson_interval
from bench.records import CaveatKind
from bench.records.plan import TOLERANCES
from tests.factories import TRAINING, make_run, make_trial, with_losses, with_scores

PRECISIONS = ("fp32", "tf32", "amp_bf16", "fp16", "int8", "posit16")


def trial_of(*checks: Check, precision: str = "fp32") -> Trial:
    return replace(make_trial(waves=1, rounds=1, precision=precision), checks=checks)


def holds(check: Check, precision: str = "fp32", plan: Plan | None = None) -> bool | None:
    (judgement,) = judge_checks(trial_of(check, precision=precision), plan or Plan())
    return judgement.holds


def scores(rmse: float) -> Check:
    return Check.of(CheckKind.SCORES, 360, rmse, against="FP64")


def group_of(*trials: Trial) -> Group:
    (group,) = summarise(make_run(*trials))
    return group


def kinds(trial: Trial) -> list[CaveatKind]:
    return [caveat.kind for caveat in group_of(trial).rows[0].caveats]


@pytest.mark.parametrize(
    ("precision", "rmse", "right"),
    [
        ("fp32", 6.1e-6, True),  # without oneDNN
        ("fp32", 1.0e-3, False),  # TF32 by another name
        ("tf32", 1.0e-3, True),
        ("tf32", 2.0e-2, False),
        ("amp_bf16", 1.0e-2, True),
        ("amp_bf16", 0.3, False),
        ("int8", 0.1, True),
        ("int8", 0.31, False),  # four bits
        ("posit16", 0.1, True),  # nothing is known of it: the loosest
        ("posit16", 0.31, False),
    ],
)
def test_the_error_allowed_follows_from_the_precision(precision: str, rmse: float, right: bool) -> None:
    assert holds(scores(rmse), precision) is right


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", [CheckKind.SCORES, CheckKind.TURNS, CheckKind.LOSS, CheckKind.UPDATE])
def test_what_is_no_finite_number_is_wrong_at_any_precision(kind: CheckKind, precision: str) -> None:
    for value in (math.nan, math.inf):
        assert holds(Check.of(kind, 8, value, reference=1.0), precision) is False


@given(st.floats(0, 10), st.floats(0, 10), st.sampled_from(PRECISIONS))
def test_a_larger_error_is_never_righter(one: float, other: float, precision: str) -> None:
    small, large = sorted((one, other))
    assert holds(scores(small), precision) or not holds(scores(large), precision)


@given(st.floats(1e-6, 1e6), st.floats(0, 1e3), st.sampled_from(PRECISIONS))
def test_the_reference_itself_is_right(loss: float, spread: float, precision: str) -> None:
    for kind in (CheckKind.LOSS, CheckKind.UPDATE):
        assert holds(Check.of(kind, 8, loss, reference=loss, spread=spread), precision)
    assert holds(scores(0.0), precision)


@given(st.integers(1, 2000), st.data())
def test_one_image_is_always_allowed_and_all_never(n: int, data: st.DataObject) -> None:
    assert holds(Check.of(CheckKind.AGREEMENT, n, n - 1))
    reference = data.draw(st.integers(1, n))
    assert holds(Check.of(CheckKind.ACCURACY, n, reference - 1, reference=reference))
    if reference > max(1, 0.01 * n):
        assert not holds(Check.of(CheckKind.ACCURACY, n, 0, reference=reference))


def test_more_right_answers_than_the_references_are_no_fault() -> None:
    assert holds(Check.of(CheckKind.ACCURACY, 360, 360, reference=300))


def test_answers_nearer_to_another_batch_are_wrong() -> None:
    assert holds(Check.of(CheckKind.TURNS, 3, 0.9))
    assert not holds(Check.of(CheckKind.TURNS, 3, 1.1))


def test_a_loss_may_be_off_by_chance_as_far_as_the_reference_itself() -> None:
    assert not holds(Check.of(CheckKind.LOSS, 8, 2.3, reference=2.0, spread=0.0))
    assert holds(Check.of(CheckKind.LOSS, 8, 2.3, reference=2.0, spread=0.06))
    assert not holds(Check.of(CheckKind.UPDATE, 8, 0.0, reference=0.6, spread=0.016))


def test_nothing_to_compare_with_is_neither_right_nor_wrong() -> None:
    assert holds(Check.absent(CheckKind.SCORES)) is None
    assert holds(Check.of(CheckKind.LOSS, 8, 2.0, reference=math.nan)) is None
    assert is_right(judge_checks(trial_of(Check.absent(CheckKind.SCORES)), Plan()))
    assert kinds(trial_of(Check.absent(CheckKind.SCORES))) == [CaveatKind.UNCHECKED]


def test_the_plan_decides_on_reading() -> None:
    assert holds(scores(0.31), "int8", Plan(rmse_int8=0.4))
    assert not holds(scores(0.1), "int8", Plan(rmse_int8=0.05))


@pytest.mark.parametrize("name", TOLERANCES)
def test_a_tolerance_that_is_no_fraction_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} must be a fraction"):
        Plan(**{name: 1.5})


def test_the_figures_of_a_row_are_those_of_its_worst_wave() -> None:
    checks = (scores(1e-6), replace(scores(3e-6), wave=2), Check.of(CheckKind.ACCURACY, 360, 355, reference=355))
    trial = trial_of(*checks, replace(checks[2], value=354.0, wave=1))
    known = accuracy(trial, 0.95)
    error = score_error(judge_checks(trial, Plan()))
    assert known is not None
    assert error is not None
    assert (known.value, known.n, error.value) == (354 / 360, 360, 3e-6)


def test_an_error_that_is_no_number_is_not_shown_as_one() -> None:
    assert score_error(judge_checks(trial_of(scores(1e-6), scores(math.nan)), Plan())) is None
    lost = Check.of(CheckKind.LOSS, 8, math.nan, reference=2.0)
    assert loss_difference(judge_checks(trial_of(lost), Plan())) is None


def test_the_loss_difference_has_a_sign() -> None:
    known = loss_difference(judge_checks(with_losses(make_trial(TRAINING), 1.9), Plan()))
    assert known is not None
    assert known.value == pytest.approx(-0.05)
    assert known.n == 8


def test_a_wrong_case_gets_no_verdict_however_fast() -> None:
    quick = with_scores(make_trial(step_s=0.001, layout="channels_last"), 0.3)
    group = group_of(with_scores(make_trial(), 6e-7), quick)
    assert group.rows[1].verdict is None
    assert not group.rows[1].right
    assert group.rows[1].comparison is not None


def test_a_wrong_baseline_judges_nobody() -> None:
    group = group_of(with_scores(make_trial(), 0.3), with_scores(make_trial(step_s=0.01, threads=1), 6e-7))
    assert [row.verdict for row in group.rows] == [None, None]


def test_a_wrong_result_is_told_once_for_each_check_with_its_figures() -> None:
    caveats = group_of(with_scores(make_trial(), 0.3, 300)).rows[0].caveats
    wrong = [dict(caveat.figures) for caveat in caveats if caveat.kind is CaveatKind.WRONG_RESULT]
    assert [figures["check"] for figures in wrong] == ["scores", "agreement", "accuracy"]
    assert wrong[0] == {
        "check": "scores", "found": 0.3, "allowed": 1e-4, "against": "FP64", "n": 360, "items": "images",
    }  # fmt: skip


def test_a_case_without_checks_beside_checked_ones_says_so_and_a_run_without_any_does_not() -> None:
    group = group_of(with_scores(make_trial(), 6e-7), make_trial(threads=1))
    assert CaveatKind.UNCHECKED in {caveat.kind for caveat in group.rows[1].caveats}
    assert CaveatKind.UNCHECKED not in {caveat.kind for caveat in group.rows[0].caveats}
    assert kinds(make_trial()) == []


def test_a_precision_of_the_users_own_is_said_to_be_judged_loosely() -> None:
    assert CaveatKind.LOOSELY_CHECKED in kinds(with_scores(make_trial(precision="posit16"), 0.1))
    assert CaveatKind.LOOSELY_CHECKED not in kinds(with_scores(make_trial(precision="int8"), 0.1))


@given(st.integers(1, 10_000), st.floats(0.5, 0.999), st.data())
def test_wilsons_interval_holds_the_proportion_and_keeps_to_its_range(
    n: int, confidence: float, data: st.DataObject
) -> None:
    successes = data.draw(st.integers(0, n))
    share, low, high = wilson_interval(successes, n, confidence)
    mirrored = wilson_interval(n - successes, n, confidence)
    assert low is not None
    assert high is not None
    assert 0 <= low <= share <= high <= 1
    assert low < high
    assert mirrored.low == pytest.approx(1 - high, abs=1e-9)


def test_wilsons_interval_has_its_closed_form_at_the_edge() -> None:
    z = NormalDist().inv_cdf(0.975)
    assert wilson_interval(0, 10, 0.95)[1:] == (0.0, pytest.approx(z * z / (10 + z * z)))
    with pytest.raises(ValueError, match="no proportion"):
        wilson_interval(0, 0, 0.95)


@pytest.mark.parametrize(
    "figures",
    [
        (CheckKind.SCORES, -1, 0.0),
        (CheckKind.SCORES, 3, -0.1),
        (CheckKind.SCORES, 3, math.nan),
        (CheckKind.ACCURACY, 3, 4.0),
    ],
)
def test_figures_that_cannot_be_are_refused(figures: tuple[CheckKind, int, float]) -> None:
    with pytest.raises(MeasurementError, match="no evidence"):
        Check(*figures)


def test_checks_come_back_from_disk_as_they_were(tmp_path: Path) -> None:
    trial = trial_of(scores(math.nan), Check.absent(CheckKind.LOSS), *with_losses(make_trial(), 2.1).checks)
    run = make_run(trial, plan=Plan(rmse_half=0.02))
    storage.save(run, tmp_path)
    assert load(tmp_path) == run


def test_a_run_stored_before_there_were_checks_has_none() -> None:
    run = load(Path(__file__).parent / "stored" / "schema-1")
    assert all(trial.checks == () for trial in run.trials)
    assert all(row.right and row.accuracy is None for group in summarise(run) for row in group.rows)
