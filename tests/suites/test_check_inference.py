from __future__ import annotations

import pytest

from bench import MeasurementError, Variant
from bench.records import Case
from suites import check_inference
from tests.factories import INFERENCE


def test_the_plain_loop_times_steps_of_its_own():
    turn = check_inference.plain_loop()
    assert 1e-4 < turn(0.01) < 10


def test_the_plain_process_has_a_turn_between_all_rounds_and_ends_when_closed():
    plain = check_inference.PlainProcess(0.01)
    plain.enrolling(Case(INFERENCE, Variant.of()), 0)
    plain.round_done(0, 0, 2)
    plain.round_done(0, 1, 2)
    plain.close()
    assert len(plain.turns_s) == 2
    assert all(1e-4 < step_s < 10 for step_s in plain.turns_s)
    with pytest.raises(MeasurementError, match="plain loop ended"):
        plain.take_turn()


def test_too_few_waves_are_refused(capsys):
    with pytest.raises(SystemExit) as caught:
        check_inference.main(["--waves", "1"])
    assert caught.value.code == 2
    assert "at least 2 waves" in capsys.readouterr().err
