"""What it costs to stay independent of a vendor: the best setting that runs anywhere beside the best that does not.

Vendor-neutral is what is taken elsewhere without change, vendor-bound what exists for one vendor's hardware only. A
backend in neither set (a user's own) is known to be neither, and takes no part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.analysis.comparison import Comparison, Verdict, compare, ended_before
from bench.records import AXES, AxisValue, Case, Trial, Variant

#: Backends that run on hardware of several vendors. OpenVINO is Intel's, and runs on any x86 and Arm processor.
NEUTRAL_BACKENDS = frozenset({"eager", "compile", "compile_max_autotune", "onnxruntime", "openvino"})
#: Axis values that exist for NVIDIA's hardware only; compiling for less overhead is done with CUDA graphs.
VENDOR_BOUND: Mapping[str, frozenset[AxisValue]] = {
    "backend": frozenset(
        {"cuda_graphs", "compile_reduce_overhead", "tensorrt", "onnxruntime_tensorrt", "onnxruntime_trt_rtx"}
    ),
    "precision": frozenset({"tf32"}),
}


@dataclass(frozen=True)
class Candidate:
    """A setting that may stand for its side: what it measured, and its speed-up (1 for the baseline itself)."""

    trial: Trial
    speedup: float


@dataclass(frozen=True)
class Independence:
    """The best of either side on one device; ``bound`` is None where none of that side could be judged.

    ``price`` compares the bound one with the neutral one: above 1, independence costs that much in time.
    """

    neutral: Candidate
    bound: Candidate | None
    price: Comparison | None
    undecided: tuple[Trial, ...]  # vendor-bound, and neither faster nor slower than the baseline for certain


def is_bound(variant: Variant) -> bool | None:
    """Whether a setting exists for one vendor only; None where that is not known."""
    if any(_value(variant, axis) in values for axis, values in VENDOR_BOUND.items()):
        return True
    return False if _value(variant, "backend") in NEUTRAL_BACKENDS else None


def independence(
    trials: Sequence[Trial],
    comparisons: Mapping[Case, Comparison | None],
    verdicts: Mapping[Case, Verdict],
    confidence: float,
) -> Independence | None:
    """The price of independence in one group, whose baseline is the first trial.

    Only settings with a verdict take part, and UNSURE ones do not win. None where nothing vendor-bound was measured,
    or where the baseline is vendor-bound itself or gave no figures to judge by.
    """
    baseline, *others = trials
    bound = [trial for trial in others if is_bound(trial.case.variant)]
    if not bound or not verdicts or is_bound(baseline.case.variant) is not False:
        return None
    decided = [
        Candidate(trial, comparison.speedup)
        for trial in others
        if (comparison := comparisons.get(trial.case)) is not None
        and verdicts.get(trial.case, Verdict.UNSURE) is not Verdict.UNSURE
    ]
    neutral = [Candidate(baseline, 1.0), *(each for each in decided if is_bound(each.trial.case.variant) is False)]
    rivals = [each for each in decided if is_bound(each.trial.case.variant)]
    best = max(neutral, key=_speedup)
    rival = max(rivals, key=_speedup, default=None)
    price = None
    if rival is not None:
        left = any(ended_before(each.trial, baseline) for each in (rival, best))
        price = compare(rival.trial, best.trial, confidence, at_look=left)
    undecided = tuple(trial for trial in bound if verdicts.get(trial.case) is Verdict.UNSURE)
    return Independence(best, rival, price, undecided)


def _speedup(candidate: Candidate) -> float:
    return candidate.speedup


def _value(variant: Variant, axis: str) -> AxisValue:
    return dict(variant).get(axis, AXES[axis])
