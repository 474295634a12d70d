"""What others did on our cores meanwhile, and what a hypervisor or a quota kept from them. Linux; elsewhere unknown.

::

    /proc/stat        what each core was busy with, for anybody, and what was stolen from it
    /proc/PID/stat    what a process and its ended children have used, and which process group it is in
    others            busy - ours

Workers lead process groups of their own, so that whatever they start counts as ours. What a worker has used goes to
its parent when it ends, so the groups of parents count too. Of our own group, which may be that of a whole script, only
this process and its children do.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from bench.instruments.cores import usable_cpus
from bench.instruments.quota import Periods, Quota, find
from bench.records.power import HostLoad


class Used(NamedTuple):
    """Seconds of the cores this process may use, since the machine was started; ``ours`` since our processes were."""

    at_s: float
    busy_s: float
    stolen_s: float
    ours_s: float
    periods: Periods | None = None  # of our CPU quota


class HostMeter:
    """Reads what the cores were busy with; a reading takes a few milliseconds, so it is for the ends of a wave."""

    def __init__(
        self,
        proc: Path = Path("/proc"),
        *,
        clock: Callable[[], float] = time.perf_counter,
        cpus: Collection[int] | None = None,
        quota: Quota | None = None,
    ) -> None:
        self._proc = proc
        self._quota = find(proc) if quota is None else quota
        self._clock = clock
        self._cpus = cpus if cpus is not None else usable_cpus()
        self._tick_s = 1.0 / os.sysconf("SC_CLK_TCK")

    def read(self, groups: Collection[int]) -> Used | None:
        """What has been used by now; ``groups`` are the process groups that are ours. None where it is hidden."""
        try:
            busy, stolen = self._cores()
        except (OSError, ValueError, IndexError):
            return None
        ours = sum(self._processes(groups))
        periods = self._quota.periods() if self._quota is not None else None
        return Used(self._clock(), busy * self._tick_s, stolen * self._tick_s, ours * self._tick_s, periods)

    def load(self, before: Used | None, groups: Collection[int]) -> HostLoad | None:
        """What happened since an earlier reading; None where either is lacking."""
        after = self.read(groups)
        if before is None or after is None or after.at_s <= before.at_s:
            return None
        seconds = after.at_s - before.at_s
        others = after.busy_s - before.busy_s - (after.ours_s - before.ours_s)
        stolen = after.stolen_s - before.stolen_s
        return HostLoad(
            seconds,
            len(self._cpus),
            max(0.0, others) / seconds,
            max(0.0, stolen) / seconds,
            None if self._quota is None else self._quota.cores,
            _cut_short(before.periods, after.periods),
        )

    def _cores(self) -> tuple[int, int]:
        """Ticks of our cores that were busy, and that were stolen (proc_pid_stat(5), proc_stat(5))."""
        busy = stolen = 0
        for line in (self._proc / "stat").read_text().splitlines():
            name, *numbers = line.split()
            if name.startswith("cpu") and name != "cpu" and int(name[3:]) in self._cpus:
                user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, numbers[:8])
                busy += user + nice + system + irq + softirq
                stolen += steal
        return busy, stolen

    def _processes(self, groups: Collection[int]) -> Iterator[int]:
        """Ticks of each process that is ours, and of its ended children."""
        own, own_group = os.getpid(), os.getpgrp()
        for process in self._proc.iterdir():
            if not process.name.isdigit():
                continue
            try:
                fields = (process / "stat").read_text().rpartition(")")[2].split()
                parent, group = int(fields[1]), int(fields[2])
                if group in groups or int(process.name) == own or (group == own_group and parent == own):
                    yield sum(map(int, fields[11:15]))
            except (OSError, ValueError, IndexError):
                continue  # it has just ended


def _cut_short(before: Periods | None, after: Periods | None) -> float:
    """The fraction of the periods between in which a quota ran out."""
    if before is None or after is None or after.run <= before.run:
        return 0.0
    return (after.cut_short - before.cut_short) / (after.run - before.run)
