"""Does a long run leak? ``python -m suites.experiments.soak FOLDER --minutes 30``.

One session with short blocks and as many waves as the time allows, sensors on (an estimate where there is none, so that
the sampling thread works). Every few seconds its conductor is looked at from outside: resident memory, threads, open
files, processes. Slopes are least squares over the second half, when everything that is made once has been made.

What is measured is kept, so memory must grow by what samples need; the journal has the same, and grows beside it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.journal import FILE_NAME as JOURNAL
from suites.experiments.faults import Sitting

_EVERY_S = 5.0
_MIB = 2**20


class Look(NamedTuple):
    """The conductor at one moment."""

    at_s: float
    resident_bytes: int
    threads: int
    files: int
    processes: int  # its workers and nests
    journal_bytes: int
    waves: int


def look(sitting: Sitting) -> Look | None:
    """What it has now; None when it has ended."""
    process = Path("/proc") / str(sitting.process.pid)
    try:
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        files = len(list((process / "fd").iterdir()))
        resident, threads = int(status["VmRSS"].split()[0]) * 1024, int(status["Threads"])
    except (OSError, KeyError):
        return None
    journals = [path.read_bytes() for path in sitting.folder.glob(f"out/*/{JOURNAL}")]
    return Look(
        time.monotonic() - sitting.begin_s,
        resident,
        threads,
        files,
        len(sitting.workers()),
        sum(map(len, journals)),
        sum(data.count(b'{"type":"WaveDone"') for data in journals),
    )


def slope_per_hour(looks: Sequence[Look], field: str) -> float:
    """Least squares over the second half of the looks."""
    later = looks[len(looks) // 2 :]
    times_h = np.array([one.at_s / 3600 for one in later])
    return float(np.polyfit(times_h, [getattr(one, field) for one in later], 1)[0])


def table(looks: Sequence[Look]) -> str:
    """Markdown: what there was at the start of the second half, at the end, at most, and the slope."""
    lines = ["| of the conductor | half-way | end | most | slope per hour |", "|---|--:|--:|--:|--:|"]
    for field, name, unit in (
        ("resident_bytes", "memory, MiB", _MIB),
        ("journal_bytes", "journal, MiB", _MIB),
        ("threads", "threads", 1),
        ("files", "open files", 1),
        ("processes", "processes", 1),
        ("waves", "waves done", 1),
    ):
        values = [getattr(one, field) / unit for one in looks]
        middle, slope = values[len(values) // 2], slope_per_hour(looks, field) / unit
        lines.append(f"| {name} | {middle:.4g} | {values[-1]:.4g} | {max(values):.4g} | {slope:+.2f} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure for so long and print the table; returns the exit status, 1 where something was left behind."""
    parser = argparse.ArgumentParser(prog="suites.experiments.soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the run and looks.jsonl go; it must be new")
    parser.add_argument("--minutes", type=float, default=30.0)
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True)
    limit = f"--bench-time-limit={options.minutes}min"
    plan = ("--bench-waves=100000", "--bench-rounds=3", "--bench-budget=1e6", "--bench-power=tdp:65")
    sitting, looks = Sitting(options.folder, limit, *plan), []
    with (options.folder / "looks.jsonl").open("w") as file:
        while (seen := look(sitting)) is not None and sitting.process.poll() is None:
            looks.append(seen)
            file.write(json.dumps(seen._asdict()) + "\n")
            time.sleep(_EVERY_S)
    status, left = sitting.process.wait(), sitting.left_behind()
    print(table([one for one in looks if one.waves and one.processes]))  # at the end reports are written
    print(f"\nexit status {status}, {left} processes left behind")
    return int(bool(status or left))


if __name__ == "__main__":
    sys.exit(main())
