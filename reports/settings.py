"""What differs between two machines, or one machine at two times, in words."""

from __future__ import annotations

from collections.abc import Mapping

from bench.analysis.settings import Difference, Value
from bench.units import quantity
from reports.figures import DASH
from reports.text import one_line

#: What a field of the environment or the plan is called.
_NAMES: Mapping[str, str] = {
    "cpu": "processor",
    "cores_usable": "cores usable",
    "cores_physical": "cores without second threads",
    "cores_online": "cores of the machine",
    "cpu_quota_cores": "cores by CPU quota",
    "memory_bytes": "memory",
    "cpu_governor": "frequency governor",
    "gpu_driver": "GPU driver",
    "python": "Python",
    "power_limit_w": "power limit",
    "uuid": "identity",
}


def fact_said(difference: Difference) -> str:
    """What it is that differs, with whose it is."""
    named = difference.of in ("package", "variable")
    name = difference.name if named else _NAMES.get(difference.name, _spaced(difference.name))
    return one_line(name) if named or not difference.of else f"{difference.of}: {name}"


def value_said(difference: Difference, value: Value) -> str:
    """One of its two values; a dash where it is unknown."""
    if value is None:
        return DASH
    unit = {"_bytes": "B", "_s": "s", "_w": "W"}.get(f"_{difference.name.rpartition('_')[2]}")
    if unit is not None and isinstance(value, (int, float)) and not isinstance(value, bool):
        return quantity(value, unit)
    return one_line(value)


def change_said(difference: Difference) -> str:
    """``"torch 2.14.1, now 2.15.0"``."""
    base, new = (value_said(difference, value) for value in (difference.base, difference.new))
    return f"{fact_said(difference)} {base}, now {new}"


def _spaced(name: str) -> str:
    return name.removesuffix("_s").removesuffix("_w").replace("_", " ")
