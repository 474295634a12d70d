"""What the user asked for, read once from the command line and ``[tool.joulemark]``, checked, and frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bench.records import Plan


@dataclass(frozen=True)
class Options:
    """The plan, where results go, and what the shipped suites measure."""

    plan: Plan = field(default_factory=Plan)
    out: Path = Path("out")
    data: str = "digits"
    model: str | None = None  # "module:factory"; None for the shipped ResNet-18
    input_shape: tuple[int, int, int] = (3, 32, 32)
    classes: int = 10


#: Where the plugin keeps the options of a session.
OPTIONS = pytest.StashKey[Options]()


def options_of(config: pytest.Config) -> Options:
    """The options of this pytest session, as the plugin read them."""
    return config.stash[OPTIONS]
