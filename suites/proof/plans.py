"""cuDNN's autotuner on and off: which kernels each chose, in processes of their own and both in one.

PyTorch keeps cuDNN's plans by shape, type and a few flags, not by whether the autotuner chose them (Conv_v8.cpp,
pytorch/pytorch issue 45372). So in one process the first setting decides for both::

    own processes    [ off ]        [ on ]
    one process      [ off | on ]   second finds the plans of the first
    one process      [ on | off ]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

import bench
from suites.proof.outcome import Claim, Outcome, Task
from suites.proof.runs import ROOT

OFF, ON = "off", "on"
ORDERS: tuple[tuple[str, ...], ...] = ((OFF,), (ON,), (OFF, ON), (ON, OFF))
#: What is done (purpose, precision, layout, batch): in float32 and in half precision, where there are more plans.
SUBJECTS = (
    ("inference", "fp32", "contiguous", 32),
    ("training", "fp32", "contiguous", 32),
    ("inference", "amp_fp16", "channels_last", 256),
)
_LIMIT_S = 120
_LOOPS, _LOOP_S, _WARM_STEPS = 7, 0.3, 10


def check(task: Task) -> Outcome:
    """Record each subject in each order, each in a process of its own."""
    told: dict[str, Any] = {}
    for subject in SUBJECTS:
        name = " ".join(map(str, subject))
        seen = {order: observe(task.device, subject, order, task.seconds(_LOOP_S)) for order in ORDERS}
        told[name] = compare(seen)
        print(json.dumps({name: told[name]}, indent=1), flush=True)
    return Outcome(told, tuple(claim for name, one in told.items() for claim in judge(name, one)))


def observe(
    device: str, subject: tuple[str, str, str, int], order: Sequence[str], loop_s: float
) -> dict[str, dict[str, Any]]:
    """What a fresh process saw with each setting in turn: names of kernels with their calls, seconds of a step.

    Raises:
        MeasurementError: the process failed; its last words.
    """
    arguments = [device, json.dumps(subject), json.dumps(order), str(loop_s)]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "suites.proof.plans", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=_LIMIT_S,
    )
    if done.returncode != 0:
        msg = f"{subject} with the autotuner {order} failed: {done.stderr.strip()[-2000:]}"
        raise bench.MeasurementError(msg)
    found: dict[str, dict[str, Any]] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def compare(seen: Mapping[tuple[str, ...], Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """What settings used in their own processes and after each other, and how fast "on" seems by each comparison.

    ``second_like_first`` says whether the second setting in a process used the kernels that the first one did there,
    ``second_like_own`` whether it used those of its own process.
    """
    own = {name: seen[(name,)][name] for name in (OFF, ON)}
    speedups = {"own processes": own[OFF]["step_s"] / own[ON]["step_s"]}
    orders: dict[str, Any] = {}
    for order in ORDERS[2:]:
        first, second = (seen[order][name] for name in order)
        title = " then ".join(order)
        orders[title] = {
            "second_like_first": first["kernels"] == second["kernels"],
            "second_like_own": second["kernels"] == own[order[1]]["kernels"],
        }
        speedups[title] = seen[order][OFF]["step_s"] / seen[order][ON]["step_s"]
    return {
        "plans_differ": own[OFF]["kernels"] != own[ON]["kernels"],
        "only_off": _less(own[OFF]["kernels"], own[ON]["kernels"]),
        "only_on": _less(own[ON]["kernels"], own[OFF]["kernels"]),
        "orders": orders,
        "speedup_of_on": speedups,
        "seen": {" then ".join(order): dict(found) for order, found in seen.items()},
    }


def _less(kernels: Mapping[str, int], others: Mapping[str, int]) -> dict[str, int]:
    return dict(Counter(kernels) - Counter(others))


def judge(name: str, told: Mapping[str, Any]) -> Iterator[Claim]:
    """Whether kernels were seen, and whether the shared cache shows."""
    blind = [order for order, found in told["seen"].items() if not all(one["kernels"] for one in found.values())]
    yield Claim(f"{name}: products were seen with each setting", not blind, ", ".join(blind) or "in all processes")
    ratios = ", ".join(f"{way} {ratio:.3f}" for way, ratio in told["speedup_of_on"].items())
    if not told["plans_differ"]:
        yield Claim(f"{name}: in one process the first setting decides", None, f"both choose the same plans; {ratios}")
        return
    shared = all(order["second_like_first"] for order in told["orders"].values())
    yield Claim(f"{name}: in one process the first setting decides", shared, f"on is faster by: {ratios}")


def _serve(device: str, subject: tuple[str, str, str, int], order: Sequence[str], loop_s: float) -> None:
    """The process: each setting in turn, with a step of its own."""
    import torch

    from suites import steps
    from suites import subject as subjects
    from suites.operations import record

    purpose, precision, layout, batch = subject
    for name in ("cuda.matmul", "cudnn.conv"):
        attrgetter(name)(torch.backends).fp32_precision = "ieee"
    chosen = subjects.Subject(data="synthetic:3x32x32")
    variant = bench.Variant.of(device=device, precision=precision, layout=layout, batch=batch)
    make = steps.training_step if purpose == "training" else steps.inference_step
    found = {}
    for setting in order:
        torch.backends.cudnn.benchmark = setting == ON
        run = make(variant, subjects.new_model(chosen), subjects.load_images(chosen)).run
        for _ in range(_WARM_STEPS):
            run()
        record(run, device)  # the first use of the profiler loads what it needs
        names = product_names(record(run, device))
        found[setting] = {"kernels": dict(sorted(Counter(names).items())), "step_s": _step_s(run, device, loop_s)}
    print(json.dumps(found))


def product_names(operations: Sequence[Any]) -> list[str]:
    """The kernels of convolutions and matrix products; where no kernel was seen, as on a CPU, their operations."""
    from suites.kernels import classify
    from suites.operations import kernels, products

    seen = [name for name in kernels(operations) if classify(name).product]
    return seen or [each.name for each in products(operations)]


def _step_s(run: Callable[[], object], device: str, loop_s: float) -> float:
    """Seconds of a step: the median of a few loops, each waited for."""
    import torch

    def wait() -> None:
        if device != "cpu":
            torch.cuda.synchronize(device)

    def loop(steps: int) -> float:
        wait()
        begin = time.perf_counter()
        for _ in range(steps):
            run()
        wait()
        return (time.perf_counter() - begin) / steps

    steps = max(1, round(loop_s / loop(5)))
    return statistics.median(loop(steps) for _ in range(_LOOPS))


if __name__ == "__main__":
    _serve(sys.argv[1], tuple(json.loads(sys.argv[2])), json.loads(sys.argv[3]), float(sys.argv[4]))
