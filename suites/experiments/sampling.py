"""Does reading the sensors change what is measured? ``python -m suites.experiments.sampling``.

Two copies of the FP32 inference step are one group; while a block of the second one runs, the sampler reads its
sensors, while a block of the first one runs, it does not::

    sampler          |read read read|                |read read read|
    blocks     [ 1 ] [      2       ] [ 1 ] ... [ 1 ] [      2       ]

Their ratio should be SAME. Blocks are long, because a sampler that was stopped has to learn its sensors' rhythm again,
which costs more than following it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

import bench
from bench.instruments.panel import open_panel, parse_power
from bench.instruments.sampler import Sampler
from bench.workers.crew import Crew, Worker, hire
from bench.workers.messages import Request
from suites.experiments.planted import cases, pair

R = TypeVar("R", bound=msgspec.Struct)


class WatchedWorker:
    """A worker beside whose blocks, and only there, the sampler runs."""

    def __init__(self, worker: Worker, sampler: Sampler) -> None:
        self._worker = worker
        self._sampler = sampler
        self.can_freeze = worker.can_freeze
        self.pid = worker.pid

    def ask(self, request: Request, answer: type[R], limit_s: float) -> R:
        return self._worker.ask(request, answer, limit_s)

    def thaw(self) -> None:
        self._sampler.start()
        self._worker.thaw()

    def freeze(self) -> None:
        self._worker.freeze()
        self._sampler.pause()

    def kill(self) -> None:
        self._worker.kill()


class WatchedCrew:
    """A crew whose second worker is watched."""

    def __init__(self, crew: Crew, sampler: Sampler) -> None:
        first, second = crew.workers
        self.workers: Sequence[Worker] = [first, WatchedWorker(second, sampler)]
        self._crew = crew

    @property
    def groups(self) -> Sequence[int]:
        return self._crew.groups

    def close(self) -> None:
        self._crew.close()


def watched(sampler: Sampler) -> Callable[[int, str], Crew]:
    """What hires crews of two, the second of which is watched."""
    return lambda count, start: WatchedCrew(hire(count, start), sampler)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the ratio with and without sampling, and what the sampler cost; returns the exit status."""
    parser = argparse.ArgumentParser(prog="suites.experiments.sampling", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--power", default="auto", help="the sensors, as in --bench-power (auto)")
    parser.add_argument("--seconds", type=float, default=300.0, help="time for it all (300)")
    parser.add_argument("--block", type=float, default=0.3, metavar="S", help="seconds of a block (0.3)")
    options = parser.parse_args(arguments)
    try:
        sampler = Sampler(open_panel(parse_power(options.power)))
        if not sampler.panel.sensors:
            reasons = "; ".join(f"{each.name}: {each.reason}" for each in sampler.panel.unread)
            print(f"suites.experiments.sampling: nothing to read here ({reasons}); try --power=tdp:65", file=sys.stderr)
            return 2
        both = pair(cases(bench.Options())[0], 0, 0)
        bench.prepare(both, bench.Plan())
        plan = bench.Plan(budget_s=options.seconds, block_s=options.block, rounds=2000, power="off")
        with tempfile.TemporaryDirectory() as caches:
            measurement = bench.GroupMeasurement(both, plan, Path(caches), hire=watched(sampler))
            measurement.run()
        sampler.stop()
        first, second = measurement.trials
        comparison = bench.compare(second, first, plan.confidence)
        if comparison is None or comparison.low is None or comparison.high is None:
            print(f"suites.experiments.sampling: no comparison ({second.failure or first.failure})", file=sys.stderr)
            return 1
    except bench.BenchError as error:
        print(f"suites.experiments.sampling: {error}", file=sys.stderr)
        return 2
    (verdict,) = bench.judge([comparison], plan.band)
    cost = sampler.take().cost
    share = cost.cpu_s / cost.active_s if cost is not None and cost.active_s else 0.0
    ratio = f"{comparison.speedup:.4f} ({comparison.low:.4f} to {comparison.high:.4f})"
    print(f"speed with sampling / without: {ratio}, {verdict.value}; the sampler took {share:.2%} of a core")
    return 0


if __name__ == "__main__":
    sys.exit(main())
