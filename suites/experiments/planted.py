"""The inference workload with copies, and with copies that are slower by a known fraction.

A copy is the same case once more, in a process of its own. A planted copy is followed, inside its step, by busy work
for a fraction of what this very call took, so that the truth is known to the clock's resolution whatever mood the
machine is in::

    |<------- forward ------->|<- busy ->|        busy = permille / 1000 of forward
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from bench import Case, Options, Step, Variant, Workload
from suites import inference

#: Own axes of the copies: a number that makes the id unique, and the planted slowdown in thousandths.
COPY, PERMILLE = "copy", "permille"


def cases(options: Options) -> tuple[Case, ...]:
    """The CPU cases of the default inference group, built here, so that copies can join their group."""
    theirs = [case for case in inference.cases(options) if case.variant.device == "cpu"]
    workload = planted_workload(theirs[0].workload)
    return tuple(Case(workload, case.variant) for case in theirs)


def planted_workload(workload: Workload) -> Workload:
    """The same workload, with a builder that knows copies."""
    return replace(workload, build=f"{__name__}:build")


def pair(baseline: Case, number: int, permille: int) -> tuple[Case, Case]:
    """Two copies of the baseline under their own axes; the second is slower by so many thousandths."""
    axes = dict(baseline.variant)
    first = Variant.of(**axes, **{COPY: 2 * number, PERMILLE: 0})
    second = Variant.of(**axes, **{COPY: 2 * number + 1, PERMILLE: permille})
    return Case(baseline.workload, first), Case(baseline.workload, second)


def build(variant: Variant, *, data: str, model: str | None, shape: str, classes: int) -> Step:
    """An inference step, slowed as the variant says.

    Raises:
        UsageError: an axis value that the classifier does not know.
        UnavailableError: this machine lacks the device or what the backend needs.
    """
    axes = dict(variant)
    axes.pop(COPY, None)
    permille = int(axes.pop(PERMILLE, 0))
    step = inference.build(Variant.of(**axes), data=data, model=model, shape=shape, classes=classes)
    return replace(step, run=slowed(step.run, permille / 1000)) if permille else step


def light() -> Case:
    """A case that is set up in no time, one convolution on one thread: many copies of it fit into a run."""
    return Case(Workload("convolution", f"{__name__}:build_light", items="images"), Variant.of(threads=1))


def build_light(variant: Variant) -> Step:
    """A convolution of eight images, whatever copy it is."""
    del variant
    import torch

    layer, images = torch.nn.Conv2d(16, 32, 3, padding=1), torch.randn(8, 16, 32, 32)

    def run() -> object:
        with torch.inference_mode():
            return layer(images)

    return Step(run=run, items=len(images))


def slowed(run: Callable[[], object], fraction: float) -> Callable[[], object]:
    """The same work, and then busy work on the calling thread for a fraction of the time that it took."""
    clock = time.perf_counter

    def slow_run() -> object:
        begin = clock()
        result = run()
        now = clock()
        end = now + (now - begin) * fraction
        while clock() < end:
            pass
        return result

    return slow_run
