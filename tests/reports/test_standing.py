from __future__ import annotations

from bench.analysis import Verdict, summarise
from bench.records import Proof
from reports.standing import Standing, standing
from tests.factories import make_run, make_trial, with_scores
from tests.reports.example import example_run, failed


def test_each_row_stands_where_its_evidence_puts_it() -> None:
    training, inference = summarise(example_run())
    assert [standing(row).name for row in training.rows] == [
        "BASELINE",
        "FASTER",
        "SLOWER",
        "FAILED",
        "UNSURE",
        "STRUCK",
    ]
    assert [standing(row).name for row in inference.rows] == [
        "BASELINE",
        "SAME",
        "SLOWER",
        "FASTER",
        "UNSURE",
        "SLOWER",
        "STRUCK",
    ]


def test_a_failure_weighs_more_than_a_label_that_was_not_honoured() -> None:
    trial = failed(make_trial(threads=1, proofs=[Proof("threads", "1", "2")]))
    (group,) = summarise(make_run(make_trial(), trial))
    assert standing(group.rows[1]) is Standing.FAILED


def test_a_struck_baseline_leaves_the_others_unjudged() -> None:
    baseline = make_trial(proofs=[Proof("tf32", "off", "on")])
    (group,) = summarise(make_run(baseline, make_trial(layout="channels_last")))
    assert [standing(row) for row in group.rows] == [Standing.STRUCK, Standing.UNJUDGED]


def test_a_wrong_result_strikes_a_row_out_like_a_label_that_was_not_honoured() -> None:
    (group,) = summarise(
        make_run(with_scores(make_trial(), 6e-7), with_scores(make_trial(step_s=0.001, threads=1), 0.3))
    )
    assert [standing(row) for row in group.rows] == [Standing.BASELINE, Standing.STRUCK]


def test_every_verdict_is_a_standing() -> None:
    assert {verdict.value for verdict in Verdict} <= {one.value for one in Standing}
