"""A plain loop of FP32 inference, to check a reported figure by: ``python -m suites.check_inference``.

Nothing of Joulemark's measuring takes part: a model, images, a loop and a clock, in a process of its own.

::

    plain loop | joulemark | plain loop | joulemark | ... | plain loop          with --pairs n, in the same minutes

Each reported time per step is divided by the mean of the plain loops just before and after it.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import bench

_BATCH, _BATCHES = 32, 8
_WARM_UP_S, _MEASURE_S = 1.0, 4.0


def plain_loop(warm_up_s: float = _WARM_UP_S, measure_s: float = _MEASURE_S) -> tuple[float, int]:
    """The median seconds of one step, and how many steps were timed: ResNet-18, 32 held-out digits, FP32, all cores."""
    import torch

    from suites.classifier import new_classifier
    from suites.data import load
    from suites.weights import trained_weights

    shape, classes = (3, 32, 32), 10
    torch.set_num_threads(_usable_cores())
    model = new_classifier(None, classes)
    model.load_state_dict(trained_weights("digits", shape, classes))
    model.eval()
    images = load("digits", shape, classes).held_out.images
    batches = [images[start : start + _BATCH].contiguous() for start in range(0, _BATCH * _BATCHES, _BATCH)]
    durations = []
    begin = time.perf_counter()
    while time.perf_counter() - begin < warm_up_s + measure_s:
        for batch in batches:
            start = time.perf_counter()
            with torch.inference_mode():
                model(batch)
            end = time.perf_counter()
            if start - begin >= warm_up_s:
                durations.append(end - start)
    return statistics.median(durations), len(durations)


def reported_seconds(run: bench.Run) -> float:
    """The seconds per step that a run reports for FP32 inference on the CPU.

    Raises:
        UsageError: the run has no such figure.
    """
    for group in bench.summarise(run):
        for row in group.rows:
            if row.trial.case.name == "inference[cpu-fp32]" and row.time_per_step is not None:
                return row.time_per_step.value
    msg = f"run {run.id} has no figure of inference[cpu-fp32]; measure it with -k 'inference and fp32'"
    raise bench.UsageError(msg)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the plain loop's seconds per step, and the ratio to what was asked for; returns the exit status."""
    parser = argparse.ArgumentParser(prog="suites.check_inference", description=(__doc__ or "").partition("\n")[0])
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--run", type=Path, help="compare with a stored run: a folder or its run.json")
    ways.add_argument("--pairs", type=int, metavar="N", help="measure N short runs between plain loops, and compare")
    options = parser.parse_args(arguments)
    try:
        if options.pairs is not None:
            return _alternate(options.pairs)
        reported_s = None if options.run is None else reported_seconds(bench.load(options.run))
        plain_s, steps = plain_loop()
        print(f"{plain_s:.6f} s per step in a plain loop (median of {steps} steps)")
        if reported_s is not None:
            print(f"{reported_s:.6f} s per step as reported, {reported_s / plain_s:.4f} of the plain loop")
    except bench.BenchError as error:
        print(f"suites.check_inference: {error}", file=sys.stderr)
        return 2
    return 0


def _alternate(pairs: int) -> int:
    if pairs < 1:
        msg = f"{pairs} pairs show nothing; use --pairs 5"
        raise bench.UsageError(msg)
    _plain_process()  # once for nothing: it trains the weights where they are not cached yet
    ratios, before_s = [], _plain_process()
    for pair in range(1, pairs + 1):
        reported_s, after_s = _reported_process(), _plain_process()
        ratios.append(reported_s / statistics.mean((before_s, after_s)))
        print(
            f"{pair}: plain {before_s:.6f} s, reported {reported_s:.6f} s, plain {after_s:.6f} s: {ratios[-1]:.4f}",
            flush=True,
        )
        before_s = after_s
    print(f"reported / plain: median {statistics.median(ratios):.4f}, from {min(ratios):.4f} to {max(ratios):.4f}")
    return 0


def _plain_process() -> float:
    """Seconds per step of a plain loop in a fresh process."""
    return float(_output([sys.executable, "-m", "suites.check_inference"]).split()[0])


def _reported_process() -> float:
    """Seconds per step that a short run of Joulemark, a process of its own, reports."""
    with tempfile.TemporaryDirectory() as folder:
        suite = Path(__file__).with_name("bench_inference.py")
        command = [sys.executable, "-m", "pytest", str(suite), "--benchmark-only", "-k", "cpu-fp32]", "-q"]
        _output([*command, "--bench-waves=3", "--bench-rounds=10", f"--bench-out={folder}"])
        return reported_seconds(bench.load(next(Path(folder).glob("*/run.json"))))


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = next(reversed((done.stdout + done.stderr).strip().splitlines()), "it said nothing")
        msg = f"{shlex.join(command)} ended with status {done.returncode} ({last}); run it alone to see why"
        raise bench.UsageError(msg)
    return done.stdout


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    sys.exit(main())
