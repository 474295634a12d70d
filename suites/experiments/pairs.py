"""How often does the instrument cry wolf, and what does it miss? ``python -m suites.experiments.pairs FOLDER``.

Each run measures the default inference group of the CPU at the default budget, and among its cases several disjoint
pairs: identical copies (A/A), and copies of which one is slower by 1, 2 or 3 %. Each pair gets one verdict, the one it
would have as a row of the group's table, at the default band and with the band at 0.

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
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import bench
from bench.analysis.comparison import risk_share
from bench.analysis.statistics import exponential, t_interval
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
        "settings": [_said(trials, case, variants[0]) for case in variants[1:] if _is_whole(trials, case)],
        "pairs": [{"permille": int(two.variant[PERMILLE]), **_said(trials, two, one)} for one, two in pairs],
    }


def _is_whole(trials: dict[bench.Case, bench.Trial], case: bench.Case) -> bool:
    """Whether this machine could run it, and it did not fail."""
    return case in trials and trials[case].failure is None


def _said(trials: dict[bench.Case, bench.Trial], case: bench.Case, baseline: bench.Case) -> dict[str, Any]:
    """What the waves said of a case and its baseline.

    Raises:
        MeasurementError: one of them failed, or they share no round.
    """
    for one in (case, baseline):
        failure = trials[one].failure
        if failure is not None:
            msg = f"{one.name} failed: {failure.reason}"
            raise bench.MeasurementError(msg)
    waves = {sample.wave for trial in trials.values() for sample in trial.samples}
    left = len({sample.wave for sample in trials[baseline].samples}) < len(waves)  # a copy, with its like
    comparison = bench.compare(trials[case], trials[baseline], 0.95, at_look=left)
    if comparison is None:
        msg = f"{case.name} and {baseline.name} share no round; give the run a larger budget"
        raise bench.MeasurementError(msg)
    return {
        "case": str(case),
        "evidence": [round(value, 6) for value in comparison.evidence],
        "at_look": comparison.at_look,
        "crowded": comparison.crowded,
    }


def called(one: dict[str, Any], band: float, settings: Sequence[dict[str, Any]] = ()) -> bench.Verdict:
    """The verdict on a pair as a row of a table with these settings; without any, by itself."""
    return bench.judge([_comparison(each) for each in (one, *settings)], band)[0]


def _comparison(said: dict[str, Any]) -> bench.Comparison:
    """The comparison that was made of this evidence."""
    evidence = tuple(said["evidence"])
    flags = {"at_look": said["at_look"], "crowded": said["crowded"]}
    ratio = exponential(t_interval(evidence, 1 - 0.05 * risk_share(**flags)))
    workload = bench.Workload("pair", "nowhere:build")
    cases = [bench.Case(workload, bench.Variant.of(threads=number)) for number in (0, 1)]
    return bench.Comparison(cases[1], cases[0], *ratio, 0.95, over_waves=len(evidence) > 1, evidence=evidence, **flags)


@contextlib.contextmanager
def load(processes: int) -> Iterator[None]:
    """So many processes that keep a core busy each; strangers to this one, whose own group counts as ours."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"], process_group=0) for _ in range(processes)]
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
    """Markdown: what was planted, how often it was called different, with bounds; and how often by itself."""
    found = [(_kind(run), one, run.get("settings", [])) for run in runs for one in run["pairs"]]
    lines = [
        "| busy processes beside | planted | band | pairs | called different | 95 % bounds | judged alone |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind, permille in sorted({(kind, one["permille"]) for kind, one, _ in found}):
        chosen = [(one, settings) for other, one, settings in found if (other, one["permille"]) == (kind, permille)]
        wanted = {bench.Verdict.SLOWER} if permille else {bench.Verdict.SLOWER, bench.Verdict.FASTER}
        planted = f"{permille / 10:g} %" if permille else "nothing"
        beside = f"{kind[0]}, nothing else in the group" if kind[1] else str(kind[0])
        for band in (0.01, 0.0):
            hits = sum(called(one, band, settings) in wanted for one, settings in chosen)
            alone = sum(called(one, band) in wanted for one, _ in chosen)
            low, high = bounds(hits, len(chosen))
            shown = f"{beside} | {planted} | {band:.0%} | {len(chosen)} | {hits} | {low:.1%} to {high:.1%} | {alone}"
            lines.append(f"| {shown} |")
    return "\n".join(lines)


def _planted(options: argparse.Namespace) -> tuple[int, ...]:
    """What the pairs of a run are slowed down by, in thousandths."""
    planted: list[int] | None = options.plant
    if planted is not None:
        return tuple(planted)
    if options.alone is not None:
        return (0,) * int(options.alone)
    return LOADED_PAIRS if options.loaded else QUIET_PAIRS


def _kind(run: dict[str, Any]) -> tuple[int, bool]:
    """How many busy processes ran beside, and whether there were no settings in the group; older lines say neither."""
    return run.get("load", 0), bool(run.get("alone", "settings" in run and not run["settings"]))


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
    wanted = (options.loaded, options.alone is not None, permilles)
    kind = [run for run in runs if (*_kind(run), _permilles(run)) == wanted]
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
            runs.append({**run, "load": options.loaded, "alone": options.alone is not None})
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
