"""Whether another run is measuring on this machine: each leaves a locked file for every device it uses.

::

    /tmp/joulemark-measuring/cpu.1234         held locked by process 1234 as long as it measures, whatever its end
                             cuda-0.1234

A lock ends with its process, so a file that nobody holds is a leftover and counts for nothing. Files are opened, never
followed or read: what another user puts there can at most look like one more run.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from bench.instruments.locks import is_held

_NAME = "joulemark-measuring"


class Presence:
    """This process's files, until :meth:`leave`."""

    def __init__(self, devices: Iterable[str], folder: Path | None = None) -> None:
        self._folder = folder or Path(tempfile.gettempdir()) / _NAME
        self._held: dict[Path, int] = {}
        with contextlib.suppress(OSError):  # where that is forbidden, nobody notices anybody
            self._folder.mkdir(exist_ok=True)
            with contextlib.suppress(OSError):
                os.chmod(self._folder, 0o1777)  # noqa: S103  for all users, as /tmp is
            for device in dict.fromkeys(("cpu", *devices)):  # whatever is measured, the host has a part in it
                self._enter(device.replace(":", "-"))

    def others(self) -> int:
        """How many other processes are measuring on this machine."""
        try:
            files = [path for path in self._folder.iterdir() if path.name.startswith("cpu.")]
        except OSError:
            return 0
        return sum(path not in self._held and _is_held(path) for path in files)

    def leave(self) -> None:
        """Stop being seen; safe to call twice."""
        while self._held:
            path, handle = self._held.popitem()
            with contextlib.suppress(OSError):
                path.unlink()
            os.close(handle)

    def _enter(self, device: str) -> None:
        path = self._folder / f"{device}.{os.getpid()}"
        with contextlib.suppress(OSError):
            path.unlink()  # the leftover of a process that once had our number
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._held[path] = handle


def _is_held(path: Path) -> bool:
    if is_held(path):
        return True
    with contextlib.suppress(OSError):
        path.unlink()  # a leftover; another user's stays
    return False
