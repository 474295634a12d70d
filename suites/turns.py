"""The batches of a step, in turn: what a timed step takes its images from."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class Turns(Iterator[T]):
    """The same batches again and again, one with each ``next``."""

    def __init__(self, batches: Sequence[T]) -> None:
        self._batches = tuple(batches)
        self._coming: Iterator[T] = itertools.cycle(self._batches)

    def __next__(self) -> T:
        return next(self._coming)

    def restart(self) -> None:
        """Begin with the first batch again."""
        self._coming = itertools.cycle(self._batches)

    @contextmanager
    def lent(self, batch: T) -> Iterator[None]:
        """Another batch for a while, each time; after it, the own ones from the first."""
        self._coming = itertools.repeat(batch)
        try:
            yield
        finally:
            self.restart()
