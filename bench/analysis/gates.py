"""Limits that a run may not exceed against another: judged on the interval, never on the point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bench.analysis.between_runs import Change, Metric, RunComparison
from bench.analysis.statistics import holm
from bench.errors import UsageError

_ALIASES = {"speedup": "ratio", "set-up": "setup"}
_EXAMPLE = f"give METRIC:LIMIT like time:5%, with one of {', '.join(metric.value for metric in Metric)}"


class Gate(NamedTuple):
    """A metric, and by which fraction it may grow."""

    metric: Metric
    limit: float

    def __str__(self) -> str:
        return f"{self.metric.value}:{self.limit * 100:g}%"


@dataclass(frozen=True)
class GateResult:
    """What a gate says of two runs."""

    gate: Gate
    judged: int  # cases that had an interval
    worse: tuple[Change, ...]  # their whole interval lies beyond the limit, by Holm over all judged
    undecided: tuple[Change, ...]  # beyond the limit, but their interval is not

    @property
    def failed(self) -> bool:
        """A gate that had nothing to judge fails too: it would pass whatever happens."""
        return bool(self.worse) or not self.judged


def parse_gate(text: str) -> Gate:
    """The gate that ``"time:5%"`` or ``"ratio:0.05"`` asks for.

    Raises:
        UsageError: it cannot be meant.
    """
    name, _, limit = text.partition(":")
    try:
        metric = Metric(_ALIASES.get(name, name))
        fraction = float(limit[:-1]) / 100 if limit.endswith("%") else float(limit)
    except ValueError as error:
        msg = f"{text!r} is no gate; {_EXAMPLE}"
        raise UsageError(msg) from error
    if not 0 <= fraction < 100:
        msg = f"{text!r} has a limit that cannot be meant; {_EXAMPLE}"
        raise UsageError(msg)
    return Gate(metric, fraction)


def judge_gates(comparison: RunComparison, gates: Sequence[Gate]) -> tuple[GateResult, ...]:
    """What each gate says."""
    return tuple(_judged(comparison, gate) for gate in gates)


def passed(comparison: RunComparison, results: Sequence[GateResult]) -> bool:
    """Whether nothing asked for was exceeded; a case that newly fails or is struck out exceeds any limit."""
    return not results or not (comparison.broken or any(result.failed for result in results))


def _judged(comparison: RunComparison, gate: Gate) -> GateResult:
    changes = [c for c in comparison.changes.get(gate.metric, ()) if c.evidence is not None]
    margin, level = math.log1p(gate.limit), (1 - comparison.new.plan.confidence) / 2
    beyond = holm([change.tail(margin) for change in changes], level)
    judged = list(zip(changes, beyond, strict=True))
    return GateResult(
        gate,
        len(changes),
        tuple(change for change, worse in judged if worse),
        tuple(change for change, worse in judged if not worse and math.log(change.ratio) > margin),
    )
