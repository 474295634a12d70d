"""The inference workload: trained weights applied to one batch of resident, held-out images."""

from __future__ import annotations

from bench import Case, Options, Selection, Step, Variant
from suites.choice import classifier_selection
from suites.feasible import Purpose


def selection(options: Options) -> Selection:
    """What is measured of inference, and what is left out; imports no torch."""
    return classifier_selection(Purpose("inference", "inference"), options)


def cases(options: Options) -> tuple[Case, ...]:
    """The cases of :func:`selection`, baselines first."""
    return selection(options).cases


def prepare(*, data: str, model: str | None, shape: str, classes: int, backends: str = "") -> None:
    """Check the parameters, and cache the images, the trained weights and what results are checked against.

    Raises:
        UsageError: the data, the model, their fit or a backend is wrong; the message says what to change.
        UnavailableError: a package that the data needs is missing.
    """
    from suites import reference, subject
    from suites.backends import check_outside

    check_outside(backends)
    chosen = subject.Subject.of(data=data, model=model, shape=shape, classes=classes)
    subject.check(chosen, training=False)
    reference.prepare_scores(chosen)


def build(variant: Variant, *, data: str, model: str | None, shape: str, classes: int, backends: str = "") -> Step:
    """An inference step in this process.

    Raises:
        UsageError: an axis value that the classifier does not know.
        UnavailableError: this machine lacks the device or what the backend needs.
    """
    from suites import reference, steps, subject

    chosen = subject.Subject.of(data=data, model=model, shape=shape, classes=classes)
    weights, images = subject.inference_model(chosen), subject.load_images(chosen)
    return steps.inference_step(variant, weights, images, lambda: reference.find_scores(chosen), backends)
