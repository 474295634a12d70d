"""What keeps a worker from harming others: cores, memory, and who dies first. Linux where it needs to be.

Each function says whether the platform granted what was asked, because a trial must tell what was done instead.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

#: prctl(2): the signal a process receives when its parent dies.
_PR_SET_PDEATHSIG = 1
#: Of the memory available when the worker starts; the rest stays with the conductor and the machine.
_MEMORY_SHARE = 0.8


def pin(cpus: Sequence[int] | None) -> bool:
    """Bind this process and its later threads to these cores; False where that is not possible."""
    if cpus is None or not hasattr(os, "sched_setaffinity"):
        return False
    try:
        os.sched_setaffinity(0, cpus)
    except OSError:
        return False
    return True


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent is gone, even while it is stopped."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def be_first_victim() -> None:
    """Offer this process to the kernel's out-of-memory killer before any other but what is held of memory in pieces."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")  # bench.workers.ballast has 1000


def bound_memory() -> None:
    """Make allocations fail, rather than the machine swap, beyond a share of the memory now available.

    Not for CUDA processes: the driver reserves address space far beyond what it uses.
    """
    available = available_memory_bytes()
    if available is None or sys.platform != "linux":
        return
    import resource

    limit = int(available * _MEMORY_SHARE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def available_memory_bytes() -> int | None:
    """Memory that can be had without swapping; None where the system does not say."""
    return _kib_line(Path("/proc/meminfo"), "MemAvailable:")


def reset_peak_memory() -> None:
    """Let the high-water mark of resident memory start again from here (proc(5), clear_refs)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory_bytes() -> int | None:
    """The high-water mark of this process's resident memory; None where the system does not say."""
    return _kib_line(Path("/proc/self/status"), "VmHWM:")


def _kib_line(path: Path, key: str) -> int | None:
    try:
        for line in path.read_text().splitlines():
            if line.startswith(key):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        return None
    return None
