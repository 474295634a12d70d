"""Signals that ask a process to end: while cases are measured, it ends as by Ctrl-C, with all that is known saved.

::

    SIGINT     KeyboardInterrupt, as ever            pytest ends with 2
    SIGTERM    the same, from "kill" or a scheduler  143
    SIGHUP     the same, from a closed terminal      129
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
_received: list[int] = []
_ignored: list[signal.Signals] = []


class TerminatedError(KeyboardInterrupt):
    """A signal asked this process to end."""


def ended_with() -> int | None:
    """The exit status that tells which signal ended us, as a shell would; None where none did."""
    return 128 + _received[0] if _received else None


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """As long as this lasts, the signals raise TerminatedError; whoever handles or ignores them already goes on so.

    After one has come they are ignored until :func:`heeded_again`: reports are still to be written, and impatient
    schedulers send two.
    """
    _received.clear()
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    mine = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in mine:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in mine:
            signal.signal(number, signal.SIG_IGN if _received else signal.SIG_DFL)
        _ignored.extend(mine if _received else ())


def heeded_again() -> None:
    """The end of the session: signals do what they did before, to a process that may live on."""
    while _ignored:
        signal.signal(_ignored.pop(), signal.SIG_DFL)


def _end(number: int, frame: FrameType | None) -> None:
    del frame
    if not _received:  # a second one must not break off the saving
        _received.append(number)
        raise TerminatedError(signal.Signals(number).name)
