"""A run: the environment, the plan and the trials. This is the file on disk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench.records.environment import Environment
from bench.records.plan import Plan
from bench.records.power import PowerLog
from bench.records.profile import Capture
from bench.records.self_check import SelfCheck
from bench.records.trial import Skip, Trial
from bench.records.workload import Workload

#: The schema this code writes. History stands in ``bench/storage.py``.
SCHEMA = 1


@dataclass(frozen=True)
class Sitting:
    """A further stretch of a run that was broken off and resumed; of its group and wave, all before was kept."""

    started: str  # ISO 8601, UTC
    environment: Environment
    group: str | None = None  # the name of its baseline; None where it began with a group of its own
    wave: int = 0


@dataclass(frozen=True)
class Run:
    """Everything one session measured; raw facts only."""

    id: str  # "20261122-173015-4f2a91c0": UTC start and a random suffix
    started: str  # ISO 8601, UTC
    environment: Environment
    plan: Plan
    trials: tuple[Trial, ...] = ()
    skips: tuple[Skip, ...] = ()
    power: tuple[PowerLog, ...] = ()  # what the sensors said, a log for each group
    captures: tuple[Capture, ...] = ()  # of Nsight Systems, read in afterwards
    duration_s: float | None = None  # None while the run is still going on
    self_check: SelfCheck | None = None  # None where none was asked for
    sittings: tuple[Sitting, ...] = ()  # after the first, where it was resumed
    schema: int = SCHEMA

    def groups(self) -> dict[tuple[Workload, str], tuple[Trial, ...]]:
        """Trials by what may be compared, in the order declared; the first of each is the baseline.

        The copies of a self-check are not among them: see :meth:`copies`.
        """
        return _grouped(trial for trial in self.trials if not trial.case.copy)

    def copies(self) -> dict[tuple[Workload, str], tuple[Trial, ...]]:
        """The copies of each group's baseline that a self-check measured among its cases."""
        return _grouped(trial for trial in self.trials if trial.case.copy)

    def log_of(self, trials: Iterable[Trial]) -> PowerLog | None:
        """The log that was kept beside these trials, told by their times; None where there is none.

        Of a run that was broken off it may end before they do.
        """
        times = [(s.start_s, s.start_s + s.host_s) for trial in trials for s in trial.samples]
        if not times:
            return None
        start_s, stop_s = min(start for start, _ in times), max(stop for _, stop in times)
        beside = max(self.power, key=lambda log: log.overlap_s(start_s, stop_s), default=None)
        return beside if beside is not None and beside.overlap_s(start_s, stop_s) > 0 else None


def _grouped(trials: Iterable[Trial]) -> dict[tuple[Workload, str], tuple[Trial, ...]]:
    grouped: dict[tuple[Workload, str], list[Trial]] = {}
    for trial in trials:
        grouped.setdefault(trial.case.group, []).append(trial)
    return {key: tuple(members) for key, members in grouped.items()}
