"""A self-check in words and in the three forms of a report."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.records import EmptyStep, Run, SelfCheck
from reports import console, html, markdown
from reports.document import compose
from reports.frames import to_csv
from reports.self_check import noise_said
from tests.factories import TRAINING, make_run, make_trial
from tests.reports.example import spread

COSTS = SelfCheck(1, 38e-9, 1e-9, 90e-6, 0.4e-3, (EmptyStep("cpu", 1.1e-6, None), EmptyStep("cuda:0", 2e-5, 5e-6)))


def _run(copies: int = 1, off: float = 1.0) -> Run:
    baseline = spread(make_trial(TRAINING, 0.06), 0.002, 0)
    copy = spread(make_trial(TRAINING, 0.06 * off), 0.004, 2)
    named = [replace(copy, case=replace(copy.case, copy=n + 1)) for n in range(copies)]
    run = make_run(baseline, spread(make_trial(TRAINING, 0.05, layout="channels_last"), 0.003, 1), *named)
    return replace(run, self_check=replace(COSTS, copies=copies))


def _words(text: str) -> str:
    return " ".join(text.replace("\u00a0", " ").split())


def _forms(run: Run) -> list[str]:
    document = compose(run)
    return [_words(form) for form in (console.render(document, 100), markdown.render(document), html.render(document))]


def test_every_form_says_below_what_differences_are_noise() -> None:
    (sentence,) = noise_said(_run())
    said = "here and in this time, differences below 1.5 % drown in noise in more than 20 % of runs."
    assert _words(sentence) == f"Self-check of training on cpu: {said}"
    for form in _forms(_run()):
        assert _words(sentence) in form
        for words in ("Self-check", "38.0 ns", "400 µs", "1.10 µs", "least step 1.00 ns", "cuda:0"):
            assert words in form


def test_a_copy_has_no_row_anywhere() -> None:
    run = _run()
    without = replace(run, trials=run.trials[:2], self_check=None)
    assert to_csv(run) == to_csv(without)
    assert compose(run).sections == compose(without).sections
    assert "~1" not in "".join(_forms(run))


@pytest.mark.parametrize("form", [0, 1, 2])
def test_a_run_without_one_says_nothing_of_it(form: int) -> None:
    run = _run(0)
    assert "elf-check" not in _forms(replace(run, self_check=None))[form]


def test_copies_that_were_called_different_are_a_warning() -> None:
    (sentence,) = noise_said(_run(2, off=1.1))
    assert "Yet 2 of 2 identical copies were called different" in sentence


def test_the_rate_of_false_alarms_has_its_bounds() -> None:
    for form in _forms(_run(8)):
        assert "0 of 4" in form
        assert "between 0 % and 60 % (95 %, Clopper and Pearson)" in form
