"""The model that is measured: torchvision's ResNet-18 with a head of its own, or the user's own model."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import nn
from torchvision.models import resnet18

from bench import UsageError
from suites.imports import describe, find_function
from suites.shapes import Shape, format_shape

#: What it returns is checked where it is called.
Factory = Callable[[], object]


def new_classifier(model: str | None, classes: int, seed: int = 0) -> nn.Module:
    """A model with fresh weights, the same for the same seed; the CPU's random state is left as it was.

    ``model`` is ``"module:factory"``, or None for the shipped ResNet-18.

    Raises:
        UsageError: the factory cannot be imported or called, or does not return a module.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if model is None:
            shipped: nn.Module = resnet18(weights=None, num_classes=classes)
            return shipped
        return _call(model, load_factory(model))


def shipped_classifier(weights: Mapping[str, torch.Tensor], classes: int) -> nn.Module:
    """The shipped ResNet-18 with a copy of these weights, a whole state; none are drawn first to be thrown away."""
    with torch.device("meta"):
        model: nn.Module = resnet18(weights=None, num_classes=classes)
    model.load_state_dict({name: tensor.clone() for name, tensor in weights.items()}, assign=True)
    return model


def load_factory(name: str) -> Factory:
    """The user's function behind ``"module:factory"``; the current folder is searched too, last.

    Raises:
        UsageError: the name is malformed, the module does not import, or the attribute is no function of it.
    """
    module_name, colon, attribute = name.partition(":")
    if not (module_name and colon and attribute.isidentifier()):
        msg = f"model {name!r} is not of the form module:factory; write for example mymodels:make_model"
        raise UsageError(msg)
    return find_function(f"model {name!r}", name, "def {name}() -> torch.nn.Module")


def check_output(model: nn.Module, name: str | None, shape: Shape, classes: int) -> None:
    """Refuse a model that, in its present mode, does not turn images [n, *shape] into scores [n, classes].

    In training mode this moves batch statistics, so give it a model that is not used afterwards.

    Raises:
        UsageError: saying what the model returned instead.
    """
    label = name or "ResNet-18"
    images = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    try:
        with torch.inference_mode():
            scores = model(images)
    except Exception as error:  # a user's model may raise anything
        msg = f"model {label!r} does not take images of {format_shape(shape)} ({describe(error)}); set its input shape"
        raise UsageError(msg) from error
    if not isinstance(scores, torch.Tensor):
        msg = f"model {label!r} returns {type(scores).__name__}; it must return one tensor of scores [batch, {classes}]"
        if model.training:
            msg = f"while it is trained, {msg}, or measure inference alone, -k inference"
        raise UsageError(msg)
    if tuple(scores.shape) != (2, classes):
        found = list(scores.shape)
        msg = f"model {label!r} turns a batch of 2 into {found}, not [2, {classes}]; set the number of classes to fit"
        raise UsageError(msg)


def _call(name: str, factory: Factory) -> nn.Module:
    try:
        model = factory()
    except Exception as error:  # the user's code may raise anything
        msg = f"model {name!r} fails when it is called ({describe(error)}); it must need no arguments"
        raise UsageError(msg) from error
    if not isinstance(model, nn.Module):
        msg = f"model {name!r} returns {type(model).__name__}; it must return a torch.nn.Module"
        raise UsageError(msg)
    return model
