"""What holds for every test: a warning is an error, none may hang, and what needs a GPU is skipped without one.

Here and not in pyproject.toml, because neither may end somebody's measurement.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import hypothesis
import pytest

from bench.instruments.probe import why_unavailable

_TESTS = Path(__file__).parent
# A busy machine is no failure: what takes for ever is ended by the time limit of tests.
hypothesis.settings.register_profile("joulemark", deadline=None)
hypothesis.settings.load_profile("joulemark")


@cache
def _deterministic_products_are_possible() -> None:
    """PyTorch reads cuBLAS's variable once, at the first product of a process: before any setting removes it."""
    import torch

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.ones(2, 2, device="cuda:0") @ torch.ones(2, 2, device="cuda:0")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and why_unavailable("cuda:0") is None:
        _deterministic_products_are_possible()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    no_gpu = why_unavailable("cuda:0")
    limited = config.pluginmanager.hasplugin("timeout")  # a borrowed GPU machine may lack the plugin
    for item in items:
        if no_gpu is not None and item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason=f"needs an NVIDIA GPU: {no_gpu[0]}"))
        if item.path.is_relative_to(_TESTS):
            # In front of the test's own filters: of several, the last one applied wins. Libraries of CUDA warn of what
            # is no fault, such as a plan that cuDNN tried in vain.
            strict = "default" if item.get_closest_marker("gpu") else "error"
            item.add_marker(pytest.mark.filterwarnings(strict), append=False)
            if limited and item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(300))
