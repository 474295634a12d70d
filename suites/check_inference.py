"""Does a reported figure agree with a plain loop? ``python -m suites.check_inference`` alternates the two and says.

The plain loop runs in a process of its own with nothing of Joulemark's measuring in it: a model, images, a loop and a
clock. It gets its turn between Joulemark's rounds, a fraction of a second apart, because a shared machine changes its
speed within seconds by more than the agreement that is looked for::

    wave 1    plain | round | plain | round | plain | ...        round: one block of Joulemark's
    wave 2    the same, with fresh processes on both sides

Each round's time per step is divided by the mean of the plain loop's on either side of it.
"""

from __future__ import annotations

import argparse
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import bench
from suites.inference import cases

_BATCH, _BATCHES = 32, 8
_SERVE = "--serve"


def plain_loop() -> Callable[[float], float]:
    """A function that runs the loop for some seconds, and returns the median seconds of one step.

    ResNet-18 with trained weights, 32 held-out digits a step, FP32, on as many threads as PyTorch starts.
    """
    import torch

    from suites.classifier import new_classifier
    from suites.data import load
    from suites.weights import trained_weights

    shape, classes = (3, 32, 32), 10
    model = new_classifier(None, classes)
    model.load_state_dict(trained_weights("digits", shape, classes))
    model.eval()
    images = load("digits", shape, classes).held_out.images
    batches = [images[start : start + _BATCH].contiguous() for start in range(0, _BATCH * _BATCHES, _BATCH)]

    def turn(seconds: float) -> float:
        durations: list[float] = []
        begin = time.perf_counter()
        while time.perf_counter() - begin < seconds:
            for batch in batches:
                start = time.perf_counter()
                with torch.inference_mode():
                    model(batch)
                durations.append(time.perf_counter() - start)
        return statistics.median(durations)

    return turn


class PlainProcess:
    """The plain loop in a process of its own, which runs only when it is given a turn."""

    def __init__(self, turn_s: float) -> None:
        self.turns_s: list[float] = []  # seconds per step in each turn
        self._process = subprocess.Popen(
            [sys.executable, "-m", "suites.check_inference", _SERVE, str(turn_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def take_turn(self) -> None:
        """Let the loop run once, and wait for it.

        Raises:
            MeasurementError: the process has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write("go\n")
            self._process.stdin.flush()
            self.turns_s.append(float(self._process.stdout.readline()))
        except (OSError, ValueError) as error:
            msg = f"the plain loop ended; run python -m suites.check_inference {_SERVE} 1 and press Enter to see why"
            raise bench.MeasurementError(msg) from error

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    # Told by the measuring what happens (bench.Progress).

    def enrolling(self, case: bench.Case, wave: int) -> None:
        """Warm up while the worker is not yet there."""
        self.take_turn()
        self.take_turn()
        self.turns_s.clear()

    def waves_set(self, waves: int) -> None:
        """Of no concern here: there is one."""

    def round_done(self, wave: int, round_: int, rounds: int) -> None:
        self.take_turn()


def compare_wave(rounds: int, turn_s: float) -> float:
    """Reported over plain time per step, the median over the rounds of one wave of fresh processes.

    Raises:
        MeasurementError: either side failed.
    """
    plain = PlainProcess(turn_s)
    case = cases(bench.Options())[0]
    try:
        with tempfile.TemporaryDirectory() as caches:
            plan = bench.Plan(waves=1, rounds=rounds)
            measurement = bench.GroupMeasurement([case], plan, Path(caches), progress=plain)
            measurement.run()
    finally:
        plain.close()
    (trial,) = measurement.trials
    if trial.failure is not None:
        msg = f"{case.name} failed: {trial.failure.reason}; measure it with -k 'inference and cpu-fp32]' to see why"
        raise bench.MeasurementError(msg)
    reported = [
        statistics.median(sample.step_s for sample in trial.samples if sample.round == round_)
        for round_ in range(1, rounds)
    ]
    between = [statistics.mean(pair) for pair in zip(plain.turns_s, plain.turns_s[1:], strict=False)]
    return statistics.median(ours / theirs for ours, theirs in zip(reported, between, strict=True))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the ratio of each wave and their mean; returns the exit status."""
    parser = argparse.ArgumentParser(prog="suites.check_inference", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--waves", type=int, default=12, help="fresh processes on both sides, at least 2 (12)")
    parser.add_argument("--rounds", type=int, default=30, help="alternations in a wave, at least 2 (30)")
    parser.add_argument("--turn", type=float, default=0.2, metavar="S", help="seconds of the plain loop's turn (0.2)")
    parser.add_argument(_SERVE, type=float, metavar="S", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve is not None:
        return _serve(options.serve)
    if min(options.waves, options.rounds) < 2:
        parser.error("a comparison takes at least 2 waves of 2 rounds")
    try:
        bench.prepare(cases(bench.Options())[:1], bench.Plan())
        logs = []
        for wave in range(options.waves):
            ratio = compare_wave(options.rounds, options.turn)
            logs.append(math.log(ratio))
            print(f"wave {wave + 1}: reported / plain = {ratio:.4f}", flush=True)
    except bench.BenchError as error:
        print(f"suites.check_inference: {error}", file=sys.stderr)
        return 2
    error_of_mean = statistics.stdev(logs) / math.sqrt(len(logs))
    print(f"mean {math.exp(statistics.fmean(logs)):.4f}, standard error {error_of_mean:.4f}, of {len(logs)} waves")
    return 0


def _serve(turn_s: float) -> int:
    """The plain process: a turn for each line on standard input."""
    turn = plain_loop()
    for _ in sys.stdin:
        print(turn(turn_s), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
