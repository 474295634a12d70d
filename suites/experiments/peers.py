"""Joulemark beside pytest-benchmark and torch.utils.benchmark: ``python -m suites.experiments.peers FOLDER``.

The same inference step is compared with a copy of itself that is slower by 0, 1, 2 or 3 %, by each tool in turn, in
one sitting and equal time. A peer measures the one, then the other, in a fresh process each, as its users do; Joulemark
measures both as a group, and its time includes the set-up of all waves, while the peers' does not include theirs.

A peer's rule for "different": pytest-benchmark's ``--benchmark-compare-fail=median:1%``, which looks for what became
slower and for nothing else; of torch.utils.benchmark, that the interquartile ranges do not overlap. Joulemark's is its
verdict at the default band of 1 %. A slowed copy that is called faster is not found.

``--plant 0 30`` says which slowdowns are tried, in thousandths.

Each comparison is a line in ``FOLDER/peers.jsonl``; started again, the script goes on. ``--table`` prints what there
is, ``--overhead`` the cost of timing a step.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import bench
from suites.experiments.pairs import bounds
from suites.experiments.planted import cases, pair, slowed

PERMILLES = (0, 10, 20, 30)
_BAND = 0.01
_TEST = """
from suites.experiments.peers import planted_step

def test_step(benchmark):
    benchmark(planted_step({permille}))
"""


class Reading(NamedTuple):
    """Seconds of a step: median and quartiles."""

    median: float
    low: float
    high: float


class Outcome(NamedTuple):
    """How many times as long the slowed copy took, and what the tool's rule says of it."""

    ratio: float
    different: bool


def planted_step(permille: int) -> Callable[[], object]:
    """The FP32 inference step of the default group in this process, slower by so many thousandths."""
    from suites import inference

    case = cases(bench.Options())[0]
    parameters: dict[str, Any] = dict(case.workload.parameters)
    run = inference.build(case.variant, **parameters).run
    return slowed(run, permille / 1000) if permille else run


def read_pytest_benchmark(permille: int, seconds: float) -> Reading:
    """What pytest-benchmark says, of a test file with one test, given so much time."""
    with tempfile.TemporaryDirectory() as folder:
        file, result = Path(folder) / "test_step.py", Path(folder) / "result.json"
        file.write_text(_TEST.format(permille=permille))
        options = [f"--benchmark-max-time={seconds}", f"--benchmark-json={result}", "-p", "no:joulemark", "-q"]
        command = [sys.executable, "-m", "pytest", *options, f"--rootdir={folder}", "-c", "/dev/null", str(file)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        stats = json.loads(result.read_text())["benchmarks"][0]["stats"]
    return Reading(stats["median"], stats["q1"], stats["q3"])


def read_torch_benchmark(permille: int, seconds: float) -> Reading:
    """What torch.utils.benchmark's blocked_autorange says, in a fresh process, given so much time."""
    command = [sys.executable, "-m", "suites.experiments.peers", "--serve", str(permille), str(seconds), "."]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Reading(*json.loads(done.stdout))


def _serve(permille: int, seconds: float) -> None:
    import torch
    from torch.utils.benchmark import Timer

    step = planted_step(permille)
    timer = Timer("step()", globals={"step": step}, num_threads=torch.get_num_threads())
    values = sorted(timer.blocked_autorange(min_run_time=seconds).times)
    low, median, high = statistics.quantiles(values, n=4)
    print(json.dumps([median, low, high]))


def by_pytest_benchmark(permille: int, seconds: float, seed: int) -> Outcome:
    """One after the other, and a gate of 1 % on the median."""
    del seed
    first, second = (read_pytest_benchmark(each, seconds / 2) for each in (0, permille))
    ratio = second.median / first.median
    return Outcome(ratio, ratio - 1 > _BAND)


def by_torch_benchmark(permille: int, seconds: float, seed: int) -> Outcome:
    """One after the other, and whether the interquartile ranges are apart."""
    del seed
    first, second = (read_torch_benchmark(each, seconds / 2) for each in (0, permille))
    return Outcome(second.median / first.median, second.low > first.high or first.low > second.high)


def by_joulemark(permille: int, seconds: float, seed: int) -> Outcome:
    """As a group of two.

    Raises:
        MeasurementError: one of the two failed.
    """
    both = pair(cases(bench.Options())[0], 0, permille)
    with tempfile.TemporaryDirectory() as caches:
        measurement = bench.GroupMeasurement(both, bench.Plan(budget_s=seconds, seed=seed), Path(caches))
        measurement.run()
    first, second = measurement.trials
    comparison = bench.compare(second, first, 0.95)
    if comparison is None:
        msg = f"{second.case.name} cannot be compared: {(second.failure or first.failure)}"
        raise bench.MeasurementError(msg)
    (verdict,) = bench.judge([comparison], _BAND)
    return Outcome(1 / comparison.speedup, verdict in {bench.Verdict.FASTER, bench.Verdict.SLOWER})


TOOLS: dict[str, Callable[[int, float, int], Outcome]] = {
    "pytest-benchmark": by_pytest_benchmark,
    "torch.utils.benchmark": by_torch_benchmark,
    "Joulemark": by_joulemark,
}


def overhead_ns() -> dict[str, float]:
    """Nanoseconds that each way of timing adds to a step that does nothing, above a bare loop."""
    from torch.utils.benchmark import Timer

    steps = 200_000
    step = int

    def bare() -> float:
        begin = time.perf_counter()
        for _ in range(steps):
            step()
        return (time.perf_counter() - begin) / steps

    def joulemark() -> float:
        return bench.HostStopwatch().time(step, steps).host_s / steps

    def torch_timer() -> float:
        return float(Timer("step()", globals={"step": step}).timeit(steps).median)

    ways = {"bare loop": bare, "Joulemark": joulemark, "torch.utils.benchmark": torch_timer}
    best = {name: min(way() for _ in range(15)) for name, way in ways.items()}
    return {name: 1e9 * (value - best["bare loop"]) for name, value in best.items() if name != "bare loop"}


def table(lines: Sequence[dict[str, Any]]) -> str:
    """Markdown: for each tool how often it called copies different, and what else its ratios show."""
    rows = ["| tool | planted | comparisons | called different | 95 % bounds | spread of ratios | mean error |"]
    rows.append("|---|---|---|---|---|---|---|")
    for tool in TOOLS:
        for permille in PERMILLES:
            chosen = [line for line in lines if line["tool"] == tool and line["permille"] == permille]
            if len(chosen) > 1:
                rows.append(_row(tool, permille, chosen))
    return "\n".join(rows)


def _row(tool: str, permille: int, chosen: Sequence[dict[str, Any]]) -> str:
    hits = sum(line["different"] and (not permille or line["ratio"] > 1) for line in chosen)
    low, high = bounds(hits, len(chosen))
    errors = [math.log(line["ratio"] / (1 + permille / 1000)) for line in chosen]
    planted = f"{permille / 10:g} %" if permille else "nothing"
    spread, mean = statistics.stdev(errors), statistics.fmean(errors)
    return f"| {tool} | {planted} | {len(chosen)} | {hits} | {low:.0%} to {high:.0%} | {spread:.2%} | {mean:+.2%} |"


def _missing(
    lines: Sequence[dict[str, Any]], repetitions: int, permilles: Sequence[int]
) -> Iterator[tuple[int, int, str]]:
    done = {(line["repetition"], line["permille"], line["tool"]) for line in lines}
    wanted = ((number, permille, tool) for number in range(repetitions) for permille in permilles for tool in TOOLS)
    return (each for each in wanted if each not in done)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is missing, then print the table; returns the exit status."""
    parser = argparse.ArgumentParser(prog="suites.experiments.peers", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where peers.jsonl is kept")
    parser.add_argument(
        "--repetitions", type=int, default=20, help="comparisons for each tool and planted slowdown (20)"
    )
    parser.add_argument(
        "--plant", type=int, nargs="+", choices=PERMILLES, default=PERMILLES, metavar="N", help="thousandths (all)"
    )
    parser.add_argument("--seconds", type=float, default=90.0, help="time for each comparison (90)")
    parser.add_argument("--table", action="store_true", help="only print what there is")
    parser.add_argument("--overhead", action="store_true", help="only print the cost of timing a step")
    parser.add_argument("--serve", nargs=2, metavar=("PERMILLE", "SECONDS"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve is not None:
        _serve(int(options.serve[0]), float(options.serve[1]))
        return 0
    if options.overhead:
        for name, nanoseconds in overhead_ns().items():
            print(f"{name}: {nanoseconds:+.1f} ns a step")
        return 0
    journal = options.folder / "peers.jsonl"
    options.folder.mkdir(parents=True, exist_ok=True)
    lines = [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []
    if not options.table:
        bench.prepare(cases(bench.Options())[:1], bench.Plan())
        for number, permille, tool in list(_missing(lines, options.repetitions, options.plant)):
            outcome = TOOLS[tool](permille, options.seconds, number)
            line = {"repetition": number, "permille": permille, "tool": tool, **outcome._asdict()}
            lines.append({**line, "seconds": options.seconds, "finished": round(time.time())})
            with journal.open("a") as file:
                file.write(json.dumps(lines[-1]) + "\n")
    print(table(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
