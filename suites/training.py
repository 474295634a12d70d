"""The training workload: one step of stochastic gradient descent on one batch of resident images."""

from __future__ import annotations

from bench import Case, Options, Selection, Step, Variant
from suites.choice import classifier_selection
from suites.feasible import Purpose


def selection(options: Options) -> Selection:
    """What is measured of training, and what is left out; imports no torch."""
    return classifier_selection(Purpose("training", "training", training=True), options)


def cases(options: Options) -> tuple[Case, ...]:
    """The cases of :func:`selection`, baselines first."""
    return selection(options).cases


def prepare(*, data: str, model: str | None, shape: str, classes: int, backends: str = "") -> None:
    """Check the parameters, and cache the images and what losses are checked against.

    Raises:
        UsageError: the data, the model, their fit or a backend is wrong; the message says what to change.
        UnavailableError: a package that the data needs is missing.
    """
    from suites import reference, subject
    from suites.backends import check_outside

    check_outside(backends)
    chosen = subject.Subject.of(data=data, model=model, shape=shape, classes=classes)
    subject.check(chosen, training=True)
    reference.prepare_curve(chosen)


def build(variant: Variant, *, data: str, model: str | None, shape: str, classes: int, backends: str = "") -> Step:
    """A training step in this process, on weights as they are before training.

    Raises:
        UsageError: an axis value that the classifier does not know.
        UnavailableError: this machine lacks the device or what the backend needs.
    """
    from suites import reference, steps, subject

    chosen = subject.Subject.of(data=data, model=model, shape=shape, classes=classes)
    fresh, images = subject.new_model(chosen), subject.load_images(chosen)
    return steps.training_step(variant, fresh, images, lambda batch: reference.find_curve(chosen, batch), backends)
