"""How often does the instrument cry wolf, and what does it miss? ``python -m suites.experiments.pairs FOLDER``.

Each run measures the default inference group of the CPU at the default budget, and among its cases several disjoint
pairs: identical copies (A/A), and copies of which one is slower by 1, 2 or 3 %. Each pair gives one verdict, judged
by itself: at the default band, the 1 % pairs also with the band at 0.

``--loaded`` runs beside a process that keeps one core busy, ``--loaded 2`` beside two; then all pairs are A/A.
``--plant 0 0 0 20`` says what the pairs of a run are slowed down by, in thousandths.
``--alone 10`` measures ten A/A pairs in each run and no other settings, of one convolution, which is set up in no time:
many pairs in little time (150 s a run).

Every finished run is a line in ``FOLDER/runs.jsonl``; started again, the script goes on with what is missing, and
``--table`` prints the counts with their Clopper-Pearson bounds.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import bench
from bench.analysis.statistics import t_interval
from bench.instruments.presence import Presence
from bench.surroundings import Watchman
from bench.watching import HostWatchman
from suites.experiments.planted import PERMILLE, cases, light, pair

#: What is planted in the pairs of a quiet run, in thousandths; 0 is a pair of identical copies. Twenty runs have sixty
#: of those, and forty of each other kind.
QUIET_PAIRS = (0, 0, 0, 10, 10, 20, 20, 30, 30)
LOADED_PAIRS = (0,) * 8


def measure_run(
    permilles: Sequence[int], seed: int, plan: bench.Plan, watchman: Watchman | None = None, *, alone: bool = False
) -> dict[str, Any]:
    """One group with its pairs, measured; what each pair's waves said. ``alone``: no settings but the baseline.

    Raises:
        MeasurementError: a copy failed.
    """
    variants = (light(),) if alone else cases(bench.Options())
    pairs = [pair(variants[0], number, permille) for number, permille in enumerate(permilles)]
    group = [*variants, *(case for both in pairs for case in both)]
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as caches:
        measurement = bench.GroupMeasurement(group, plan, Path(caches), watchman=watchman)
        measurement.run()
    trials, waves = {trial.case: trial for trial in measurement.trials}, measurement.book.waves
    return {
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "duration_s": round(time.monotonic() - begin, 1),
        "waves": waves,
        "rounds": [len({s.round for s in trials[group[0]].samples if s.wave == wave}) for wave in range(waves)],
        "cases": len(group),
        "shared": sorted({c.kind.value for c in trials[group[0]].caveats} & {"busy_host"}),
        "pairs": [_outcome(trials, *both, waves) for both in pairs],
    }


def _outcome(
    trials: dict[bench.Case, bench.Trial], first: bench.Case, second: bench.Case, waves: int
) -> dict[str, Any]:
    for case in (first, second):
        failure = trials[case].failure
        if failure is not None:
            msg = f"{case.name} failed: {failure.reason}"
            raise bench.MeasurementError(msg)
    comparison = bench.compare(trials[second], trials[first], 0.95, at_look=_left(trials[first], waves))
    if comparison is None:
        msg = f"{first.name} and {second.name} share no round; give the run a larger budget"
        raise bench.MeasurementError(msg)
    return {
        "permille": int(second.variant[PERMILLE]),
        "evidence": [round(value, 6) for value in comparison.evidence],
        "speedup": round(comparison.speedup, 6),
        "share": comparison.share,
    }


def called(one: dict[str, Any], band: float, share: float) -> str:
    """What a pair is called by itself, by what its waves said: FASTER, SLOWER or neither."""
    interval = t_interval(one["evidence"], 1 - share * 0.05)
    margin = math.log1p(band)
    if interval.low is None or interval.high is None:
        return "neither"
    return "FASTER" if interval.low > margin else "SLOWER" if interval.high < -margin else "neither"


def _left(trial: bench.Trial, waves: int) -> bool:
    """Whether it left at the look, because its ratio to the group's baseline was clear."""
    return len({sample.wave for sample in trial.samples}) < waves


@contextlib.contextmanager
def load(processes: int) -> Iterator[None]:
    """So many processes that keep a core busy each."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def bounds(hits: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """The Clopper-Pearson interval of a proportion (Clopper & Pearson 1934, Biometrika 26)."""
    from scipy import stats

    interval = stats.binomtest(hits, of).proportion_ci(confidence, method="exact")
    return float(interval.low), float(interval.high)


def table(runs: Sequence[dict[str, Any]]) -> str:
    """Markdown: what was planted, how often it was called different, with bounds."""
    pairs = [(run.get("load", 0), one) for run in runs for one in run["pairs"]]
    lines = [
        "| busy processes beside | planted | band | pairs | called different | 95 % bounds |",
        "|---|---|---|---|---|---|",
    ]
    for beside in sorted({beside for beside, _ in pairs}):
        for permille in sorted({one["permille"] for where, one in pairs if where == beside}):
            chosen = [one for where, one in pairs if where == beside and one["permille"] == permille]
            for band in (0.01, 0.0):
                wanted = {"SLOWER"} if permille else {"SLOWER", "FASTER"}
                hits = sum(called(one, band, one["share"]) in wanted for one in chosen)
                low, high = bounds(hits, len(chosen))
                planted = f"{permille / 10:g} %" if permille else "nothing"
                lines.append(
                    f"| {beside} | {planted} | {band:.0%} | {len(chosen)} | {hits} | {low:.1%} to {high:.1%} |"
                )
    return "\n".join(lines)


def _planted(options: argparse.Namespace) -> tuple[int, ...]:
    """What the pairs of a run are slowed down by, in thousandths."""
    planted: list[int] | None = options.plant
    if planted is not None:
        return tuple(planted)
    if options.alone is not None:
        return (0,) * int(options.alone)
    return LOADED_PAIRS if options.loaded else QUIET_PAIRS


def _permilles(run: dict[str, Any]) -> tuple[int, ...]:
    return tuple(int(one["permille"]) for one in run["pairs"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is missing, then print the table; returns the exit status."""
    parser = argparse.ArgumentParser(prog="suites.experiments.pairs", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where runs.jsonl is kept")
    parser.add_argument("--runs", type=int, default=20, help="runs there should be of this kind (20)")
    parser.add_argument("--loaded", type=int, nargs="?", const=1, default=0, metavar="N", help="busy processes beside")
    parser.add_argument("--plant", type=int, nargs="+", choices=(0, 10, 20, 30), metavar="N", help="thousandths a pair")
    parser.add_argument("--alone", type=int, metavar="N", help="so many A/A pairs a run, and no other settings")
    parser.add_argument("--table", action="store_true", help="only print what there is")
    options = parser.parse_args(arguments)
    journal = options.folder / "runs.jsonl"
    options.folder.mkdir(parents=True, exist_ok=True)
    runs = [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []
    permilles = _planted(options)
    kind = [run for run in runs if run.get("load", 0) == options.loaded and _permilles(run) == permilles]
    presence = Presence(["cpu"])
    try:
        if not options.table and options.alone is None and len(kind) < options.runs:
            bench.prepare(cases(bench.Options())[:1], bench.Plan())
        for seed in range(len(kind), 0 if options.table else options.runs):
            plan = bench.Plan(seed=seed)
            if options.alone is not None:
                plan = bench.Plan(seed=seed, warm_up_s=0.3, budget_s=150.0)
            with load(options.loaded):
                watchman = HostWatchman(presence)
                run = measure_run(permilles, seed, plan, watchman, alone=options.alone is not None)
            runs.append({**run, "load": options.loaded})
            with journal.open("a") as file:
                file.write(json.dumps(runs[-1]) + "\n")
            print(f"run {seed + 1} of {options.runs}: {run['duration_s']:.0f} s", file=sys.stderr, flush=True)
    except bench.BenchError as error:
        print(f"suites.experiments.pairs: {error}", file=sys.stderr)
        return 2
    finally:
        presence.leave()
    print(table(runs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
