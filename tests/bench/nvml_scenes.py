"""Scenes played to the real ``pynvml`` over the stand-in library, in a process of their own.

Run as ``python -m tests.bench.nvml_scenes LIBRARY``: writes a JSON object, scene -> what came of it, and leaves the
judging to the tests. All but the last two scenes pass in virtual time.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import bench.energy
from bench.analysis.energy import TrialEnergy, energy_of
from bench.analysis.power import Metered, steady_power, window_energy
from bench.errors import UsageError
from bench.instruments import nvml, probe
from bench.instruments.fakes import drive
from bench.instruments.panel import open_panel, parse_power
from bench.instruments.sampler import Sampler
from bench.records import Caveat, Sample, SampleKind
from bench.records.power import PowerLog
from tests.factories import make_trial

NOWHERE = Path("/nowhere")
NOT_SUPPORTED, NO_PERMISSION, LIBRARY_NOT_FOUND, DRIVER_NOT_LOADED, GPU_IS_LOST = 3, 4, 12, 9, 15
CONSTANT, SQUARE, SINE = 0, 1, 2
UUIDS = [f"GPU-0000000{n}-aaaa-bbbb-cccc-0123456789ab" for n in range(2)]


class Library:
    """The stand-in: sets scenes, and keeps its virtual time with a clock that is shared with the sampler."""

    def __init__(self, path: str) -> None:
        # Loaded before pynvml asks for a library of the same soname, so that it gets this one.
        self._lib = ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
        self._lib.standin_energy.restype = ctypes.c_double
        self._now_s = 100.0

    def __call__(self) -> float:
        self.now_s += 1e-5
        return self._now_s

    @property
    def now_s(self) -> float:
        return self._now_s

    @now_s.setter
    def now_s(self, seconds: float) -> None:
        self._now_s = seconds
        self._lib.standin_time(ctypes.c_double(seconds))

    def reset(self, count: int = 1, at_s: float = 100.0) -> None:
        self._lib.standin_reset(count)
        self.now_s = at_s

    def real_time(self) -> None:
        self._lib.standin_time(ctypes.c_double(-1))

    def load(self, gpu: int, kind: int, a_w: float, b_w: float = 0.0, period_s: float = 1.0, duty: float = 0.5) -> None:
        self._lib.standin_load(gpu, kind, *map(ctypes.c_double, (a_w, b_w, period_s, duty)))

    def before(self, gpu: int, watts: float, until_s: float) -> None:
        self._lib.standin_before(gpu, ctypes.c_double(watts), ctypes.c_double(until_s))

    def counter(self, gpu: int, step_s: float, late_s: float) -> None:
        self._lib.standin_counter(gpu, ctypes.c_double(step_s), ctypes.c_double(late_s))

    def fail(self, function: str, code: int, from_s: float = 0.0) -> None:
        self._lib.standin_fail(function.encode(), code, ctypes.c_double(from_s))

    def init(self, code: int) -> None:
        self._lib.standin_init(code)

    def mig(self, gpu: int) -> None:
        self._lib.standin_mig(gpu)

    def throttle(self, gpu: int, reasons: int, from_s: float) -> None:
        self._lib.standin_throttle(gpu, ctypes.c_ulonglong(reasons), ctypes.c_double(from_s))

    def processes(self, gpu: int, ours: int, stranger: int, from_s: float) -> None:
        self._lib.standin_processes(gpu, ours, stranger, ctypes.c_double(from_s))

    def energy(self, start_s: float, stop_s: float, gpu: int = 0) -> float:
        """Joules in truth."""
        at = [self._lib.standin_energy(gpu, ctypes.c_double(t)) for t in (start_s, stop_s)]
        return at[1] - at[0]


def sampled(library: Library, seconds: float, spec: str = "nvml", **environ: str) -> PowerLog:
    """The log of a sampler that follows the library's GPUs for some virtual seconds."""
    panel = open_panel(parse_power(spec), environ=environ, rapl_root=NOWHERE, nvml=nvml.Nvml)
    sampler = Sampler(panel, clock=library, cpu_clock=lambda: 0.0)
    drive(sampler, library, seconds)
    sampler.stop()
    return sampler.take(ours=[os.getpid()])


def naive_j(library: Library, at_s: float) -> float:
    """What the counter says at one moment, as it is read by whoever reads it at both ends."""
    library.now_s = at_s
    session = nvml.Nvml()
    joules = session.demand("nvmlDeviceGetTotalEnergyConsumption", session.handle(UUIDS[0])) / 1e3
    session.close()
    return float(joules)


def steady_blocks(library: Library) -> list[dict[str, object]]:
    """Blocks of a second under 100 W, right after 500 W: relative errors of counter, polling and naive reading."""
    draw = random.Random(7)
    rows: list[dict[str, object]] = []
    for step_s in (0.02, 0.1):
        for late_s in (0.0, 0.05):
            for _ in range(12):
                start_s = 103.0 + draw.random()
                library.reset(at_s=100 + draw.random() * 0.1)
                library.load(0, CONSTANT, 100.0)
                library.before(0, 500.0, start_s)
                library.counter(0, step_s, late_s)
                counter, power = sampled(library, 6.0).traces
                naive_w = naive_j(library, start_s + 1) - naive_j(library, start_s)
                rows.append(
                    {
                        "step_s": step_s,
                        "late_s": late_s,
                        "counter": _error(steady_power(counter, start_s, start_s + 1), 100.0),
                        "power": _error(steady_power(power, start_s, start_s + 1), 100.0),
                        "naive": naive_w / 100.0 - 1,
                    }
                )
    return rows


def windows(library: Library) -> list[dict[str, object]]:
    """Windows of any length under any load: whether the truth lies in the stated interval, and how far naive is off."""
    draw = random.Random(11)
    rows: list[dict[str, object]] = []
    for _ in range(60):
        library.reset(at_s=100 + draw.random() * 0.1)
        load = draw.choice((CONSTANT, SQUARE, SINE))
        period_s = draw.uniform(0.3, 3.0)
        library.load(0, load, 300.0 if load != SQUARE else 80.0, 500.0 if load == SQUARE else 200.0, period_s)
        library.counter(0, draw.choice((0.02, 0.1)), draw.choice((0.0, 0.05)))
        start_s = 102.0 + draw.random()
        stop_s = start_s + draw.uniform(0.6, 3.0)
        log = sampled(library, 7.0)
        truth_j = library.energy(start_s, stop_s)
        figures = {trace.kind.value: window_energy(trace, start_s, stop_s) for trace in log.traces}
        rows.append(
            {
                "load": load,
                "within": {
                    kind: isinstance(figure, Metered) and figure.low <= truth_j <= figure.high
                    for kind, figure in figures.items()
                },
                "half_width": {
                    kind: (figure.high - figure.low) / 2 / truth_j
                    for kind, figure in figures.items()
                    if isinstance(figure, Metered)
                },
                "naive": (naive_j(library, stop_s) - naive_j(library, start_s)) / truth_j - 1,
            }
        )
    return rows


def listing(library: Library) -> dict[str, object]:
    library.reset(2)
    found = nvml.listing()
    environment = probe.environment()
    return {
        "driver": found.driver,
        "uuids": [gpu.uuid for gpu in found.gpus],
        "limit_w": found.gpus[0].power_limit_w,
        "same": environment.gpus == found.gpus,
        "why": probe.why_unavailable("cuda:0"),
    }


def refused(library: Library) -> dict[str, object]:
    """The library does not start, each time for another reason."""
    came = {}
    for code in (LIBRARY_NOT_FOUND, DRIVER_NOT_LOADED, NO_PERMISSION):
        library.reset()
        library.init(code)
        log = sampled(library, 1.0, "nvml")
        (lack,) = (lack for lack in log.unread if lack.source == "nvml")
        came[str(code)] = [len(log.traces), lack.reason, lack.fix, probe.why_unavailable("cuda:0")]
    return came


def lacking(library: Library) -> dict[str, object]:
    """Sensors that this GPU does not have: what is read instead, and what is said."""
    came: dict[str, object] = {}
    for name, functions in {
        "no counter": ["nvmlDeviceGetTotalEnergyConsumption"],
        "no instant power": ["POWER_INSTANT"],
        "no power": ["POWER_INSTANT", "nvmlDeviceGetPowerUsage"],
        "nothing": ["nvmlDeviceGetTotalEnergyConsumption", "POWER_INSTANT", "nvmlDeviceGetPowerUsage"],
    }.items():
        library.reset()
        for function in functions:
            library.fail(function, NOT_SUPPORTED)
        log = sampled(library, 6.0)
        came[name] = {"sources": [trace.source for trace in log.traces], **_told(_energy(log))}
    return came


def forbidden(library: Library) -> dict[str, object]:
    """Everything but energy may not be asked for: unknown, and no trouble."""
    library.reset()
    for function in ("ClockInfo", "Temperature", "CurrentClocksEventReasons", "UtilizationRates", "MemoryInfo"):
        library.fail(f"nvmlDeviceGet{function}", NO_PERMISSION)
    library.fail("nvmlDeviceGetComputeRunningProcesses_v3", NO_PERMISSION)
    library.fail("nvmlDeviceGetEnforcedPowerLimit", NOT_SUPPORTED)
    log = sampled(library, 6.0)
    return {"state": log.states[0][2:], "looks": len(log.states), **_told(_energy(log))}


def lost(library: Library) -> dict[str, object]:
    """The GPU falls off the bus in mid-run."""
    library.reset()
    for function in ("TotalEnergyConsumption", "FieldValues", "UtilizationRates", "PowerUsage"):
        library.fail(f"nvmlDeviceGet{function}", GPU_IS_LOST, 103.5)
    log = sampled(library, 8.0)
    return {
        "last_s": [trace.readings[-1].at_s for trace in log.traces],
        "troubles": [trouble.kind.value for trace in log.traces for trouble in trace.troubles],
        "ledger": [trouble.kind.value for trouble in log.troubles],
        **_told(_energy(log, starts_s=(102.0, 104.0))),
    }


def two_gpus(library: Library) -> dict[str, object]:
    """Two GPUs, each with a power of its own."""
    came: dict[str, object] = {}
    for name, spec, environ in (
        ("both", "nvml", {}),
        ("second visible", "nvml", {"CUDA_VISIBLE_DEVICES": "1"}),
        ("second by uuid", "nvml", {"CUDA_VISIBLE_DEVICES": UUIDS[1][:12]}),
        ("first named", "nvml:0", {"CUDA_VISIBLE_DEVICES": "1"}),
        ("none visible", "nvml", {"CUDA_VISIBLE_DEVICES": ""}),
    ):
        library.reset(2)
        library.load(0, CONSTANT, 100.0)
        library.load(1, CONSTANT, 300.0)
        log = sampled(library, 6.0, spec, **environ)
        came[name] = {
            "boards": [board.index for board in log.boards],
            "devices": log.devices,
            **_told(_energy(log)),
        }
    try:
        sampled(library, 1.0, "nvml:7")
    except UsageError as error:
        came["no such"] = str(error)
    return came


def mig(library: Library) -> dict[str, object]:
    """One slice of the second GPU."""
    library.reset(2)
    library.mig(1)
    log = sampled(library, 6.0, CUDA_VISIBLE_DEVICES=UUIDS[1].replace("GPU", "MIG"))
    return {"boards": [board.index for board in log.boards], "mig": log.boards[0].mig, **_told(_energy(log))}


def shared(library: Library) -> dict[str, object]:
    """Another process: beside ours, from the third second; and where ours cannot be told, there before us or not."""
    came = {}
    for name, ours, from_s in (("beside ours", os.getpid(), 103.0), ("before us", 0, 0.0), ("not before us", 0, 103.0)):
        library.reset()
        library.processes(0, ours, 777, from_s)
        came[name] = _told(_energy(sampled(library, 8.0), starts_s=(101.5, 104.0)))
    return came


def memory(library: Library) -> dict[str, object]:
    """What a process holds of a GPU: ours, one that is not there, ours on a GPU that CUDA does not show."""
    library.reset(2)
    library.processes(1, os.getpid(), 0, 0.0)
    shown = {"CUDA_VISIBLE_DEVICES": "1"}
    return {
        "ours": nvml.process_memory_bytes("cuda:0", os.getpid(), shown),
        "another": nvml.process_memory_bytes("cuda:0", 1, shown),
        "elsewhere": nvml.process_memory_bytes("cuda:0", os.getpid(), {"CUDA_VISIBLE_DEVICES": "0"}),
        "hidden": nvml.process_memory_bytes("cuda:1", os.getpid(), shown),
    }


def throttled(library: Library) -> dict[str, object]:
    """A power cap from second 3 on."""
    library.reset()
    library.throttle(0, 0x4, 103.0)
    return _told(_energy(sampled(library, 8.0), starts_s=(101.5, 104.0, 105.5)))


def window_now(library: Library) -> dict[str, object]:
    """A user's own window, in real time, with the sampler's own thread."""
    library.reset()
    library.load(0, SQUARE, 100.0, 400.0, 0.7)
    library.real_time()
    with bench.energy.energy_window("nvml") as window:
        start_s = time.perf_counter()
        time.sleep(1.2)
        stop_s = time.perf_counter()
    assert window.energy is not None
    return {
        "truth_j": library.energy(start_s, stop_s),
        "interval_j": [window.energy.low, window.energy.value, window.energy.high],
        "systematic_j": [window.energy.systematic_low, window.energy.systematic_high],
        "duration_s": window.duration_s,
        "slept_s": stop_s - start_s,
        "components": window.energy.components,
        "caveats": [caveat.kind.value for caveat in window.caveats],
    }


def cost(library: Library) -> dict[str, object]:
    """What sampling takes, in real time: one GPU with both sensors and the ledger; the best of three seconds.

    The best, because a neighbour on the machine makes any wake-up dearer and none cheaper.
    """
    library.reset()
    library.real_time()
    sampler = Sampler(open_panel(parse_power("nvml"), environ={}))
    sampler.start()
    costs = []
    for _ in range(4):
        time.sleep(1.0)
        costs.append(sampler.take().cost)
    sampler.stop()
    per_s = sampler.take().cost.reads / 4
    cores = [(b.cpu_s - a.cpu_s) / (b.active_s - a.active_s) for a, b in pairwise(costs)]  # the first second learns
    return {"cores": min(cores), "all": cores, "bare": min(_bare(per_s) for _ in range(3)), "per_s": per_s}


def _bare(per_s: float) -> float:
    """The cores that waking up so often takes, if nothing is done then; for a second."""
    begin_s, cpu_s = time.perf_counter(), time.thread_time()
    while time.perf_counter() - begin_s < 1.0:
        time.sleep(1 / per_s)
    return (time.thread_time() - cpu_s) / (time.perf_counter() - begin_s)


SCENES: tuple[Callable[[Library], object], ...] = (
    steady_blocks,
    windows,
    listing,
    refused,
    lacking,
    forbidden,
    lost,
    two_gpus,
    mig,
    shared,
    memory,
    throttled,
    window_now,
    cost,
)


def _energy(log: PowerLog, starts_s: tuple[float, ...] = (102.0, 103.5)) -> TrialEnergy:
    """The energy of a case that had a block of one second at each of these times, ten steps in each."""
    samples = tuple(
        Sample(0, n, 0, None, start_s, 10, 1.0, None, SampleKind.ENERGY) for n, start_s in enumerate(starts_s)
    )
    trial = make_trial(step_s=0.1, wobble=0.0, device="cuda:0")
    timing = tuple(sample._replace(start_s=sample.start_s - 1e6) for sample in trial.samples)  # long before the log
    return energy_of(type(trial)(trial.case, 32, trial.lives, (*timing, *samples)), log, 0.95)


def _told(energy: TrialEnergy) -> dict[str, object]:
    gross = None if energy.total is None else energy.total.gross
    return {
        "energy_j": None if gross is None else gross.value,
        "sources_used": [] if gross is None else gross.sources,
        "blocks": None if gross is None else gross.n,
        "caveats": {caveat.kind.value: dict(caveat.figures) for caveat in energy.caveats},
    }


def _error(figure: Metered | Caveat, truth: float) -> float | None:
    return figure.value / truth - 1 if isinstance(figure, Metered) else None


if __name__ == "__main__":
    the_library = Library(sys.argv[1])
    sys.stdout.write(json.dumps({scene.__name__: scene(the_library) for scene in SCENES}))
