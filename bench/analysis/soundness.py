"""Which trials a verdict may rest on, within a run and between two."""

from __future__ import annotations

from bench.analysis.correctness import is_right, judge_checks
from bench.records import CaveatKind, Plan, Trial


def is_profiled(trial: Trial) -> bool:
    """Whether a profiler was attached while it was measured."""
    return any(caveat.kind is CaveatKind.PROFILED for caveat in trial.caveats)


def is_struck(trial: Trial, plan: Plan) -> bool:
    """Whether it did not do what its label says, or its results are further off than the plan tolerates."""
    return not (trial.honoured and is_right(judge_checks(trial, plan)))


def is_sound(trial: Trial, plan: Plan) -> bool:
    """Whether it neither failed, nor is struck out, nor ran under a profiler."""
    return trial.failure is None and not is_struck(trial, plan) and not is_profiled(trial)


def status_of(trial: Trial, plan: Plan) -> str:
    """``"measured"``, ``"failed"``, or ``"struck"`` for a label that was not honoured or results that are wrong.

    For a table of times, which has no other place for it.
    """
    if trial.failure is not None:
        return "failed"
    return "struck" if is_struck(trial, plan) else "measured"
