"""What the conductor and a worker say to each other: plain values as JSON, never pickled objects.

::

    conductor                                worker
    Prepare(target, parameters)       ->     Prepared
    Build(case, ...)                  ->     Built        build and first step, timed apart
    Block(steps, samples, drop)       ->     Sealed       one for each block, those of the warm-up too
    Inspect(steps, ...)               ->     Inspected    a look into the step, beside all measuring
    Examine(thorough)                 ->     Examined     its label proven, its results checked, after all timing
    Finish                            ->     Finished     peak memory; the worker then ends
    any of them                       ->     Trouble      instead of the answer
"""

from __future__ import annotations

import msgspec

from bench.records import Case, Check, PhaseBlock, Profile, Proof, Scalar


class Prepare(msgspec.Struct, tag=True, frozen=True):
    target: str
    source: str | None
    parameters: dict[str, Scalar]


class Build(msgspec.Struct, tag=True, frozen=True):
    case: Case
    source: str | None  # file of the builder's module, in case the module cannot be imported by name
    cpus: list[int] | None  # cores to be pinned to
    caches: str | None  # folder for compilers' caches: empty in the first wave
    seed: int
    within: list[str] = []  # names of the ranges that a profiler shows around what this worker does: run, group, case


class Block(msgspec.Struct, tag=True, frozen=True):
    steps: int  # in each sample
    samples: int
    drop_steps: int
    drop_s: float  # keep dropping steps until so much time has passed
    label: str = ""  # how a profiler shows it: "warm-up", "round 3"


class Inspect(msgspec.Struct, tag=True, frozen=True):
    wave: int
    phase_steps: int  # steps whose phases are timed; 0: none
    profile_steps: int  # steps that PyTorch's profiler records; 0: none
    trace: str | None  # where its trace is written


class Examine(msgspec.Struct, tag=True, frozen=True):
    """Prove the step's label and check its results, after all timing."""

    thorough: bool  # check the results at length, else with a quick look


class Finish(msgspec.Struct, tag=True, frozen=True):
    pass


class Prepared(msgspec.Struct, tag=True, frozen=True):
    pass


class Built(msgspec.Struct, tag=True, frozen=True):
    start_s: float  # when building began, on the clock of samples
    build_s: float
    first_step_s: float
    items: int
    proofs: list[Proof]  # of the settings; those of the step follow when it is examined
    settings: list[tuple[str, str]]
    pinned: bool


class Sealed(msgspec.Struct, tag=True, frozen=True):
    samples: list[tuple[float, float, float | None]]  # start, host and device time in seconds


class Inspected(msgspec.Struct, tag=True, frozen=True):
    phases: PhaseBlock | None
    profile: Profile | None


class Examined(msgspec.Struct, tag=True, frozen=True):
    proofs: list[Proof]
    checks: list[Check]
    proof_s: float
    check_s: float


class Finished(msgspec.Struct, tag=True, frozen=True):
    peak_memory_bytes: int | None


class Trouble(msgspec.Struct, tag=True, frozen=True):
    """An exception in the worker, by whose fault it is: "usage", "unavailable" or "failure"."""

    blame: str
    reason: str
    fix: str = ""
    detail: str = ""  # last lines of the traceback


Request = Prepare | Build | Block | Inspect | Examine | Finish
Reply = Prepared | Built | Sealed | Inspected | Examined | Finished | Trouble
