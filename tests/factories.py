"""Runs made of literal numbers, for tests of whatever reads runs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.records import (
    Case,
    Environment,
    Life,
    Plan,
    Proof,
    Run,
    Sample,
    Skip,
    Trial,
    Variant,
    Workload,
)

TRAINING = Workload("training", "suites.training:build", "suites.training:prepare", (("data", "digits"),), "images")
INFERENCE = Workload("inference", "suites.inference:build", "suites.inference:prepare", (("data", "digits"),), "images")


def make_samples(step_s: float, waves: int = 6, rounds: int = 10, wobble: float = 0.001) -> tuple[Sample, ...]:
    """Three samples a block; the block's level wobbles by a fixed pattern, the same for every case and run."""
    return tuple(
        Sample(wave, round_, 0, None, 100.0 * wave + round_ + 0.1 * n, 1, step_s * _wobble(wave, round_, wobble), None)
        for wave in range(waves)
        for round_ in range(rounds)
        for n in range(3)
    )


def _wobble(wave: int, round_: int, size: float) -> float:
    return math.exp(size * math.sin(1.7 * wave + 0.9 * round_))


def make_trial(
    workload: Workload = INFERENCE,
    step_s: float = 0.02,
    *,
    waves: int = 6,
    rounds: int = 10,
    wobble: float = 0.001,
    build_s: float = 1.0,
    items: int = 32,
    proofs: Sequence[Proof] = (),
    **axes: str | int | bool,
) -> Trial:
    """A trial with a known time per step in seconds."""
    return Trial(
        case=Case(workload, Variant.of(**axes)),
        items_per_step=items,
        lives=tuple(
            Life(wave, wave == 0, build_s * (3 if wave == 0 else 1), 0.05, 0.5, 12, True, 400 * 2**20)
            for wave in range(waves)
        ),
        samples=make_samples(step_s, waves, rounds, wobble),
        proofs=tuple(proofs),
    )


def make_run(*trials: Trial, skips: Sequence[Skip] = (), plan: Plan | None = None) -> Run:
    """A finished run of these trials on an invented machine."""
    return Run(
        id="20261122-173015-4f2a",
        started="2026-11-22T17:30:15Z",
        environment=Environment(
            cpu="Example CPU 9000",
            cores_usable=2,
            memory_bytes=24 * 2**30,
            system="Linux 6.1.0 x86_64",
            python="3.11.7",
            packages=(("torch", "2.15.0"), ("torchvision", "0.29.2")),
            cpu_governor="performance",
            load_average=0.25,
        ),
        plan=plan or Plan(),
        trials=trials,
        skips=tuple(skips),
        duration_s=312.5,
    )
