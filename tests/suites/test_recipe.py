from __future__ import annotations

import pytest
import torch

from bench import UsageError
from suites.data import Split
from suites.recipe import Recipe, epoch_order, evaluate, predict, train_classifier
from tests.suites.models import Tiny

QUICK = Recipe(epochs=3, learning_rate=0.05)


def trained(split: Split, recipe: Recipe) -> tuple[Tiny, list[float]]:
    torch.manual_seed(1)
    model = Tiny()
    return model, list(train_classifier(model, split, recipe))


def test_the_loss_falls_from_epoch_to_epoch(digits):
    _, losses = trained(digits.train, QUICK)
    assert len(losses) == 3
    assert losses[2] < losses[1] < losses[0]


def test_training_is_the_same_for_the_same_seed_and_another_for_another(digits):
    split = Split(digits.train.images[:128], digits.train.labels[:128])
    first, again, other = (trained(split, Recipe(epochs=1, seed=seed))[0].head.weight for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_batch_that_is_not_full_sits_out_unless_it_is_the_only_one():
    random = torch.Generator().manual_seed(0)
    assert [len(batch) for batch in epoch_order(33, 32, random)] == [32]
    assert [len(batch) for batch in epoch_order(20, 32, random)] == [20]


def test_accuracy_is_the_share_of_images_that_were_recognised():
    scores = torch.eye(4).reshape(4, 4, 1, 1)
    assert evaluate(torch.nn.Flatten(), Split(scores, torch.tensor([0, 1, 2, 0]))) == 0.75


def test_predictions_are_made_in_evaluation_mode_and_leave_batch_statistics_alone():
    model = torch.nn.Sequential(torch.nn.BatchNorm2d(3), torch.nn.Flatten())
    predict(model, torch.randn(4, 3, 1, 1))
    assert model[0].num_batches_tracked == 0


@pytest.mark.parametrize(
    "wrong", [{"epochs": 0}, {"batch": 0}, {"learning_rate": 0.0}, {"learning_rate": float("nan")}, {"momentum": 1.0}]
)
def test_a_recipe_that_cannot_be_followed_is_refused(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong)).replace("_", " ")):
        Recipe(**wrong)
