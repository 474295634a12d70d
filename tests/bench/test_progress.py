"""Progress says nothing where nobody watches, and names no time left before it can know."""

from __future__ import annotations

import pytest

from bench import Plan, Variant
from bench.progress import _Shown, shown
from bench.records import Case
from bench.surroundings import Silence
from tests.factories import INFERENCE

CASES = [Case(INFERENCE, Variant.of(threads=n)) for n in (0, 1)]


class RecordedDisplay:
    """Stands in for rich's progress: keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[float, str]] = []

    def add_task(self, description: str, **fields: object) -> int:
        return 0

    def update(self, task: int, *, completed: float, description: str, refresh: bool) -> None:
        assert refresh
        self.told.append((completed, description))


def test_the_number_of_waves_may_shrink_on_the_way() -> None:
    display = RecordedDisplay()
    progress = _Shown(display, "inference on cpu", 2, Plan(waves=6))  # type: ignore[arg-type]
    progress.waves_set(4)
    progress.round_done(3, 2, 3)
    assert display.told[-1][0] == 1.0
    assert "wave 4/4" in display.told[-1][1]


def test_a_resumed_run_goes_by_what_this_sitting_has_done(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, *[10.0] * 3, 60.0])
    monkeypatch.setattr("bench.progress.time.monotonic", lambda: next(clock))
    display = RecordedDisplay()
    progress = _Shown(display, "inference on cpu", 2, Plan(waves=6))  # type: ignore[arg-type]
    progress.enrolling(CASES[0], 3)
    assert "left" not in display.told[-1][1]
    progress.round_done(3, 0, 3)
    progress.round_done(3, 2, 3)  # a sixth of it all in ten seconds, and two sixths are left
    assert display.told[-1][1].endswith("about 20 s left")


def test_a_pipe_and_a_quiet_session_get_silence() -> None:
    with shown("inference on cpu", 2, Plan(), quiet=False) as progress:
        assert isinstance(progress, Silence)  # pytest's capture is no terminal
    with shown("inference on cpu", 2, Plan(), quiet=True) as progress:
        assert isinstance(progress, Silence)


def test_progress_grows_from_nothing_to_all_of_it() -> None:
    display = RecordedDisplay()
    progress = _Shown(display, "inference on cpu", 2, Plan(waves=2))  # type: ignore[arg-type]
    for wave in range(2):
        for case in CASES:
            progress.enrolling(case, wave)
        for round_ in range(3):
            progress.round_done(wave, round_, 3)
    done = [completed for completed, _ in display.told]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0.0, 1.0)
    assert display.told[0][1] == "wave 1/2, setting up cpu-fp32"
    assert "left" in display.told[-2][1]
