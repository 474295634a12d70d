from __future__ import annotations

import pytest

from bench import UsageError
from suites import check_inference
from tests.factories import INFERENCE, TRAINING, make_run, make_trial


def test_the_reported_figure_is_that_of_the_baseline_of_inference():
    run = make_run(
        make_trial(TRAINING, 0.08), make_trial(INFERENCE, 0.02), make_trial(INFERENCE, 0.015, precision="amp_bf16")
    )
    assert check_inference.reported_seconds(run) == pytest.approx(0.02, rel=0.01)


def test_a_run_without_that_figure_is_refused():
    with pytest.raises(UsageError, match="has no figure of inference"):
        check_inference.reported_seconds(make_run(make_trial(TRAINING, 0.08)))


def test_a_run_that_does_not_exist_ends_in_one_line(tmp_path, capsys):
    assert check_inference.main(["--run", str(tmp_path / "nothing")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_no_pairs_at_all_are_refused(capsys):
    assert check_inference.main(["--pairs", "0"]) == 2
    assert "--pairs 5" in capsys.readouterr().err
