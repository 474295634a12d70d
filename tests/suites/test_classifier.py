from __future__ import annotations

import pytest
import torch

from bench import UsageError
from suites.classifier import check_output, load_factory, new_classifier, shipped_classifier

SHAPE = (3, 32, 32)
MODELS = "tests.suites.models"


def test_the_shipped_classifier_has_the_head_asked_for():
    scores = new_classifier(None, 7).eval()(torch.randn(2, *SHAPE))
    assert scores.shape == (2, 7)


def test_the_same_seed_gives_the_same_weights_and_leaves_the_random_state_alone():
    state = torch.get_rng_state()
    first, second, other = (new_classifier(None, 10, seed).conv1.weight for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_shipped_classifier_is_what_its_weights_say_and_keeps_a_copy_of_them():
    trained = new_classifier(None, 10, seed=3)
    model = shipped_classifier(trained.state_dict(), 10)
    images = torch.randn(2, *SHAPE)
    assert torch.equal(model.eval()(images), trained.eval()(images))
    assert all(parameter.requires_grad and parameter.device.type == "cpu" for parameter in model.parameters())
    with torch.no_grad():
        model.conv1.weight.zero_()
    assert trained.conv1.weight.abs().sum() > 0


def test_weights_that_are_not_whole_are_no_classifier():
    weights = new_classifier(None, 10).state_dict()
    del weights["fc.bias"]
    with pytest.raises(RuntimeError, match=r"fc\.bias"):
        shipped_classifier(weights, 10)


def test_a_model_of_the_users_own_is_built_by_name_with_seeded_weights():
    first, second = (new_classifier(f"{MODELS}:Tiny", 10).head.weight for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resnet18", "not of the form module:factory"),
        (":make", "not of the form module:factory"),
        ("models:", "not of the form module:factory"),
        ("no_such_module_here:make", "put its folder on PYTHONPATH"),
        ("tests.suites.no_such_module:make", "put its folder on PYTHONPATH"),
        ("tests.suites.broken_module:make", "ValueError: half written.*; mend the module"),
        (f"{MODELS}:missing", "has no function missing"),
        (f"{MODELS}:NOT_CALLABLE", "has no function NOT_CALLABLE"),
    ],
)
def test_a_factory_that_cannot_be_had_is_refused_in_one_line(name, words):
    with pytest.raises(UsageError, match=words) as caught:
        load_factory(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        ("fails", "RuntimeError: the weights are not there"),
        ("NeedsAnArgument", "it must need no arguments"),
        ("no_module", "returns str; it must return a torch.nn.Module"),
    ],
)
def test_a_factory_that_makes_no_module_is_refused(factory, words):
    with pytest.raises(UsageError, match=words):
        new_classifier(f"{MODELS}:{factory}", 10)


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        ("grey", "does not take images of 3x32x32"),
        ("seven_classes", r"turns a batch of 2 into \[2, 7\], not \[2, 10\]"),
        (
            "ReturnsAPair",
            "while it is trained, model .* returns tuple; it must return one tensor .*, or measure inference alone",
        ),
    ],
)
def test_a_model_whose_output_does_not_fit_is_refused(factory, words):
    model = new_classifier(f"{MODELS}:{factory}", 10)
    with pytest.raises(UsageError, match=words):
        check_output(model, f"{MODELS}:{factory}", SHAPE, 10)


def test_a_model_that_fits_is_accepted():
    check_output(new_classifier(None, 10).eval(), None, SHAPE, 10)
