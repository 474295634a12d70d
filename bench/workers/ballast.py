"""Memory in pieces, held while workers live, so that all of them get whole stretches of it. Linux only.

Memory that has been in use for a while lies about in pieces, and the kernel hands out the smallest of them first. Who
is set up first gets pages strewn over the machine, and is slower for as long as it lives::

    of 15 copies of one case (ResNet-18, FP32, a shared virtual machine), in the order in which they were set up:
    in pieces   +7.8 +6.8 +4.4 +1.4 +2.0 +2.0 -1.0 -2.9 -1.3 -2.3 -2.0 -3.4 -3.9 -4.6 -3.4 %     spread 3.8 %
    held        -0.3 +0.1 +0.2 -0.4 -0.8 +0.2 -0.2 +0.1 -0.3 -0.5 -1.0 +0.2 +0.4 -0.6 -0.7 %     spread 0.4 %

So a process takes all pieces first, and holds them until this process ends. It needs no privileges, changes nothing
in the system, and the kernel kills it before any worker where memory runs short. How many pieces there are stands in
/proc/buddyinfo (proc(5)), by zone and size; a process takes them from the memory of the cores it runs on.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import mmap
import os
import select
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

#: prctl(2): the signal a process receives when its parent dies. Run as a script, it cannot import what others have.
_PR_SET_PDEATHSIG = 1
#: Free memory in smaller blocks than this is in pieces; larger ones do little harm.
_WHOLE_BYTES = 256 << 10
#: Of the available memory at most so much is held, and on a large machine so many bytes: a second goes by for each
#: gigabyte, and the smallest pieces, which do most harm, are taken first.
_MOST_SHARE = 0.25
_MOST_BYTES = 4 << 30
_LIMIT_S = 30.0
_BUDDIES = Path("/proc/buddyinfo")
_OLD_GROUPS = Path("/sys/fs/cgroup/memory")
_NO_LIMIT_BYTES = 1 << 60
_NODES = Path("/sys/devices/system/node")
#: Zones that a process gets its memory from, as long as there is any.
_ZONES = frozenset({"Normal", "Movable"})


class Ballast:
    """A process that holds the pieces; where there is none, nothing is held.

    It begins to take them at once, while others come up; :meth:`settle` waits until it has them all.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._asked = False
        if sys.platform == "linux" and os.access(_BUDDIES, os.R_OK):
            with contextlib.suppress(OSError):
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", __file__],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    process_group=0,
                )
                self._ask()

    def settle(self) -> int:
        """The bytes that it holds, once it has all pieces that there are now: setting workers up makes new ones."""
        try:
            if not self._asked:
                self._ask()
            return self._answer()
        except (OSError, ValueError):  # it could not, or was killed for the memory
            self.close()
            return 0

    def close(self) -> None:
        """Give the memory back; safe to call twice."""
        if self._process is not None:
            self._process.kill()
            with contextlib.suppress(OSError):  # of what it was asked and never read
                self._process.communicate()
            self._process = None

    def _ask(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(b"\n")
            self._process.stdin.flush()
            self._asked = True

    def _answer(self) -> int:
        if self._process is None or self._process.stdout is None:
            return 0
        if not select.select([self._process.stdout], [], [], _LIMIT_S)[0]:
            msg = "no answer within the limit"
            raise ValueError(msg)
        self._asked = False
        return int(self._process.stdout.readline())


@cache
def shared() -> Ballast:
    """The one of this process, from the first call until the end: what was taken once need not be taken again."""
    ballast = Ballast()
    atexit.register(ballast.close)
    return ballast


def pieces(buddies: str) -> dict[int, int]:
    """Node -> bytes of free memory in small blocks, from the text of /proc/buddyinfo.

    Raises:
        ValueError: it is not such a text.
    """
    found: dict[int, int] = {}
    lines = [line.replace(",", " ").split() for line in buddies.splitlines()]
    usual = any(line[3] in _ZONES for line in lines if len(line) > 3)
    for line in lines:
        if len(line) < 5 or (line[0], line[2]) != ("Node", "zone"):
            msg = f"{' '.join(line)!r} is no line of /proc/buddyinfo"
            raise ValueError(msg)
        if (line[3] in _ZONES) == usual:
            blocks = [(int(count), mmap.PAGESIZE << order) for order, count in enumerate(line[4:])]
            small = sum(count * size for count, size in blocks if size < _WHOLE_BYTES)
            found[int(line[1])] = found.get(int(line[1]), 0) + small
    return found


def cpus_of(listed: str) -> set[int]:
    """The cores of a list like "0-3,8"; as the kernel writes them (cpuset(7)).

    Raises:
        ValueError: it is no such list.
    """
    cpus: set[int] = set()
    for part in filter(None, listed.strip().split(",")):
        first, _, last = part.partition("-")
        cpus.update(range(int(first), int(last or first) + 1))
    return cpus


def _hold() -> None:
    """The process itself: for each line of its input it takes the pieces there are, and says how much it holds."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # in the midst of taking, too
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    cores = os.sched_getaffinity(0)
    kept: list[mmap.mmap] = []
    left: dict[int, int] = {}  # by node: pieces that no process is given, the kernel's own
    for _ in sys.stdin.buffer:
        # Anew each time: the workers that have come up since have taken theirs.
        room = min(_MOST_BYTES, int((_available_bytes() + sum(map(len, kept))) * _MOST_SHARE))
        for node, small in pieces(_BUDDIES.read_text()).items():
            near, new = _cores_of(node) & cores, small - left.get(node, 0)
            size = min(new, room - sum(map(len, kept))) // mmap.PAGESIZE * mmap.PAGESIZE
            if near and size > 0:
                os.sched_setaffinity(0, near)
                kept.append(_taken(size))
        left = pieces(_BUDDIES.read_text())
        sys.stdout.write(f"{sum(map(len, kept))}\n")
        sys.stdout.flush()


def _taken(size: int) -> mmap.mmap:
    """So many bytes, each page of them touched; in small pages, which is what pieces are good for."""
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError):  # a kernel without huge pages
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    memory[:: mmap.PAGESIZE] = bytes(size // mmap.PAGESIZE)
    return memory


def _cores_of(node: int) -> set[int]:
    try:
        return cpus_of((_NODES / f"node{node}" / "cpulist").read_text())
    except OSError:  # a kernel that knows of no nodes has one
        return set(range(os.cpu_count() or 1))


def _available_bytes() -> int:
    """What can be had without swapping, of the machine and of the control group (cgroup v2) this process is in.

    Nothing in a group of cgroup v1 that has a limit: what is left of it cannot be told alike on all systems.
    """
    if any(limit < _NO_LIMIT_BYTES for limit in _old_limits()):
        return 0
    lines = Path("/proc/meminfo").read_text().splitlines()
    free = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    with contextlib.suppress(OSError, ValueError, IndexError):
        group = Path("/sys/fs/cgroup", Path("/proc/self/cgroup").read_text().splitlines()[-1].split(":")[2].strip("/"))
        for folder in (group, *group.parents):
            limit = folder / "memory.max"
            if limit.exists() and (most := limit.read_text().strip()) != "max":
                free += [int(most) - int((folder / "memory.current").read_text())]
    return max(0, min(free, default=0))


def _old_limits(groups: Path = _OLD_GROUPS, own: Path = Path("/proc/self/cgroup")) -> list[int]:
    """The limits of cgroup v1 that this process is under, in bytes: of its group, as far as it is seen, and above."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        named = [line.split(":", 2) for line in own.read_text().splitlines()]
        paths = [path for _, controllers, path in named if "memory" in controllers.split(",")] or ["/"]
        here = [groups / path.strip("/") for path in paths]
        places = {place for folder in here for place in (folder, *folder.parents)}
        for place in places:
            if place.is_relative_to(groups):
                with contextlib.suppress(OSError, ValueError):
                    found.append(int((place / "memory.limit_in_bytes").read_text()))
    return found


if __name__ == "__main__":
    _hold()
