from __future__ import annotations

import string

import pytest

from bench.analysis import Verdict
from bench.records import Caveat, CaveatKind, CheckKind, Plan, Proof
from reports.figures import DASH
from reports.wording import CAVEATS, VERDICTS, comparisons_said, of_caveat, of_failure, of_strike, of_verdict
from tests.factories import make_trial
from tests.reports.example import failed


@pytest.mark.parametrize("kind", CaveatKind)
def test_every_kind_of_caveat_has_a_sentence_and_a_next_step(kind: CaveatKind) -> None:
    wording = CAVEATS[kind]
    assert wording.label
    assert wording.sentence
    assert not wording.sentence.endswith(".")
    assert wording.advice.endswith(".")


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_a_sentence_and_a_next_step(verdict: Verdict) -> None:
    wording = of_verdict(verdict, Plan(band=0.02))
    assert wording.label == verdict.value
    assert wording.advice.endswith(".")
    assert "{" not in wording.sentence


@pytest.mark.parametrize("kind", CaveatKind)
def test_a_caveat_without_its_figures_shows_dashes_and_raises_nothing(kind: CaveatKind) -> None:
    fields = [name for _, name, _, _ in string.Formatter().parse(CAVEATS[kind].sentence) if name]
    assert of_caveat(Caveat(kind)).sentence.count("–") == (0 if kind is CaveatKind.IMPRECISE else len(fields))


def test_the_figures_of_a_caveat_are_written_with_their_units() -> None:
    said = {
        kind: of_caveat(Caveat.of(kind, **figures)).sentence
        for kind, figures in (
            (CaveatKind.NOT_WARM, {"waves": 2, "warm_up_s": 5.0}),
            (CaveatKind.IMPRECISE, {"half_width": 0.023, "wanted": 0.01}),
            (CaveatKind.TWO_MODES, {"low_s": 0.010, "high_s": 0.012}),
            (CaveatKind.INTERRUPTED, {"waves": 1, "planned": 6}),
        )
    }
    assert "after 5.00 s (in 2 waves)" in said[CaveatKind.NOT_WARM]
    assert "±2.3\u00a0%, wider than the ±1\u00a0%" in said[CaveatKind.IMPRECISE]
    assert "10.0 ms and 12.0 ms" in said[CaveatKind.TWO_MODES]
    assert "after 1 wave of 6 planned" in said[CaveatKind.INTERRUPTED]


def test_a_comparison_without_an_interval_is_not_given_a_width() -> None:
    sentence = of_caveat(Caveat.of(CaveatKind.IMPRECISE, half_width="none", wanted=0.01)).sentence
    assert "no interval" in sentence
    assert "±" not in sentence


def test_a_failure_tells_its_phase_its_reason_and_how_to_look_closer() -> None:
    wording = of_failure(failed(make_trial(backend="compile")))
    assert wording is not None
    assert wording.sentence == "failed in build (wave 1): CppCompileError: no C++ compiler was found"
    assert '--bench-case="inference[cpu-fp32-compile]"' in wording.advice
    assert of_failure(make_trial()) is None


def test_a_strike_names_what_was_read_back() -> None:
    trial = make_trial(proofs=[Proof("threads", "1", "2"), Proof("layout", "contiguous", "contiguous")])
    assert of_strike(trial) == "struck out, its label was not honoured: threads was 2, not 1"


def test_the_handling_of_several_comparisons_is_said_with_its_risk() -> None:
    assert "Holm" in comparisons_said(Plan(confidence=0.99))
    assert "1\u00a0%" in comparisons_said(Plan(confidence=0.99))


def test_verdicts_are_worded_for_no_other_names() -> None:
    assert set(VERDICTS) == set(Verdict)
    assert set(CAVEATS) == set(CaveatKind)


@pytest.mark.parametrize("kind", CheckKind)
@pytest.mark.parametrize("found", [0.31, 2e-4, "none"])
def test_what_is_wrong_is_said_with_its_figures(kind: CheckKind, found: float | str) -> None:
    figures = {"check": kind.value, "found": found, "allowed": 1e-4, "against": "FP64", "n": 360, "items": "images"}
    if found == "none" and kind in (CheckKind.AGREEMENT, CheckKind.ACCURACY):
        return  # a count is always a number
    sentence = of_caveat(Caveat.of(CaveatKind.WRONG_RESULT, **figures)).sentence
    assert "{" not in sentence
    assert DASH not in sentence
    if found != "none" and kind is not CheckKind.TURNS:
        assert {0.31: "31\u00a0%", 2e-4: "2.0e-4"}[found] in sentence
        assert "1.0e-4" in sentence


def test_what_is_no_number_is_said_to_be_none() -> None:
    for kind, words in ((CheckKind.SCORES, "its scores are no finite numbers"), (CheckKind.LOSS, "within 8 steps")):
        caveat = Caveat.of(CaveatKind.WRONG_RESULT, check=kind.value, found="none", allowed=0.05, against="FP32", n=8)
        assert words in of_caveat(caveat).sentence


def test_a_strike_names_what_is_wrong() -> None:
    trial = make_trial(proofs=[Proof("threads", "1", "2")])
    wrong = Caveat.of(CaveatKind.WRONG_RESULT, check="loss", found=0.3, allowed=0.05, against="FP32", n=8)
    assert of_strike(trial, [wrong]) == (
        "struck out, its label was not honoured: threads was 2, not 1, and its results are wrong: "
        "its loss after 8 steps is 30\u00a0% off that in FP32; 5\u00a0% is allowed"
    )
    assert of_strike(make_trial(), [wrong]).startswith("struck out, its results are wrong: its loss")
