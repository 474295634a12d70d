"""What ranges cost when nobody watches them: ``python -m suites.experiments.annotations [--case training]``.

The same case twice, interleaved as any two cases are: once as it is measured every day, once with a range of nvtx
pushed and popped around the step and each of its phases, no profiler attached (A/A). Then the cost of one span by
itself, in nanoseconds: with nobody told, and as a range.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import timeit
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import bench
from suites import inference, training

ANNOTATED = "annotated"
_MODULE = "suites.experiments.annotations"  # by name, since another process imports it
_WORKLOADS = {"training": training, "inference": inference}
_CALLS, _REPEATS = 20_000, 9
#: In a wave, at most: the whole budget goes into two cases.
_ROUNDS = 2000


def build_training(variant: bench.Variant, *, data: str, model: str | None, shape: str, classes: int) -> bench.Step:
    """A training step, with its ranges where the variant says so."""
    plain = _plain(variant)
    return _shown(variant, training.build(plain, data=data, model=model, shape=shape, classes=classes))


def build_inference(variant: bench.Variant, *, data: str, model: str | None, shape: str, classes: int) -> bench.Step:
    """An inference step, with its ranges where the variant says so."""
    plain = _plain(variant)
    return _shown(variant, inference.build(plain, data=data, model=model, shape=shape, classes=classes))


def _plain(variant: bench.Variant) -> bench.Variant:
    return bench.Variant.of(**{name: value for name, value in variant if name != ANNOTATED})


def _shown(variant: bench.Variant, step: bench.Step) -> bench.Step:
    return replace(step, run=bench.annotated(step.run)) if dict(variant).get(ANNOTATED) else step


def pair(name: str) -> tuple[bench.Case, bench.Case]:
    """The baseline of a workload on the CPU with one thread, without and with its ranges."""
    workload = replace(_WORKLOADS[name].cases(bench.Options())[0].workload, build=f"{_MODULE}:build_{name}")
    plain, shown = (bench.Variant.of(threads=1, **{ANNOTATED: told}) for told in (False, True))
    return bench.Case(workload, plain), bench.Case(workload, shown)


def measured(name: str, plan: bench.Plan) -> tuple[bench.Comparison, bench.Verdict]:
    """The annotated case against the plain one.

    Raises:
        MeasurementError: one of the two failed, or they share no round.
    """
    cases = pair(name)
    bench.prepare(cases, plan)
    with tempfile.TemporaryDirectory() as caches:
        measurement = bench.GroupMeasurement(cases, plan, Path(caches))
        measurement.run()
    plain, shown = measurement.trials
    comparison = bench.compare(shown, plain, plan.confidence)
    if comparison is None:
        reasons = [trial.failure.reason for trial in (plain, shown) if trial.failure is not None]
        msg = f"nothing was compared ({'; '.join(reasons) or 'no common round'}); allow more time with --budget"
        raise bench.MeasurementError(msg)
    return comparison, bench.judge([comparison], plan.band)[0]


def cost_s(run: Callable[[], object]) -> float:
    """Seconds of one call, an empty one taken off: of the shortest stretch, since what disturbs a loop only adds."""
    shortest = [min(timeit.repeat(one, number=_CALLS, repeat=_REPEATS)) for one in (run, _nothing)]
    return (shortest[0] - shortest[1]) / _CALLS


def span_costs() -> dict[str, float]:
    """Seconds that one span takes: when nobody is told, and as a range without a profiler."""

    def spanned() -> None:
        with bench.span("forward"):
            pass

    def two() -> None:
        with bench.span("forward"):
            pass
        with bench.span("backward"):
            pass

    # Telling the tracer is once for a step and not for a range, so it is taken off by the difference of two and one.
    return {
        "nobody is told": cost_s(spanned),
        "pushed and popped, no profiler attached": cost_s(bench.annotated(two)) - cost_s(bench.annotated(spanned)),
    }


def _nothing() -> None: ...


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the verdict and the costs; returns the exit status."""
    parser = argparse.ArgumentParser(prog="suites.experiments.annotations", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--case", choices=tuple(_WORKLOADS), default="training", help="workload (default training)")
    parser.add_argument("--budget", type=float, default=150.0, help="seconds of measuring (150)")
    options = parser.parse_args(arguments)
    try:
        if "NVTX_INJECTION64_PATH" in os.environ:
            msg = "a profiler is attached, and its cost would be measured; run this without nsys"
            raise bench.UsageError(msg)
        for name, seconds in span_costs().items():
            print(f"a span, {name}: {seconds * 1e9:.0f} ns")
        comparison, verdict = measured(options.case, bench.Plan(budget_s=options.budget, rounds=_ROUNDS, power="off"))
    except bench.BenchError as error:
        print(f"suites.experiments.annotations: {error}", file=sys.stderr)
        return 2
    low, high = comparison.low or 0.0, comparison.high or float("inf")
    ratio = f"{comparison.speedup:.4f} ({low:.4f} to {high:.4f})"
    print(f"{options.case} with ranges against without: {ratio}, {verdict.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
