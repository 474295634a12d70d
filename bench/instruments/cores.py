"""Which logical CPUs this process may use, and how many cores they are of.

Threads of one core (hyper-threads) share its arithmetic units. PyTorch starts one thread for each core and not for each
of these (MKL counts so), and so do Joulemark's cases.

Source: Linux, admin-guide/cputopology (core_cpus_list, once called thread_siblings_list).
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection
from pathlib import Path

from bench.instruments import quota

_SIBLINGS = ("core_cpus_list", "thread_siblings_list")


def usable_cpus() -> frozenset[int]:
    """The numbers of the logical CPUs: the affinity where the platform has one, else all of the machine."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def cores_of(cpus: Collection[int], sys: Path = Path("/sys")) -> int:
    """How many cores these logical CPUs are of; as many as there are of them where nothing is told."""
    return len({_core(cpu, sys) for cpu in cpus})


def threads_by_default() -> int:
    """How many threads a case gets that asks for none: one for each core that this process may use.

    No more than its CPU quota has time for: threads beyond that would use it up early in each of its periods, and then
    stand still.
    """
    cores, allowed = cores_of(usable_cpus()), quota.find()
    return cores if allowed is None else max(1, min(cores, math.ceil(allowed.cores)))


def _core(cpu: int, sys: Path) -> str:
    """What is the same for threads of one core."""
    for name in _SIBLINGS:
        try:
            return (sys / f"devices/system/cpu/cpu{cpu}/topology/{name}").read_text().strip()
        except OSError:
            continue
    return str(cpu)
