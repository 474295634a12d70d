"""What results are held against is made plainly, kept by what decides it, and cut where it would take too long."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from suites import reference
from suites.data import rotation
from suites.recipe import Recipe, new_loss, new_optimizer
from suites.reference import distance, make_curve, make_scores
from suites.subject import Subject
from tests.suites import impostors
from tests.suites.models import StaysInFloat32, Tiny


class Dice(Tiny):
    def forward(self, images):
        return super().forward(images) + torch.rand(1)


class Dropping(Tiny):
    def forward(self, images):
        return self.head(nn.functional.dropout(self.convolution(images).relu().mean(dim=(2, 3)), 0.5, self.training))


def test_the_scores_are_those_of_float64(digits):
    model = Tiny()
    made = make_scores(model, digits.held_out)
    with torch.inference_mode():
        expected = model.double()(digits.held_out.images.double())
    assert made.against == "FP64"
    assert sorted(made.indices.tolist()) == list(range(360))
    assert torch.allclose(made.scores, expected[made.indices], rtol=1e-12)


def test_the_model_itself_is_not_touched(digits):
    model = Tiny()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    make_scores(model, digits.held_out)
    make_curve(model, digits, 4)
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_slow_model_is_asked_for_fewer_images_and_steps(digits):
    assert len(make_scores(Tiny(), digits.held_out, limit_cpu_s=0).indices) == 32
    assert make_curve(Tiny(), digits, 4, limit_cpu_s=0).losses.shape == (6, 2)


def test_what_is_cut_holds_the_images_that_are_used_first(digits):
    made = make_scores(Tiny(), digits.held_out, limit_cpu_s=0)
    first = rotation(digits.held_out, 32)[0].images
    assert torch.equal(digits.held_out.images[made.indices], first)


def test_a_model_that_works_in_float32_only_is_held_against_float32(digits):
    made = make_scores(StaysInFloat32(), digits.held_out)
    assert made.against == "FP32"
    assert made.scores.dtype is torch.float32


def test_a_model_that_contradicts_itself_has_no_reference(digits):
    assert make_scores(Dice(), digits.held_out) is None


def test_the_first_run_of_a_curve_is_plain_training(digits):
    model = Tiny()
    curve = make_curve(model, digits, 8)
    optimizer, losses = new_optimizer(model, Recipe()), []
    start = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for batch in rotation(digits.train, 8):
        optimizer.zero_grad()
        loss = new_loss()(model(batch.images), batch.labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert curve.losses[0].tolist() == pytest.approx(losses, rel=1e-6)
    assert float(curve.moved[0, -1]) == pytest.approx(distance(model, start), rel=1e-6)


def test_the_runs_differ_by_rounding_and_no_more(digits):
    losses = make_curve(Tiny(), digits, 8).losses
    assert len(losses.unique(dim=0)) > 1
    assert torch.allclose(losses, losses[0].expand_as(losses), rtol=1e-4)


def test_the_chance_in_a_model_is_in_the_spread_of_its_runs(digits):
    still, random = (make_curve(model, digits, 8).losses.std(dim=0).mean() for model in (Tiny(), Dropping()))
    assert random > 100 * still


def test_a_reference_of_ones_own_model_is_made_anew_and_found_by_its_weights():
    reference.prepare_scores(impostors.SUBJECT)
    first = reference.find_scores(impostors.SUBJECT)
    assert len(first.indices) == 360
    other = Subject("digits", "tests.suites.impostors:Learner", impostors.SHAPE, 10)
    assert reference.find_scores(other) is None


def test_a_curve_for_another_batch_is_made_when_it_is_asked_for():
    reference.prepare_curve(impostors.SUBJECT)
    assert reference.find_curve(impostors.SUBJECT, 5).losses.shape == (6, 8)


def test_a_curve_comes_back_from_the_cache_as_it_was(digits):
    reference.prepare_curve(impostors.SUBJECT)
    first, again = (reference.find_curve(impostors.SUBJECT, 32) for _ in range(2))
    assert torch.equal(first.losses, again.losses)
    assert set(first.start) == set(impostors.Learner().state_dict())
