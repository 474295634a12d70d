"""Keeps what is measured, wherever it still can be kept.

::

    entry --> journal in the run's folder --> run.json, when a group has ended
                 | the disk is full, the folder is gone
                 v
              the same folder, made anew --> a temporary one --> memory alone, and said so
"""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench import storage
from bench.entries import Entry, Opened, Resumed
from bench.errors import StorageError
from bench.journal import Journal, Reading
from bench.records import Run
from bench.recovery import History, history


class Keeper:
    """The history of a run in memory, and the same on disk."""

    def __init__(self, folder: Path, history: History, journal: Journal | None) -> None:
        self.folder = folder
        self.history = history
        self.trouble: str | None = None  # why it does not lie where it should
        self.saved = True  # whether what was last to be saved has been
        self._journal = journal

    @classmethod
    def begin(cls, folder: Path, opened: Opened) -> Keeper:
        """A new run in a folder that does not have one.

        Raises:
            StorageError: nothing can be written there.
        """
        journal = Journal.create(folder)
        journal.append(opened)
        return cls(folder, History(opened), journal)

    @classmethod
    def resume(cls, reading: Reading, resumed: Resumed) -> Keeper:
        """A run that was broken off, behind what is kept of it.

        Raises:
            StorageError: nothing can be written there, or another process still does.
        """
        told = history([*reading.entries, resumed])
        journal = Journal.go_on(reading)
        journal.append(resumed)
        return cls(reading.path.parent, told, journal)

    @property
    def path(self) -> Path:
        """Of ``run.json``."""
        return self.folder / storage.FILE_NAME

    def note(self, entry: Entry) -> None:
        """One entry more, written and known."""
        self.write(entry)
        self.history.add(entry)

    def write(self, entry: Entry) -> None:
        """One entry more for the disk alone, of a group whose book learns it from whoever measures.

        Trouble with the disk takes nothing of what is known.
        """
        if self._journal is not None:
            try:
                self._journal.append(entry)
            except StorageError as error:
                self._journal = self._rescued(self._journal, entry, error)

    def save(self, run: Run) -> None:
        """Write ``run.json`` where the journal is; if that has become impossible, somewhere rather than nowhere."""
        self.saved = True
        try:
            storage.save(run, self.folder)
        except StorageError as error:
            self._say(error)
            for folder in _temporary():
                try:
                    storage.save(run, folder)
                except StorageError:
                    continue
                self.folder = folder
                return
            self.saved = False

    def close(self, *, keep: bool) -> None:
        """The end; the journal is kept where something is left to be measured, or where the run could not be saved."""
        if self._journal is not None:
            if keep or not self.saved or (self.history.groups and not self.path.is_file()):
                self._journal.close()
            else:
                self._journal.remove()
            self._journal = None
        if not keep:
            with contextlib.suppress(OSError):
                self.folder.rmdir()  # only if nothing is in it: nothing was measured

    def _rescued(self, journal: Journal, entry: Entry, error: StorageError) -> Journal | None:
        self._say(error)
        for folder in itertools.chain([self.folder], _temporary()):
            try:
                moved = journal.moved(folder, entry)
            except StorageError:
                continue
            self.folder = folder
            return moved
        journal.close()
        return None

    def _say(self, error: StorageError) -> None:
        self.trouble = self.trouble or str(error)


def _temporary() -> Iterator[Path]:
    """A new folder among the system's temporary ones, if there is room for one."""
    try:
        yield Path(tempfile.mkdtemp(prefix="joulemark-rescued-"))
    except OSError:
        return
