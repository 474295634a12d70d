"""The training workload with its input: each step loads a batch, copies it to the device, trains and reads the loss.

Beside :mod:`suites.training`, whose images lie ready on the device, it shows what the input costs.
"""

from __future__ import annotations

from bench import Case, Options, Selection, Step, Variant
from suites.choice import classifier_selection
from suites.feasible import Purpose
from suites.training import prepare

__all__ = ["build", "cases", "prepare", "selection"]

_PURPOSE = Purpose("training_end_to_end", "training_end_to_end", training=True, loads=True)


def selection(options: Options) -> Selection:
    """What is measured of training with its input, and what is left out; imports no torch."""
    return classifier_selection(_PURPOSE, options)


def cases(options: Options) -> tuple[Case, ...]:
    """The cases of :func:`selection`, baselines first."""
    return selection(options).cases


def build(variant: Variant, *, data: str, model: str | None, shape: str, classes: int, backends: str = "") -> Step:
    """A training step with its input in this process, on weights as they are before training.

    Raises:
        UsageError: an axis value that the classifier does not know.
        UnavailableError: this machine lacks the device or what the backend needs.
    """
    from suites import steps, subject

    chosen = subject.Subject.of(data=data, model=model, shape=shape, classes=classes)
    return steps.end_to_end_step(variant, subject.new_model(chosen), subject.load_images(chosen), backends)
