"""The doctor's screen: what is found on machines that have everything, nothing, or something broken."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.doctor import Finding, Machine, State, examine, main, screen
from bench.errors import UnavailableError
from bench.instruments.nvml import Nvml
from bench.instruments.power import SensorError
from bench.nsight import Done, Nsys
from bench.records import Gpu
from bench.records.power import Board
from tests.bench.test_nsight import FakeNsys

TORCH = {"version": "2.15.0", "cuda": "13.2", "cudnn": 92600, "devices": ["NVIDIA H200"], "sum": 262144.0}


def _no_nvml() -> Nvml:
    reason = "no NVIDIA driver answers (NVML: Driver Not Loaded)"
    raise UnavailableError(reason, "load it")


def _no_nsys() -> Nsys:
    reason = "Nsight Systems is not installed (no nsys)"
    raise UnavailableError(reason, "install it")


def _machine(tmp_path: Path, torch: Done | None = None, **given: object) -> Machine:
    settings: dict[str, object] = {
        "execute": lambda *_: torch or Done(0, json.dumps(TORCH)),
        "open_nvml": _no_nvml,
        "find_nsys": _no_nsys,
        "which": lambda name: f"/usr/bin/{name}",
        "version": lambda name: "1.0",
        "proc": tmp_path / "proc",
        "sys": tmp_path / "sys",
        "home": tmp_path,
    }
    return Machine(**{**settings, **given})  # type: ignore[arg-type]


def _of(topic: str, machine: Machine) -> list[Finding]:
    return [one for one in examine(machine) if one.topic == topic]


def _write(tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / "sys" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_a_machine_without_a_gpu_can_run_and_is_told_what_it_lacks(tmp_path: Path) -> None:
    found = list(examine(_machine(tmp_path)))
    assert State.BROKEN not in {one.state for one in found}
    (gpu,) = [one for one in found if one.topic == "GPU"]
    assert (gpu.state, gpu.fix) == (State.LACKING, "load it")
    text = screen(found, 100)
    assert text.rstrip().endswith("pytest --benchmark-only can run here")
    assert all(len(line) <= 100 for line in text.splitlines())


class FakeNvml:
    """A GPU as NVML would describe it, set as ``settings`` says."""

    def __init__(self, persistence: bool | None = True, mode: int = 0, processes: tuple[int, ...] = ()) -> None:
        self.answers = {
            "nvmlSystemGetCudaDriverVersion": 12080,
            "nvmlDeviceGetMaxClockInfo": 1980,
            "nvmlDeviceGetComputeMode": mode,
            "nvmlDeviceGetTotalEnergyConsumption": 5,
            "nvmlDeviceGetClockInfo": 345,
            "nvmlDeviceGetTemperatureV": 34,
        }
        self.persistence = persistence
        self.pids = processes
        self.closed = False

    def gpus(self) -> tuple[Gpu, ...]:
        return (Gpu(0, "NVIDIA H200", "GPU-1", 140 * 2**30, 700.0),)

    def driver(self) -> str:
        return "570.10"

    def handle(self, uuid: str) -> str:
        return uuid

    def board(self, gpu: Gpu) -> Board:
        return Board(gpu.uuid, gpu.name, 0, 700.0, 700.0, self.persistence)

    def processes(self, handle: str) -> tuple[int, ...]:
        return self.pids

    def ask(self, function: str, *arguments: object) -> object:
        return self.answers.get(function)

    def demand(self, function: str, *arguments: object) -> object:
        raise SensorError("not here")

    def close(self) -> None:
        self.closed = True


def test_a_gpu_is_told_with_its_clocks_limits_and_modes(tmp_path: Path) -> None:
    nvml = FakeNvml()
    machine = _machine(tmp_path, open_nvml=lambda: nvml)
    assert _of("GPU", machine)[0].text == "driver 570.10 for CUDA up to 12.8"
    assert [(one.state, one.text) for one in _of("GPU 0", machine)] == [
        (
            State.GOOD,
            "NVIDIA H200, 140 GiB; clock 345 MHz now, 1980 MHz at most; power limit 700 W (default 700 W); 34 °C",
        ),
        (State.GOOD, "persistence on, compute mode default"),
        (State.GOOD, "energy by its counter"),
    ]
    assert nvml.closed


@pytest.mark.parametrize(
    ("nvml", "fix"),
    [
        (FakeNvml(persistence=False), "nvidia-smi -pm 1"),
        (FakeNvml(mode=2), "no process may use it"),
        (FakeNvml(mode=3), "one process at a time may use it"),
        (FakeNvml(processes=(4711,)), "end them"),
    ],
)
def test_what_makes_a_gpus_figures_worse_is_said_with_the_fix(tmp_path: Path, nvml: FakeNvml, fix: str) -> None:
    doubts = [one for one in _of("GPU 0", _machine(tmp_path, open_nvml=lambda: nvml)) if one.state is State.DOUBTFUL]
    assert [fix in one.fix for one in doubts] == [True]


def test_pytorch_is_run_and_its_versions_are_those_it_says(tmp_path: Path) -> None:
    (torch,) = _of("PyTorch", _machine(tmp_path))
    assert torch.text == "2.15.0, built for CUDA 13.2, cuDNN 9.26.0; NVIDIA H200"


@pytest.mark.parametrize(
    ("done", "reason"),
    [
        (Done(1, "Traceback\nImportError: libcudart.so.13: no such file"), "libcudart"),
        (Done(-11, ""), "exit status -11"),
        (Done(0, "no JSON"), "no JSON"),
    ],
)
def test_a_pytorch_that_does_not_run_is_what_must_be_mended_first(tmp_path: Path, done: Done, reason: str) -> None:
    found = list(examine(_machine(tmp_path, done)))
    (torch,) = [one for one in found if one.topic == "PyTorch"]
    assert torch.state is State.BROKEN
    assert reason in torch.text
    assert screen(found, 100).rstrip().endswith("not yet: mend PyTorch first")


def test_missing_packages_keep_the_main_job_from_running(tmp_path: Path) -> None:
    machine = _machine(tmp_path, version=lambda name: None if name == "scikit-learn" else "1")
    (python,) = _of("Python", machine)
    assert python.state is State.BROKEN
    assert "scikit-learn" in python.text


def test_an_extra_that_is_missing_is_named_with_its_use(tmp_path: Path) -> None:
    machine = _machine(tmp_path, version=lambda name: None if name == "openvino" else "1")
    lacking = [one.text for one in _of("Extras", machine) if one.state is State.LACKING]
    assert ["pip install 'joulemark[openvino]'" in text for text in lacking] == [True]


def test_the_runtime_for_gpus_is_not_to_be_overwritten_by_that_for_cpus(tmp_path: Path) -> None:
    """Both packages hold the same files."""
    machine = _machine(tmp_path, version=lambda name: None if name == "onnxruntime" else "1")
    found = _of("Extras", machine)
    assert all(one.state is State.GOOD for one in found)
    assert "onnxruntime-gpu 1" in found[0].text


@pytest.mark.parametrize(
    ("files", "state", "words"),
    [
        ({}, State.LACKING, "not shown"),
        ({"cpufreq/scaling_governor": "performance", "../intel_pstate/no_turbo": "0"}, State.GOOD, "turbo on"),
        ({"cpufreq/scaling_governor": "powersave", "../cpufreq/boost": "0"}, State.DOUBTFUL, "turbo off"),
        ({"cpufreq/scaling_governor": "schedutil"}, State.DOUBTFUL, "turbo unknown"),
    ],
)
def test_the_governor_and_turbo_are_read(tmp_path: Path, files: dict[str, str], state: State, words: str) -> None:
    (tmp_path / "sys/devices/system/cpu/cpu0").mkdir(parents=True)
    for name, text in files.items():
        _write(tmp_path, f"devices/system/cpu/cpu0/{name}", f"{text}\n")
    found = _of("CPU", _machine(tmp_path))[-1]
    assert found.state is state
    assert words in found.text


def test_rapl_is_tried_and_a_right_that_is_missing_is_named(tmp_path: Path) -> None:
    for name, text in (("name", "package-0"), ("energy_uj", "5"), ("max_energy_range_uj", "262143328850")):
        _write(tmp_path, f"class/powercap/intel-rapl:0/{name}", text)
    (energy,) = _of("CPU energy", _machine(tmp_path))
    assert (energy.state, energy.text) == (State.GOOD, "RAPL: cpu package 0")


def test_this_machines_processes_can_be_frozen_and_pinned_or_it_says_not(tmp_path: Path) -> None:
    (workers,) = _of("Workers", _machine(tmp_path))
    assert workers.state in (State.GOOD, State.DOUBTFUL)
    assert workers.text.startswith("can be")


def test_without_a_compiler_torch_compile_is_named(tmp_path: Path) -> None:
    machine = _machine(tmp_path, which=lambda name: None)
    (compiler,) = _of("Compiler", machine)
    assert compiler.state is State.LACKING
    assert "torch.compile" in compiler.text
    assert _of("Browser", machine)[0].state is State.LACKING


@pytest.mark.parametrize(
    ("nsys", "state", "words"),
    [
        (lambda: FakeNsys().nsys(), State.GOOD, "shows our"),
        (lambda: FakeNsys(writes="").nsys(), State.DOUBTFUL, "no capture could be made"),
        (lambda: FakeNsys("version 2019.1.0").nsys(), State.LACKING, "older than"),
        (_no_nsys, State.LACKING, "not installed"),
    ],
)
def test_nsight_is_tried_by_a_capture(tmp_path: Path, nsys: Callable[[], Nsys], state: State, words: str) -> None:
    (nsight,) = _of("Nsight", _machine(tmp_path, find_nsys=nsys))
    assert nsight.state is state
    assert words in nsight.text


def test_a_folder_that_cannot_be_written_is_broken(tmp_path: Path) -> None:
    (results,) = _of("Results", _machine(tmp_path, home=tmp_path / "none"))
    assert results.state is State.BROKEN


def test_the_command_says_how_it_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert main(["me"]) == 2
    assert "usage: joulemark doctor" in capsys.readouterr().out


def test_the_doctor_of_this_machine_agrees_that_the_tests_run_here() -> None:
    done = subprocess.run([sys.executable, "-m", "joulemark", "doctor"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pytest --benchmark-only can run here" in done.stdout
