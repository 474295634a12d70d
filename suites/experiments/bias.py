"""Do the ratios that Joulemark reports agree with those of undisturbed loops? ``python -m suites.experiments.bias``.

Identical copies cannot show a harness that slows some settings more than others. So the ratio of a setting to the FP32
baseline is measured twice: by Joulemark, as a row of the default inference group, since it is the company of others
that could slow it; and by plain processes, each of which runs its step back to back for ten seconds, in turn with the
other; then by two fresh ones, for five minutes in all, because a process has an offset of its own::

    plain    [ FP32 10 s ][ setting 10 s ][ FP32 10 s ]     fresh processes     [ FP32 10 s ][ setting 10 s ] ...

Each step of a setting's loop is held against each of the FP32 loops on either side, as Joulemark does with the samples
of a round, and what a pair of processes says is summed up as what a wave says. Ratios of medians would differ from that
on a noisy machine, whatever the harness: a step on two threads has a longer tail than one on one thread.

In a noisy hour both need more time than they get by default: ``--budget 600 --waves 10 --minutes 10``. Where the noise
changes within seconds, more and shorter turns of the same two processes cancel it better: ``--loop 2 --turns 7``.

``--start fork_server spawn`` holds both ways of bringing workers up against the same loops, and says what they cost.
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
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import bench
from bench.analysis.comparison import log_of_wave
from bench.entries import Enrolled, GroupEntry, WaveDone
from bench.workers import settings
from bench.workers.ballast import Ballast
from suites.experiments.planted import cases

_SERVE = "--serve"
_WARM_UP_S = 2.0
#: So many steps of a loop are told of, all over it.
_MOST_STEPS = 100
SETTINGS = ("precision=amp_bf16", "backend=compile", "threads=1")
STARTS = ("fork_server", "spawn")


class Ratio(NamedTuple):
    """Mean logarithm of (setting's seconds per step / FP32's), with its standard error, over so many values."""

    mean: float
    error: float
    values: int

    @classmethod
    def of(cls, logs: Sequence[float]) -> Ratio:
        return cls(statistics.fmean(logs), statistics.stdev(logs) / math.sqrt(len(logs)), len(logs))

    def __str__(self) -> str:
        return f"{math.exp(self.mean):.4f} ± {self.error:.2%} ({self.values})"


class PlainLoop:
    """A process that does nothing but step a variant, for some seconds each time it is told to."""

    def __init__(self, axes: str, seconds: float) -> None:
        command = [sys.executable, "-m", "suites.experiments.bias", _SERVE, axes]
        self._seconds = seconds
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def steps_s(self, seconds: float | None = None) -> list[float]:
        """Seconds of steps all over one more loop, of another length than usual if one is given.

        Raises:
            MeasurementError: the process has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(f"{self._seconds if seconds is None else seconds}\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())  # type: ignore[no-any-return]
        except (OSError, ValueError) as error:
            msg = f"a plain loop ended; run its command by hand to see why: {' '.join(map(str, self._process.args))}"  # type: ignore[arg-type]
            raise bench.MeasurementError(msg) from error

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


def parse_axes(text: str) -> dict[str, str | int | bool]:
    """``"precision=amp_bf16,threads=1"`` as axis values; nothing for the baseline."""
    axes: dict[str, str | int | bool] = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        axes[name] = int(value) if value.isdigit() else {"true": True, "false": False}.get(value, value)
    return axes


def plain_ratio(axes: str, minutes: float, loop_s: float, turns: int = 1) -> Ratio:
    """The ratio by undisturbed loops in turn: one value for each pair of fresh processes, which have an offset each.

    The setting has so many turns in each pair, the baseline one more. What lies about of the machine's memory in pieces
    is held meanwhile, as it is beside workers.
    """
    logs: list[float] = []
    end = time.monotonic() + 60 * minutes
    while time.monotonic() < end or len(logs) < 2:
        with closing(Ballast()) as ballast:
            ballast.settle()
            logs.append(_of_fresh_processes(axes, loop_s, turns))
    return Ratio.of(logs)


def _of_fresh_processes(axes: str, loop_s: float, turns: int) -> float:
    with closing(PlainLoop("", loop_s)) as baseline, closing(PlainLoop(axes, loop_s)) as setting:
        for loop in (baseline, setting):
            loop.steps_s(_WARM_UP_S)  # builds, warms up
        rounds, before = [], baseline.steps_s()
        for _ in range(turns):
            ours, after = setting.steps_s(), baseline.steps_s()
            rounds.append([math.log(us / them) for us in ours for them in before + after])
            before = after
    return log_of_wave(rounds)


class Reported(NamedTuple):
    """A ratio, and the seconds of bringing up and enrolling the group in a wave: the median of all but the first."""

    ratio: Ratio
    set_up_s: float


def reported_ratios(settings: Sequence[str], plan: bench.Plan) -> dict[str, Reported]:
    """The ratios as Joulemark reports them of the default inference group, to which a setting is added if need be.

    Raises:
        MeasurementError: one of them failed.
        UnavailableError: this machine cannot run one of them.
    """
    group = list(cases(bench.Options()))
    baseline = group[0]
    wanted = {axes: bench.Case(baseline.workload, bench.Variant.of(**parse_axes(axes))) for axes in settings}
    group += [case for case in wanted.values() if case not in group]
    set_up_s: dict[int, float] = defaultdict(float)

    def record(entry: GroupEntry) -> None:
        if isinstance(entry, Enrolled | WaveDone):
            set_up_s[entry.wave] += entry.set_up_s if isinstance(entry, Enrolled) else entry.hire_s

    with tempfile.TemporaryDirectory() as caches:
        measurement = bench.GroupMeasurement(group, plan, Path(caches), record=record)
        measurement.run()
    for skip in measurement.skips:
        if skip.case in wanted.values():
            raise bench.UnavailableError(skip.reason, skip.fix)
    trials = {trial.case: trial for trial in measurement.trials}
    warm_s = statistics.median([seconds for wave, seconds in set_up_s.items() if wave])
    return {axes: Reported(_ratio(trials[case], trials[baseline], plan), warm_s) for axes, case in wanted.items()}


def _ratio(trial: bench.Trial, baseline: bench.Trial, plan: bench.Plan) -> Ratio:
    for one in (trial, baseline):
        if one.failure is not None:
            msg = f"{one.case.name} failed: {one.failure.reason}"
            raise bench.MeasurementError(msg)
    comparison = bench.compare(trial, baseline, plan.confidence)
    if comparison is None or not comparison.over_waves:
        msg = f"{trial.case.name} has too few waves to compare; give the plan a larger budget"
        raise bench.MeasurementError(msg)
    return Ratio.of([-log for log in comparison.evidence])


def sentence(axes: str, start: str, reported: Reported, plain: Ratio) -> str:
    """What both say of a setting, and what lies between them."""
    error = math.hypot(reported.ratio.error, plain.error)
    bias = math.expm1(reported.ratio.mean - plain.mean)
    return (
        f"{axes} by {start}: reported {reported.ratio}, plain {plain}, bias {bias:+.2%} ± {error:.2%}; "
        f"a wave is set up in {reported.set_up_s:.1f} s"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print both ratios of each setting and what lies between them; returns the exit status."""
    parser = argparse.ArgumentParser(prog="suites.experiments.bias", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("settings", nargs="*", default=SETTINGS, help="axis values, like precision=amp_bf16")
    parser.add_argument("--minutes", type=float, default=5.0, help="of plain loops for each setting (5)")
    parser.add_argument("--loop", type=float, default=10.0, metavar="S", help="seconds of one plain loop (10)")
    parser.add_argument("--turns", type=int, default=1, metavar="N", help="of the setting in a pair of processes (1)")
    parser.add_argument("--budget", type=float, metavar="S", help="seconds for the group (its default)")
    parser.add_argument("--waves", type=int, default=bench.Plan().waves, help="of the group (6)")
    parser.add_argument("--start", nargs="+", choices=STARTS, default=STARTS[:1], help="how workers are brought up")
    parser.add_argument("--journal", type=Path, help="append each result to this file, as a line of JSON")
    parser.add_argument(_SERVE, metavar="AXES", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve is not None:
        return _serve(options.serve)
    try:
        bench.prepare(cases(bench.Options())[:1], bench.Plan())
        plans = {name: bench.Plan(start=name, budget_s=options.budget, waves=options.waves) for name in options.start}
        ratios = {start: reported_ratios(options.settings, plan) for start, plan in plans.items()}
        for axes in options.settings:
            reported = {start: ratios[start][axes] for start in options.start}
            plain = plain_ratio(axes, options.minutes, options.loop, options.turns)
            for start, one in reported.items():
                print(sentence(axes, start, one, plain), flush=True)
            if options.journal is not None:
                _append(options.journal, axes, reported, plain)
    except bench.BenchError as error:
        print(f"suites.experiments.bias: {error}", file=sys.stderr)
        return 2
    return 0


def _append(journal: Path, axes: str, reported: Mapping[str, Reported], plain: Ratio) -> None:
    with journal.open("a") as file:
        for start, one in reported.items():
            line = {"axes": axes, "start": start, "set_up_s": one.set_up_s, "reported": one.ratio._asdict()}
            file.write(json.dumps({**line, "plain": plain._asdict()}) + "\n")


def _serve(axes: str) -> int:
    """The plain process: a loop for each line on standard input, which says for how many seconds."""
    from suites import inference
    from suites.experiments.planted import planted_workload

    variant = bench.Variant.of(**parse_axes(axes))
    settings.apply(variant, seed=0)
    parameters = dict(planted_workload(cases(bench.Options())[0].workload).parameters)
    run = inference.build(variant, **parameters).run  # type: ignore[arg-type]
    clock = time.perf_counter
    for line in sys.stdin:
        durations, begin = [], clock()
        while clock() - begin < float(line):
            start = clock()
            run()
            durations.append(clock() - start)
        print(json.dumps(durations[:: math.ceil(len(durations) / _MOST_STEPS)]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
