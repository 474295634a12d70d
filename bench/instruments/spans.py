"""Named stretches of a step, for whoever wants to see them: a profiler's ranges, a timer of phases, or nobody.

A step says once where it is, ``with bench.span("forward"): ...``, and knows nothing of who listens::

    nobody          span() looks at one global and returns one shared object; nothing is made
    a profiler      a range of Nsight Systems        bench.instruments.nvtx
    the phase pass  two readings of a clock          bench.instruments.phases
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

#: One call of the workload, around all its phases.
STEP = "step"


class Tracer(Protocol):
    """Whoever is told of spans. They are nested, and all on one thread."""

    def span(self, name: str) -> AbstractContextManager[object]:
        """A context that lasts as long as the stretch does."""


class _Unseen:
    """The span of which nobody is told."""

    __slots__ = ()

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


_UNSEEN = _Unseen()
_tracer: Tracer | None = None


def span(name: str) -> AbstractContextManager[object]:
    """The context of a named stretch of a step: ``with bench.span("forward"): ...``.

    Names that reports know: data, host-to-device, forward, loss, backward, optimizer; another is shown as it is. Time
    outside of all of them is shown as "other". Spans within a span count as part of the outer one.
    """
    tracer = _tracer
    return _UNSEEN if tracer is None else tracer.span(name)


@contextmanager
def told(tracer: Tracer | None) -> Iterator[None]:
    """As long as this lasts, the tracer is told of every span, and nobody else is."""
    global _tracer  # noqa: PLW0603  one global is what makes a span that nobody watches cost nothing
    before, _tracer = _tracer, tracer
    try:
        yield
    finally:
        _tracer = before


def within(tracer: Tracer, run: Callable[[], object]) -> Callable[[], object]:
    """The step as a span of its own, with the tracer told of all that lies in it."""

    def stepped() -> object:
        with told(tracer), tracer.span(STEP):
            return run()

    return stepped


class Together:
    """Several tracers as one; the last of them is the innermost, so that it sees the least of the others' cost."""

    def __init__(self, tracers: Sequence[Tracer]) -> None:
        self._tracers = tuple(tracers)

    def span(self, name: str) -> AbstractContextManager[object]:
        return _Nested([tracer.span(name) for tracer in self._tracers])


class _Nested:
    __slots__ = ("_spans",)

    def __init__(self, spans: Sequence[AbstractContextManager[object]]) -> None:
        self._spans = spans

    def __enter__(self) -> None:
        for each in self._spans:
            each.__enter__()

    def __exit__(self, *_: object) -> None:
        for each in reversed(self._spans):
            each.__exit__(None, None, None)
