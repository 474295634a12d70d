"""Progress on the user's terminal: which case, which round, how long still. Silent when nobody watches."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.records import Case, Plan
from bench.surroundings import Progress, Silence

if TYPE_CHECKING:
    from rich.progress import Progress as Display


#: No time left is named before so much of the work is done.
_LEAST_DONE = 0.15


@contextmanager
def shown(title: str, cases: int, plan: Plan, *, quiet: bool) -> Iterator[Progress]:
    """A progress display on stderr for one group, gone when the group is done; silent if quiet, in CI or in a pipe."""
    if quiet or os.environ.get("CI") or not sys.stderr.isatty():
        yield Silence()
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Display

    display = Display(
        TextColumn("[bold]{task.fields[title]}"),
        BarColumn(),
        TextColumn("{task.description}"),
        console=Console(stderr=True),
        transient=True,
        auto_refresh=False,  # a refreshing thread would work while a case is measured
    )
    with display:
        yield _Shown(display, title, cases, plan)


class _Shown:
    """Counts enrolments and rounds; one wave's enrolments weigh as much as its rounds."""

    def __init__(self, display: Display, title: str, cases: int, plan: Plan) -> None:
        self._display = display
        self._cases = cases
        self._waves = plan.waves
        self._begin = time.monotonic()
        self._begun: float | None = None  # what was done before this sitting
        self._wave = 0
        self._enrolled = 0
        self._task = display.add_task("starting workers", title=title, total=1.0)

    def enrolling(self, case: Case, wave: int) -> None:
        self._enrolled = self._enrolled + 1 if wave == self._wave else 1
        self._wave = wave
        self._update(wave, 0.5 * (self._enrolled - 1) / self._cases, f"setting up {case}")

    def waves_set(self, waves: int) -> None:
        self._waves = waves

    def round_done(self, wave: int, round_: int, rounds: int) -> None:
        self._update(wave, 0.5 + 0.5 * (round_ + 1) / rounds, f"round {round_ + 1}/{rounds}")

    def _update(self, wave: int, of_wave: float, words: str) -> None:
        done = (wave + of_wave) / self._waves
        self._begun = wave / self._waves if self._begun is None else self._begun
        here = done - self._begun
        left = ""
        if here >= _LEAST_DONE:  # before, the cold set-up of the first wave would be taken for the pace
            left = f", about {_minutes((time.monotonic() - self._begin) * (1 - done) / here)} left"
        self._display.update(
            self._task,
            completed=done,
            description=f"wave {wave + 1}/{self._waves}, {words}{left}",
            refresh=True,
        )


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
