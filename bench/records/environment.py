"""Where a run took place: facts of the machine and the software, all optional because any may be hidden."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gpu:
    """One accelerator as NVML names it."""

    index: int
    name: str
    uuid: str
    memory_bytes: int | None = None
    power_limit_w: float | None = None


@dataclass(frozen=True)
class Environment:
    """The machine and its software at the start of a run; ``None`` where it could not be read."""

    cpu: str | None = None
    cores_usable: int | None = None  # what this process may use, not what the machine has
    cores_physical: int | None = None  # the cores that those are of, where some are second threads of one
    cores_online: int | None = None  # what the machine has, logical CPUs like those that are usable
    cpu_quota_cores: float | None = None  # what its control group allows of their time; None without a limit
    memory_bytes: int | None = None
    system: str | None = None
    python: str | None = None
    packages: tuple[tuple[str, str], ...] = ()
    variables: tuple[tuple[str, str], ...] = ()  # of the process's environment, those that libraries look at
    cpu_governor: str | None = None
    load_average: float | None = None  # runnable processes over the last minute, at the start
    gpu_driver: str | None = None
    gpus: tuple[Gpu, ...] = ()
    machine: str | None = None  # a digest of its identity: the same for all runs on one machine, and tells nothing else
