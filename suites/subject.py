"""What is measured, apart from how: a model and the images that it is given."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from bench import UsageError
from suites import data as data_sets
from suites.classifier import check_output, new_classifier, shipped_classifier
from suites.shapes import Shape, format_shape, parse_shape
from suites.weights import trained_weights


@dataclass(frozen=True)
class Subject:
    """A model (None for the shipped ResNet-18, else ``"module:factory"``), its input shape, classes and data."""

    data: str = "digits"
    model: str | None = None
    shape: Shape = (3, 32, 32)
    classes: int = 10

    @classmethod
    def of(cls, *, data: str, model: str | None, shape: str, classes: int) -> Subject:
        """The subject from a workload's parameters.

        Raises:
            UsageError: a shape that is none, or fewer than two classes.
        """
        if classes < 2:
            msg = f"{classes} classes leave nothing to classify; use at least 2"
            raise UsageError(msg)
        return cls(data, model, parse_shape(shape), classes)


def check(subject: Subject, *, training: bool) -> None:
    """Refuse a subject whose parts do not fit, and cache its images; the quick checks come first.

    ``training`` asks for a model that can be trained, and looks at it in that mode: some return more than scores
    there.

    Raises:
        UsageError: the data, the model or their fit is wrong.
        UnavailableError: the data needs a package that is missing.
    """
    data_sets.check_name(subject.data, subject.shape)
    if subject.model is None and subject.shape[0] != 3:
        msg = f"the shipped ResNet-18 takes 3 channels, not {format_shape(subject.shape)}; use 3 or a model of your own"
        raise UsageError(msg)
    model = new_model(subject).train(training)
    if training and not any(parameter.requires_grad for parameter in model.parameters()):
        msg = f"model {subject.model!r} has no parameters that can be trained; measure inference alone, -k inference"
        raise UsageError(msg)
    check_output(model, subject.model, subject.shape, subject.classes)
    load_images(subject)


def load_images(subject: Subject) -> data_sets.DataSet:
    """The subject's images, resized and normalised to fit its model."""
    return data_sets.load(subject.data, subject.shape, subject.classes)


def new_model(subject: Subject, seed: int = 0) -> nn.Module:
    """The model before any training; every case and every process gets the same weights."""
    return new_classifier(subject.model, subject.classes, seed)


def inference_model(subject: Subject) -> nn.Module:
    """The model as inference is measured with it.

    The shipped classifier has weights trained on the subject's data. A model of the user's own keeps the weights its
    factory gave it: train it, save it, and load it in the factory. Nothing can be learnt from synthetic images, so
    there the weights stay as initialised.
    """
    if subject.model is None and not data_sets.is_synthetic(subject.data):
        return shipped_classifier(trained_weights(subject.data, subject.shape, subject.classes), subject.classes)
    return new_model(subject)
