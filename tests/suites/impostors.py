"""Steps that look fast or sound and compute something else: what the checks exist to catch.

``build(variant, ...)`` makes an ordinary step of the shipped suites around a model with a fault, which the variant
names by an axis of its own: ``impostor``.
"""

from __future__ import annotations

import functools

import torch
from torch import nn

from bench import Step, UsageError, Variant
from suites import reference
from suites.data import load
from suites.recipe import Recipe, train_classifier
from suites.steps import inference_step, training_step
from suites.subject import Subject, load_images, new_model
from tests.suites.models import StaysInFloat32

SHAPE = (3, 16, 16)
SUBJECT = Subject("digits", "tests.suites.impostors:learner", SHAPE, 10)
PARAMETERS = {"data": "digits", "model": "tests.suites.impostors:learner", "shape": "3x16x16", "classes": 10}


class Learner(nn.Sequential):
    """Small, and able to tell digits apart after a second of training."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 8, kernel_size=3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10)
        )


@functools.cache
def _trained() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    model = Learner()
    for _loss in train_classifier(model, load("digits", SHAPE, 10).train, Recipe(epochs=4, learning_rate=0.01)):
        pass
    return model.state_dict()


def learner() -> nn.Module:
    """The factory of a user who trained a model and loads it."""
    model = Learner()
    model.load_state_dict(_trained())
    return model


def moody() -> nn.Module:
    """The factory of a user who seeds nothing: other weights each time."""
    torch.seed()
    return Learner()


class Wrapped(nn.Module):
    """A model inside another."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner


class Stuck(Wrapped):
    """Returns the answer to the first batch for ever."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__(inner)
        self.answer: torch.Tensor | None = None

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.answer is None:
            self.answer = self.inner(images)
        return self.answer


class Late(Wrapped):
    """Returns the answer to the batch before."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__(inner)
        self.coming: torch.Tensor | None = None

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        answer, self.coming = self.coming, self.inner(images)
        return self.coming if answer is None else answer


class Overflowing(Wrapped):
    """One score in a batch is no number."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        scores = self.inner(images).clone()
        scores[0, 0] = torch.nan
        return scores


def perturbed(model: nn.Module) -> nn.Module:
    """Each weight off by about a thousandth."""
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1 + 1e-3 * torch.randn(parameter.shape, generator=random))
    return model


def rounded(model: nn.Module, bits: int) -> nn.Module:
    """Weights rounded to so many bits, a scale for each output."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                rows = parameter.flatten(1)
                scale = rows.abs().amax(dim=1, keepdim=True) / (2 ** (bits - 1) - 1)
                parameter.copy_(((rows / scale).round() * scale).reshape(parameter.shape))
    return model


def restrained(model: nn.Module, factor: float) -> nn.Module:
    """Gradients arrive multiplied by a factor; 0 is a step that skips the update."""
    for parameter in model.parameters():
        parameter.register_hook(lambda gradient: gradient * factor)
    return model


def faulty(fault: str, model: nn.Module) -> nn.Module:
    """The model with the fault of this name."""
    faults = {
        "none": lambda: model,
        "stuck": lambda: Stuck(model),
        "late": lambda: Late(model),
        "nan": lambda: Overflowing(model),
        "perturbed": lambda: perturbed(model),
        "int8": lambda: rounded(model, 8),
        "int2": lambda: rounded(model, 2),
        "no_update": lambda: restrained(model, 0.0),
        "half_update": lambda: restrained(model, 0.5),
        "nan_update": lambda: restrained(model, torch.nan),
    }
    if fault not in faults:
        msg = f"no such fault: {fault}"
        raise UsageError(msg)
    return faults[fault]()


def build_inference(variant: Variant) -> Step:
    model = faulty(str(dict(variant.axes).get("impostor", "none")), learner())
    return inference_step(_honest(variant), model, load_images(SUBJECT), lambda: reference.find_scores(SUBJECT))


def build_training(variant: Variant) -> Step:
    model = faulty(str(dict(variant.axes).get("impostor", "none")), new_model(SUBJECT))
    return training_step(
        _honest(variant), model, load_images(SUBJECT), lambda batch: reference.find_curve(SUBJECT, batch)
    )


def build_stays_in_float32(variant: Variant) -> Step:
    torch.manual_seed(0)
    return inference_step(variant, StaysInFloat32(), load_images(SUBJECT))


def _honest(variant: Variant) -> Variant:
    """What the classifier is told: it knows neither faults nor INT8."""
    axes = {name: value for name, value in variant if name != "impostor"}
    return Variant.of(**{**axes, "precision": "fp32" if axes["precision"] == "int8" else axes["precision"]})
