"""Trained weights of the shipped classifier, cached by everything that decides them."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import torch

from suites import cache
from suites.classifier import new_classifier
from suites.data import data_key, load
from suites.recipe import Recipe, train_classifier
from suites.shapes import Shape

_NAME = "weights"


def weights_key(data: str, shape: Shape, classes: int, recipe: Recipe) -> dict[str, object]:
    """All that decides the weights: recipe, data and library versions."""
    return {
        "model": "resnet18",
        "classes": classes,
        **data_key(data, shape),
        **asdict(recipe),
        "torch": version("torch"),
        "torchvision": version("torchvision"),
    }


def trained_weights(data: str, shape: Shape, classes: int, recipe: Recipe | None = None) -> dict[str, torch.Tensor]:
    """The state dict of a ResNet-18 trained by the recipe: from the cache, or trained now, which takes a minute.

    Raises:
        UsageError: the data cannot be had, or the cache cannot be written.
        UnavailableError: the data needs a package that is missing.
    """
    recipe = recipe or Recipe()

    def train() -> dict[str, torch.Tensor]:
        model = new_classifier(None, classes, recipe.seed)
        for _loss in train_classifier(model, load(data, shape, classes).train, recipe):
            pass
        return model.state_dict()

    return cache.load_or_make(_NAME, weights_key(data, shape, classes, recipe), train)


def store(state: dict[str, torch.Tensor], data: str, shape: Shape, classes: int, recipe: Recipe) -> Path:
    """Put weights that this recipe has just made where :func:`trained_weights` finds them; returns the file.

    Raises:
        UsageError: the cache cannot be written.
    """
    key = weights_key(data, shape, classes, recipe)
    return cache.store(_NAME, key, state)
