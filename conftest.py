"""Two kinds of pytest run start here: ``--benchmark-only`` measures the suites, anything else runs the tests.

``--benchmark-disable`` takes one step of each case of the suites.

What is named on the command line is never ignored.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

pytest_plugins = ["pytester"]

_ROOT = Path(__file__).parent


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """True for the folder whose turn it is not; None leaves the others to pytest."""
    suites = config.getoption("benchmark_only") or config.getoption("benchmark_disable")
    unwanted = _ROOT / ("tests" if suites else "suites")
    if collection_path != unwanted or _is_named(unwanted, config):
        return None
    return True


def _is_named(folder: Path, config: pytest.Config) -> bool:
    places = (config.invocation_params.dir / argument.partition("::")[0] for argument in config.args)
    return any(place.resolve().is_relative_to(folder) for place in places)
