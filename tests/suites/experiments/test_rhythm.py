from __future__ import annotations

import pytest

from bench.instruments.fakes import ScriptedClock, counter, steps
from suites.experiments import rhythm
from suites.experiments.rhythm import changes, sentence, spacing


def test_how_often_a_sensor_changes():
    assert spacing([0.0, 0.1, 0.2, 0.4]) == {
        "median_s": pytest.approx(0.1),
        "least_s": pytest.approx(0.1),
        "most_s": pytest.approx(0.2),
        "changes": 4,
    }
    assert spacing([0.0, 0.1]) is None
    assert sentence(("counter", spacing([0.0, 0.1, 0.2, 0.4]))) == "counter: every 100.0 ms (100.0 to 200.0), 4 changes"
    assert sentence(("counter", None)) == "counter: it hardly changed"


@pytest.mark.parametrize("step_s", [0.02, 0.1])
def test_no_change_of_a_counter_is_missed_by_who_reads_without_a_pause(step_s):
    clock = ScriptedClock(now_s=100.003)
    sensor = counter(clock, steps((0.0, 500.0)), step_s=step_s)
    found = changes(sensor, 2.0, clock)
    assert len(found) == round(2.0 / step_s)
    assert spacing(found)["median_s"] == pytest.approx(step_s, rel=0.01)


def test_without_a_sensor_there_is_nothing_to_say(capsys):
    assert rhythm.main(["--power", "off"]) == 0
    assert capsys.readouterr().out == "nothing to read here\n"


def test_a_power_that_is_none_is_refused_in_a_line(capsys):
    assert rhythm.main(["--power", "steam"]) == 2
    assert capsys.readouterr().err.startswith("suites.experiments.rhythm: power 'steam'")
