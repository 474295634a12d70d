"""What differs between the circumstances of two runs: the machine, its limits, the software, the plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from bench.records import Environment, Run

Value = str | int | float | bool | None
_Key = tuple[str, str]  # whose, and which
#: Facts of the environment that can change a figure; load is a state and no setting.
_FACTS = (
    "cpu",
    "cores_usable",
    "cores_physical",
    "cores_online",
    "cpu_quota_cores",
    "memory_bytes",
    "system",
    "python",
    "cpu_governor",
    "gpu_driver",
)


#: A fact that older runs do not know, so that its lack is none.
_SINCE = ("", "cores_online")


@dataclass(frozen=True)
class Difference:
    """One fact in two runs: a field's name, with whose it is ("", a package, a GPU, "plan"); None is unknown."""

    of: str
    name: str
    base: Value
    new: Value


def differences(base: Run, new: Run) -> tuple[Difference, ...]:
    """The facts that differ, in a fixed order."""
    return _differences(dict(_facts(base)), dict(_facts(new)))


def environment_differences(base: Environment, new: Environment) -> tuple[Difference, ...]:
    """What differs between a machine and its software at two times, in a fixed order."""
    return _differences(dict(_surroundings(base)), dict(_surroundings(new)))


def _differences(before: Mapping[_Key, Value], after: Mapping[_Key, Value]) -> tuple[Difference, ...]:
    keys = dict.fromkeys((*before, *after))
    told = (key for key in keys if before.get(key) != after.get(key))
    both = (key for key in told if key != _SINCE or None not in (before.get(key), after.get(key)))
    return tuple(Difference(*key, before.get(key), after.get(key)) for key in both)


def _surroundings(e: Environment) -> Iterator[tuple[_Key, Value]]:
    yield from ((("", name), getattr(e, name)) for name in _FACTS)
    for gpu in e.gpus:
        for name in ("name", "uuid", "memory_bytes", "power_limit_w"):
            yield (f"GPU {gpu.index}", name), getattr(gpu, name)
    yield from ((("package", name), version) for name, version in e.packages)
    yield from ((("variable", name), value) for name, value in e.variables)


def _facts(run: Run) -> Iterator[tuple[_Key, Value]]:
    yield from _surroundings(run.environment)
    for board in _boards(run).values():
        yield (f"GPU {board[0]}", "persistence"), board[1]
    names = (field.name for field in fields(run.plan) if field.name != "seed")
    yield from ((("plan", name), getattr(run.plan, name)) for name in names)


def _boards(run: Run) -> Mapping[str, tuple[int, bool | None]]:
    return {board.uuid: (board.index, board.persistence) for log in run.power for board in log.boards}
