"""Steps that measure the suites, as anybody would: ``joulemark run`` in a process, and a look at the run it leaves.

The run and its reports lie in the step's folder under ``out``. Imports no torch.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import bench
from suites.proof.outcome import Claim, NotHereError, Outcome, Pace, Task

ROOT = Path(__file__).parents[2]
#: Every case of a sitting has the same images; without scikit-learn, noise.
_IMAGES, _NOISE = "digits", "synthetic:3x32x32"
#: So long an interrupted session has to save what it has measured.
_PATIENCE_S = 30.0
#: What the sampler may take, as a share of one core.
MOST_CORES = 0.01
_OUTSIDE_TORCH = ("onnxruntime", "openvino", "tensorrt")


def measure(task: Task) -> Outcome:
    """Measure what the step selects, and judge the run.

    Raises:
        NotHereError: nothing was measured, and why.
    """
    run = _measured(task, str(task.settings["select"]), tuple(task.settings["options"]))
    return judge_run(run)


def profile(task: Task) -> Outcome:
    """Measure the winners of earlier steps and their baselines once more, with PyTorch's profiler beside them.

    The report of that run sets the two side by side.

    Raises:
        NotHereError: no earlier step left a run with a winner.
    """
    best = winners(stored_runs(task.home, task.settings["runs"]), task.device)
    if not best:
        msg = f"no run with a sound row yet; do one of {', '.join(task.settings['runs'])} first"
        raise NotHereError(msg)
    names = dict.fromkeys(name for pair in best.values() for name in pair)
    select = " or ".join(f"test_{name}" for name in names)
    run = _measured(task, select, ("--bench-profile", "--bench-phases"), waves=1, budget_s=30)
    return judge_profiles(run, best)


def _measured(
    task: Task, select: str, options: tuple[str, ...], waves: int | None = None, budget_s: float | None = None
) -> bench.Run:
    waves = int(task.settings["waves"]) if waves is None else waves
    budget_s = float(task.settings["budget_s"]) if budget_s is None else budget_s
    out = task.folder / "out"
    before = {path.name for path in out.iterdir()} if out.is_dir() else set[str]()
    if not any(option.startswith("--bench-data") for option in options):
        options = (f"--bench-data={data_name(task.pace)}", *options)
    status = call(command(select, (*plan_options(task.pace, waves, budget_s), *options), out))
    new = sorted({path.name for path in out.iterdir()} - before) if out.is_dir() else []
    if not new:
        if status not in (0, 5):
            msg = f"joulemark run ended with status {status} and left no run; see the log"
            raise bench.MeasurementError(msg)
        msg = f"no case of {select!r} was measured; the log has the reasons"
        raise NotHereError(msg)
    return bench.load(out / new[-1])


def plan_options(pace: Pace, waves: int, budget_s: float) -> tuple[str, ...]:
    """How much is measured, by the pace."""
    seconds = max(2.0, budget_s * pace.budget_share)
    return f"--bench-waves={min(waves, pace.most_waves)}", f"--bench-budget={seconds:g}"


def command(select: str, options: Sequence[str], out: Path) -> list[str]:
    """The command that measures the cases whose tests are selected."""
    return [sys.executable, "-m", "joulemark", "run", "-k", select, f"--bench-out={out}", *options]


def data_name(pace: Pace) -> str:
    """The images where a step does not say: real ones ask for trained weights, and for scikit-learn."""
    return _IMAGES if pace.trains and importlib.util.find_spec("sklearn") else _NOISE


def call(arguments: Sequence[str]) -> int:
    """The exit status of a command whose output goes to the log; interrupted, it may finish what it has begun."""
    print(f"$ {shlex.join(arguments)}", flush=True)
    environment = {**os.environ, "COLUMNS": "120"}
    with subprocess.Popen(arguments, cwd=ROOT, env=environment) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:  # it was told too: all of a step is one process group
            process.wait(_PATIENCE_S)
            raise


def stored_runs(home: Path, steps: Iterable[str]) -> tuple[bench.Run, ...]:
    """The latest run of each of these steps, where there is one."""
    runs = []
    for step in steps:
        try:
            runs.append(bench.load(home / step / "out"))
        except bench.StorageError:
            continue
    return tuple(runs)


def judge_run(run: bench.Run) -> Outcome:
    """What a run says, and whether its rows are what they should be."""
    rows = [row for group in bench.summarise(run) for row in group.rows]
    failed = [f"{row.trial.case.name} ({row.trial.failure.reason})" for row in rows if row.trial.failure is not None]
    struck = [_struck(row) for row in rows if row.trial.failure is None and not (row.trial.honoured and row.right)]
    skipped = {skip.case.name: skip.reason for skip in run.skips}
    copies = copies_of(run)
    facts = {"run": run.id, "rows": [_row(row) for row in rows], "skipped": skipped, "copies": copies}
    whole = None if run.duration_s is None else f"{run.duration_s:.0f} s"
    return Outcome(
        facts,
        (
            Claim("the run came to its end", whole is not None, whole or "interrupted"),
            Claim("no case failed", not failed, "; ".join(failed) or f"{len(rows)} measured, {len(skipped)} skipped"),
            Claim("every label took effect and every result is right", not struck, "; ".join(struck) or "all rows"),
            _kernels_claim(run),
            *_energy_claims(run, rows),
            *_copy_claims(copies),
        ),
    )


def _row(row: Any) -> dict[str, Any]:
    compared, energy = row.comparison, None if row.energy is None else row.energy.total
    net = None if energy is None or energy.net is None else energy.net.value
    gross = None if energy is None or energy.gross is None else energy.gross.value
    return {
        "case": row.trial.case.name,
        "step_s": None if row.time_per_step is None else row.time_per_step.value,
        "images_per_s": None if row.throughput is None else row.throughput.value,
        "speedup": None if compared is None else [compared.speedup, compared.low, compared.high],
        "verdict": None if row.verdict is None else row.verdict.value,
        "energy_net_j": net,
        "energy_gross_j": gross,
        "caveats": sorted({caveat.kind.value for caveat in row.caveats}),
    }


def _struck(row: Any) -> str:
    lies = [f"{p.fact}: {p.expected} expected, {p.observed} seen" for p in row.trial.proofs if not p.honoured]
    wrong = [
        f"{j.check.kind.value}: {j.found} where {j.allowed} is allowed" for j in row.judgements if j.holds is False
    ]
    return f"{row.trial.case.name} ({'; '.join([*lies, *wrong[:2]])})"


def _kernels_claim(run: bench.Run) -> Claim:
    """Whether PyTorch's profiler saw kernels in each case on CUDA whose kernels it can see."""
    seen = {
        trial.case.name: any(proof.fact == "kernel libraries" for proof in trial.proofs)
        for trial in run.trials
        if trial.case.variant.device.startswith("cuda")
        and trial.failure is None
        and not str(trial.case.variant["backend"]).startswith(_OUTSIDE_TORCH)
    }
    blind = [name for name, found in seen.items() if not found]
    told = f"none in {', '.join(blind)}" if blind else f"in {len(seen)} cases"
    return Claim("kernels were seen in each case on CUDA", (not blind) if seen else None, told)


def _energy_claims(run: bench.Run, rows: Sequence[Any]) -> tuple[Claim, Claim]:
    net = {row["case"]: row["energy_net_j"] for row in map(_row, rows) if row["energy_gross_j"] is not None}
    poor = [f"{name}: {value}" for name, value in net.items() if value is None or value <= 0]
    told = "; ".join(poor) or (f"in {len(net)} rows" if net else "nothing was read")
    cores = [log.cost.cores for log in run.power if log.cost is not None and log.cost.cores is not None]
    return (
        Claim("energy net of idle is positive", (not poor) if net else None, told),
        Claim(
            "the sampler takes less than 1 % of a core",
            max(cores) < MOST_CORES if cores else None,
            ", ".join(f"{share:.2%}" for share in cores),
        ),
    )


def copies_of(run: bench.Run) -> dict[str, Any]:
    """What the copies of a self-check showed: each copy against its baseline, and independent pairs of copies."""
    told: dict[str, Any] = {}
    for (workload, device), copies in run.copies().items():
        baseline = run.groups()[workload, device][0]
        each = [_compared(copy, baseline, run.plan) for copy in copies]
        pairs = [_compared(two, one, run.plan) for one, two in zip(copies[::2], copies[1::2], strict=False)]
        told[f"{workload.name} on {device}"] = {
            "copies": [one for one in each if one is not None],
            "pairs": [one for one in pairs if one is not None],
        }
    return told


def _compared(trial: bench.Trial, other: bench.Trial, plan: bench.Plan) -> dict[str, Any] | None:
    comparison = bench.compare(trial, other, plan.confidence)
    if comparison is None:
        return None
    (verdict,) = bench.judge([comparison], plan.band)
    return {"speedup": comparison.speedup, "low": comparison.low, "high": comparison.high, "verdict": verdict.value}


def _copy_claims(copies: Mapping[str, Any]) -> Iterable[Claim]:
    for group, told in copies.items():
        alarms = [one for one in told["pairs"] if one["verdict"] in {"FASTER", "SLOWER"}]
        ratios = ", ".join(f"{one['speedup']:.4f}" for one in told["copies"])
        text = f"{group}: no two independent copies were called different"
        yield Claim(text, not alarms if told["pairs"] else None, f"ratios to the baseline {ratios}")


def winners(runs: Iterable[bench.Run], device: str) -> dict[str, tuple[str, str]]:
    """Workload -> the names of its fastest sound case on this device, and of the baseline; of throughput alone.

    Where nothing was FASTER the baseline is the winner. Each run has the baseline among its cases, so that what is
    compared between runs is how far a case is ahead of it.
    """
    best: dict[str, tuple[float, str, str]] = {}
    for run in runs:
        for group in bench.summarise(run):
            if group.device != device or group.workload.measures == "latency":
                continue
            baseline, name = group.baseline.name, group.workload.name
            best.setdefault(name, (1.0, baseline, baseline))
            for row in group.rows:
                ahead = row.comparison.speedup if row.comparison and row.verdict is bench.Verdict.FASTER else 1.0
                best[name] = max(best[name], (ahead, row.trial.case.name, baseline), key=lambda each: each[0])
    return {name: (winner, baseline) for name, (_, winner, baseline) in best.items()}


def judge_profiles(run: bench.Run, best: Mapping[str, tuple[str, str]]) -> Outcome:
    """Where the time of the winners and their baselines went."""
    trials = {trial.case.name: trial for trial in run.trials}
    told = {name: _profile(trials[name]) for pair in best.values() for name in pair if name in trials}
    lacking = [name for pair in best.values() for name in pair if not told.get(name)]
    blind = [
        name
        for name, one in told.items()
        if one and trials[name].case.variant.device.startswith("cuda") and one["busy_share"] is None
    ]
    kinds = {name for name in told if trials[name].case.variant.device.startswith("cuda")}
    return Outcome(
        {"run": run.id, "winners": dict(best), "profiles": told},
        (
            Claim("winner and baseline were profiled", not lacking, ", ".join(lacking) or ", ".join(told)),
            Claim("the GPU's kernels were seen", (not blind) if kinds else None, ", ".join(blind)),
        ),
    )


def _profile(trial: bench.Trial) -> dict[str, Any] | None:
    """Of a few steps: the share of the time in which the device was busy, and of each of the largest hot spots."""
    profile = trial.profile
    if profile is None:
        return None
    device = profile.device
    window_s = profile.window_s if device is None else device.window_s
    return {
        "steps": profile.steps,
        "window_s": profile.window_s,
        "busy_share": None if device is None or not device.window_s else device.busy_s / device.window_s,
        "gap_median_s": None if device is None else device.gap_median_s,
        "hotspots": [[spot.kind.value, spot.name, spot.calls, spot.self_s / window_s] for spot in profile.hotspots],
    }
