"""How to measure: a plan is fixed before the first sample and stored with the run."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.errors import UsageError

TOLERANCES = (
    "rmse_fp32",
    "rmse_tf32",
    "rmse_half",
    "rmse_int8",
    "agreement",
    "accuracy_drop",
    "loss_fp32",
    "loss_half",
)
#: Starting workers is paid once a wave, setting one up for each case.
_BUDGET_S, _BUDGET_PER_CASE_S = 45.0, 9.0
WORKER_STARTS = ("fork_server", "spawn", "in_process")

#: No honest plan has as many of anything.
_MOST = 2**20


@dataclass(frozen=True)
class Plan:
    """Defaults are the method's; times in seconds, ``band`` and tolerances as fractions.

    ::

        wave    fresh processes for all cases of a group            waves, or fewer where setting up eats the budget
        round   one block of every case, in random order            rounds (per wave), set by what waves cost
        block   resume | dropped steps | samples >= block_s | seal
        sample  n steps back to back, >= sample_s, one timestamp pair

    Where a sensor of power or energy can be read, a wave ends with one long block of every case::

        idle | energy block [ B ] | [ A ] | [ C ] | idle
    """

    waves: int = 6
    fewest_waves: int | None = None  # of these at least, where the budget is short; None: four
    rounds: int | None = None  # in a wave, at most; None: as many as the budget affords
    budget_s: float | None = None  # measuring time of a group, set-up of the first wave apart; None: by its cases
    block_s: float = 0.04  # on a CPU; a CUDA block lasts at least cuda_block_s
    cuda_block_s: float = 0.5
    sample_s: float = 0.01
    latency_steps: int = 50  # single synchronised steps in a block of a latency workload, at least
    warm_up_s: float = 5.0  # when warm-up gives up
    warm_up_tolerance: float = 0.03
    precision: float = 0.01  # half-width of the interval of a ratio, as a fraction
    band: float = 0.01  # differences below this are noise by decree
    confidence: float = 0.95
    build_limit_s: float = 600.0
    block_limit_s: float = 120.0
    seed: int = 0
    start: str = "fork_server"
    power: str = "auto"  # which sensors: see bench.instruments.panel
    energy_block_s: float = 1.25  # a counter speaks each 20 to 100 ms, and the first 0.1 s of a block is not used
    phases: bool = False  # time the phases of a step, in a pass of its own in each wave
    profile: bool = False  # record a few steps of each case with PyTorch's profiler, in the first wave
    idle_s: float = 1.25  # contexts loaded, nothing running; before and after the energy blocks of a wave
    # What a right result may be off by, by the variant's precision; the reasons stand in analysis/correctness.py.
    rmse_fp32: float = 1e-4
    rmse_tf32: float = 0.01
    rmse_half: float = 0.05
    rmse_int8: float = 0.2
    agreement: float = 0.95  # fraction of items, at least
    accuracy_drop: float = 0.01  # fraction of items, at most
    loss_fp32: float = 0.05  # relative, of the loss after a few steps and of how far they moved the weights
    loss_half: float = 0.1

    def __post_init__(self) -> None:
        if self.start not in WORKER_STARTS:
            msg = f"workers cannot be started by {self.start!r}; choose one of {', '.join(WORKER_STARTS)}"
            raise UsageError(msg)
        for name in ("waves", "fewest_waves", "rounds", "latency_steps"):
            count = getattr(self, name)
            if count is not None and not 1 <= count <= _MOST:
                msg = f"{name} must be at least 1, and no more than {_MOST}, not {str(count)[:30]}"
                raise UsageError(msg)
        for name in (
            "budget_s",
            "block_s",
            "cuda_block_s",
            "sample_s",
            "warm_up_s",
            "build_limit_s",
            "block_limit_s",
            "energy_block_s",
            "idle_s",
        ):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                msg = f"{name} must be a positive number of seconds, not {value}"
                raise UsageError(msg)
        for name in ("warm_up_tolerance", "precision", "band", *TOLERANCES):
            value = getattr(self, name)
            if not 0 <= value < 1:
                msg = f"{name} must be a fraction from 0 to below 1 (0.01 is one percent), not {value}"
                raise UsageError(msg)
        if not 0.5 <= self.confidence < 1:
            msg = f"confidence must be from 0.5 to below 1, not {self.confidence}"
            raise UsageError(msg)

    def group_budget_s(self, cases: int) -> float:
        """Seconds of measuring for a group of so many cases: 99 for six, unless the plan says otherwise."""
        return _BUDGET_S + _BUDGET_PER_CASE_S * cases if self.budget_s is None else self.budget_s

    def block_length_s(self, device: str) -> float:
        """How long a block on this device lasts at least."""
        return self.cuda_block_s if device.startswith("cuda") else self.block_s
