"""The error tree, by whose fault it is.

::

    BenchError
    |-- UsageError        the caller's: a value, a name, a path. Raised before any work.
    |-- UnavailableError  this machine's: a library, a device, a right is missing. Becomes a skip.
    |-- MeasurementError  the evidence is unsound, or the measured code failed.
    |-- ComparisonError   two figures that must not be compared: unit, workload or sensor differ.
    `-- StorageError      a stored run that cannot be read or written. Names the path.

Each message is one sentence or two and ends with what to do next.
"""

from __future__ import annotations


class BenchError(Exception):
    """Any trouble that Joulemark foresees; ``str(error)`` is fit to be shown to a user."""


class UsageError(BenchError):
    """The caller asked for something that cannot be meant; nothing has been measured yet."""


class UnavailableError(BenchError):
    """This machine lacks something; carries the reason and, apart from it, the fix."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(f"{reason}; {fix}")
        self.reason = reason
        self.fix = fix


class MeasurementError(BenchError):
    """The evidence is unsound, or the measured code failed while it was being measured."""


class ComparisonError(BenchError):
    """Two figures were put side by side that do not measure the same thing."""


class StorageError(BenchError):
    """A run could not be read or written; the message names the file and the trouble."""
