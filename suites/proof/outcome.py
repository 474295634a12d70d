"""What a step came to: facts, and claims that the facts bear out or not. Imports no torch."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import StorageError

FILE_NAME = "outcome.json"


class NotHereError(Exception):
    """A step that this machine cannot do; the message is the reason."""


@dataclass(frozen=True)
class Claim:
    """A sentence, whether the figures bear it out (None: there was nothing to judge it by), and those figures."""

    text: str
    holds: bool | None
    seen: str = ""

    @property
    def mark(self) -> str:
        return {True: "yes", False: "NO", None: "–"}[self.holds]


@dataclass(frozen=True)
class Outcome:
    """Facts as plain values, for a program to read again; claims for people. ``not_here`` is why there are none."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    not_here: str | None = None

    @property
    def passed(self) -> bool:
        """Whether no claim is contradicted."""
        return all(claim.holds is not False for claim in self.claims)

    def save(self, folder: Path) -> None:
        """Write the outcome into a step's folder, whole or not at all."""
        claims = [[claim.text, claim.holds, claim.seen] for claim in self.claims]
        text = json.dumps({"not_here": self.not_here, "claims": claims, "facts": self.facts}, indent=1)
        temporary = folder / f".{FILE_NAME}"
        temporary.write_text(text + "\n", encoding="utf-8")
        os.replace(temporary, folder / FILE_NAME)

    @classmethod
    def load(cls, folder: Path) -> Outcome | None:
        """The outcome in a step's folder; None where there is none.

        Raises:
            StorageError: what is there is no outcome.
        """
        path = folder / FILE_NAME
        if not path.is_file():
            return None
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            claims = tuple(Claim(text, holds, seen) for text, holds, seen in stored["claims"])
            return cls(stored["facts"], claims, stored["not_here"])
        except (ValueError, KeyError, TypeError) as error:
            msg = f"{path} is no outcome of a step ({error}); remove it and run the step again"
            raise StorageError(msg) from error


@dataclass(frozen=True)
class Pace:
    """How much is measured: the same steps, with more or less evidence behind them."""

    name: str
    most_waves: int
    budget_share: float  # of the seconds of measuring that a step asks for at the full pace
    length_share: float  # of the seconds that a load or a loop lasts
    repeats: int  # of the whole measurement in the step that repeats it
    trains: bool = True  # weights for the default images, before anything is measured; else noise is shown


@dataclass(frozen=True)
class Task:
    """What the work of a step is given."""

    name: str
    home: Path  # of all steps; what an earlier one left lies beside this one's folder
    pace: Pace
    device: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where this step keeps what it leaves."""
        return self.home / self.name

    def seconds(self, full_s: float, least_s: float = 0.05) -> float:
        """So long a load or loop lasts at this pace."""
        return max(least_s, full_s * self.pace.length_share)


def largest(pairs: Mapping[str, float | None]) -> tuple[str, float] | None:
    """The name of the largest known value, and the value."""
    known = {name: value for name, value in pairs.items() if value is not None}
    name = max(known, key=lambda each: known[each], default=None)
    return None if name is None else (name, known[name])
