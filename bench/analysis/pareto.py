"""Which of several choices nothing beats in everything at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

Name = TypeVar("Name")


@dataclass(frozen=True)
class Aim:
    """One figure of a choice, larger being better, with its interval where there is one."""

    value: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def least(cls, value: float, low: float | None, high: float | None) -> Aim:
        """The figure of something of which less is better."""
        return cls(-value, None if high is None else -high, None if low is None else -low)

    def clearly_above(self, other: Aim) -> bool:
        """Whether the intervals lie apart; without intervals, whether the values differ."""
        lowest = self.value if self.low is None else self.low
        return lowest > (other.value if other.high is None else other.high)


def front(choices: Mapping[Name, Sequence[Aim | None]]) -> frozenset[Name]:
    """The choices that no other one beats: at least as good in every figure, and clearly better in one.

    A figure that any choice lacks is left out for all, for nothing can be said of it.
    """
    compared = [index for index in range(_width(choices)) if all(aims[index] for aims in choices.values())]
    kept = {name: [aim for index in compared if (aim := aims[index]) is not None] for name, aims in choices.items()}
    return frozenset(name for name, ours in kept.items() if not any(_beats(theirs, ours) for theirs in kept.values()))


def _width(choices: Mapping[Name, Sequence[Aim | None]]) -> int:
    return min((len(aims) for aims in choices.values()), default=0)


def _beats(theirs: Sequence[Aim], ours: Sequence[Aim]) -> bool:
    pairs = list(zip(theirs, ours, strict=True))
    return all(their.value >= our.value for their, our in pairs) and any(
        their.clearly_above(our) for their, our in pairs
    )
