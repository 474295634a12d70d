"""What differs between the circumstances of two runs: the machine, its limits, the software, the plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from bench.records import Run

Value = str | int | float | bool | None
#: Facts of the environment that can change a figure; load is a state and no setting.
_FACTS = ("cpu", "cores_usable", "memory_bytes", "system", "python", "cpu_governor", "gpu_driver")


@dataclass(frozen=True)
class Difference:
    """One fact in two runs: a field's name, with whose it is ("", a package, a GPU, "plan"); None is unknown."""

    of: str
    name: str
    base: Value
    new: Value


def differences(base: Run, new: Run) -> tuple[Difference, ...]:
    """The facts that differ, in a fixed order."""
    before, after = dict(_facts(base)), dict(_facts(new))
    keys = dict.fromkeys((*before, *after))
    return tuple(Difference(*key, before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key))


def _facts(run: Run) -> Iterator[tuple[tuple[str, str], Value]]:
    e = run.environment
    yield from ((("", name), getattr(e, name)) for name in _FACTS)
    for gpu in e.gpus:
        for name in ("name", "uuid", "memory_bytes", "power_limit_w"):
            yield (f"GPU {gpu.index}", name), getattr(gpu, name)
    for board in _boards(run).values():
        yield (f"GPU {board[0]}", "persistence"), board[1]
    yield from ((("package", name), version) for name, version in e.packages)
    names = (field.name for field in fields(run.plan) if field.name != "seed")
    yield from ((("plan", name), getattr(run.plan, name)) for name in names)


def _boards(run: Run) -> Mapping[str, tuple[int, bool | None]]:
    return {board.uuid: (board.index, board.persistence) for log in run.power for board in log.boards}
