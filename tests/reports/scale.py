"""How long reports over many runs take, beside pytest-benchmark on the same number of results.

``python -m tests.reports.scale > docs/scale.md`` writes 200 runs of 50 cases with 100 blocks each, once for each of the
two, times both as a user would, as commands from start to end, and prints a page. The histogram needs pygal.
"""

from __future__ import annotations

import argparse
import datetime
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from statistics import median

from bench.records import Run, Sample
from bench.storage import save
from reports.files import write_benchmark_json
from tests.factories import INFERENCE, TRAINING, make_run, make_trial

_CASES, _WAVES, _ROUNDS = 25, 10, 10  # of each of two workloads
_MOST_MB = 500
_HEAD = """# Many runs at once

Written by `python -m tests.reports.scale` on {date}, on a {machine}, Python {python}, pytest-benchmark {theirs}.

{runs} runs of {cases} cases with {blocks} blocks each: {samples:,} samples, in {ours:.0f} MB of `run.json` for
Joulemark and {other:.0f} MB for pytest-benchmark. Every command is timed from its start to its end, {repeat} times in
turn with the others, its output thrown away; the table has the median, the least and the most, and the largest memory
of the process. Joulemark estimates every figure with its interval from the samples; pytest-benchmark reads statistics
that were stored.

| command | runs | time | least to most | memory |
|---|--:|--:|--:|--:|"""


@dataclass(frozen=True)
class _Command:
    """One command over so many runs."""

    name: str
    runs: int
    words: tuple[str, ...]


@dataclass(frozen=True)
class _Measured:
    """What one execution took."""

    seconds: float
    megabytes: float


def main() -> None:
    """Write the runs, measure every command and print the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--machine", default="machine that was not described", help="what it ran on, in words")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = _written(Path(folder), chosen.runs)
        commands = list(_commands(ours, theirs, Path(folder)))
        found: dict[_Command, list[_Measured]] = {command: [] for command in commands}
        for _ in range(chosen.repeat):
            for command in commands:
                found[command].append(_measured(command, Path(folder)))
        sizes = [sum(path.stat().st_size for path in paths) / 1e6 for paths in (ours, theirs)]
    sys.stdout.write("\n".join(_page(chosen, sizes, found)) + "\n")


def _written(folder: Path, runs: int) -> tuple[list[Path], list[Path]]:
    ours, theirs = [], []
    for number in range(runs):
        run = _run(number)
        ours.append(save(run, folder / f"{number:04}"))
        theirs.append(folder / f"{number:04}_run.json")
        write_benchmark_json(run, theirs[-1])
    return ours, theirs


def _run(number: int) -> Run:
    """A run whose blocks and waves wander as they do on a shared machine."""
    chance = random.Random(number)
    trials = []
    for workload in (TRAINING, INFERENCE):
        for case in range(_CASES):
            step_s = 0.01 * (1 + 0.1 * case)
            samples = []
            for wave in range(_WAVES):
                offset = chance.gauss(0, 0.004)
                for round_ in range(_ROUNDS):
                    host_s = 3 * step_s * math.exp(offset + chance.gauss(0, 0.01))
                    samples.append(Sample(wave, round_, case, None, 1000 * chance.random(), 3, host_s, None))
            trial = make_trial(workload, step_s, waves=_WAVES, rounds=1, **({"threads": case} if case else {}))
            trials.append(replace(trial, samples=tuple(samples)))
    return replace(make_run(*trials), id=f"run-{number:04}")


def _commands(ours: Sequence[Path], theirs: Sequence[Path], folder: Path) -> Iterator[_Command]:
    runs = len(ours)
    for part in sorted({runs // 4, runs // 2, runs}):
        places = tuple(map(str, ours[:part]))
        files = (f"--html={folder}/all.html", f"--markdown={folder}/all.md")
        yield _Command("joulemark show", part, ("joulemark", "show", *places))
        yield _Command("joulemark report --html --markdown", part, ("joulemark", "report", *places, *files))
    compare = ("pytest_benchmark", "compare", *map(str, theirs), "--group-by=name")
    yield _Command("pytest-benchmark compare", runs, compare)
    yield _Command("pytest-benchmark compare --histogram", runs, (*compare, f"--histogram={folder}/drawn/picture"))


def _measured(command: _Command, folder: Path) -> _Measured:
    """Time and memory of one execution; raises SystemExit where it fails, for then it did not do its work."""
    (folder / "drawn").mkdir(exist_ok=True)
    with (folder / "errors.txt").open("w+", encoding="utf-8") as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", *command.words],
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env={**os.environ, "COLUMNS": "120"},
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        if os.waitstatus_to_exitcode(status) != 0:
            errors.seek(0)
            raise SystemExit(f"{command.name} failed: {errors.read()[-2000:]}")
    shutil.rmtree(folder / "drawn")
    return _Measured(seconds, usage.ru_maxrss / 1024)


def _page(
    chosen: argparse.Namespace, sizes: Sequence[float], found: Mapping[_Command, Sequence[_Measured]]
) -> Iterator[str]:
    yield _HEAD.format(
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        machine=chosen.machine,
        python=".".join(map(str, sys.version_info[:3])),
        theirs=version("pytest-benchmark"),
        runs=chosen.runs,
        cases=2 * _CASES,
        blocks=_WAVES * _ROUNDS,
        samples=chosen.runs * 2 * _CASES * _WAVES * _ROUNDS,
        ours=sizes[0],
        other=sizes[1],
        repeat=chosen.repeat,
    )
    took: dict[tuple[str, int], float] = {}
    for command, all_of_it in found.items():
        seconds = [one.seconds for one in all_of_it]
        took[command.name, command.runs] = median(seconds)
        span = f"{min(seconds):.2f} to {max(seconds):.2f} s"
        memory = max(one.megabytes for one in all_of_it)
        yield f"| `{command.name}` | {command.runs} | {median(seconds):.2f} s | {span} | {memory:.0f} MB |"
    yield ""
    most = max(one.megabytes for command, each in found.items() if "joulemark" in command.name for one in each)
    yield from _judged(took, chosen.runs, most)


def _judged(took: Mapping[tuple[str, int], float], runs: int, most_mb: float) -> Iterator[str]:
    """What was asked for, and whether it holds."""
    ours, theirs = "joulemark", "pytest-benchmark compare"
    for mine, other in ((f"{ours} show", theirs), (f"{ours} report --html --markdown", f"{theirs} --histogram")):
        ratio = took[other, runs] / took[mine, runs]
        yield f"- `{mine}` is {ratio:.2f} times as fast as `{other}`{'' if ratio > 1 else ': NOT faster'}."
    yield f"- No command of Joulemark takes more than {most_mb:.0f} MB; {_MOST_MB} are allowed."
    for name in (f"{ours} show", f"{ours} report --html --markdown"):
        first, middle, last = (took[name, part] for part in (runs // 4, runs // 2, runs))
        early, late = ((middle - first) / (runs // 4), (last - middle) / (runs // 2))
        yield f"- `{name}` grows by {1000 * early:.1f} ms a run up to {runs // 2} runs, by {1000 * late:.1f} ms beyond."


if __name__ == "__main__":
    main()
