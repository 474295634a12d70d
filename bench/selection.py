"""Which cases a suite has, which it leaves out and why: declared at collection, announced before measuring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from bench.errors import UsageError
from bench.options import Options, options_of
from bench.records import Case


@dataclass(frozen=True)
class Selection:
    """The cases of one workload: to be measured (baselines first), impossible, and measured though nobody asked.

    ``left_out`` has a reason with each case. ``added`` are baselines that were not among what was asked for.
    """

    cases: tuple[Case, ...]
    left_out: tuple[tuple[Case, str], ...] = ()
    added: tuple[Case, ...] = ()


@dataclass
class Declarations:
    """What the suites of a session have declared, and the first thing that could not be meant."""

    selections: list[Selection] = field(default_factory=list)
    refusal: str | None = None


_DECLARED = pytest.StashKey[Declarations]()


def declare(metafunc: pytest.Metafunc, select: Callable[[Options], Selection]) -> None:
    """Make one test for each case that ``select`` chooses, by the parameter ``case``.

    What it refuses with a UsageError ends the session in that sentence, before anything is measured.
    """
    so_far = declared(metafunc.config)
    try:
        selection = select(options_of(metafunc.config))
    except UsageError as error:
        so_far.refusal = so_far.refusal or str(error)
        selection = Selection(())
    so_far.selections.append(selection)
    metafunc.parametrize("case", selection.cases, ids=str)


def declared(config: pytest.Config) -> Declarations:
    """What has been declared in this session so far."""
    return config.stash.setdefault(_DECLARED, Declarations())
