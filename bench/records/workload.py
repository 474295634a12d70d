"""A workload is what is timed; a case is one workload under one variant."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from bench.errors import UsageError
from bench.records.variant import Variant

Scalar = str | int | float | bool | None

#: What is asked of a step: how many pass in a time, one after the other, or how long a single one takes.
THROUGHPUT, LATENCY = "throughput", "latency"

_IMPORT_NAME = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


@dataclass(frozen=True)
class Workload:
    """Something with a step to time, known by name so that another process can build it.

    ``build`` and ``prepare`` are import names, ``"package.module:function"``. A builder is called as
    ``build(variant, **parameters)`` in the worker and returns a :class:`bench.Step`. A preparer is called
    once as ``prepare(**parameters)`` before anything is measured, in a process of its own: it validates the
    parameters and makes what all cases share (data, trained weights).
    """

    name: str
    build: str
    prepare: str | None = None
    parameters: tuple[tuple[str, Scalar], ...] = ()
    items: str = "items"  # what one step works through, in the plural: "images"
    measures: str = THROUGHPUT  # or LATENCY: blocks of single steps, each synchronised

    def __post_init__(self) -> None:
        if self.measures not in (THROUGHPUT, LATENCY):
            msg = f"workload {self.name!r} cannot measure {self.measures!r}; choose {THROUGHPUT} or {LATENCY}"
            raise UsageError(msg)
        for name, value in self.parameters:
            plain = value is None or type(value) in (str, int, float, bool)  # no subclass, which would not travel
            if not plain or (isinstance(value, float) and not math.isfinite(value)):
                msg = (
                    f"workload {self.name!r} has the parameter {name}={value!r}, which no other process can be given; "
                    "use text, a finite number, True, False or None"
                )
                raise UsageError(msg)
        for name in filter(None, (self.build, self.prepare)):
            if not _IMPORT_NAME.fullmatch(name):
                msg = (
                    f"workload {self.name!r} names {name!r}, which no other process can import; "
                    "use a module-level function, 'module:function'"
                )
                raise UsageError(msg)

    @classmethod
    def of(
        cls,
        name: str,
        build: Callable[..., object],
        *,
        prepare: Callable[..., object] | None = None,
        items: str = "items",
        measures: str = THROUGHPUT,
        **parameters: Scalar,
    ) -> Workload:
        """A workload from module-level functions: the short form for a user's own suite.

        Raises:
            UsageError: a function is a lambda or a closure, which another process could not import, or a parameter is
                no plain value.
        """
        prepared = None if prepare is None else _import_name(prepare)
        return cls(name, _import_name(build), prepared, tuple(parameters.items()), items, measures)


def _import_name(function: Callable[..., object]) -> str:
    return f"{function.__module__}:{function.__qualname__}"


@dataclass(frozen=True)
class Case:
    """One workload under one variant: one test, one worker, one report row.

    A self-check measures the baseline more than once. The copies are cases of their own, and no axis tells them
    apart: whatever builds and reads variants treats them as what they are, the same.
    """

    workload: Workload
    variant: Variant
    copy: int = 0  # from 1 for the copies of a self-check

    def __post_init__(self) -> None:
        if self.copy < 0:
            msg = f"copy {self.copy} of a case cannot be; count copies from 1"
            raise UsageError(msg)

    @property
    def name(self) -> str:
        """``"training[cpu-fp32]"``, a copy with its number, ``~1``: unique in a run, and stable between runs."""
        return f"{self.workload.name}[{self.variant.id}]{self._mark}"

    @property
    def group(self) -> tuple[Workload, str]:
        """What is measured interleaved and compared pairwise: one workload on one device."""
        return self.workload, self.variant.device

    @property
    def _mark(self) -> str:
        return f"~{self.copy}" if self.copy else ""

    def __str__(self) -> str:
        return f"{self.variant.id}{self._mark}"
