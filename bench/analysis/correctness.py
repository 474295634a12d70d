"""Right before fast: whether the checks of a trial hold, by the tolerances of the plan it was measured under.

Why the tolerances are what they are (relative RMSE of the scores against FP64, the shipped ResNet-18 on digits):

========  =========  ============================================================================================
rmse      tolerance  what was seen
========  =========  ============================================================================================
fp32      0.0001     5e-7 eager, 1e-6 channels last, 7e-6 without oneDNN. One bit in 2^11 (TF32, FP16) shows as
                     about 1e-3 and bfloat16 as 1e-2, so what is FP32 in name only fails
tf32      0.01       an operand keeps 10 bits: about 1e-3
half      0.05       bfloat16 keeps 7 bits: 0.7e-2 to 1.0e-2; deeper networks have a few times that
int8      0.2        0.02 with rounded weights alone, several times that with rounded activations. Beyond 0.2 (a
                     signal 14 dB above the noise) agreement and accuracy decide too late: 4-bit weights show as 0.3
========  =========  ============================================================================================

Accuracy may drop by one percent of the images, the usual demand on quantised networks; agreement bounds the answers
that change, rightly or wrongly. One image is always allowed: near a tie rounding alone decides.

FP32 training is chaotic: rounding flips ReLUs and the ties of pooling. After 8 steps of the recipe the losses of runs
that differ by the last bit of each weight spread by 2.5 %, how far the weights have moved by 2.7 %; after 16 steps the
losses of sound variants differ by 4 % (bfloat16 by 6 %). A skipped update shows as 34 % and 100 %. So a few percent are
tolerated, and beyond them four times the reference's own spread (Student's t for its six runs, at 99 %).

Source: MLCommons, MLPerf Inference rules, "99 % of the FP32 accuracy" as the quality target; Wilson 1927, J. Am. Stat.
Assoc. 22, for the interval of a proportion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from bench.analysis.estimates import Estimate
from bench.analysis.statistics import wilson_interval
from bench.records import Case, Check, CheckKind, Plan, Trial

#: So many standard deviations of the reference's own spread are chance.
_SPREADS = 4.0
#: Results must lie nearer to the reference of their own batch than to that of another.
_TURNS = 1.0
_CLASSES: Mapping[str, str] = {
    "fp32": "fp32",
    "tf32": "tf32",
    "amp_bf16": "half",
    "amp_fp16": "half",
    "bf16": "half",
    "fp16": "half",
    "int8": "int8",
}
_LOOSEST = "int8"


class Judgement(NamedTuple):
    """A check held against its tolerance.

    ``found`` is the figure that counts and ``allowed`` its bound, both as fractions: an error or a drop may at most be
    that large, an agreement must be at least. ``found`` is None where it is no finite number, ``holds`` None where
    there was nothing to compare with.
    """

    check: Check
    found: float | None
    allowed: float
    holds: bool | None


def judge_checks(trial: Trial, plan: Plan) -> tuple[Judgement, ...]:
    """Every check of a trial with what became of it, in the order in which they were made."""
    return judge_each(trial.checks, trial.case, plan)


def judge_each(checks: Sequence[Check], case: Case, plan: Plan) -> tuple[Judgement, ...]:
    """The same of the checks of a case, where there is no whole trial at hand."""
    return tuple(_JUDGES[check.kind](check, _class_of(case), plan) for check in checks)


def is_right(judgements: Sequence[Judgement]) -> bool:
    """Whether no check failed; a trial without checks is not known to be wrong."""
    return all(judgement.holds is not False for judgement in judgements)


def is_known(precision: str) -> bool:
    """Whether there are tolerances for this precision; any other is judged by the loosest."""
    return precision in _CLASSES


def worst_of_each(judgements: Sequence[Judgement], *, holds: bool) -> tuple[Judgement, ...]:
    """For each kind of check the judgement of this outcome that is furthest from what is allowed."""
    chosen = [judgement for judgement in judgements if judgement.holds is holds]
    return tuple(
        max((each for each in chosen if each.check.kind is kind), key=lambda each: (_distance(each), each.check.n))
        for kind in CheckKind
        if any(each.check.kind is kind for each in chosen)
    )


def accuracy(trial: Trial, confidence: float) -> Estimate | None:
    """The fraction of held-out images classified rightly, with Wilson's interval for images like these."""
    return _proportion("accuracy", CheckKind.ACCURACY, trial, confidence)


def agreement(trial: Trial, confidence: float) -> Estimate | None:
    """The fraction of images that get the reference's class, with Wilson's interval."""
    return _proportion("agreement", CheckKind.AGREEMENT, trial, confidence)


def score_error(judgements: Sequence[Judgement]) -> Estimate | None:
    """The largest relative RMSE of the scores in any wave; None where there is none, or one that is not finite."""
    return _worst("relative RMSE", CheckKind.SCORES, judgements)


def loss_difference(judgements: Sequence[Judgement]) -> Estimate | None:
    """The loss after the most steps compared, relative to the reference's: -0.02 is 2 % lower."""
    curves = [each.check for each in judgements if each.check.kind is CheckKind.LOSS and each.check.n]
    steps = max((check.n for check in curves), default=0)
    signed = [_relative(check) for check in curves if check.n == steps]
    known = [value for value in signed if value is not None]
    if not known or len(known) < len(signed):
        return None
    return Estimate("loss difference", max(known, key=abs), None, None, None, "1", steps)


def _class_of(case: Case) -> str:
    return _CLASSES.get(str(case.variant["precision"]), _LOOSEST)


def _judge_scores(check: Check, precision: str, plan: Plan) -> Judgement:
    return _at_most(check, check.value, getattr(plan, f"rmse_{precision}"))


def _judge_turns(check: Check, precision: str, plan: Plan) -> Judgement:
    del precision, plan
    return _at_most(check, check.value, _TURNS)


def _judge_agreement(check: Check, precision: str, plan: Plan) -> Judgement:
    del precision
    if check.n == 0 or check.value is None:
        return Judgement(check, None, plan.agreement, None)
    found = check.value / check.n
    return Judgement(check, found, plan.agreement, found >= plan.agreement or check.n - check.value <= 1)


def _judge_accuracy(check: Check, precision: str, plan: Plan) -> Judgement:
    del precision
    if check.n == 0 or check.value is None or check.reference is None:
        return Judgement(check, None, plan.accuracy_drop, None)
    lost = check.reference - check.value
    return Judgement(check, lost / check.n, plan.accuracy_drop, lost / check.n <= plan.accuracy_drop or lost <= 1)


def _judge_steps(check: Check, precision: str, plan: Plan) -> Judgement:
    tolerance = plan.loss_fp32 if precision == "fp32" else plan.loss_half
    if check.n == 0 or not check.reference:
        return Judgement(check, None, tolerance, None)
    allowed = tolerance + _SPREADS * (check.spread or 0.0) / abs(check.reference)
    difference = _relative(check)
    return _at_most(check, None if difference is None else abs(difference), allowed)


_JUDGES: Mapping[CheckKind, Callable[[Check, str, Plan], Judgement]] = {
    CheckKind.SCORES: _judge_scores,
    CheckKind.TURNS: _judge_turns,
    CheckKind.AGREEMENT: _judge_agreement,
    CheckKind.ACCURACY: _judge_accuracy,
    CheckKind.LOSS: _judge_steps,
    CheckKind.UPDATE: _judge_steps,
}


def _at_most(check: Check, found: float | None, allowed: float) -> Judgement:
    if check.n == 0:
        return Judgement(check, None, allowed, None)
    return Judgement(check, found, allowed, found is not None and found <= allowed)


def _relative(check: Check) -> float | None:
    if check.value is None or not check.reference:
        return None
    return (check.value - check.reference) / abs(check.reference)


def _distance(judgement: Judgement) -> float:
    """How far beyond its bound; what is no finite number is furthest."""
    if judgement.found is None:
        return float("inf")
    sign = -1 if judgement.check.kind is CheckKind.AGREEMENT else 1
    return sign * (judgement.found - judgement.allowed)


def _proportion(statistic: str, kind: CheckKind, trial: Trial, confidence: float) -> Estimate | None:
    counts = [(check.value, check.n) for check in trial.checks if check.kind is kind and check.n]
    known = [(value, n) for value, n in counts if value is not None]
    if not known:
        return None
    value, n = min(known, key=lambda count: count[0] / count[1])
    interval = wilson_interval(round(value), n, confidence)
    return Estimate(statistic, interval.value, interval.low, interval.high, confidence, "1", n)


def _worst(statistic: str, kind: CheckKind, judgements: Sequence[Judgement]) -> Estimate | None:
    made = [each for each in judgements if each.check.kind is kind and each.check.n]
    if not made or any(each.found is None for each in made):
        return None
    worst = max(made, key=_distance)
    return Estimate(statistic, worst.found or 0.0, None, None, None, "1", worst.check.n)
