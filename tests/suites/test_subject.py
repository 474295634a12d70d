from __future__ import annotations

import pytest
import torch

from bench import UsageError
from suites.subject import Subject, check, inference_model, new_model

MODELS = "tests.suites.models"


def subject(**changes: object) -> Subject:
    return Subject.of(**{"data": "digits", "model": None, "shape": "3x32x32", "classes": 10, **changes})


@pytest.mark.parametrize("training", [True, False])
def test_the_shipped_classifier_and_its_data_fit(training):
    check(subject(), training=training)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": "cifar"}, "choose one of digits, mnist"),
        ({"classes": 5}, "labels 0 to 9, but the model has 5 classes; set 10 classes"),
        ({"classes": 1}, "use at least 2"),
        ({"shape": "1x32x32"}, "takes 3 channels"),
        ({"shape": "3x32"}, "is not an image shape"),
        ({"model": f"{MODELS}:seven_classes"}, "set the number of classes to fit"),
        ({"model": f"{MODELS}:ReturnsAPairInTraining"}, "while it is trained, model .* returns tuple; .* -k inference"),
        ({"model": f"{MODELS}:WithoutParameters"}, "no parameters that can be trained"),
    ],
)
def test_a_subject_whose_parts_do_not_fit_is_refused(changes, words):
    with pytest.raises(UsageError, match=words):
        check(subject(**changes), training=True)


@pytest.mark.parametrize("model", ["ReturnsAPairInTraining", "WithoutParameters"])
def test_what_only_training_forbids_can_still_infer(model):
    check(subject(model=f"{MODELS}:{model}"), training=False)


def test_a_model_of_the_users_own_keeps_the_weights_of_its_factory():
    chosen = subject(model=f"{MODELS}:Tiny")
    assert torch.equal(inference_model(chosen).head.weight, new_model(chosen).head.weight)


def test_nothing_is_learnt_from_synthetic_images():
    chosen = subject(data="synthetic:3x32x32")
    assert torch.equal(inference_model(chosen).fc.weight, new_model(chosen).fc.weight)
