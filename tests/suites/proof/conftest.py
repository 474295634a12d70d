from __future__ import annotations

import pytest

from suites.proof.outcome import Pace, Task

QUICK = Pace("quick", most_waves=1, budget_share=0.01, length_share=0.01, repeats=2, trains=False)


@pytest.fixture
def task(tmp_path):
    """Makes a task of this name, with its folder."""

    def make(name="a-step", device="cpu", **settings):
        made = Task(name, tmp_path, QUICK, device, settings)
        made.folder.mkdir(exist_ok=True)
        return made

    return make
