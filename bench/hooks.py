"""Hooks that Joulemark's measuring plugin calls; a report plugin, or a user's conftest, listens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from bench.analysis import Gate, RunComparison
    from bench.records import Run


def pytest_joulemark_run_saved(run: Run, path: Path, config: pytest.Config, prices: Path | None) -> None:
    """Called once at the end of a session that measured something, after ``run.json`` was written.

    ``path`` is the file; its folder is the run's own and the place for reports of it. ``prices`` is the price book
    that was asked for, None for the one that is shipped.
    """


def pytest_joulemark_compared(comparison: RunComparison, gates: tuple[Gate, ...], config: pytest.Config) -> None:
    """Called after that, in a session with ``--bench-against``, if there was a run to compare with.

    Whether the session fails is decided by the measuring plugin.
    """
