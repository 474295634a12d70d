"""What is known of a device before any worker is started."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench import Case, Options, Plan, Variant
from bench.errors import UnavailableError
from bench.instruments import probe
from bench.records import Gpu
from bench.session import Session
from tests.bench import workloads


class FakeNvml:
    """One GPU in a compute mode."""

    mode: int | None = 0

    def gpus(self) -> tuple[Gpu, ...]:
        return (Gpu(0, "NVIDIA H100", "GPU-1"),)

    def parent(self, mig: str) -> str | None:
        return None

    def handle(self, uuid: str) -> str:
        return uuid

    def ask(self, function: str, *arguments: object) -> int | None:
        assert (function, arguments) == ("nvmlDeviceGetComputeMode", ("GPU-1",))
        return self.mode

    def close(self) -> None: ...


@pytest.mark.parametrize(("mode", "exclusive"), [(0, False), (1, True), (2, False), (3, True), (None, False)])
def test_a_gpu_that_takes_one_process_at_a_time_is_told_before_measuring(
    mode: int | None, exclusive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.instruments.nvml.Nvml", FakeNvml)
    monkeypatch.setattr(FakeNvml, "mode", mode)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    lack = probe.why_not_together("cuda:0")
    assert (lack is not None) is exclusive
    assert lack is None or "nvidia-smi -c 0" in lack[1]
    assert probe.why_not_together("cpu") is None
    assert probe.why_not_together("cuda:1") is None  # there is no such GPU: the worker will say so


def test_without_a_driver_nothing_is_said_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise UnavailableError("no driver", "install it")

    monkeypatch.setattr("bench.instruments.nvml.Nvml", refuse)
    assert probe.why_not_together("cuda:0") is None


@pytest.mark.parametrize("count", [1, 2])
def test_a_group_of_several_is_skipped_there_and_a_single_case_is_measured(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "why_not_together", lambda _: ("one process at a time", "nvidia-smi -c 0"))
    workload = workloads.case().workload
    chosen = [Case(workload, Variant.of(threads=n + 1)) for n in range(count)]
    session = Session(Options(out=tmp_path), quiet=True)
    session.select(chosen)
    session.get_ready()
    reasons = [skip and skip.reason for skip in map(session.known_skip, chosen)]
    assert reasons == ([None] if count == 1 else ["one process at a time"] * 2)
    session.finish()


def test_copies_of_a_self_check_need_room_beside_a_single_case_and_one_process_needs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "why_not_together", lambda _: ("one process at a time", "nvidia-smi -c 0"))
    monkeypatch.setattr("bench.session.measure_overheads", lambda *_: None)
    case = workloads.case()
    for options, skipped in (
        (Options(out=tmp_path, self_check="short"), True),
        (Options(out=tmp_path, self_check="short", plan=Plan(start="in_process")), False),
    ):
        session = Session(options, quiet=True)
        session.select([case])
        session.get_ready()
        assert (session.known_skip(case) is not None) is skipped
        session.finish()


def test_of_the_environment_what_decides_figures_is_kept_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are shared."""
    wanted = {"OMP_NUM_THREADS": "2", "MALLOC_ARENA_MAX": "1", "TORCHINDUCTOR_MAX_AUTOTUNE": "1", "LD_PRELOAD": "/x.so"}
    unwanted = (
        "NVIDIA_API_KEY",
        "TRITON_AUTH_TOKEN",
        "TORCH_HOME",
        "CUDA_HOME",
        "TORCHINDUCTOR_CACHE_DIR",
        "AWS_REGION",
    )
    for name, value in {**wanted, **dict.fromkeys(unwanted, "hidden")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OMP_PLACES", os.fsdecode(b"\xff{0}"))
    found = dict(probe.environment().variables)
    assert wanted.items() <= found.items()
    assert not set(unwanted) & found.keys()
    assert found["OMP_PLACES"] == "\ufffd{0}"


def test_a_machine_is_known_by_a_digest_that_is_the_same_every_time(tmp_path: Path) -> None:
    (tmp_path / "machine-id").write_text("0123456789abcdef\n")
    one, other = (probe._machine(tmp_path / "machine-id") for _ in range(2))
    assert one == other
    assert one is not None
    assert "0123" not in one
    assert probe._machine(tmp_path / "gone") is None
