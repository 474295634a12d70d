"""What was tried and what came of it: a line in ``steps.jsonl`` when a step begins, and one when it ends.

A step that has a line of its begin only was cut off together with its runner; it is tried again, as one that was cut
off by the limit of a call. What ended otherwise is settled.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

FILE_NAME = "steps.jsonl"


class State(enum.Enum):
    """How an attempt ended."""

    STARTED = "started"  # and was not heard of again
    CUT = "cut off"  # by the limit of the call, or by the user
    PASSED = "passed"
    CONTRADICTED = "contradicted"  # a claim does not hold
    NOT_HERE = "not possible here"
    FAILED = "failed"
    TIMED_OUT = "out of time"  # its own

    @property
    def settled(self) -> bool:
        return self not in (State.STARTED, State.CUT)


@dataclass(frozen=True)
class Attempt:
    """One attempt at a step."""

    step: str
    pace: str
    state: State
    started: str  # ISO 8601, UTC
    duration_s: float | None = None
    reason: str = ""

    def line(self) -> str:
        return json.dumps({**asdict(self), "state": self.state.value}) + "\n"

    @classmethod
    def of(cls, line: str) -> Attempt | None:
        """The attempt in a line; None for one that was cut off in the middle."""
        try:
            told = json.loads(line)
            return cls(**{**told, "state": State(told["state"])})
        except (ValueError, KeyError, TypeError):
            return None


class Journal:
    """The attempts in a folder, in order."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME

    def attempts(self) -> list[Attempt]:
        if not self._path.is_file():
            return []
        lines = self._path.read_text(encoding="utf-8").splitlines()
        return [attempt for line in lines if (attempt := Attempt.of(line)) is not None]

    def add(self, attempt: Attempt) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        torn = self._path.is_file() and not self._path.read_bytes().endswith(b"\n")
        with self._path.open("a", encoding="utf-8") as file:
            file.write(("\n" if torn else "") + attempt.line())


def latest(attempts: Iterable[Attempt], pace: str) -> dict[str, Attempt]:
    """Step -> what is known of it at this pace: how its last attempt ended, or that it began."""
    return {attempt.step: attempt for attempt in attempts if attempt.pace == pace}


def cuts(attempts: Sequence[Attempt], pace: str) -> dict[str, int]:
    """Step -> how often it began and was cut off, with its runner or by the limit."""
    begun: dict[str, int] = {}
    ended: dict[str, int] = {}
    for attempt in attempts:
        if attempt.pace == pace:
            counted = begun if attempt.state is State.STARTED else ended if attempt.state.settled else None
            if counted is not None:
                counted[attempt.step] = counted.get(attempt.step, 0) + 1
    return {step: number - ended.get(step, 0) for step, number in begun.items()}


def to_do(names: Sequence[str], attempts: Sequence[Attempt], pace: str) -> list[str]:
    """The steps that are not settled, in order; those that were cut off before come after those that were not.

    So a step that is longer than a call holds up no other.
    """
    known, cut = latest(attempts, pace), cuts(attempts, pace)
    left = [name for name in names if name not in known or not known[name].state.settled]
    return sorted(left, key=lambda name: cut.get(name, 0))
