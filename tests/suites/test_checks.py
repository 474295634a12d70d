"""Wrong results are caught, each kind in the way it goes wrong; right ones pass under every setting."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import Case, Check, CheckKind, GroupMeasurement, Plan, Step, Trial, Variant, Workload
from bench.analysis import Judgement, judge_checks, summarise
from bench.records import Environment, Run
from reports.standing import Standing, standing
from reports.wording import of_strike
from suites import reference
from suites.checks import (
    beats_guessing,
    compare_losses,
    compare_scores,
    compare_turns,
    full_batches,
    loss_checks,
    relative_rmse,
)
from suites.data import rotation_indices
from suites.reference import Curve, Scores, make_curve
from suites.steps import inference_step, training_step
from suites.turns import Turns
from suites.variants import CPU
from tests.suites import impostors
from tests.suites.models import Tiny

EAGER = [variant for variant in CPU if variant["backend"] == "eager"]


@pytest.fixture
def prepared() -> None:
    reference.prepare_scores(impostors.SUBJECT)
    reference.prepare_curve(impostors.SUBJECT)


@pytest.fixture
def onednn_as_asked() -> Iterator[Callable[[Variant], None]]:
    """A function that switches oneDNN as a variant wants it; afterwards it is on again."""
    yield lambda variant: torch.backends.mkldnn.set_flags(bool(variant["onednn"]))
    torch.backends.mkldnn.set_flags(True)


def judged(step: Step, variant: Variant, *, thorough: bool = True) -> tuple[Judgement, ...]:
    step.run()
    case = Case(Workload("w", "m:build"), variant)
    return judge_checks(Trial(case, step.items, checks=tuple(step.checks(thorough))), Plan())


def failed(judgements: tuple[Judgement, ...]) -> set[CheckKind]:
    return {judgement.check.kind for judgement in judgements if judgement.holds is False}


def of_inference(impostor: str = "none", **axes: str) -> tuple[Judgement, ...]:
    variant = Variant.of(**axes, impostor=impostor)
    return judged(impostors.build_inference(variant), variant)


def of_training(impostor: str = "none", **axes: str) -> tuple[Judgement, ...]:
    variant = Variant.of(**axes, impostor=impostor)
    return judged(impostors.build_training(variant), variant)


@pytest.mark.parametrize("variant", [*EAGER, Variant.of(batch=7), Variant.of(batch=500)], ids=str)
@pytest.mark.parametrize("build", [impostors.build_inference, impostors.build_training])
def test_every_eager_setting_is_right(build, variant, prepared, onednn_as_asked):
    onednn_as_asked(variant)
    judgements = judged(build(variant), variant)
    assert judgements
    assert all(judgement.holds for judgement in judgements)


@pytest.mark.parametrize("build", [impostors.build_inference, impostors.build_training])
def test_compiled_code_is_right(build, prepared, compiler):
    variant = Variant.of(backend="compile")
    judgements = judged(build(variant), variant)
    assert judgements
    assert all(judgement.holds for judgement in judgements)


def test_inference_is_checked_by_scores_turns_agreement_and_accuracy(prepared):
    judgements = of_inference()
    assert [(judgement.check.kind, judgement.check.n) for judgement in judgements] == [
        (CheckKind.SCORES, 96),
        (CheckKind.TURNS, 3),
        (CheckKind.SCORES, 360),
        (CheckKind.AGREEMENT, 360),
        (CheckKind.ACCURACY, 360),
    ]
    assert {judgement.check.against for judgement in judgements} == {"FP64"}
    accuracy = judgements[-1].check
    assert accuracy.value == accuracy.reference
    assert accuracy.value > 300


def test_weights_that_are_off_are_caught(prepared):
    assert CheckKind.SCORES in failed(of_inference("perturbed"))


def test_a_backend_that_returns_the_first_answer_for_ever_is_caught(prepared):
    assert failed(of_inference("stuck")) == {
        CheckKind.SCORES,
        CheckKind.TURNS,
        CheckKind.AGREEMENT,
        CheckKind.ACCURACY,
    }


def test_a_quick_look_is_enough_for_that(prepared):
    variant = Variant.of(precision="int8", impostor="stuck")
    assert CheckKind.TURNS in failed(judged(impostors.build_inference(variant), variant, thorough=False))


def test_a_backend_that_is_one_batch_late_is_caught(prepared):
    assert {CheckKind.SCORES, CheckKind.TURNS} <= failed(of_inference("late"))


def test_a_score_that_is_no_number_is_caught(prepared):
    judgements = of_inference("nan", precision="int8")
    assert {CheckKind.SCORES, CheckKind.TURNS} <= failed(judgements)
    assert all(judgement.check.value is None for judgement in judgements if judgement.check.kind is CheckKind.SCORES)


def test_int8_rounding_is_right_as_int8_and_wrong_as_fp32(prepared):
    assert failed(of_inference("int8", precision="int8")) == set()
    assert CheckKind.SCORES in failed(of_inference("int8", precision="fp32"))


def test_rounding_that_is_too_coarse_is_caught(prepared):
    assert CheckKind.SCORES in failed(of_inference("int2", precision="int8"))


def test_a_step_that_skips_the_update_is_caught(prepared):
    assert CheckKind.UPDATE in failed(of_training("no_update"))


@pytest.mark.parametrize("precision", ["fp32", "amp_bf16"])
def test_an_update_of_half_the_size_is_caught(precision, prepared):
    assert CheckKind.UPDATE in failed(of_training("half_update", precision=precision))


def test_a_loss_that_becomes_no_number_is_caught(prepared):
    assert failed(of_training("nan_update")) == {CheckKind.LOSS, CheckKind.UPDATE}


def test_a_skipped_update_shows_in_the_loss_of_a_model_that_learns_quickly(digits):
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 10))
    curve = make_curve(model, digits, 32)
    step = training_step(Variant.of(), impostors.restrained(model, 0.0), digits, lambda batch: curve)
    assert failed(judged(step, Variant.of())) == {CheckKind.LOSS, CheckKind.UPDATE}


def test_training_is_checked_from_the_start_however_far_the_step_has_gone(prepared):
    variant = Variant.of()
    step = impostors.build_training(variant)
    for _ in range(11):
        step.run()
    assert failed(judged(step, variant)) == set()


def test_training_has_no_quick_look(prepared):
    assert tuple(impostors.build_training(Variant.of()).checks(False)) == ()


def test_the_checks_leave_inference_as_it_was(prepared):
    step, other = (impostors.build_inference(Variant.of()) for _ in range(2))
    tuple(step.checks(True))
    assert torch.equal(step.run(), other.run())


def test_a_model_that_is_other_each_time_is_not_called_wrong(prepared):
    subject = reference.Subject("digits", "tests.suites.impostors:moody", impostors.SHAPE, 10)
    reference.prepare_scores(subject)
    step = inference_step(
        Variant.of(), impostors.moody(), reference.load_images(subject), lambda: reference.find_scores(subject)
    )
    (judgement,) = judged(step, Variant.of())
    assert judgement.holds is None
    assert judgement.check == Check.absent(CheckKind.SCORES)


def test_without_a_reference_nothing_is_checked(digits):
    for make in (inference_step, training_step):
        assert tuple(make(Variant.of(), Tiny(), digits).checks(True)) == ()


def test_through_the_whole_pipe_only_the_honest_are_judged(prepared, tmp_path):
    inference = Workload.of("inference", impostors.build_inference, items="images")
    training = Workload.of("training", impostors.build_training, items="images")
    wrong = ("stuck", "late", "nan", "perturbed", "int2")
    cases = [
        [Case(inference, Variant.of()), *(Case(inference, Variant.of(impostor=fault)) for fault in wrong)],
        [Case(training, Variant.of()), Case(training, Variant.of(impostor="no_update"))],
        [
            Case(Workload.of("mixed", impostors.build_stays_in_float32), Variant.of(precision=precision))
            for precision in ("fp32", "amp_bf16")
        ],
    ]
    plan = Plan(waves=1, rounds=1, start="in_process", power="off", warm_up_s=0.2)
    run = Run("id", "2026-11-22T17:30:15Z", Environment(), plan, tuple(measured(cases, plan, tmp_path)))
    for group in summarise(run):
        assert standing(group.rows[0]) is Standing.BASELINE
        for row in group.rows[1:]:
            assert row.trial.failure is None
            assert standing(row) is Standing.STRUCK
            assert row.verdict is None
            assert of_strike(row.trial, row.caveats).startswith("struck out, its ")


def measured(groups: list[list[Case]], plan: Plan, folder: Path) -> list[Trial]:
    trials = []
    for cases in groups:
        measurement = GroupMeasurement(cases, plan, folder)
        measurement.run()
        trials += measurement.trials
    return trials


@given(st.integers(1, 400), st.integers(1, 500))
def test_full_batches_hold_every_image_in_order_and_are_all_full(images: int, batch: int) -> None:
    indices = torch.arange(images) + 7
    batches = full_batches(indices, batch)
    assert all(len(each) == batch for each in batches)
    assert torch.equal(torch.cat(batches)[:images], indices)
    assert len(batches) == math.ceil(images / batch)


@given(st.floats(0, 2), st.integers(0, 2**31))
def test_the_relative_error_of_scaled_scores_is_the_scale(error: float, seed: int) -> None:
    exact = torch.randn(20, 10, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert relative_rmse(exact * (1 + error), exact) == pytest.approx(error, abs=1e-9)


def test_the_relative_error_of_nothing_and_against_nothing() -> None:
    zeros = torch.zeros(3, 2)
    assert relative_rmse(zeros, zeros) == 0
    assert relative_rmse(zeros + 1, zeros) == math.inf
    assert math.isnan(relative_rmse(zeros / 0, zeros + 1))


@settings(max_examples=30)
@given(st.integers(1, 64), st.integers(0, 2**31))
def test_right_answers_belong_to_their_batches_and_swapped_ones_do_not(batch: int, seed: int) -> None:
    scores = torch.randn(360, 10, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    known = Scores(torch.arange(360), scores)
    indices = rotation_indices(360, batch)[:2]
    answers = [scores[each] for each in indices]
    right, swapped = tuple(compare_turns(answers, indices, known)), tuple(compare_turns(answers[::-1], indices, known))
    assert [(check.kind, check.value) for check in right] == [(CheckKind.SCORES, 0.0), (CheckKind.TURNS, 0.0)]
    assert swapped[1].value is None


def test_images_that_the_reference_lacks_are_passed_over() -> None:
    known = Scores(torch.arange(5), torch.ones(5, 2, dtype=torch.float64))
    indices = torch.tensor([[9, 1, 2], [7, 8, 9]])
    answers = [torch.ones(3, 2, dtype=torch.float64)] * 2
    assert [(check.kind, check.n) for check in compare_turns(answers, indices, known)] == [(CheckKind.SCORES, 2)]
    assert tuple(compare_turns(answers[1:], indices[1:], known)) == ()


def test_classes_are_not_compared_where_the_reference_only_guesses() -> None:
    labels = torch.arange(360) % 10
    guessing = Scores(torch.arange(360), torch.eye(10, dtype=torch.float64)[[3] * 360])
    assert [check.kind for check in compare_scores(guessing.scores, guessing, labels)] == [CheckKind.SCORES]
    knowing = Scores(torch.arange(360), torch.eye(10, dtype=torch.float64)[labels])
    assert [(check.kind, check.value) for check in compare_scores(knowing.scores, knowing, labels)] == [
        (CheckKind.SCORES, 0.0),
        (CheckKind.AGREEMENT, 360.0),
        (CheckKind.ACCURACY, 360.0),
    ]


def test_the_commonest_label_is_what_a_guess_would_be() -> None:
    rare = torch.tensor([0] * 90 + [1] * 10)
    assert not beats_guessing(90, rare)
    assert beats_guessing(100, rare)
    assert not beats_guessing(12, torch.arange(100) % 10)


def test_losses_are_compared_with_the_mean_and_spread_of_the_runs() -> None:
    losses = torch.tensor([[3.0, 2.0, 1.0, 1.0], [3.0, 2.0, 1.4, 1.4]], dtype=torch.float64)
    moved = torch.tensor([[0.1, 0.2, 0.3, 0.4]] * 2, dtype=torch.float64)
    loss, update = compare_losses([3.0, 2.0, 1.1, 1.3], 0.5, Curve({}, losses, moved))
    assert (loss.value, loss.reference, loss.n) == (pytest.approx(1.2), pytest.approx(1.2), 4)
    assert loss.spread == pytest.approx(0.4 / math.sqrt(2))
    assert (update.value, update.reference, update.spread) == (0.5, pytest.approx(0.4), 0.0)
    lost, _ = compare_losses([3.0, math.nan, 1.1, 1.3], 0.5, Curve({}, losses, moved))
    assert lost.value is None


@pytest.mark.parametrize(("scale_now", "expected"), [(64.0, 4.0), (2.0, 2.0)])
def test_a_loss_scale_that_grew_while_timing_does_not_meet_the_start_of_training(scale_now, expected):
    """A scale that later weights can bear would overflow on the first ones, and their updates would be skipped."""
    model, scaler = torch.nn.Linear(2, 1), torch.amp.GradScaler("cpu", init_scale=4.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    ones = torch.ones(1, 2, dtype=torch.float64)
    curve = Curve({name: tensor.clone() for name, tensor in model.state_dict().items()}, ones, ones)
    scales = []

    def run() -> torch.Tensor:
        scales.append(scaler.get_scale())
        return torch.ones(())

    checks = loss_checks(run, Turns([None]), model, optimizer, 1, lambda _: curve, scaler)
    scaler.scale(torch.ones(()))
    scaler.update(scale_now)
    list(checks(True))
    assert scales == [expected, expected]


def test_steps_that_a_scaler_skipped_are_taken_again_with_the_scale_it_came_down_to():
    """As the first steps of a new scaler often are; the reference has none, and a right row would look wrong."""
    model, scaler = torch.nn.Linear(2, 1), torch.amp.GradScaler("cpu", init_scale=16.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    twice = torch.ones(1, 2, dtype=torch.float64)
    curve = Curve({name: tensor.clone() for name, tensor in model.state_dict().items()}, twice, twice)
    scales: list[float] = []

    def run() -> torch.Tensor:
        scales.append(scale := scaler.get_scale())
        loss = model(torch.ones(1, 2)).sum() * (math.inf if scale > 4 else 1.0)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss

    found = {
        check.kind: check
        for check in loss_checks(run, Turns([None]), model, optimizer, 1, lambda _: curve, scaler)(True)
    }
    assert scales == [16.0, 8.0, 4.0, 4.0]
    assert found[CheckKind.UPDATE].value > 0
