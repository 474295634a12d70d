"""How many threads a case gets by default: one for each core it may use, as PyTorch itself starts them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench.instruments import cores, quota
from bench.instruments.cores import cores_of, threads_by_default, usable_cpus


def _topology(folder, siblings: dict[int, str], name: str = "core_cpus_list"):
    for cpu, text in siblings.items():
        file = folder / f"devices/system/cpu/cpu{cpu}/topology/{name}"
        file.parent.mkdir(parents=True)
        file.write_text(text + "\n")
    return folder


@pytest.mark.parametrize("name", ["core_cpus_list", "thread_siblings_list"])
def test_two_threads_of_a_core_are_one_core(tmp_path, name):
    system = _topology(tmp_path, {0: "0,4", 1: "1,5", 4: "0,4", 5: "1,5"}, name)
    assert cores_of({0, 1, 4, 5}, system) == 2
    assert cores_of({0, 1}, system) == 2
    assert cores_of({0, 4}, system) == 1


def test_where_nothing_is_told_each_is_a_core(tmp_path):
    assert cores_of({0, 1, 2}, tmp_path) == 3


@pytest.mark.parametrize(("allowed", "threads"), [(None, 8), (16.0, 8), (2.5, 3), (2.0, 2), (0.1, 1)])
def test_a_quota_bounds_the_threads(monkeypatch, tmp_path, allowed, threads):
    monkeypatch.setattr(cores, "usable_cpus", lambda: frozenset(range(16)))
    monkeypatch.setattr(cores, "cores_of", lambda cpus: len(cpus) // 2)
    monkeypatch.setattr(quota, "find", lambda: None if allowed is None else quota.Quota(allowed, tmp_path))
    assert threads_by_default() == threads


def test_on_this_machine_it_is_pytorch_s_own_default():
    """Of the same affinity, and with nothing in the environment that decides it."""
    if quota.find() is not None:
        pytest.skip("PyTorch knows nothing of the CPU quota here")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "MKL_"))}
    command = [sys.executable, "-c", "import torch; print(torch.get_num_threads())"]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert threads_by_default() == int(said.stdout)
    assert usable_cpus() == frozenset(os.sched_getaffinity(0))
