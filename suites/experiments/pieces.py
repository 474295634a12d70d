"""Is it set against workers when they are set up? ``python -m suites.experiments.pieces``.

Copies of the FP32 inference step are one group, and whatever lies between them is the instrument's. Measured with the
machine's memory as it is, and with what lies about in pieces held (:mod:`bench.workers.ballast`), they are listed in
the order in which they were set up: percent slower than all of them, spread, and correlation with that order.

``--break 3000`` first makes such pieces: a process takes so many MiB and gives half of them back, 16 KiB here and
there.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import bench
from bench.analysis.statistics import biweight
from bench.entries import Enrolled, GroupEntry
from bench.workers.crew import ProcessCrew
from suites.experiments.planted import cases, pair

_HOLDER = """import mmap, sys
size, chunk = int(sys.argv[1]) << 20, 1 << 14
memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
memory.madvise(mmap.MADV_NOHUGEPAGE)
memory[::mmap.PAGESIZE] = bytes(size // mmap.PAGESIZE)
for start in range(0, size, 2 * chunk):
    memory.madvise(mmap.MADV_DONTNEED, start, chunk)
print("ready", flush=True)
sys.stdin.read()"""


@contextlib.contextmanager
def broken(mebibytes: int) -> Iterator[None]:
    """While this lasts, half of so much memory lies about in pieces."""
    if not mebibytes:
        yield
        return
    command = [sys.executable, "-c", _HOLDER, str(mebibytes)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        if holder.stdout is None or not holder.stdout.readline():
            msg = "memory could not be broken into pieces; ask for less"
            raise bench.MeasurementError(msg)
        try:
            yield
        finally:
            holder.kill()


def offsets(trials: Sequence[bench.Trial], wave: int) -> tuple[float, ...]:
    """How much slower each trial is than all of them, as a logarithm: the biweight over its samples in a wave.

    Every sample is held against the median of its round.
    """
    rounds: dict[int, list[float]] = defaultdict(list)
    for trial in trials:
        for sample in trial.samples:
            if sample.wave == wave:
                rounds[sample.round].append(math.log(sample.step_s))
    usual = {number: statistics.median(logs) for number, logs in rounds.items()}
    return tuple(
        biweight([math.log(one.step_s) - usual[one.round] for one in trial.samples if one.wave == wave])
        for trial in trials
    )


def correlation(values: Sequence[float]) -> float:
    """Of the values with their places in the row."""
    return statistics.correlation(values, range(len(values)))


def line_of(values: Sequence[float]) -> str:
    """Percent by order of set-up, spread and correlation."""
    shown = " ".join(f"{value:+.1%}" for value in values)
    return f"{shown}; spread {statistics.pstdev(values):.2%}, correlation {correlation(values):+.2f}"


def measured(copies: int, plan: bench.Plan, *, held: bool) -> Iterator[tuple[float, ...]]:
    """For each wave the offsets of so many pairs of copies, in the order in which they were set up.

    Raises:
        MeasurementError: a copy failed.
    """
    baseline = cases(bench.Options())[0]
    group = [case for number in range(copies // 2) for case in pair(baseline, number, 0)]
    order: dict[int, list[int]] = defaultdict(list)

    def record(entry: GroupEntry) -> None:
        if isinstance(entry, Enrolled):
            order[entry.wave].append(entry.case)

    with tempfile.TemporaryDirectory() as caches:
        hire = partial(ProcessCrew, held=held)
        measurement = bench.GroupMeasurement(group, plan, Path(caches), hire=hire, record=record)
        measurement.run()
    trials = measurement.trials
    for trial in trials:
        if trial.failure is not None:
            msg = f"{trial.case.name} failed: {trial.failure.reason}"
            raise bench.MeasurementError(msg)
    for wave, indices in sorted(order.items()):
        found = offsets(trials, wave)
        yield tuple(found[index] for index in indices)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each wave, as it is and with the pieces held; returns the exit status."""
    parser = argparse.ArgumentParser(prog="suites.experiments.pieces", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--copies", type=int, default=14, help="an even number (14)")
    parser.add_argument("--waves", type=int, default=2, help="for each of both ways (2)")
    parser.add_argument("--rounds", type=int, default=25, help="in a wave (25)")
    parser.add_argument(
        "--break", type=int, default=0, metavar="MIB", dest="broken", help="make pieces of half of this"
    )
    options = parser.parse_args(arguments)
    plan = bench.Plan(waves=options.waves, fewest_waves=options.waves, rounds=options.rounds, budget_s=1e4)
    try:
        bench.prepare(cases(bench.Options())[:1], plan)
        with broken(options.broken):
            for held, name in ((False, "as it is"), (True, "held")):
                for values in measured(options.copies, plan, held=held):
                    print(f"{name}: {line_of(values)}", flush=True)
    except bench.BenchError as error:
        print(f"suites.experiments.pieces: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
