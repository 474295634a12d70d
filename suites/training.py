"""The training workload: one step of stochastic gradient descent on one batch of resident images."""

from __future__ import annotations

from bench import Case, Options, Step, Variant
from suites.variants import classifier_cases


def cases(options: Options) -> tuple[Case, ...]:
    """What is measured of training, baselines first; imports no torch."""
    return classifier_cases("training", options)


def prepare(*, data: str, model: str | None, shape: str, classes: int) -> None:
    """Check the parameters, and cache the images and what losses are checked against.

    Raises:
        UsageError: the data, the model or their fit is wrong; the message says what to change.
        UnavailableError: a package that the data needs is missing.
    """
    from suites import reference, subject

    chosen = subject.Subject.of(data=data, model=model, shape=shape, classes=classes)
    subject.check(chosen, training=True)
    reference.prepare_curve(chosen)


def build(variant: Variant, *, data: str, model: str | None, shape: str, classes: int) -> Step:
    """A training step in this process, on weights as they are before training.

    Raises:
        UsageError: an axis value that the classifier does not know.
        UnavailableError: this machine lacks the device or what the backend needs.
    """
    from suites import reference, steps, subject

    chosen = subject.Subject.of(data=data, model=model, shape=shape, classes=classes)
    fresh, images = subject.new_model(chosen), subject.load_images(chosen)
    return steps.training_step(variant, fresh, images, lambda batch: reference.find_curve(chosen, batch))
