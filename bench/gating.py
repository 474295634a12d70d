"""A pytest session held against a stored run: what it is compared with, and whether it passes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench import storage
from bench.analysis import Gate, GateResult, RunComparison, compare_runs, judge_gates, passed
from bench.records import Run


@dataclass(frozen=True)
class Base:
    """The run to be held against; None where there is none yet. Read before the new run exists beside it."""

    place: Path
    run: Run | None

    @classmethod
    def at(cls, place: Path) -> Base:
        """The run at a place, or the latest of those in a folder.

        Raises:
            StorageError: there is one, and it cannot be read.
        """
        return cls(place, storage.load(place) if storage.find(place) is not None else None)


@dataclass(frozen=True)
class Gating:
    """A finished run against its base."""

    comparison: RunComparison
    gates: tuple[Gate, ...]
    results: tuple[GateResult, ...]

    @classmethod
    def of(cls, base: Run, new: Run, gates: tuple[Gate, ...]) -> Gating:
        """What the gates say of the two."""
        comparison = compare_runs(base, new)
        return cls(comparison, gates, judge_gates(comparison, gates))

    @property
    def passed(self) -> bool:
        return passed(self.comparison, self.results)

    @property
    def line(self) -> str:
        """The outcome in one line, for the end of a session."""
        against = f"against {_printable(self.comparison.base.id)}"
        if not self.gates:
            return f"compared {against}"
        if self.passed:
            return f"passed {against}: {', '.join(map(str, self.gates))}"
        broken = [f"newly failed {_printable(trial.case.name)}" for trial in self.comparison.broken]
        return f"FAILED {against}: {'; '.join([*broken, *(_failure(r) for r in self.results if r.failed)])}"


def _failure(result: GateResult) -> str:
    if not result.judged:
        return f"{result.gate} had nothing to judge"
    cases = (f"{_printable(change.case.name)} ({change.ratio - 1:+.1%})" for change in result.worse)
    return f"{result.gate} exceeded by {', '.join(cases)}"


def _printable(text: str) -> str:
    """Text of a stored file, without what would act on a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)
