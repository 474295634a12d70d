"""Ranges for Nsight Systems, in a domain of their own: the one file that knows the package nvtx.

::

    joulemark   run > group > case > phase (build, first step, warm-up, round 3, ...) > step > forward, backward, ...

Under ``nsys profile`` a process finds ``NVTX_INJECTION64_PATH`` in its environment, and only then is the package
imported. Each request that a worker answers pushes the whole nesting and pops it again, so that no range lasts
through a time in which the worker was frozen.

Source: NVIDIA, NVTX C API (push/pop ranges nest per thread and domain; ``NVTX_INJECTION64_PATH`` names the tool's
library); the package nvtx, ``annotate``: one object may be entered again, also within itself.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from bench.errors import UnavailableError
from bench.instruments.spans import told, within

DOMAIN = "joulemark"
_INJECTION, _SESSION = "NVTX_INJECTION64_PATH", "NSYS_PROFILING_SESSION_ID"
_COLORS = {"step": "blue", "forward": "green", "backward": "orange", "optimizer": "purple"}


def profiler(environ: Mapping[str, str] = os.environ) -> str | None:
    """The name of the profiler that is attached to this process; None where there is none."""
    if _SESSION in environ:
        return "Nsight Systems"
    return "a profiler of NVTX ranges" if environ.get(_INJECTION) else None


class NvtxTracer:
    """Pushes and pops a range for each span.

    Raises:
        UnavailableError: the package is missing.
    """

    def __init__(self, load: Callable[[str], Any] = importlib.import_module) -> None:
        try:
            nvtx = load("nvtx")
        except ImportError as error:
            reason = "the package nvtx is not installed"
            raise UnavailableError(reason, "install it: pip install nvtx") from error
        self._annotate: Any = nvtx.annotate
        self._ranges: dict[str, AbstractContextManager[object]] = {}

    def span(self, name: str) -> AbstractContextManager[object]:
        """The range of this name; made once and entered as often as it is needed."""
        known = self._ranges.get(name)
        if known is None:
            known = self._annotate(message=name, color=_COLORS.get(name, "grey"), domain=DOMAIN)
            self._ranges[name] = known
        return known

    @contextmanager
    def nested(self, names: Sequence[str]) -> Iterator[None]:
        """These ranges, one in the other, and this tracer told of all spans inside them."""
        with told(self), ExitStack() as ranges:
            for name in names:
                ranges.enter_context(self.span(name))
            yield


def attached_tracer(environ: Mapping[str, str] = os.environ) -> NvtxTracer | None:
    """A tracer where a profiler is attached; None where nobody would see its ranges."""
    if profiler(environ) is None:
        return None
    try:
        return NvtxTracer()
    except UnavailableError:
        return None


def annotated(run: Callable[[], object]) -> Callable[[], object]:
    """The step with its ranges pushed and popped whether or not a profiler is attached: to see what they cost.

    Raises:
        UnavailableError: the package nvtx is missing.
    """
    return within(NvtxTracer(), run)
