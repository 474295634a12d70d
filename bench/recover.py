"""``joulemark recover RUN``: a readable run from the journal of one that was broken off, without measuring anything."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import storage
from bench.errors import BenchError
from bench.recovery import History
from bench.resuming import command_of, read_history

_USAGE = """usage: joulemark recover RUN

Writes run.json beside the journal of a run that was broken off, with everything that had been measured, so that
joulemark show and report can read it. Nothing is measured; --bench-resume does that, and the journal stays for it.
"""


def main(argv: Sequence[str]) -> int:
    """The exit status: 0 when there is a readable run, 2 when the folder has no journal that can be read."""
    asked = bool({"-h", "--help"} & set(argv))
    if asked or len(argv) != 1 or argv[0].startswith("-"):
        (sys.stdout if asked else sys.stderr).write(_USAGE)
        return 0 if asked else 2
    place = Path(argv[0])
    folder = place if place.is_dir() else place.parent
    try:
        reading, told = read_history(folder)
        path = storage.save(told.run(), folder)
    except BenchError as error:
        sys.stderr.write(f"joulemark: {error}\n")
        return 2
    sys.stdout.writelines(f"{line}\n" for line in (*_said(told, folder, reading.damage), path))
    return 0


def _said(told: History, folder: Path, damage: str | None) -> Iterator[str]:
    waves = sum(group.book.waves for group in told.groups)
    yield f"{told.opened.id}: {told.kept_waves} of {waves} waves finished, of the groups that were begun"
    if damage is not None:
        yield f"of the journal, {damage}"
    yield f"what is missing can still be measured: --bench-resume={folder}, after: {command_of(told.opened)}"
