"""A run with energy and a price book for it, in round figures, for tests of whatever shows money."""

from __future__ import annotations

from dataclasses import replace

from bench.records import Environment, Run
from bench.records.environment import Gpu
from bench.records.prices import Assumptions, Carbon, Electricity, Overhead, PriceBook, Purchase, Rent
from tests.factories import INFERENCE, TRAINING, make_run, make_trial, with_energy
from tests.reports.example import spread

_BY = {"source": "a list of prices, check before use", "date": "2026-11"}

BOOK = PriceBook(
    "USD",
    rent=(
        Rent("Example CPU*", "Cloud A", 0.10, covers=2, what="small", **_BY),
        Rent("Example GPU*", "Cloud B", 2.50, **_BY),
        Rent("Example GPU*", "Cloud B", 1.00, spot=True, **_BY),
    ),
    purchase=(Purchase("Example GPU*", 8766.0, 5.0, **_BY),),
    electricity=(Electricity("Somewhere", 0.20, **_BY),),
    carbon=(Carbon("Somewhere", 400.0, **_BY),),
    overhead=(Overhead("hall", 1.5, **_BY),),
    assume=Assumptions("Somewhere", "hall", images=50_000, epochs=10),
    path="prices.toml",
)


def priced_run() -> Run:
    """Training and inference on a GPU, with energy."""
    gpu = {"device": "cuda:0"}
    trials = [
        spread(make_trial(INFERENCE, 0.0160, **gpu), 0.002, 0),
        spread(make_trial(INFERENCE, 0.0120, precision="amp_bf16", **gpu), 0.003, 1),
        spread(make_trial(INFERENCE, 0.0080, backend="compile", build_s=14.2, **gpu), 0.004, 2),
        spread(make_trial(INFERENCE, 0.0161, layout="channels_last", **gpu), 0.12, 3),
    ]
    run = with_energy(make_run(*trials), [300.0, 220.0, 310.0, 300.0], idle_w=60.0)
    environment = Environment(
        cpu="Example CPU 9000",
        cores_usable=2,
        gpus=(Gpu(0, "Example GPU 1", "GPU-1"),),
        packages=(("torch", "2.15.0"),),
    )
    return replace(run, environment=environment)


def cpu_run() -> Run:
    """The same two workloads on a CPU, without energy."""
    trials = [
        spread(make_trial(TRAINING, 0.064), 0.002, 0),
        spread(make_trial(TRAINING, 0.048, precision="amp_bf16"), 0.003, 1),
        spread(make_trial(INFERENCE, 0.032), 0.002, 0),
        spread(make_trial(INFERENCE, 0.024, precision="amp_bf16"), 0.003, 1),
    ]
    return replace(make_run(*trials), id="20261122-190000-aaaa")


def both_runs() -> Run:
    """CPU and GPU in one run."""
    gpu, cpu = priced_run(), cpu_run()
    return replace(gpu, trials=(*cpu.trials, *gpu.trials))


def book_saying(text: str) -> PriceBook:
    """A price book with the same text wherever text comes from outside."""
    by = {"source": text or "-", "date": text or "-"}
    return PriceBook(
        text or "-",
        rent=(Rent("*", text, 1.0, what=text, **by),),
        purchase=(Purchase("*", 1000.0, 5.0, **by),),
        electricity=(Electricity(text, 0.2, **by),),
        carbon=(Carbon(text, 400.0, **by),),
        overhead=(Overhead(text, 1.5, **by),),
        assume=Assumptions(text, text),
        path=text,
    )
