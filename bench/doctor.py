"""``joulemark doctor``: one screen that says what this machine can do, and what to install or switch on.

Every check looks at the thing itself: PyTorch is run, a process is stopped and continued, a capture is made. What
hardware and tools answer comes through a :class:`Machine`, so that tests can be another one.
"""

from __future__ import annotations

import enum
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from bench.capture import NoRangesError
from bench.errors import BenchError, UnavailableError
from bench.instruments import probe, quota, rapl
from bench.instruments.nvml import EXCLUSIVE_MODES, Nvml, NvmlWatch
from bench.instruments.power import SensorError
from bench.nsight import Execute, Nsys, execute, find_nsys
from bench.nsight import probe as capture_probe
from bench.records import Gpu
from bench.units import quantity


class State(enum.Enum):
    """How it stands with one thing; only what is broken keeps the main job from running."""

    GOOD = "ok"
    LACKING = "--"  # something that some cases, or some figures, need
    DOUBTFUL = "! "  # there, and it makes figures worse
    BROKEN = "XX"


@dataclass(frozen=True)
class Finding:
    """One line of the screen; ``fix`` is what to do, where there is something."""

    topic: str
    state: State
    text: str
    fix: str = ""


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


@dataclass(frozen=True)
class Machine:
    """What the checks ask; by default, this machine."""

    execute: Execute = execute
    open_nvml: Callable[[], Nvml] = Nvml
    find_nsys: Callable[[], Nsys] = find_nsys
    which: Callable[[str], str | None] = shutil.which
    version: Callable[[str], str | None] = _version
    proc: Path = Path("/proc")
    sys: Path = Path("/sys")
    home: Path = Path()


#: Run in an interpreter of its own: a broken CUDA must not take the doctor with it.
_TORCH = """import json, torch
def tried(device):  # a wheel may lack the code of an old or a new GPU
    try:
        ones = torch.ones(64, 64, device=f"cuda:{device}")
        return "" if float((ones @ ones).sum()) == 262144.0 else f"cuda:{device} computes 64 x 64 ones wrong"
    except Exception as error:
        return f"cuda:{device}: {error}".splitlines()[0]
cuda = torch.cuda.is_available()
print(json.dumps({
    "version": torch.__version__,
    "cuda": torch.version.cuda,
    "cudnn": torch.backends.cudnn.version(),
    "devices": [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())] if cuda else [],
    "sum": float((torch.ones(64, 64) @ torch.ones(64, 64)).sum()),
    "broken": [said for said in map(tried, range(torch.cuda.device_count())) if said] if cuda else [],
}))"""
_NEEDED = ("torchvision", "pytest", "pytest-benchmark", "scikit-learn", "matplotlib")
_EXTRAS = {
    "medmnist": "medical images as data (pip install 'joulemark[medmnist]')",
    "onnxruntime": "ONNX Runtime as a backend (pip install 'joulemark[onnx]', or [onnx-gpu] with an NVIDIA GPU)",
    "openvino": "OpenVINO as a backend (pip install 'joulemark[openvino]')",
    "torch-tensorrt": "TensorRT as a backend (pip install 'joulemark[tensorrt]')",
}
#: Packages that hold the files of another; both at once would overwrite each other.
_STANDS_FOR = {"onnxruntime-gpu": "onnxruntime"}
_COMPUTE_MODES = {0: "default", 1: "exclusive thread", 2: "prohibited", 3: "exclusive process"}
_PROHIBITED = 2
_APT = "sudo apt install"


def main(argv: Sequence[str]) -> int:
    """Print the screen; 0 when the main job can run, else 1."""
    if argv:
        text = "usage: joulemark doctor [-h]\n\nSays what this machine can do, and what to install or switch on.\n"
        (sys.stdout if {"-h", "--help"} & set(argv) else sys.stderr).write(text)
        return 0 if {"-h", "--help"} & set(argv) else 2
    found = list(examine(Machine()))
    sys.stdout.write(screen(found, shutil.get_terminal_size((100, 24)).columns))
    return int(any(one.state is State.BROKEN for one in found))


def examine(machine: Machine) -> Iterator[Finding]:
    """All findings, what matters most first."""
    for check in (_python, _torch, _output, _gpus, _rapl, _cpu, _workers, _compiler, _extras, _nsight, _browser):
        yield from check(machine)


def screen(findings: Sequence[Finding], width: int) -> str:
    """The findings as text: topic, state, what was found, and beneath it what to do."""
    lines = []
    for number, one in enumerate(findings):
        repeated = number and findings[number - 1].topic == one.topic
        head = f"{'' if repeated else one.topic:<11}{one.state.value} "
        lines += textwrap.wrap(one.text, max(40, width), initial_indent=head, subsequent_indent=" " * 14)
        if one.fix:
            lines += textwrap.wrap(
                f"to do: {one.fix}", max(40, width), initial_indent=" " * 14, subsequent_indent=" " * 21
            )
    broken = [one.topic for one in findings if one.state is State.BROKEN]
    verdict = (
        f"not yet: mend {', '.join(dict.fromkeys(broken))} first" if broken else "pytest --benchmark-only can run here"
    )
    return "\n".join([*lines, "", verdict, ""])


def _python(machine: Machine) -> Iterator[Finding]:
    missing = [name for name in _NEEDED if machine.version(name) is None]
    text = f"{sys.version.split()[0]} in {sys.prefix}"
    if missing:
        yield Finding("Python", State.BROKEN, f"{text}; not installed: {', '.join(missing)}", "pip install joulemark")
    else:
        yield Finding("Python", State.GOOD, f"{text}, joulemark {machine.version('joulemark') or '(not installed)'}")


def _torch(machine: Machine) -> Iterator[Finding]:
    done = machine.execute([sys.executable, "-W", "ignore", "-c", _TORCH], None, False)
    try:
        said = json.loads(done.text.strip().splitlines()[-1]) if done.status == 0 else None
    except (ValueError, IndexError):
        said = None
    if not isinstance(said, dict):
        reason = (done.text.strip().splitlines() or [f"exit status {done.status}"])[-1]
        yield Finding("PyTorch", State.BROKEN, f"does not run: {reason[:300]}", "pip install --force-reinstall torch")
        return
    build = f"built for CUDA {said['cuda']}, cuDNN {_dotted(said['cudnn'])}" if said["cuda"] else "built without CUDA"
    devices = ", ".join(said["devices"]) or "sees no CUDA device, so CUDA cases are skipped"
    yield Finding("PyTorch", State.GOOD, f"{said['version']}, {build}; {devices}")
    for trouble in said.get("broken", ()):
        yield Finding(
            "PyTorch", State.DOUBTFUL, f"cannot compute on {trouble[:300]}", "install a torch built for that GPU"
        )


def _dotted(number: object) -> str:
    """CuDNN's number as people write it: 91002 -> 9.10.2."""
    if not isinstance(number, int):
        return "unknown"
    major, rest = divmod(number, 10_000) if number >= 90_000 else divmod(number, 1000)
    return f"{major}.{rest // 100}.{rest % 100}"


def _output(machine: Machine) -> Iterator[Finding]:
    place = machine.home.resolve()
    if os.access(place, os.W_OK):
        yield Finding("Results", State.GOOD, f"can be written to {place / 'out'}")
    else:
        fix = "go to a folder of your own, or name one with --bench-out"
        yield Finding("Results", State.BROKEN, f"{place} cannot be written to", fix)


def _gpus(machine: Machine) -> Iterator[Finding]:
    try:
        nvml = machine.open_nvml()
    except UnavailableError as error:
        yield Finding("GPU", State.LACKING, error.reason, error.fix)
        return
    try:
        gpus = nvml.gpus()
        cuda = nvml.ask("nvmlSystemGetCudaDriverVersion")
        version = "" if cuda is None else f" for CUDA up to {cuda // 1000}.{cuda % 1000 // 10}"
        found = f"driver {nvml.driver() or 'of unknown version'}{version}"
        if not gpus:
            yield Finding("GPU", State.LACKING, f"{found}, and no GPU", "nvidia-smi -L lists those that there are")
        else:
            yield Finding("GPU", State.GOOD, found)
        for gpu in gpus:
            yield from _gpu(nvml, gpu)
    except SensorError as error:
        yield Finding("GPU", State.LACKING, f"the driver does not answer ({error})", nvml.fix_of(error))
    finally:
        nvml.close()


def _gpu(nvml: Nvml, gpu: Gpu) -> Iterator[Finding]:
    topic = f"GPU {gpu.index}"
    handle, board = nvml.handle(gpu.uuid), nvml.board(gpu)
    state = NvmlWatch(nvml, gpu.uuid).look(time.perf_counter())
    top = nvml.ask("nvmlDeviceGetMaxClockInfo", handle, 1)
    clocks = f"{_mhz(state.sm_clock_hz)} now, {_mhz(None if top is None else top * 1e6)} at most"
    limits = f"{quantity(gpu.power_limit_w, 'W')} (default {quantity(board.default_power_limit_w, 'W')})"
    heat = "" if state.temperature_c is None else f"; {state.temperature_c:.0f} °C"
    size = quantity(gpu.memory_bytes, "B")
    yield Finding(topic, State.GOOD, f"{gpu.name}, {size}; clock {clocks}; power limit {limits}{heat}")
    yield from _modes(topic, board.persistence, nvml.ask("nvmlDeviceGetComputeMode", handle))
    if nvml.ask("nvmlDeviceGetTotalEnergyConsumption", handle) is not None:
        yield Finding(topic, State.GOOD, "energy by its counter")
    else:
        yield Finding(topic, State.LACKING, "no energy counter; power readings are used where there are any")
    if state.processes:
        text = f"other processes are on it: {', '.join(map(str, state.processes))}"
        yield Finding(topic, State.DOUBTFUL, text, "end them, or rows will be marked as shared")


def _modes(topic: str, persistence: bool | None, mode: int | None) -> Iterator[Finding]:
    said = {None: "unknown", True: "on", False: "off"}[persistence]
    text = f"persistence {said}, compute mode {_COMPUTE_MODES.get(-1 if mode is None else mode, 'unknown')}"
    if mode == _PROHIBITED:
        yield Finding(topic, State.DOUBTFUL, text, "no process may use it: sudo nvidia-smi -c 0")
    elif mode in EXCLUSIVE_MODES:
        fix = "one process at a time may use it, and the cases of a group are alive together: sudo nvidia-smi -c 0"
        yield Finding(topic, State.DOUBTFUL, text, fix)
    elif persistence is False:
        yield Finding(topic, State.DOUBTFUL, text, "sudo nvidia-smi -pm 1, so that the driver stays loaded")
    else:
        yield Finding(topic, State.GOOD, text)


def _mhz(hertz: float | None) -> str:
    return "–" if hertz is None else f"{hertz / 1e6:.0f} MHz"


def _rapl(machine: Machine) -> Iterator[Finding]:
    sensors, unread = rapl.find(machine.sys / "class/powercap", cpuinfo=machine.proc / "cpuinfo")
    if sensors:
        names = ", ".join(sensor.facts.component.name for sensor in sensors)
        yield Finding("CPU energy", State.GOOD, f"RAPL: {names}")
    else:
        yield Finding("CPU energy", State.LACKING, unread[0].reason, unread[0].fix)


def _cpu(machine: Machine) -> Iterator[Finding]:
    facts = probe.environment()
    load = "" if facts.load_average is None else f"; load {facts.load_average:.2f}"
    busy = facts.load_average is not None and facts.load_average > 0.5
    yield Finding(
        "CPU",
        State.DOUBTFUL if busy else State.GOOD,
        f"{facts.cpu or 'unknown'}, {facts.cores_usable or '?'} cores usable{load}",
        "other work is running; end it before you measure" if busy else "",
    )
    allowed = quota.find(machine.proc, machine.sys)
    if allowed is not None:
        tight = allowed.cores < (facts.cores_usable or 1)
        cores = "1 core" if allowed.cores == 1 else f"{allowed.cores:g} cores"
        yield Finding(
            "CPU",
            State.DOUBTFUL if tight else State.GOOD,
            f"a CPU quota of {cores}" + (": when it runs out, everything stands still" if tight else ""),
            "give the container whole cores (docker run --cpuset-cpus) in place of a quota" if tight else "",
        )
    governor = _text(machine.sys / "devices/system/cpu/cpu0/cpufreq/scaling_governor")
    if governor is None:
        yield Finding("CPU", State.LACKING, "clock and governor are not shown (usual in a virtual machine)")
    else:
        fix = "" if governor == "performance" else "sudo cpupower frequency-set -g performance"
        state = State.GOOD if governor == "performance" else State.DOUBTFUL
        yield Finding("CPU", state, f"governor {governor}, turbo {_turbo(machine)}", fix)


def _turbo(machine: Machine) -> str:
    cpu = machine.sys / "devices/system/cpu"
    off = _text(cpu / "intel_pstate/no_turbo")
    on = _text(cpu / "cpufreq/boost")
    known = {("1", None): "off", ("0", None): "on", (None, "1"): "on", (None, "0"): "off"}
    return known.get((off, on), "unknown")


def _workers(machine: Machine) -> Iterator[Finding]:
    del machine
    frozen, pinned = _freezes(), hasattr(os, "sched_setaffinity") and _pins()
    done = [word for word, works in (("frozen between blocks", frozen), ("pinned to cores", pinned)) if works]
    text = f"can be {' and '.join(done)}" if done else "can be neither frozen nor pinned"
    good = frozen and pinned
    fix = "" if good else "measure on Linux, outside of sandboxes that forbid signals or sched_setaffinity"
    yield Finding("Workers", State.GOOD if good else State.DOUBTFUL, text, fix)


def _freezes() -> bool:
    """Whether a process of ours can be stopped and continued, tried on one."""
    if not hasattr(signal, "SIGSTOP"):
        return False
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        try:
            os.kill(child.pid, signal.SIGSTOP)
            stopped = os.WIFSTOPPED(os.waitpid(child.pid, os.WUNTRACED)[1])
            os.kill(child.pid, signal.SIGCONT)
        except OSError:
            return False
        finally:
            child.kill()
    return stopped


def _pins() -> bool:
    cores = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(cores)})
        os.sched_setaffinity(0, cores)
    except OSError:
        return False
    return True


def _compiler(machine: Machine) -> Iterator[Finding]:
    names = (os.environ.get("CXX"), "g++", "clang++")  # whose packages bring a C compiler, which Triton asks for
    compiler = next((path for name in names if name and (path := machine.which(name))), None)
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    lacks = [*([] if compiler else ["no C++ compiler"]), *([] if headers.is_file() else [f"no {headers}"])]
    if lacks:
        text = f"{' and '.join(lacks)}: cases of torch.compile are skipped"
        yield Finding("Compiler", State.LACKING, text, f"{_APT} g++ python3-dev")
    else:
        yield Finding("Compiler", State.GOOD, f"{compiler} and Python's headers, for torch.compile")


def _extras(machine: Machine) -> Iterator[Finding]:
    there = [f"{name} {version}" for name in (*_EXTRAS, *_STANDS_FOR) if (version := machine.version(name))]
    if there:
        yield Finding("Extras", State.GOOD, ", ".join(there))
    stood_for = {_STANDS_FOR[name] for name in _STANDS_FOR if machine.version(name)}
    for name, use in _EXTRAS.items():
        if machine.version(name) is None and name not in stood_for:
            yield Finding("Extras", State.LACKING, f"no {name}: {use}")


def _nsight(machine: Machine) -> Iterator[Finding]:
    nvtx = machine.version("nvtx")
    try:
        nsys = machine.find_nsys()
        nsys.check()
        named = f"{nsys.path}, version {nsys.version()}, with nvtx {nvtx or '(not installed)'}"
        capture = capture_probe(nsys)
    except UnavailableError as error:
        yield Finding("Nsight", State.LACKING, error.reason, error.fix)
    except NoRangesError as error:
        yield Finding("Nsight", State.DOUBTFUL, f"{named}: captures, but shows none of our ranges", str(error))
    except BenchError as error:
        yield Finding("Nsight", State.DOUBTFUL, f"{named}: no capture could be made", str(error))
    else:
        calls = sum(one.calls for one in capture.ranges)
        yield Finding("Nsight", State.GOOD, f"{named}: a capture of two seconds shows our {calls} ranges")


def _browser(machine: Machine) -> Iterator[Finding]:
    names = ("chromium", "chromium-browser", "google-chrome", "firefox")
    found = next((path for name in names if (path := machine.which(name))), None)
    if found:
        yield Finding("Browser", State.GOOD, f"{found}, for reports and for the test of the page")
    else:
        yield Finding("Browser", State.LACKING, "none here: read reports elsewhere; one test skips", f"{_APT} chromium")


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except OSError:
        return None
