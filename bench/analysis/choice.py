"""Which case to take: the least of cost, energy or time among those that meet the limits, and why not the others."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from bench.analysis.estimates import Estimate


class Goal(enum.Enum):
    """What is to be least."""

    COST = "cost"
    ENERGY = "energy"
    TIME = "time"


class Refusal(enum.Enum):
    """Why a case is not considered."""

    FAILED = "failed"
    STRUCK = "struck"  # its label was not honoured, or its results are wrong
    TOO_SLOW = "too slow"
    NO_LATENCY = "no latency"
    NOT_ACCURATE = "not accurate"
    NO_ACCURACY = "no accuracy"
    NO_FIGURE = "no figure"  # of what is to be least
    ESTIMATED = "estimated"  # a model's figure decides nothing


@dataclass(frozen=True)
class Candidate:
    """A case as a choice; ``key`` tells it from all others and is handed back with it."""

    key: int
    aim: Estimate | None  # of what is to be least
    aim_estimated: bool = False
    latency: Estimate | None = None  # s of one step; its upper bound counts where it has one
    accuracy: Estimate | None = None  # its lower bound counts where it has one
    refused: Refusal | None = None  # what is known against it before any limit
    basis: object = None  # what measured the aim, where two may be off by different amounts
    widest: tuple[float, float] | None = None  # bounds of the aim if that is off as far as it may be


@dataclass(frozen=True)
class Choice:
    """The winner, the next best, and all that were refused.

    ``apart`` if the intervals of these two do not overlap: of what the same sensors measured the statistical ones, else
    those of all that the sensors may be off by. ``close`` are all that the winner is not apart from, best first.
    """

    winner: Candidate | None
    runner_up: Candidate | None
    apart: bool
    close: tuple[Candidate, ...]
    refused: tuple[tuple[Candidate, Refusal], ...]


def choose(candidates: Sequence[Candidate], max_latency_s: float | None, min_accuracy: float | None) -> Choice:
    """The candidate with the least aim among those that no limit and no doubt rules out."""
    refused = {candidate.key: _refusal(candidate, max_latency_s, min_accuracy) for candidate in candidates}
    left = sorted((c for c in candidates if refused[c.key] is None), key=_aimed)
    winner, runner_up = (*left[:2], None, None)[:2]
    return Choice(
        winner,
        runner_up,
        winner is not None and runner_up is not None and _apart(winner, runner_up),
        () if winner is None else tuple(other for other in left[1:] if not _apart(winner, other)),
        tuple((c, reason) for c in candidates if (reason := refused[c.key]) is not None),
    )


def _refusal(candidate: Candidate, max_latency_s: float | None, min_accuracy: float | None) -> Refusal | None:
    """The first thing against a candidate."""
    against = (
        candidate.refused,
        None if max_latency_s is None else _slow(candidate.latency, max_latency_s),
        None if min_accuracy is None else _inaccurate(candidate.accuracy, min_accuracy),
        Refusal.NO_FIGURE if candidate.aim is None else None,
        Refusal.ESTIMATED if candidate.aim_estimated else None,
    )
    return next((refusal for refusal in against if refusal is not None), None)


def _slow(latency: Estimate | None, limit_s: float) -> Refusal | None:
    if latency is None:
        return Refusal.NO_LATENCY
    return Refusal.TOO_SLOW if (latency.value if latency.high is None else latency.high) > limit_s else None


def _inaccurate(accuracy: Estimate | None, limit: float) -> Refusal | None:
    if accuracy is None:
        return Refusal.NO_ACCURACY
    return Refusal.NOT_ACCURATE if (accuracy.value if accuracy.low is None else accuracy.low) < limit else None


def _aimed(candidate: Candidate) -> float:
    return float("inf") if candidate.aim is None else candidate.aim.value


def _apart(winner: Candidate, runner_up: Candidate) -> bool:
    if winner.aim is None or runner_up.aim is None:
        return False
    if winner.basis != runner_up.basis:
        ours, theirs = winner.widest, runner_up.widest
        return ours is not None and theirs is not None and ours[1] < theirs[0]
    if winner.aim.high is None or runner_up.aim.low is None:
        return False
    return winner.aim.high < runner_up.aim.low
