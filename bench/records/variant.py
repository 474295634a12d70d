"""A variant: the setting under which a workload is measured, as ordered axis values with a readable id."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bench.errors import UsageError

AxisValue = str | int | bool

#: The axes Joulemark knows, in the order in which they stand in an id, each with its default. A value
#: equal to its default is left out of the id, apart from device and precision, which are always said.
AXES: Mapping[str, AxisValue] = {
    "device": "cpu",
    "precision": "fp32",
    "batch": 32,
    "layout": "contiguous",
    "backend": "eager",
    "threads": 0,  # 0: one for each core that the process may use
    "onednn": True,
    "cudnn": True,
    "cudnn_benchmark": False,
    "deterministic": False,
    "loaders": 0,  # processes that load images beside the step; 0: the step loads them itself
}
_ALWAYS_SAID = ("device", "precision")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TEXT = re.compile(r"[A-Za-z0-9_.:+]+")


@dataclass(frozen=True)
class Variant:
    """Axis values in canonical order; equal variants are equal objects, whatever order they were written in.

    Build one with :meth:`of`. Unknown axes are the user's own and follow the known ones in the order given.
    """

    axes: tuple[tuple[str, AxisValue], ...]

    def __post_init__(self) -> None:
        for name, value in self.axes:
            if not _NAME.fullmatch(name):
                msg = f"axis name {name!r} is not a lower-case word; rename it"
                raise UsageError(msg)
            if type(value) not in (str, int, bool):  # nor a subclass, which would not travel
                msg = f"axis {name} has the value {value!r}; give text, a whole number or True and False"
                raise UsageError(msg)
            if isinstance(value, str) and not _TEXT.fullmatch(value):
                msg = f"axis {name} has the value {value!r}; use letters, digits and _ . : + only"
                raise UsageError(msg)
        if self.axes != _canonical(dict(self.axes)):
            msg = f"the axes {self.axes!r} are not in canonical order; build the variant with Variant.of(...)"
            raise UsageError(msg)

    @classmethod
    def of(cls, **axes: AxisValue) -> Variant:
        """The variant with these axis values, the others at their defaults."""
        return cls(_canonical(axes))

    def __getitem__(self, name: str) -> AxisValue:
        """The value of an axis, given or default; KeyError for a name that is neither."""
        for axis, value in self.axes:
            if axis == name:
                return value
        return AXES[name]

    def __iter__(self) -> Iterator[tuple[str, AxisValue]]:
        return iter(self.axes)

    @property
    def id(self) -> str:
        """The words a person would type: ``cpu-fp32``, ``cuda0-amp_bf16-channels_last-cudnn_benchmark``."""
        return "-".join(_word(name, value) for name, value in self.axes)

    @property
    def device(self) -> str:
        """``"cpu"`` or ``"cuda:N"``."""
        return str(self["device"])

    @property
    def threads(self) -> int:
        """CPU threads asked for; 0 means one for each core that the process may use."""
        return int(self["threads"])

    def __str__(self) -> str:
        return self.id


def expand(**axes: Iterable[AxisValue]) -> tuple[Variant, ...]:
    """All combinations of the given axis values, the last axis varying fastest."""
    names = tuple(axes)
    return tuple(
        Variant.of(**dict(zip(names, values, strict=True)))
        for values in itertools.product(*(tuple(axes[name]) for name in names))
    )


def _canonical(axes: Mapping[str, AxisValue]) -> tuple[tuple[str, AxisValue], ...]:
    known = [
        (name, axes.get(name, default))
        for name, default in AXES.items()
        if name in _ALWAYS_SAID or axes.get(name, default) != default
    ]
    own = [(name, value) for name, value in axes.items() if name not in AXES]
    return (*known, *own)


def _word(name: str, value: AxisValue) -> str:
    if value is True:
        return name
    if value is False:
        return f"no_{name}"
    if isinstance(value, int):
        return f"{name}{value}"
    return value.replace(":", "")
