from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from bench import UnavailableError
from suites.backends.compiled import check_compiler
from suites.data import DataSet, load

SHAPE = (3, 32, 32)


@pytest.fixture(scope="session")
def cache_home(tmp_path_factory) -> Path:
    """One empty cache folder for all tests of this folder: images are made once, the user's own are not touched."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_cache(cache_home, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_home))


@pytest.fixture(autouse=True)
def _fixed_random_state() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="session")
def _driver_has_been_complained_of() -> None:
    """PyTorch warns once in a process of a driver that is too old: here, and not in whatever test is the first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.cuda.is_available()


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Several threads wait for each other by spinning; beside another busy process that takes ten times as long."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def digits() -> DataSet:
    return load("digits", SHAPE, 10)


@pytest.fixture
def compiler() -> Iterator[None]:
    """Skip where torch.compile cannot work; forget afterwards what was compiled."""
    try:
        check_compiler()
    except UnavailableError as error:
        pytest.skip(str(error))
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.fixture
def without_onednn() -> Iterator[None]:
    torch.backends.mkldnn.set_flags(False)
    yield
    torch.backends.mkldnn.set_flags(True)


def _with_fp32_precision(precision: str, *places: Any) -> Iterator[None]:
    before = [place.fp32_precision for place in places]
    for place in places:
        place.fp32_precision = precision
    yield
    for place, value in zip(places, before, strict=True):
        place.fp32_precision = value


@pytest.fixture
def gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("PyTorch sees no GPU")


@pytest.fixture
def tf32(gpu) -> Iterator[None]:
    yield from _with_fp32_precision("tf32", torch.backends.cuda.matmul, torch.backends.cudnn.conv)


@pytest.fixture
def strict_float32(gpu) -> Iterator[None]:
    yield from _with_fp32_precision("ieee", torch.backends.cuda.matmul, torch.backends.cudnn.conv)
