from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from suites import weights
from suites.classifier import new_classifier
from suites.recipe import Recipe

SHAPE = (3, 32, 32)


@pytest.mark.parametrize(
    "change", [{"epochs": 11}, {"batch": 64}, {"learning_rate": 0.01}, {"momentum": 0.8}, {"seed": 1}], ids=str
)
def test_weights_of_another_recipe_have_another_key(change):
    recipe = Recipe()
    assert weights.weights_key("digits", SHAPE, 10, recipe) != weights.weights_key(
        "digits", SHAPE, 10, replace(recipe, **change)
    )


def test_weights_of_other_data_have_another_key():
    keys = [
        weights.weights_key(data, shape, classes, Recipe())
        for data, shape, classes in (("digits", SHAPE, 10), ("mnist", SHAPE, 10), ("digits", (3, 16, 16), 10))
    ]
    assert all(keys.count(key) == 1 for key in keys)


def test_a_key_names_the_versions_that_decide_the_weights():
    key = weights.weights_key("digits", SHAPE, 10, Recipe())
    assert key["torch"] == torch.__version__.partition("+")[0] or key["torch"] == torch.__version__
    assert str(key["source"]).startswith("scikit-learn ")


def test_stored_weights_are_those_that_inference_finds():
    state = new_classifier(None, 10, seed=5).state_dict()
    path = weights.store(state, "digits", SHAPE, 10, Recipe(seed=5))
    found = weights.trained_weights("digits", SHAPE, 10, Recipe(seed=5))
    assert path.is_file()
    assert all(torch.equal(found[name], tensor) for name, tensor in state.items())


def test_weights_are_trained_where_the_cached_file_is_damaged():
    recipe, shape = Recipe(epochs=1, batch=512, seed=9), (3, 8, 8)
    first = weights.trained_weights("digits", shape, 10, recipe)
    path = weights.store({}, "digits", shape, 10, recipe)
    path.write_bytes(path.read_bytes()[:200])
    again = weights.trained_weights("digits", shape, 10, recipe)
    fresh = new_classifier(None, 10, seed=9).state_dict()
    assert torch.allclose(first["fc.weight"], again["fc.weight"], atol=1e-4)
    assert not torch.equal(again["fc.weight"], fresh["fc.weight"])
