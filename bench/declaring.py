"""What a pytest session was asked for, and the cases that its suites declare at collection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from bench.errors import UsageError
from bench.options import Options
from bench.selection import Selection

#: Where the plugin keeps the options of a session.
OPTIONS = pytest.StashKey[Options]()


def options_of(config: pytest.Config) -> Options:
    """The options of this pytest session, as the plugin read them."""
    declared(config).heard = True
    return config.stash[OPTIONS]


@dataclass
class Declarations:
    """What the suites of a session have declared, and the first thing that could not be meant."""

    selections: list[Selection] = field(default_factory=list)
    refusal: str | None = None
    heard: bool = False  # whether any of them has asked for the options


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
