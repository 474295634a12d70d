"""Runs made of literal numbers, for tests of whatever reads runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from bench.records import (
    Case,
    Check,
    CheckKind,
    Environment,
    Life,
    Plan,
    Proof,
    Run,
    Sample,
    SampleKind,
    Skip,
    Trial,
    Variant,
    Workload,
)
from bench.records.power import Component, Part, PowerLog, PowerTrace, Reading, SourceKind, Span, SpanKind

TRAINING = Workload("training", "suites.training:build", "suites.training:prepare", (("data", "digits"),), "images")
INFERENCE = Workload("inference", "suites.inference:build", "suites.inference:prepare", (("data", "digits"),), "images")

LATENCY = Workload(
    "latency", "suites.inference:build", "suites.inference:prepare", (("data", "digits"),), "images", "latency"
)


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


def make_latencies(
    workload: Workload, steps_s: Sequence[float], *, waves: int = 6, rounds: int = 10, **axes: str | int | bool
) -> Trial:
    """A latency trial of these single steps, dealt out to blocks of equal length in the order given."""
    length = len(steps_s) // (waves * rounds)
    samples = tuple(
        Sample(n // (length * rounds), n // length % rounds, 0, None, 0.1 * n, 1, step_s, None, SampleKind.LATENCY)
        for n, step_s in enumerate(steps_s[: length * waves * rounds])
    )
    return replace(make_trial(workload, waves=waves, items=1, batch=1, **axes), samples=samples)


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


def with_scores(trial: Trial, rmse: float, right: int | None = 355) -> Trial:
    """The trial with the checks of inference: this error in each wave, so many of 360 images right (reference: 355)."""
    waves = sorted({sample.wave for sample in trial.samples})
    checks = [replace(Check.of(CheckKind.SCORES, 96, rmse, against="FP64"), wave=wave) for wave in waves]
    checks.append(Check.of(CheckKind.TURNS, 3, rmse / 2, against="FP64"))
    checks.append(Check.of(CheckKind.SCORES, 360, rmse, against="FP64"))
    if right is not None:
        checks.append(Check.of(CheckKind.AGREEMENT, 360, 360 - abs(355 - right), against="FP64"))
        checks.append(Check.of(CheckKind.ACCURACY, 360, right, reference=355, against="FP64"))
    return replace(trial, checks=tuple(checks))


def with_losses(trial: Trial, loss: float, moved: float = 0.6) -> Trial:
    """The trial with the checks of training, against a loss of 2.0 and weights moved by 0.6."""
    return replace(
        trial,
        checks=(
            Check.of(CheckKind.LOSS, 8, loss, reference=2.0, spread=0.05, against="FP32"),
            Check.of(CheckKind.UPDATE, 8, moved, reference=0.6, spread=0.015, against="FP32"),
        ),
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


def with_energy(run: Run, watts: Sequence[float], *, idle_w: float = 10.0, estimated: bool = False) -> Run:
    """The run with an energy block of each trial in each wave, at a constant power each, and the counter's log.

    The counter is that of the GPU ``GPU-1`` for cases on one, whose gain is known, and else that of the CPU::

        100 wave + 40 s: idle, 3 s | + 50 s: trial 0, 2 s | + 53 s: trial 1, 2 s | ...
    """
    on_cpu = {trial.case.variant.device for trial in run.trials} == {"cpu"}
    levels: list[tuple[float, float, float]] = []  # start, stop, watts
    trials = []
    for index, (trial, power_w) in enumerate(zip(run.trials, watts, strict=True)):
        step_s = trial.samples[0].step_s
        steps = math.ceil(2 / step_s)
        starts = {sample.wave: 100.0 * sample.wave + 50 + 3 * index for sample in trial.samples}
        blocks = [
            Sample(wave, 0, index, None, start_s, steps, steps * step_s, None, SampleKind.ENERGY)
            for wave, start_s in starts.items()
        ]
        levels += [(block.start_s - 0.3, block.start_s + block.host_s, power_w) for block in blocks]
        trials.append(replace(trial, samples=(*trial.samples, *blocks)))
    waves = sorted({sample.wave for trial in trials for sample in trial.samples})
    spans = tuple(Span(SpanKind.IDLE, wave, 100.0 * wave + 40, 100.0 * wave + 43) for wave in waves)
    stop_s = 100.0 * (max(waves) + 1)
    trace = PowerTrace(
        Component(Part.CPU, "cpu package 0") if on_cpu else Component(Part.GPU, "GPU-1"),
        "tdp model" if estimated else "rapl" if on_cpu else "nvml counter",
        SourceKind.MODEL if estimated else SourceKind.COUNTER,
        "J",
        0.001,
        period_s=0.1,
        readings=_counter(levels, idle_w, stop_s),
    )
    plan = replace(run.plan, power="tdp:65" if estimated else "rapl" if on_cpu else "nvml:0")
    return replace(run, trials=tuple(trials), plan=plan, power=(PowerLog(0.0, stop_s, traces=(trace,), spans=spans),))


def _counter(levels: Sequence[tuple[float, float, float]], idle_w: float, stop_s: float) -> tuple[Reading, ...]:
    """A counter of joules that speaks every tenth of a second."""
    readings, energy_j = [], 0.0
    for tick in range(1, round(stop_s * 10)):
        middle_s = (tick - 0.5) / 10
        energy_j += 0.1 * next((watts for start_s, end_s, watts in levels if start_s <= middle_s < end_s), idle_w)
        readings.append(Reading(tick / 10 - 0.001, tick / 10, energy_j))
    return tuple(readings)
