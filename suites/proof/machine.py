"""What the machine is and has, and what its platform forbids: each thing is tried, in processes that may break.

Processes here take turns with work on one device, as the workers of a measurement do::

    first    start | work | stopped ......................... | continued | work
    second                  start | work ... while first is stopped ...
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform as python_platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from suites.proof.outcome import Claim, Outcome, Task

ROOT = Path(__file__).parents[2]
_PACKAGES = (
    "joulemark", "torch", "torchvision", "triton", "numpy", "scipy", "scikit-learn", "pandas", "msgspec", "jinja2",
    "matplotlib", "rich", "pytest", "pytest-benchmark", "pytest-timeout", "hypothesis", "nvidia-ml-py", "nvtx",
    "onnx", "onnxscript", "onnxruntime", "onnxruntime-gpu", "onnxruntime-ep-nv-tensorrt-rtx-cu13", "torch-tensorrt",
    "openvino",
)  # fmt: skip
#: What lacks without a module: nothing is measured, or some figures are not there.
_MODULES = {
    "msgspec": "nothing can be measured or stored",
    "pytest_benchmark": "nothing can be measured",
    "scipy": "no intervals, so no verdicts",
    "numpy": "no reports of several runs",
    "matplotlib": "no pictures in reports",
    "jinja2": "no page",
    "sklearn": "noise is measured in place of digits, and no accuracy",
    "pynvml": "no energy, clocks and temperatures of the GPU",
    "nvtx": "no ranges for Nsight Systems",
    "hypothesis": "some tests cannot be collected",
    "pytest_timeout": "tests have no time limit of their own",
}
_NEEDED = ("msgspec", "pytest_benchmark", "scipy")
_VARIABLES = ("CUDA_", "NVIDIA_", "OMP_", "MKL_", "TORCH", "PYTORCH_", "LD_LIBRARY_PATH")
_LIMIT_S = 90.0
#: Of the doctor, who may have to wait for nsys.
_DOCTOR_S = 300.0
#: A process that works on a device when it is told to: one line of JSON for each line that it is given.
_HOLDER = """import json, sys, time
import torch
device = sys.argv[1]
for line in sys.stdin:
    try:
        begin = time.perf_counter()
        left = torch.ones(1024, 1024, device=device)
        right = float((left @ left).sum())
        said = {"right": right == 1024.0 ** 3, "seconds": time.perf_counter() - begin}
    except Exception as error:
        said = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
    print(json.dumps(said), flush=True)
"""
_TORCH = """import json, torch
cuda = torch.cuda.is_available()
print(torch.__config__.show())
print(json.dumps({
    "torch": torch.__version__, "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version(),
    "threads": torch.get_num_threads(),
    "devices": [str(torch.cuda.get_device_properties(n)) for n in range(torch.cuda.device_count())] if cuda else [],
}))"""


def environment(_task: Task) -> Outcome:
    """Print what there is, with joulemark doctor at the end."""
    versions = {name: _version(name) for name in _PACKAGES}
    missing = {name: loss for name, loss in _MODULES.items() if importlib.util.find_spec(name) is None}
    for name, version in versions.items():
        print(f"{name:<36}{version or '–'}")
    for name in sorted(os.environ):
        if name.startswith(_VARIABLES):
            print(f"{name}={os.environ[name]}")
    said = _torch()
    for command in (["nvidia-smi"], ["nvidia-smi", "-q", "-d", "CLOCK,POWER,PERFORMANCE,COMPUTE"], ["lscpu"]):
        if shutil.which(command[0]):
            subprocess.run(command, check=False, stdin=subprocess.DEVNULL, timeout=60)
    sys.stdout.flush()
    doctor = subprocess.run([sys.executable, "-m", "joulemark", "doctor"], cwd=ROOT, check=False, timeout=_DOCTOR_S)
    facts = {
        "python": python_platform.python_version(),
        "system": python_platform.platform(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "packages": {name: version for name, version in versions.items() if version},
        "missing": missing,
        **said,
    }
    lacking = [f"{name}: {loss}" for name, loss in missing.items()]
    return Outcome(
        facts,
        (
            Claim("what measuring needs is installed", not set(_NEEDED) & set(missing), "; ".join(lacking) or "all"),
            Claim("joulemark doctor finds nothing broken", doctor.returncode == 0, f"status {doctor.returncode}"),
            Claim("PyTorch sees a CUDA device", bool(said.get("devices")) or None, "; ".join(said.get("devices", []))),
        ),
    )


def why_no_cuda() -> str | None:
    """Why nothing can be done on CUDA here; None where PyTorch sees a device. Asked in a process of its own."""
    said = _torch(quiet=True)
    if said.get("devices"):
        return None
    return str(said.get("error") or f"PyTorch {said.get('torch')} sees no CUDA device")


def _torch(*, quiet: bool = False) -> dict[str, Any]:
    """What PyTorch says of itself; an "error" where it does not run."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _TORCH], capture_output=True, text=True, check=False, timeout=_LIMIT_S
    )
    *before, last = done.stdout.strip().splitlines() or [""]
    if not quiet:
        print("\n".join([*before, done.stderr.strip()]))
    try:
        said: dict[str, Any] = json.loads(last)
    except ValueError:
        return {"error": f"PyTorch does not run: {(done.stderr.strip().splitlines() or ['no word'])[-1][:300]}"}
    return said


def platform(task: Task) -> Outcome:
    """Try what the measuring method asks of a platform."""
    facts: dict[str, Any] = {"affinity": pins(), "device": task.device}
    claims = [Claim("a process can be bound to cores", facts["affinity"] is None, facts["affinity"] or "bound")]
    with Holder(task.device) as first, Holder(task.device) as second:
        told = converse(first, second)
    facts["turns"] = told
    claims += judge_turns(told)
    if task.device != "cpu":
        kernels = _kernels_seen()
        facts["kernels_seen"] = kernels
        claims.append(Claim("the profiler may see kernels", kernels > 0, f"{kernels} in one product"))
        mode = facts["compute_mode"] = _compute_mode()
        text = "the compute mode lets several processes in"
        claims.append(Claim(text, None if mode is None else mode.strip() == "Default", mode or "unknown"))
    print(json.dumps(facts, indent=1))
    return Outcome(facts, tuple(claims))


def pins() -> str | None:
    """Why this process cannot be bound to one core; None where it can, and it is left as it was."""
    if not hasattr(os, "sched_setaffinity"):
        return "this system has no affinity"
    cores = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(cores)})
        os.sched_setaffinity(0, cores)
    except OSError as error:
        return str(error)
    return None


class Holder:
    """A process that holds a device and works on it when told to; it can be stopped and continued."""

    def __init__(self, device: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", _HOLDER, device],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def work(self) -> dict[str, Any]:
        """What came of a product: whether it was right, or the error."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write("work\n")
            self._process.stdin.flush()
            said: dict[str, Any] = json.loads(self._process.stdout.readline())
        except (OSError, ValueError) as error:
            return {"error": f"the process ended ({error})"}
        return said

    def stop(self) -> str | None:
        """Why it could not be stopped by SIGSTOP; None where it was."""
        return self._signalled("SIGSTOP", os.WUNTRACED, os.WIFSTOPPED)

    def go_on(self) -> str | None:
        """Why it could not be continued; None where it was."""
        return self._signalled("SIGCONT", os.WCONTINUED, os.WIFCONTINUED)

    def _signalled(self, name: str, option: int, holds: Any) -> str | None:
        try:
            os.kill(self._process.pid, getattr(signal, name))
            reached = holds(os.waitpid(self._process.pid, option)[1])
        except (AttributeError, OSError) as error:
            return f"{name}: {error}"
        return None if reached else f"{name} had no effect"


def converse(first: Holder, second: Holder) -> dict[str, Any]:
    """What came of each turn of the timeline above."""
    return {
        "first works": first.work(),
        "first stops": first.stop(),
        "second works beside it": second.work(),
        "second works again": second.work(),
        "first goes on": first.go_on(),
        "first works again": first.work(),
        "both in turn": [who.work() for _ in range(3) for who in (first, second)],
    }


def judge_turns(told: dict[str, Any]) -> Iterator[Claim]:
    """What the turns say of stopping, and of several processes on one device."""
    refused = [reason for reason in (told["first stops"], told["first goes on"]) if reason is not None]
    yield Claim("a process can be stopped and continued", not refused, "; ".join(refused) or "both")
    for text, turns in (
        ("one process can work", [told["first works"]]),
        ("another works beside one that is stopped", [told["second works beside it"], told["second works again"]]),
        ("the first works on after it", [told["first works again"]]),
        ("both work in turn", told["both in turn"]),
    ):
        yield Claim(text, all(turn.get("right") is True for turn in turns), "; ".join(map(_turn, turns)))


def _turn(said: dict[str, Any]) -> str:
    return str(said["error"]) if "error" in said else f"{1e3 * float(said['seconds']):.1f} ms"


def _kernels_seen() -> int:
    """How many kernels PyTorch's profiler saw of one product."""
    import torch

    from suites.operations import kernels, record

    matrix = torch.ones(256, 256, device="cuda:0")
    record(lambda: matrix @ matrix, "cuda:0")
    return len(kernels(record(lambda: matrix @ matrix, "cuda:0")))


def _compute_mode() -> str | None:
    """The compute mode of the first GPU in nvidia-smi's word; None where that cannot be asked."""
    if not shutil.which("nvidia-smi"):
        return None
    query = ["nvidia-smi", "--query-gpu=compute_mode", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, check=False, timeout=_LIMIT_S)
    return next(iter(done.stdout.splitlines()), None) if done.returncode == 0 else None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
