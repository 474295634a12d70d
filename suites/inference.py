"""The inference workload: trained weights applied to one batch of resident, held-out images."""

from __future__ import annotations

from bench import Case, Options, Step, Variant
from suites.variants import classifier_cases


def cases(options: Options) -> tuple[Case, ...]:
    """What is measured of inference, baselines first; imports no torch."""
    return classifier_cases("inference", options)


def prepare(*, data: str, model: str | None, shape: str, classes: int) -> None:
    """Check the parameters, and cache the images, the trained weights and what results are checked against.

    Raises:
        UsageError: the data, the model or their fit is wrong; the message says what to change.
        UnavailableError: a package that the data needs is missing.
    """
    from suites import reference, subject

    chosen = subject.Subject.of(data=data, model=model, shape=shape, classes=classes)
    subject.check(chosen, training=False)
    reference.prepare_scores(chosen)


def build(variant: Variant, *, data: str, model: str | None, shape: str, classes: int) -> Step:
    """An inference step in this process.

    Raises:
        UsageError: an axis value that the classifier does not know.
        UnavailableError: this machine lacks the device or what the backend needs.
    """
    from suites import reference, steps, subject

    chosen = subject.Subject.of(data=data, model=model, shape=shape, classes=classes)
    weights, images = subject.inference_model(chosen), subject.load_images(chosen)
    return steps.inference_step(variant, weights, images, lambda: reference.find_scores(chosen))
