"""The bridge to pytest-benchmark, through its public interface: measured samples are replayed into its fixture.

Its table, ``--benchmark-json``, ``--benchmark-autosave`` and ``--benchmark-compare`` then work on the very samples
that Joulemark measured. A timer that answers 0.0 and then the sample makes each duration exact to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bench.analysis.soundness import status_of
from bench.errors import MeasurementError
from bench.measurement import group_name
from bench.records import Case, Plan, Trial


class Replay:
    """The timer and the sequence of step times of one case; handed to pytest-benchmark before its fixture is made."""

    def __init__(self) -> None:
        self._ticks: Iterator[float] = iter(())

        def joulemark_samples() -> float:
            return next(self._ticks, 0.0)

        self.timer: Callable[[], float] = joulemark_samples

    def attach(self, item: pytest.Item, case: Case | None) -> None:
        """Make pytest-benchmark use this timer for the item; the user's own marker keeps its other settings.

        Only the closest marker is read, so the merged one is put in front.
        """
        marker = item.get_closest_marker("benchmark")
        settings = dict(marker.kwargs) if marker else {}
        group = {} if case is None else {"group": group_name(case)}  # what may be compared, unless the user says so
        item.add_marker(pytest.mark.benchmark(**{**group, **settings, "timer": self.timer}), append=False)

    def play(self, trial: Trial, plan: Plan, benchmark: Any) -> None:
        """Hand the seconds per step of all timing samples to the fixture.

        Raises:
            MeasurementError: the trial failed; raised inside the fixture, so that its JSON keeps the other cases.
        """
        times = [sample.step_s for sample in trial.samples if sample.kind is trial.kind]
        if trial.failure is not None or not times:
            message = failure_message(trial)

            def fail() -> None:
                raise MeasurementError(message)

            benchmark.pedantic(_nothing, setup=fail)
            return
        self._ticks = (tick for time_s in times for tick in (0.0, time_s))
        benchmark.extra_info.update(
            case=trial.case.name, items_per_step=trial.items_per_step, status=status_of(trial, plan)
        )
        benchmark.pedantic(_nothing, rounds=len(times), iterations=1)


def failure_message(trial: Trial) -> str:
    """Why a trial has no result, as the failing test should say it."""
    if trial.failure is None:
        return f"{trial.case.name} has no samples; the run was interrupted before its first round"
    failure = trial.failure
    text = f"{trial.case.name} failed in {failure.phase} (wave {failure.wave + 1}): {failure.reason}"
    return f"{text}\n{failure.detail}" if failure.detail else text


def mend_params(output_json: dict[str, Any]) -> None:
    """Write cases as their ids where pytest-benchmark could only note that it cannot serialise them."""
    for entry in output_json.get("benchmarks", ()):
        if "case" in (entry.get("params") or {}):
            entry["params"]["case"] = entry.get("param")


def _nothing() -> None:
    """What pytest-benchmark calls while it believes to be timing."""
