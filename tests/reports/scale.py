"""How long reports over many runs take, beside pytest-benchmark on the same number of results.

``python -m tests.reports.scale [RUNS]`` writes so many runs (200) of 50 cases with 100 blocks each, once for each of
the two, and times both as a user would: as commands, from start to end.
"""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.records import Run, Sample
from bench.storage import save
from reports.files import write_benchmark_json
from tests.factories import INFERENCE, TRAINING, make_run, make_trial

_CASES, _WAVES, _ROUNDS = 25, 10, 10


def main(runs: int) -> None:
    """Write the runs and print a line for each command."""
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = _written(Path(folder), runs)
        page = [f"--html={folder}/all.html", f"--markdown={folder}/all.md"]
        for part in sorted({runs // 4, runs // 2, runs}):
            _timed(f"joulemark show, {part} runs", ["joulemark", "show", *ours[:part]])
            _timed(f"joulemark report, {part} runs", ["joulemark", "report", *ours[:part], *page])
        _timed(f"pytest-benchmark compare, {runs} runs", ["pytest_benchmark", "compare", *theirs])
        drawn = f"--histogram={folder}/picture"
        _timed(f"pytest-benchmark compare --histogram, {runs} runs", ["pytest_benchmark", "compare", *theirs, drawn])


def _written(folder: Path, runs: int) -> tuple[list[str], list[str]]:
    ours, theirs = [], []
    for number in range(runs):
        run = _run(number)
        ours.append(str(save(run, folder / f"{number:04}")))
        theirs.append(str(folder / f"{number:04}_run.json"))
        write_benchmark_json(run, Path(theirs[-1]))
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


def _timed(name: str, command: Sequence[str]) -> None:
    began = time.perf_counter()
    environment = {**os.environ, "COLUMNS": "120"}
    process = subprocess.Popen(
        [sys.executable, "-m", *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
    )
    _, status, usage = os.wait4(process.pid, 0)
    took_s, code = time.perf_counter() - began, os.waitstatus_to_exitcode(status)
    sys.stdout.write(f"{name:48} {took_s:6.2f} s {usage.ru_maxrss / 1024:6.0f} MB{f', status {code}' * bool(code)}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
