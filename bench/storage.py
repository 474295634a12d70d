"""Runs on disk: one JSON file each, written whole or not at all, validated on reading.

Schema history (a run is read by any Joulemark that knows its schema):

1   first: environment, plan, trials with lives, samples, proofs and caveats, skips, logs of power. A sample is an
    array in the order of :class:`bench.records.Sample`'s fields, a reading of a sensor likewise. Added since, absent in
    older runs: phases and profile of a trial, captures and sittings of a run.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import msgspec

from bench.errors import BenchError, StorageError
from bench.records import SCHEMA, Run

FILE_NAME = "run.json"
#: While a run is measured, and as long as something of it is missing (:mod:`bench.journal`).
JOURNAL_NAME = "journal.jsonl"
#: A run of 50 cases with 6 waves of 100 blocks is about 20 MB; nothing honest is this large.
MAX_BYTES = 512 * 2**20
#: How the name of a run's folder begins.
_DATED = re.compile(r"\d{8}-")


class _Head(msgspec.Struct):
    """What tells a run of ours from any other JSON file, read before the rest is believed."""

    schema: int
    id: str


def save(run: Run, folder: Path) -> Path:
    """Write ``run.json`` in a folder (made if missing) and return its path.

    Raises:
        StorageError: the folder cannot be written.
    """
    path = folder / FILE_NAME
    write_whole(path, msgspec.json.encode(run) + b"\n")
    return path


def load(place: Path | str) -> Run:
    """The run in a ``run.json``, in the folder that holds one, or the latest in a folder of such folders.

    Raises:
        StorageError: no such file, or one that is damaged, foreign, too large or of a later schema.
    """
    path = find(place) or Path(place)
    if path.is_dir():
        path = path / FILE_NAME
    data = read_bytes(path)
    try:
        head = msgspec.json.decode(data, type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        msg = f"{path} is not a run of Joulemark ({_one_line(error)}); name a run folder or its {FILE_NAME}"
        raise StorageError(msg) from error
    if not 1 <= head.schema <= SCHEMA:
        msg = f"{path} has schema {head.schema}, this Joulemark reads 1 to {SCHEMA}; upgrade joulemark to read it"
        raise StorageError(msg)
    try:
        return msgspec.json.decode(data, type=Run)
    except (msgspec.DecodeError, UnicodeDecodeError, BenchError, ValueError, OverflowError, RecursionError) as error:
        msg = f"{path} is damaged ({_one_line(error)}); take it from a backup or measure again"
        raise StorageError(msg) from error


def find(place: Path | str) -> Path | None:
    """The file that :func:`load` reads; None where there is none.

    Of several runs in a folder the latest is the one whose name comes last, since names begin with the date; a folder
    that somebody gave another name counts as older than those.

    Raises:
        StorageError: the place is there, and one may not look.
    """
    path = Path(place)
    try:
        if path.is_file() or not path.is_dir():
            return path if path.is_file() else None
        if (path / FILE_NAME).is_file():
            return path / FILE_NAME
        runs = [folder / FILE_NAME for folder in path.iterdir() if (folder / FILE_NAME).is_file()]
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror or error}); check the path and its permissions"
        raise StorageError(msg) from error
    return max(runs, key=lambda run: (_DATED.match(run.parent.name) is not None, run.parent.name), default=None)


def shown_path(path: Path) -> Path:
    """The path as somebody in the working folder would write it: relative where it lies below that."""
    here, absolute = Path.cwd(), path.absolute()
    return absolute.relative_to(here) if absolute.is_relative_to(here) else absolute


def write_whole(path: Path, data: bytes) -> None:
    """Put data at a path so that a reader sees the old file or the new one, never a part.

    A link is followed. What is no file but takes data (a pipe, ``/dev/stdout``) is written to and never replaced.

    Raises:
        StorageError: the place cannot be written.
    """
    temporary = None
    try:
        if _is_stream(path):
            with path.open("ab") as stream:  # what stands before it in a redirected output stays
                stream.write(data)
            return
        path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:  # the latter of links in a circle
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or error
        msg = f"{path} cannot be written ({reason}); choose another folder or free some space"
        raise StorageError(msg) from error


def _is_stream(path: Path) -> bool:
    """Whether a path takes data as it comes: an output of this process, a pipe, a terminal."""
    ours = path in (Path("/dev/stdout"), Path("/dev/stderr")) or path.is_relative_to("/dev/fd")
    return ours or (path.exists() and not (path.is_file() or path.is_dir()))


def read_bytes(path: Path) -> bytes:
    """All of a file that may be a run.

    Raises:
        StorageError: no such file, or one that is too large or cannot be read.
    """
    try:
        if not path.is_file():
            broken_off = (path.parent / JOURNAL_NAME).is_file()
            advice = f"the run was broken off: joulemark recover {path.parent}" if broken_off else "name a run folder"
            msg = f"{path} is not there; {advice}{'' if broken_off else f' or its {FILE_NAME}'}"
            raise StorageError(msg)
        if path.stat().st_size > MAX_BYTES:
            msg = f"{path} is larger than {MAX_BYTES >> 20} MiB, which no run is; it is not read"
            raise StorageError(msg)
        return path.read_bytes()
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror or error}); check the path and its permissions"
        raise StorageError(msg) from error


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
