"""How right the results of a step are: what was compared in the worker, as raw facts, with no verdict in them."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from bench.errors import MeasurementError


class CheckKind(enum.Enum):
    """What a check compares; ``bench/analysis/correctness.py`` says when it holds.

    A step is checked by results that stand in rows (scores of images, against a reference of the same weights) or by
    training (against a reference of the same steps from the same start).
    """

    SCORES = "scores"  # value: relative RMSE of the results against the reference's; n: items
    TURNS = "turns"  # value: distance to the own batch's reference over that to another batch's, at worst; n: steps
    AGREEMENT = "agreement"  # value: items whose highest score is where the reference has it; n: items
    ACCURACY = "accuracy"  # value, reference: items classified as labelled; n: items
    LOSS = "loss"  # value, reference, spread: mean loss of the last steps; n: steps
    UPDATE = "update"  # value, reference, spread: how far the steps moved the weights (Euclidean); n: steps


@dataclass(frozen=True)
class Check:
    """One comparison with a reference; build one with :meth:`of`, which takes any number.

    ``value`` is None where it was no finite number, ``n`` is 0 where nothing could be compared. ``reference`` is what
    the reference has in the same place, ``spread`` the standard deviation of that when rounding and randomness fall
    out differently. ``against`` names the reference's arithmetic: "FP64", "FP32".
    """

    kind: CheckKind
    n: int
    value: float | None
    reference: float | None = None
    spread: float | None = None
    against: str = ""
    wave: int = 0

    def __post_init__(self) -> None:
        numbers = [number for number in (self.value, self.reference, self.spread) if number is not None]
        counts = numbers if self.kind in (CheckKind.AGREEMENT, CheckKind.ACCURACY) else []
        signed = self.kind is not CheckKind.LOSS and any(number < 0 for number in numbers)
        if self.n < 0 or signed or not all(map(math.isfinite, numbers)) or any(count > self.n for count in counts):
            msg = f"a check of {self.kind.value} has the figures {numbers} of {self.n}; that is no evidence"
            raise MeasurementError(msg)

    @classmethod
    def of(
        cls,
        kind: CheckKind,
        n: int,
        value: float,
        *,
        reference: float | None = None,
        spread: float | None = None,
        against: str = "",
    ) -> Check:
        """The check with these figures; what is not finite among them is None."""
        value_, reference_, spread_ = (
            None if number is None or not math.isfinite(number) else float(number)
            for number in (value, reference, spread)
        )
        return cls(kind, n, value_, reference_, spread_, against)

    @classmethod
    def absent(cls, kind: CheckKind) -> Check:
        """That nothing could be compared: the step has no reference to be held against."""
        return cls(kind, 0, None)
