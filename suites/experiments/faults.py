"""Does a run survive what happens to long runs? ``python -m suites.experiments.faults FOLDER --kills 100``.

A small suite is measured again and again. Its conductor is killed with SIGKILL at a random instant, the run is
resumed, killed again, and so on until it comes to its end; of every fourth run a worker is killed. Held against a run
that nobody disturbed::

    no finished wave is lost       what WaveDone entries stood for before the kill is in the final run, unchanged
    no block is counted twice      (case, wave, round, kind) has one block
    nobody is left behind          no process of the session is alive two seconds after the kill
    the same run in the end        the same blocks in the same order, all waves, all cases

Every run is a line in ``FOLDER/runs.jsonl``; started again, the script goes on with what is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import bench
from bench.journal import FILE_NAME as JOURNAL
from bench.journal import read_journal
from bench.recovery import history

SUITE = """
import pytest
from bench import Case, Step, Workload, expand


def build(variant):
    return Step(run=lambda: sum(range(variant["length"])), items=1)


WORKLOADS = [Workload.of(name, build) for name in ("first", "second")]
CASES = [Case(workload, variant) for workload in WORKLOADS for variant in expand(length=[9000, 12000])]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_sums(case, measure):
    measure(case)
"""
OPTIONS = (
    "--benchmark-only", "-q", "bench_spin.py", "-p", "no:cacheprovider", "--bench-waves=3", "--bench-rounds=3",
    "--bench-start=spawn", "--bench-power=off", "--bench-seed=5", "--bench-budget=60", "--benchmark-disable-gc",
)  # fmt: skip
#: Of what was started in the background, as by nohup, the children ignore signals unless they say otherwise.
_LISTENS = (
    "import signal, sys, pytest; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "signal.signal(signal.SIGHUP, signal.SIG_DFL); sys.exit(pytest.main(sys.argv[1:]))"
)
_LIMIT_S = 120.0
#: A kill comes within this share of the time that a whole run takes, so that many runs are killed several times.
_SHARE = 0.45
#: A run that was killed so often is let come to its end.
_MOST_KILLS = 12
#: Between two samples of one block nothing happens; between two sittings at least a second passes.
_TORN_S = 0.5
_MARK = "JOULEMARK_FAULTS"


class Sitting:
    """One session of the suite in a folder; its processes are known by a word in their environment."""

    def __init__(self, folder: Path, *options: str, **environ: str) -> None:
        self._mark = f"{os.getpid()}-{random.getrandbits(64):x}"
        (folder / "bench_spin.py").write_text(SUITE)
        self.folder = folder
        self.begin_s = time.monotonic()
        with (folder / "output.txt").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _LISTENS, *OPTIONS, *options],
                cwd=folder,
                env={**os.environ, **environ, _MARK: self._mark},
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    def members(self) -> list[int]:
        """The ids of its processes, the conductor's among them."""
        return [pid for pid in _processes() if _says(pid, f"{_MARK}={self._mark}")]

    def workers(self) -> list[int]:
        """Those that are neither the conductor nor the one that holds memory for them."""
        return [pid for pid in self.members() if pid != self.process.pid and not _holds_memory(pid)]

    def reached(self, words: str, times: int = 1) -> bool:
        """Wait until the journal has so many entries of a kind; False if the session ends before."""
        while self.process.poll() is None:
            journals = list(self.folder.glob(f"out/*/{JOURNAL}"))
            if sum(journal.read_bytes().count(f'{{"type":"{words}"'.encode()) for journal in journals) >= times:
                return True
            time.sleep(0.02)
        return False

    def left_behind(self) -> int:
        """How many are alive two seconds after the conductor's end; they are killed then."""
        deadline = time.monotonic() + 2.0
        while (left := self.members()) and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        return len(left)


def _holds_memory(pid: int) -> bool:
    """Whether a process is that of :mod:`bench.workers.ballast`."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").endswith(b"ballast.py")
    except OSError:
        return False


def kill_conductor(folder: Path, chance: random.Random, length_s: float) -> dict[str, Any]:
    """Kill a run's conductor again and again, after times up to ``length_s``, until it has ended; what was found."""
    folder.mkdir(parents=True)
    kills: list[dict[str, Any]] = []
    kept: list[tuple[Any, ...]] = []
    options: list[str] = []
    while True:
        sitting = Sitting(folder, *options)
        after_s = chance.uniform(0.0, length_s)
        if len(kills) >= _MOST_KILLS or _ends_within(sitting, after_s):
            status = sitting.process.wait(_LIMIT_S)
            found = _found(folder, kept)
            return {**found, "kills": kills, "status": status, "left_behind": sitting.left_behind()}
        sitting.process.kill()
        sitting.process.wait()
        left, finished = sitting.left_behind(), _finished_blocks(folder)
        waves = {(block[0].partition("[")[0], block[1]) for block in finished}
        kills.append({"after_s": round(after_s, 3), "waves_finished": len(waves), "left_behind": left})
        kept += finished
        journal = next((path for path in folder.glob(f"out/*/{JOURNAL}") if path.stat().st_size), None)
        if journal is None and list(folder.glob("out/*/run.json")):  # it was at its end already
            return {**_found(folder, kept), "kills": kills, "status": 0, "left_behind": 0}
        options = [f"--bench-resume={journal.parent}"] if journal is not None else []


def kill_worker(folder: Path, chance: random.Random, length_s: float) -> dict[str, Any]:
    """Kill one worker of a run after a time up to ``length_s``; what was found at its end."""
    folder.mkdir(parents=True)
    sitting = Sitting(folder)
    after_s = chance.uniform(0.0, length_s)
    kills = []
    if not _ends_within(sitting, after_s) and (workers := sitting.workers()):
        os.kill(chance.choice(workers), signal.SIGKILL)
        kills.append({"after_s": round(after_s, 3), "waves_finished": 0, "left_behind": 0})
    status = sitting.process.wait(_LIMIT_S)
    return {**_found(folder, ()), "kills": kills, "status": status, "left_behind": sitting.left_behind()}


def skeleton(run: bench.Run) -> list[list[Any]]:
    """Every block of a run: what was measured when, and nothing of what was found; as JSON would have it."""
    blocks = {
        (trial.case.name, sample.wave, sample.round, sample.position, sample.kind.value)
        for trial in run.trials
        for sample in trial.samples
    }
    return sorted(map(list, blocks))


def _found(folder: Path, kept: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    runs = [bench.load(path) for path in folder.glob("out/*/run.json")]
    blocks = [block for run in runs for block in _blocks(run)]
    return {
        "runs": len(runs),
        "lost": len(set(kept) - set(blocks)),
        "doubled": sum(_is_torn(block) for block in blocks),
        "skeleton": skeleton(runs[0]) if len(runs) == 1 else None,
        "failed": sorted(trial.case.name for run in runs for trial in run.trials if trial.failure is not None),
        "sittings": [len(run.sittings) for run in runs],
    }


def _blocks(run: bench.Run) -> list[tuple[Any, ...]]:
    """Every block with its measured values: case, wave, round, and (start, length) of its samples."""
    found: dict[tuple[str, int, int], list[tuple[float, float]]] = {}
    for trial in run.trials:
        for sample in trial.samples:
            key = trial.case.name, sample.wave, sample.round
            found.setdefault(key, []).append((sample.start_s, sample.host_s))
    return [(*key, tuple(times)) for key, times in found.items()]


def _is_torn(block: tuple[Any, ...]) -> bool:
    """Whether the samples of a block do not follow each other: then it is two."""
    return any(
        later_s - (start_s + length_s) > _TORN_S for (start_s, length_s), (later_s, _) in pairwise(sorted(block[3]))
    )


def _finished_blocks(folder: Path) -> list[tuple[Any, ...]]:
    """The blocks of all waves that the journal calls finished, at this moment."""
    path = next(folder.glob(f"out/*/{JOURNAL}"), None)
    if path is None or path.stat().st_size == 0:
        return []
    told = history(read_journal(path.parent).entries)
    done = {(group.cases[0].workload.name, wave) for group in told.groups for wave in range(group.book.waves_done)}
    return [block for block in _blocks(told.run()) if (block[0].partition("[")[0], block[1]) in done]


def _ends_within(sitting: Sitting, seconds: float) -> bool:
    """Let it work for so long; whether it has ended by then."""
    try:
        sitting.process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _processes() -> Iterator[int]:
    yield from (int(name.name) for name in Path("/proc").iterdir() if name.name.isdigit())


def _says(pid: int, word: str) -> bool:
    try:
        alive = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
        return alive and word.encode() in (Path("/proc") / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return False


def judge(one: dict[str, Any], expected: list[list[Any]]) -> list[str]:
    """What is wrong with the end of a run that was killed; nothing if it kept its promises."""
    wrong = [f"{one[name]} {name}" for name in ("lost", "doubled", "left_behind") if one[name]]
    wrong += [f"{kill['left_behind']} left behind" for kill in one["kills"] if kill["left_behind"]]
    if one["victim"] == "conductor":
        wrong += [] if one["status"] == 0 else [f"status {one['status']}"]
        wrong += [] if one["skeleton"] == expected else ["another run in the end"]
    elif one["kills"]:
        ours, others = (_but(blocks, one["failed"]) for blocks in (one["skeleton"] or [], expected))
        wrong += [] if ours == others and len(one["failed"]) < 2 else ["cases that were not killed are not whole"]
    return wrong


def _but(blocks: Sequence[list[Any]], failed: Sequence[str]) -> list[list[Any]]:
    """Wave and round of the blocks of all cases that did not fail; without one its round has other positions."""
    return sorted(block[:3] for block in blocks if block[0] not in failed)


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill what is missing, then print the figures; returns the exit status, 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="suites.experiments.faults", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where runs.jsonl is kept")
    parser.add_argument("--kills", type=int, default=100, help="kills there should be (100)")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    journal = options.folder / "runs.jsonl"
    runs = [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []
    with tempfile.TemporaryDirectory() as scratch:
        begin_s = time.monotonic()
        undisturbed = kill_worker(Path(scratch) / "whole", random.Random(0), _LIMIT_S)
        length_s = time.monotonic() - begin_s
        while sum(len(one["kills"]) for one in runs) < options.kills:
            number = len(runs)
            victim, kill = (("conductor", kill_conductor), ("worker", kill_worker))[number % 4 == 3]
            one = kill(Path(scratch) / str(number), random.Random(number), length_s * 0.8)
            one |= {
                "number": number,
                "victim": victim,
                "wrong": judge({**one, "victim": victim}, undisturbed["skeleton"]),
            }
            del one["skeleton"]
            runs.append(one)
            with journal.open("a") as file:
                file.write(json.dumps(one) + "\n")
            print(f"run {number + 1}: {one}", file=sys.stderr, flush=True)
    print(table(runs))
    return int(any(one["wrong"] for one in runs))


def table(runs: Sequence[dict[str, Any]]) -> str:
    """Markdown: how many were killed, and what became of them."""
    lines = [
        "| killed | runs | kills | waves finished at a kill | blocks lost | twice | left behind | broken promises |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for victim in ("conductor", "worker"):
        some = [one for one in runs if one["victim"] == victim]
        kills = [kill for one in some for kill in one["kills"]]
        left = sum(one["left_behind"] for one in (*some, *kills))
        cells = (victim, len(some), len(kills), sum(kill["waves_finished"] for kill in kills))
        ends = (sum(one["lost"] for one in some), sum(one["doubled"] for one in some), left)
        lines.append(f"| {' | '.join(map(str, (*cells, *ends, sum(bool(one['wrong']) for one in some))))} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
