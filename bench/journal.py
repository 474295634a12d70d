"""The journal of a run: one line for each entry, appended while it is measured, so that a crash takes nothing with it.

::

    1a2b3c4d {"type":"Opened","schema":1,"id":"20261122-173015-4f2a",...}
    9f00e1d2 {"type":"GroupOpened","cases":[...],...}
    |        `-- the entry, as JSON
    `-- CRC-32 of the entry, begun with that of the line before: a line that was lost, changed, doubled or moved shows

A line is handed to the system as soon as its entry is made, which survives the end of this process however it comes;
it is forced to the disk at the end of every wave, and at most so many seconds after it was written, which survives the
end of the machine. A broken last line is what an interrupted write leaves; it is cut off. After a damage further up
nothing is believed.

The file is held locked while it is written, so that nobody resumes a run that is still going on.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.entries import Entry, GroupEnded, LookDone, Opened, Resumed, WaveDone
from bench.errors import BenchError, StorageError
from bench.instruments.locks import is_held
from bench.records import SCHEMA
from bench.storage import JOURNAL_NAME

FILE_NAME = JOURNAL_NAME
#: As for a run: nothing honest is this large.
MAX_BYTES = 512 * 2**20
_MAX_LINE_BYTES = 128 * 2**20
#: After these an entry is on the disk, not only with the system.
_MILESTONES = (Opened, Resumed, WaveDone, LookDone, GroupEnded)
_SYNC_EVERY_S = 5.0
#: How file systems without locks answer: of some clusters, and of NFS without its lock server.
_NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)

#: Of data alone where there is such a call.
_sync = getattr(os, "fdatasync", os.fsync)
_decoder = msgspec.json.Decoder(Entry)


@dataclass(frozen=True)
class Reading:
    """What a journal says: its entries, and where the last whole line ends."""

    path: Path
    entries: tuple[Entry, ...]
    bytes_read: int
    crc: int
    damage: str | None  # what is wrong with the rest, None where there is no rest
    size: int  # of the file, with that rest


class Journal:
    """A journal that is being written."""

    def __init__(self, path: Path, handle: int, crc: int, clock: Callable[[], float]) -> None:
        self.path = path
        self._handle = handle
        self._crc = crc
        self._clock = clock
        self._synced_s = clock()

    @classmethod
    def create(cls, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> Journal:
        """A new journal in a folder, which is made if missing.

        Raises:
            StorageError: it cannot be written, or there is one already.
        """
        path = folder / FILE_NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o666)
            _lock(handle)
        except OSError as error:
            raise _unwritable(path, error) from error
        return cls(path, handle, 0, clock)

    @classmethod
    def go_on(cls, read: Reading, *, clock: Callable[[], float] = time.monotonic) -> Journal:
        """A journal that was broken off, behind its last whole line; what stood after that is cut off.

        Raises:
            StorageError: it cannot be written, or another process is still writing it.
        """
        try:
            handle = os.open(read.path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except OSError as error:
            raise _unwritable(read.path, error) from error
        try:
            _lock(handle)
            whole = os.fstat(handle).st_size == read.size
            if whole:
                os.ftruncate(handle, read.bytes_read)
        except BlockingIOError as error:
            os.close(handle)
            raise StorageError(_still_written(read.path)) from error
        except OSError as error:
            os.close(handle)
            raise _unwritable(read.path, error) from error
        if not whole:
            os.close(handle)
            msg = f"{read.path}: another process went on with it meanwhile; resume it once more"
            raise StorageError(msg)
        return cls(read.path, handle, read.crc, clock)

    def append(self, entry: Entry) -> None:
        """Add a line. Whole lines only: what an error left of one is cut off again.

        Raises:
            StorageError: the disk is full, or the file is no more where it was.
        """
        payload = msgspec.json.encode(entry)
        crc = zlib.crc32(payload, self._crc)
        line = b"%08x %b\n" % (crc, payload)
        size = os.fstat(self._handle).st_size
        try:
            _write_all(self._handle, line)
            if isinstance(entry, _MILESTONES) or self._clock() - self._synced_s >= _SYNC_EVERY_S:
                _sync(self._handle)
                self._synced_s = self._clock()
                self._check_place()
        except BaseException as error:  # an interruption as well: what is not known to be there must not be there
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, size)
            if isinstance(error, OSError):
                raise _unwritable(self.path, error) from error
            raise
        self._crc = crc

    def moved(self, folder: Path, entry: Entry) -> Journal:
        """All that was written so far, and one entry more, in another folder, to go on there; this one is deleted.

        Raises:
            StorageError: the other place cannot be written either; then this one is as it was.
        """
        other = Journal.create(folder, clock=self._clock)
        try:
            os.lseek(self._handle, 0, os.SEEK_SET)
            while part := os.read(self._handle, 2**20):
                _write_all(other._handle, part)  # noqa: SLF001  of the same class
        except OSError as error:
            other.remove()
            raise _unwritable(other.path, error) from error
        other._crc = self._crc  # noqa: SLF001  as above
        try:
            other.append(entry)
        except BaseException:
            other.remove()
            raise
        self.remove()
        return other

    def close(self) -> None:
        """Stop writing; safe to call twice."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    def remove(self) -> None:
        """Stop writing and delete the file, if it is still ours: all that it had stands elsewhere."""
        if self._handle >= 0:
            with contextlib.suppress(OSError):
                self._check_place()
                self.path.unlink()
        self.close()

    def _check_place(self) -> None:
        """The folder may have been deleted, or moved, while we wrote into it."""
        if not os.path.samestat(os.fstat(self._handle), self.path.stat()):
            raise FileNotFoundError(2, "another file has taken its place")


def read_journal(folder: Path) -> Reading:
    """All that can be believed of the journal in a folder.

    Raises:
        StorageError: there is none, it cannot be read, it is none of ours or of a later schema.
    """
    path = folder / FILE_NAME
    try:
        if path.stat().st_size > MAX_BYTES:
            msg = f"{path} is larger than {MAX_BYTES >> 20} MiB, which no journal is; it is not read"
            raise StorageError(msg)
        with path.open("rb") as file:
            reading = _believed(path, file.read(MAX_BYTES))
    except FileNotFoundError as error:
        msg = f"{path} is not there; name the folder of a run that was broken off"
        raise StorageError(msg) from error
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror or error}); check the path and its permissions"
        raise StorageError(msg) from error
    _check_head(reading)
    return reading


def is_being_written(folder: Path) -> bool:
    """Whether a process holds the journal in this folder."""
    return is_held(folder / FILE_NAME)


def _lock(handle: int) -> None:
    """Held until the file is closed. Where a file system has no locks, nobody is kept out.

    Raises:
        BlockingIOError: another process holds it.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise


def _believed(path: Path, data: bytes) -> Reading:
    entries: list[Entry] = []
    position, crc, damage = 0, 0, None
    for number, (line, end) in enumerate(_lines(data), 1):
        if end > len(data):  # without its newline: what would be appended would stand on the same line
            damage = f"line {number} was not written to its end"
            break
        try:
            crc, entry = _entry(line, crc)
        except ValueError as error:
            last = end == len(data)
            damage = f"line {number} was not written to its end" if last else f"line {number} is damaged ({error})"
            break
        entries.append(entry)
        position = end
    return Reading(path, tuple(entries), position, crc, damage, len(data))


def _lines(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Each line, and where the next one begins: beyond the data for a line that has no newline."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        if end < 0:
            end = len(data)
        yield data[start:end], end + 1
        start = end + 1


def _entry(line: bytes, before: int) -> tuple[int, Entry]:
    """The checksum and the entry of a line; ValueError where either is wrong."""
    head, payload = line[:9], line[9:]
    if len(line) > _MAX_LINE_BYTES:
        msg = "it is too long"
        raise ValueError(msg)
    crc = zlib.crc32(payload, before)
    if head != b"%08x " % crc:
        msg = "its checksum does not fit"
        raise ValueError(msg)
    try:
        return crc, _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, BenchError, RecursionError, OverflowError) as error:
        raise ValueError(" ".join(str(error).split())[:200]) from error


def _check_head(reading: Reading) -> None:
    if not reading.entries or not isinstance(reading.entries[0], Opened):
        msg = f"{reading.path} is not a journal of Joulemark; name the folder of a run that was broken off"
        raise StorageError(msg)
    schema = reading.entries[0].schema
    if not 1 <= schema <= SCHEMA:
        msg = f"{reading.path} has schema {schema}, this Joulemark reads 1 to {SCHEMA}; upgrade joulemark to read it"
        raise StorageError(msg)


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _unwritable(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path} cannot be written ({error.strerror or error}); free some space, or choose another folder"
    )


def _still_written(path: Path) -> str:
    return f"{path} is being written by another process; the run is still going on, wait for its end"
