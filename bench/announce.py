"""A pytest plugin for a program that started pytest and wants to know where the run was saved.

Loaded by ``-p bench.announce``; the path is written to the file that the environment's JOULEMARK_SAVED_TO names.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.storage import write_whole


@pytest.hookimpl(optionalhook=True)
def pytest_joulemark_run_saved(path: Path) -> None:
    """Write the absolute path of the run's file."""
    place = os.environ.get("JOULEMARK_SAVED_TO")
    if place:
        write_whole(Path(place), str(path.resolve()).encode())
