from __future__ import annotations

import math

import pytest

from suites.experiments import bias
from suites.experiments.bias import Ratio, Reported, parse_axes, sentence


def test_axes_are_read_from_words():
    assert parse_axes("") == {}
    assert parse_axes("precision=amp_bf16,threads=1,onednn=false") == {
        "precision": "amp_bf16",
        "threads": 1,
        "onednn": False,
    }


def test_the_bias_is_what_lies_between_both_ratios_with_the_error_of_both():
    reported = Reported(Ratio(math.log(1.03), 0.003, 6), 4.25)
    said = sentence("threads=1", "spawn", reported, Ratio(math.log(1.0), 0.004, 15))
    assert said == (
        "threads=1 by spawn: reported 1.0300 ± 0.30% (6), plain 1.0000 ± 0.40% (15), bias +3.00% ± 0.50%; "
        "a wave is set up in 4.2 s"
    )


def test_a_ratio_has_the_standard_error_of_its_mean():
    ratio = Ratio.of([0.01, 0.03])
    assert ratio == (pytest.approx(0.02), pytest.approx(0.01), 2)


class DriftingLoop:
    """On a machine that gets slower by a percent a loop; a setting takes twice as long. Warm-ups do not count."""

    loops = 0

    def __init__(self, axes: str, seconds: float) -> None:
        self._factor = 2.0 if axes else 1.0

    def steps_s(self, seconds: float | None = None) -> list[float]:
        if seconds is None:
            DriftingLoop.loops += 1
        return [self._factor * math.exp(DriftingLoop.loops / 100)] * 3

    def close(self) -> None:
        pass


@pytest.mark.parametrize("turns", [1, 3])
def test_a_steady_drift_cancels_whatever_the_number_of_turns(monkeypatch: pytest.MonkeyPatch, turns: int):
    monkeypatch.setattr(bias, "PlainLoop", DriftingLoop)
    monkeypatch.setattr(DriftingLoop, "loops", 0)
    ratio = bias.plain_ratio("threads=1", 0.0, 10.0, turns)
    assert math.exp(ratio.mean) == pytest.approx(2.0)
    assert ratio.values == 2, "a value for each pair of processes, at least two"
    assert DriftingLoop.loops == 2 * (2 * turns + 1)


def test_a_way_of_starting_workers_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        bias.main(["--start", "thread"])
    assert "invalid choice: 'thread'" in capsys.readouterr().err
