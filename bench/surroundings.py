"""What a group is measured in: whoever watches, where its files go, its clock and its limit."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bench.instruments.clock import RunClock
from bench.records import Case
from bench.records.power import HostLoad


class Progress(Protocol):
    """Told what happens, so that somebody can show it. Called between samples, never inside one."""

    def enrolling(self, case: Case, wave: int) -> None: ...

    def waves_set(self, waves: int) -> None: ...

    def round_done(self, wave: int, round_: int, rounds: int) -> None: ...


class Silence:
    """Progress that nobody watches."""

    def enrolling(self, case: Case, wave: int) -> None: ...

    def waves_set(self, waves: int) -> None: ...

    def round_done(self, wave: int, round_: int, rounds: int) -> None: ...


class Watchman(Protocol):
    """Sees who else uses the machine; ``groups`` are the process groups that are ours."""

    def begin(self, groups: Collection[int]) -> None:
        """The rounds of a wave begin."""

    def end(self, groups: Collection[int]) -> HostLoad | None:
        """They have ended; what others did meanwhile, None where nobody can tell."""

    def rivals(self) -> int:
        """How many other runs of Joulemark are measuring on this machine now."""


class Nobody:
    """A watchman who sees nothing."""

    def begin(self, groups: Collection[int]) -> None: ...

    def end(self, groups: Collection[int]) -> HostLoad | None:
        del groups
        return None

    def rivals(self) -> int:
        return 0


class OutOfTimeError(Exception):
    """The time limit of the run has passed; what was measured stands."""


@dataclass(frozen=True)
class Surroundings:
    """What a group is measured in: names that a profiler shows, where files of the run go, its clock, its limit."""

    run: str = "run"  # its id
    folder: Path | None = None  # of the run
    profiler: str | None = None  # the one that is attached to this process
    clock: RunClock = field(default_factory=RunClock)
    deadline_s: float | None = None  # on that clock, when the run must have ended
