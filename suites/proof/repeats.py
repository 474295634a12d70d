"""One group measured again and again: how far its ratios spread, how often copies are called different, what is found.

In the group are the baseline, two copies of it, real settings, and copies that are slower by a known fraction. On CUDA
that fraction is a kernel that does nothing but wait: calls only enqueue, so that work on the host would be hidden. The
batch is large there, so that the device and not the host decides how long a step takes::

    CPU     |<--- step --->|<- busy ->|           CUDA   stream  |<--- step --->|<- wait ->|

A run that is finished is a line in ``runs.jsonl``; a step that was cut off goes on with the next one.
"""

from __future__ import annotations

import json
import math
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import bench
from suites import inference
from suites.experiments.planted import COPY, PERMILLE, planted_workload, slowed
from suites.proof.outcome import Claim, Outcome, Task
from suites.proof.runs import data_name, plan_options

_BATCH = {"cuda:0": {"batch": 4096}}
_SETTINGS = ({"layout": "channels_last"}, {"precision": "amp_bf16"})
_PLANTED = (5, 10, 20, 50)
_COPIES = 2
_WAVES, _BUDGET_S = 4, 60.0
_TRIED_STEPS, _TRIED_CYCLES = 50, 1_000_000


def check(task: Task) -> Outcome:
    """Measure the runs that are missing, and judge all of them."""
    journal = task.folder / "runs.jsonl"
    runs = [one for one in _stored(journal) if one["pace"] == task.pace.name]
    cases = group(task.device, data_name(task.pace))
    if len(runs) < task.pace.repeats:
        bench.prepare(cases[:1], bench.Plan())
    for seed in range(len(runs), task.pace.repeats):
        run = {"pace": task.pace.name, "seed": seed, "cases": measure(cases, _plan(task, seed))}
        runs.append(run)
        with journal.open("a", encoding="utf-8") as file:
            file.write(json.dumps(run) + "\n")
        print(json.dumps(run), flush=True)
    return judge(runs)


def _stored(journal: Path) -> list[dict[str, Any]]:
    """The finished runs; a line that was cut off in the middle is none."""
    found = []
    for line in journal.read_text(encoding="utf-8").splitlines() if journal.is_file() else ():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def _plan(task: Task, seed: int) -> bench.Plan:
    """A precision of 0 keeps all cases to the end, so that all runs have equally much evidence."""
    waves, budget = (option.partition("=")[2] for option in plan_options(task.pace, _WAVES, _BUDGET_S))
    count = int(waves)
    return bench.Plan(count, fewest_waves=count, budget_s=float(budget), seed=seed, precision=0.0, power="off")


def group(device: str, data: str) -> tuple[bench.Case, ...]:
    """The baseline, its copies, the settings, and the planted differences."""
    workload = next(case.workload for case in inference.cases(bench.Options(data=data)))
    workload = replace(planted_workload(workload), build=f"{__name__}:build")
    axes: list[Mapping[str, Any]] = [{}]
    axes += [{COPY: number + 1, PERMILLE: 0} for number in range(_COPIES)]
    axes += [*_SETTINGS, *({PERMILLE: permille} for permille in _PLANTED)]
    return tuple(
        bench.Case(workload, bench.Variant.of(device=device, **_BATCH.get(device, {}), **each)) for each in axes
    )


def measure(cases: Sequence[bench.Case], plan: bench.Plan) -> dict[str, dict[str, Any]]:
    """Each case's speed-up over the first, with its interval, and the verdict it would get by itself.

    Raises:
        MeasurementError: a case failed, or shares no round with the baseline.
    """
    with tempfile.TemporaryDirectory() as caches:
        measurement = bench.GroupMeasurement(cases, plan, Path(caches))
        measurement.run()
    trials = measurement.trials
    for trial in trials:
        if trial.failure is not None:
            msg = f"{trial.case.name} failed: {trial.failure.reason}"
            raise bench.MeasurementError(msg)
    told = {str(trial.case.variant): _compared(trial, trials[0], plan) for trial in trials[1:]}
    first, second = trials[1 : 1 + _COPIES]
    return {**told, "copies": _compared(second, first, plan)}


def _compared(trial: bench.Trial, other: bench.Trial, plan: bench.Plan) -> dict[str, Any]:
    comparison = bench.compare(trial, other, plan.confidence)
    if comparison is None:
        msg = f"{trial.case.name} and {other.case.name} share no round; take a slower pace"
        raise bench.MeasurementError(msg)
    (verdict,) = bench.judge([comparison], plan.band)
    return {
        "permille": int(dict(trial.case.variant).get(PERMILLE, -1)),
        "speedup": comparison.speedup,
        "low": comparison.low,
        "high": comparison.high,
        "verdict": verdict.value,
    }


def judge(runs: Sequence[Mapping[str, Any]]) -> Outcome:
    """Spread of each ratio from run to run, false alarms among copies, and which planted differences were found."""
    names = list(runs[0]["cases"]) if runs else []
    rows = {name: summary([run["cases"][name] for run in runs]) for name in names}
    copies = rows.get("copies", {"alarms": 0})
    planted = {row["permille"]: row for row in rows.values() if row["permille"] > 0}
    shown = least_shown(planted)
    held, given = (sum(row[key] for row in planted.values()) for key in ("held", "intervals"))
    told = "; ".join(f"{permille / 10:g} % in {row['alarms']} of {row['runs']}" for permille, row in planted.items())
    return Outcome(
        {"runs": len(runs), "ratios": rows, "least_shown_permille": shown},
        (
            Claim("no two copies were called different", copies["alarms"] == 0 if runs else None,
                  f"{copies['alarms']} of {len(runs)}; a run may err in 5 of 100"),
            Claim("a planted difference was found in each run", shown is not None if given else None,
                  f"called slower: {told}"),
            Claim("most intervals hold what was planted", 2 * held >= given if given else None, f"{held} of {given}"),
        ),
    )  # fmt: skip


def summary(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What runs say of one ratio: its spread (sd of logarithms), and how often it was called different.

    ``intervals`` is in how many runs there was evidence enough for one, ``held`` in how many it holds what was planted.
    """
    logs = [math.log(one["speedup"]) for one in found]
    permille = found[0]["permille"]
    truth = 1 / (1 + max(0, permille) / 1000)
    return {
        "permille": permille,
        "runs": len(found),
        "speedup": math.exp(statistics.fmean(logs)),
        "spread": statistics.stdev(logs) if len(logs) > 1 else None,
        "alarms": sum(one["verdict"] in {"FASTER", "SLOWER"} for one in found),
        "intervals": sum(one["low"] is not None for one in found),
        "held": sum(one["low"] is not None and one["low"] <= truth <= one["high"] for one in found),
    }


def least_shown(planted: Mapping[int, Mapping[str, Any]]) -> int | None:
    """The smallest planted difference, in thousandths, from which on every one was found in each run."""
    least = None
    for permille in sorted(planted, reverse=True):
        if planted[permille]["alarms"] < planted[permille]["runs"]:
            break
        least = permille
    return least


def build(variant: bench.Variant, *, data: str, model: str | None, shape: str, classes: int) -> bench.Step:
    """An inference step, slowed as the variant says.

    Raises:
        UsageError: an axis value that the classifier does not know.
        UnavailableError: this machine lacks the device or what the backend needs.
    """
    axes = dict(variant)
    axes.pop(COPY, None)
    permille = int(axes.pop(PERMILLE, 0))
    step = inference.build(bench.Variant.of(**axes), data=data, model=model, shape=shape, classes=classes)
    if not permille:
        return step
    if variant.device == "cpu":
        return replace(step, run=slowed(step.run, permille / 1000))
    return replace(step, run=_slowed_on_device(step.run, permille / 1000, variant.device))


def _slowed_on_device(run: Callable[[], object], fraction: float, device: str) -> Callable[[], object]:
    """The same work, and then a kernel that waits for a fraction of what a step takes when steps queue up.

    Both are timed here, once, after a warm-up: a kernel that waits counts cycles, and clocks move.
    """
    import torch

    def wait_for(cycles: int) -> None:
        torch.cuda._sleep(cycles)  # type: ignore[no-untyped-call]  # noqa: SLF001 - there is no public kernel that waits

    for _ in range(2):  # the first time is the warm-up
        step_s = _device_s(run, _TRIED_STEPS, device)
        cycle_s = _device_s(lambda: wait_for(_TRIED_CYCLES), _TRIED_STEPS, device) / _TRIED_CYCLES
    cycles = wait_cycles(step_s, cycle_s, fraction)

    def slow_run() -> object:
        result = run()
        wait_for(cycles)
        return result

    return slow_run


def wait_cycles(step_s: float, cycle_s: float, fraction: float) -> int:
    """How many cycles a fraction of a step takes."""
    return max(1, round(fraction * step_s / cycle_s))


def _device_s(run: Callable[[], object], steps: int, device: str) -> float:
    """Seconds of a step between two events with so many steps queued between them."""
    import torch

    first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    torch.cuda.synchronize(device)
    first.record()
    for _ in range(steps):
        run()
    last.record()
    torch.cuda.synchronize(device)
    return float(first.elapsed_time(last)) / 1e3 / steps
