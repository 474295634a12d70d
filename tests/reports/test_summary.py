from __future__ import annotations

from dataclasses import replace

from bench.analysis import summarise
from bench.records import Caveat, CaveatKind, Proof, Run
from reports.summary import headline, ranked_winners, summarised, titles
from tests.factories import INFERENCE, make_run, make_trial, with_scores
from tests.reports.example import example_run, failed, spread


def sentences(run: Run) -> str:
    return "\n".join(summarised(summarise(run), run))


def test_the_example_is_told_in_seven_sentences() -> None:
    run = example_run()
    said = summarised(summarise(run), run)
    assert len(said) == 7
    assert said[0].startswith("Training on cpu: cpu-fp32-channels_last is 1.08")
    assert said[1].startswith("Inference on cpu: cpu-fp32-compile is 1.41")
    assert "compile takes 39.6 s more to set up than cpu-fp32" in said[2]
    assert "Undecided" in said[4]
    assert "cpu-fp32-no_onednn" in said[4]
    assert said[5].endswith("inference on cpu: cpu-fp32-no_onednn would take more than 200 waves.")
    assert said[6].startswith("Failed: cpu-fp32-compile (training on cpu); struck out")
    assert "training[cuda0-fp32]" in said[6]


def test_nobody_wins_who_is_not_faster() -> None:
    run = make_run(make_trial(), spread(make_trial(step_s=0.018, layout="channels_last"), 0.3, 1))
    assert "no setting was shown to be faster than cpu-fp32" in sentences(run)
    assert "Undecided" in sentences(run)


def test_a_failed_or_struck_case_never_wins_however_fast() -> None:
    quick = replace(failed(make_trial()), samples=make_trial(step_s=0.001).samples)
    quick = replace(quick, case=make_trial(layout="channels_last").case)
    struck = make_trial(step_s=0.001, threads=1, proofs=[Proof("threads", "1", "2")])
    (group,) = summarise(make_run(make_trial(), quick, struck))
    assert ranked_winners(group) == ()


def test_two_winners_that_cannot_be_told_apart_are_not_ranked() -> None:
    run = make_run(
        spread(make_trial(), 0.002, 0),
        spread(make_trial(step_s=0.0100, layout="channels_last"), 0.01, 1),
        spread(make_trial(step_s=0.0101, backend="compile"), 0.01, 2),
    )
    assert "the interval of cpu-fp32-compile overlaps with it, so the two are not ranked" in sentences(run)


def test_the_doubts_about_a_winner_are_told_with_it() -> None:
    doubtful = replace(make_trial(step_s=0.01, layout="channels_last"), caveats=(Caveat.of(CaveatKind.UNPINNED),))
    assert "Its caveats: unpinned" in sentences(make_run(make_trial(), doubtful))


def test_a_single_wave_decides_nothing() -> None:
    run = make_run(make_trial(waves=1), make_trial(step_s=0.01, waves=1, layout="channels_last"))
    assert "no setting was shown to be faster" in sentences(run)
    assert "Comparisons of a single wave leave out" in sentences(run)


def test_a_baseline_without_figures_compares_nothing() -> None:
    run = make_run(failed(make_trial()), make_trial(layout="channels_last"))
    assert "the baseline cpu-fp32 failed, so no setting can be compared" in sentences(run)
    struck = make_run(make_trial(proofs=[Proof("tf32", "off", "on")]), make_trial(step_s=0.01, layout="channels_last"))
    assert "was not measured as labelled, so no setting is judged" in sentences(struck)


def test_a_single_case_and_no_case_are_told_as_what_they_are() -> None:
    assert "only cpu-fp32 has figures, so nothing is compared" in sentences(make_run(make_trial()))
    assert "holds no cases" in sentences(make_run())


def test_two_groups_that_would_read_the_same_are_told_apart_by_their_parameters() -> None:
    other = replace(INFERENCE, parameters=(("data", "mnist"),))
    groups = summarise(make_run(make_trial(), make_trial(other)))
    assert titles(groups) == ("inference on cpu (data digits)", "inference on cpu (data mnist)")


def test_a_headline_without_a_winner_has_no_figure() -> None:
    (group,) = summarise(make_run(make_trial()))
    assert headline("inference on cpu", group).figure == ""


def test_a_wrong_case_never_wins_and_is_named() -> None:
    wrong = with_scores(make_trial(step_s=0.001, precision="amp_bf16"), 0.4, 300)
    (group,) = summarise(run := make_run(with_scores(make_trial(), 6e-7), wrong))
    assert ranked_winners(group) == ()
    assert "Struck out because the results are wrong: cpu-amp_bf16 (inference on cpu)" in sentences(run)
    assert "label" not in sentences(run)


def test_the_winner_is_told_with_its_accuracy_and_the_baselines() -> None:
    quick = with_scores(make_trial(step_s=0.01, precision="amp_bf16"), 0.01, 354)
    said = sentences(make_run(with_scores(make_trial(), 6e-7), quick))
    assert "the largest speed-up shown of a setting whose results are right" in said
    assert "Its accuracy on 360 held-out images is 98.3\u00a0%, the baseline's 98.6\u00a0%." in said


def test_a_wrong_baseline_is_told_as_what_it_is() -> None:
    run = make_run(with_scores(make_trial(), 0.3), with_scores(make_trial(step_s=0.01, threads=1), 6e-7))
    assert "the baseline cpu-fp32 gave wrong results, so no setting is judged" in sentences(run)
