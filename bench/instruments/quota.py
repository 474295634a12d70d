"""How many cores a container may use, and how often it has used them up: the CPU quota of control groups. Linux.

::

    cpu.max     "200000 100000"   200 ms of all cores together in every 100 ms: two cores' worth
    cpu.stat    nr_periods        periods in which the group ran
                nr_throttled      those in which its quota ran out, and all of it stood still until the next

Version 1 says the first as ``cpu.cfs_quota_us`` and ``cpu.cfs_period_us``. A group obeys the quotas of all groups that
it is in, up to the root; a container sees them from its own upwards to its own root. (Linux, admin-guide/cgroup-v2 and
scheduler/sched-bwc)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple


class Periods(NamedTuple):
    """Counts since the group was made."""

    run: int
    cut_short: int


@dataclass(frozen=True)
class Quota:
    """The tightest quota that this process obeys: so many ``cores`` worth of time."""

    cores: float
    folder: Path

    def periods(self) -> Periods | None:
        """How many there were by now, and in how many the quota ran out; None where that is hidden."""
        try:
            counts = dict(line.split() for line in (self.folder / "cpu.stat").read_text().splitlines())
            return Periods(int(counts["nr_periods"]), int(counts["nr_throttled"]))
        except (OSError, ValueError, KeyError):
            return None


def find(proc: Path = Path("/proc"), sys: Path = Path("/sys")) -> Quota | None:
    """The quota of this process; None where it has none, or where nothing is told."""
    found = [Quota(cores, folder) for folder in _folders(proc, sys) if (cores := _cores(folder)) is not None]
    return min(found, key=lambda quota: quota.cores, default=None)


def _folders(proc: Path, sys: Path) -> Iterator[Path]:
    """Of the groups that this process is in, from the innermost to the root, those that may have a quota."""
    try:
        memberships = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return
    for line in memberships:
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = sys / "fs" / "cgroup" / controllers
        inner = PurePosixPath(path.lstrip("/"))
        inner = PurePosixPath() if ".." in inner.parts else inner  # of another namespace: only the root is ours to see
        yield from (root / folder for folder in (inner, *inner.parents) if folder != PurePosixPath())
        yield root


def _cores(folder: Path) -> float | None:
    """What a group may use; None without a quota."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota, period = ((folder / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
        return int(quota) / int(period) if quota not in {"max", "-1"} else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
