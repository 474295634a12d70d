"""What a choice costs, in words and in a table, in all three forms of a report."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench import Workload
from bench.records import Run, Trial
from reports import console, html, markdown
from reports.document import compose
from reports.figures import DASH
from tests.factories import LATENCY, TRAINING, make_latencies, make_run, make_trial, with_energy
from tests.reports.example import spread
from tests.reports.priced import BOOK, priced_run

WHOLE = Workload(
    "training_end_to_end", "suites.training_end_to_end:build", parameters=TRAINING.parameters, items="images"
)


def on_cuda(step_s: float, **axes: str) -> Trial:
    return make_trial(step_s=step_s, device="cuda:0", **axes)


def said(run: Run) -> str:
    return "\n".join(compose(run).summary).replace("\u00a0", " ")


def forms(run: Run) -> tuple[str, str, str]:
    document = compose(run)
    return console.render(document, 200), markdown.render(document), html.render(document)


def test_a_winner_that_compiles_says_when_it_has_paid() -> None:
    run = make_run(make_trial(), make_trial(step_s=0.01, backend="compile", build_s=11.0))
    assert "cpu-fp32-compile takes 30.0 s more to set up than cpu-fp32 with cold caches" in said(run)
    by = "by the interval of the speed-up; set-up was timed once"
    assert f"has paid after 96,000 images (96,000 to 96,000 {by}), with warm ones after 32,000" in said(run)


def test_a_winner_that_costs_no_more_says_nothing_of_it() -> None:
    assert "set up" not in said(make_run(make_trial(), make_trial(step_s=0.01, layout="channels_last")))


def test_the_share_of_the_input_is_told_where_both_forms_were_measured() -> None:
    run = make_run(make_trial(TRAINING, 0.06), make_trial(WHOLE, 0.08))
    assert "training_end_to_end[cpu-fp32] spends 25 % of its time on its input" in said(run)
    assert "not paired" in said(run)
    assert "input" not in said(make_run(make_trial(WHOLE, 0.08)))


def test_a_share_of_the_input_that_may_be_nothing_is_not_given() -> None:
    run = make_run(make_trial(TRAINING, 0.06, wobble=0.2), make_trial(WHOLE, 0.06, wobble=0.2))
    assert "What share of its time training_end_to_end[cpu-fp32] spends on its input" in said(run)
    assert "could not be shown" in said(run)


def test_the_price_of_independence_stands_in_words_and_in_a_table_of_every_form() -> None:
    run = make_run(on_cuda(0.02), on_cuda(0.016, backend="compile"), on_cuda(0.008, backend="cuda_graphs"))
    assert "the price of independence: 2.000 (95 % interval 2.000 to 2.000) times as fast" in said(run)
    assert "cuda0-fp32-cuda_graphs (vendor-bound) against cuda0-fp32-compile (vendor-neutral)" in said(run)
    aside = compose(run).sections[0].aside
    assert aside is not None
    assert [[cell.text for cell in line.cells] for line in aside.lines] == [
        ["vendor-neutral", "cuda0-fp32-compile", "16.001", "2000", "1.250", DASH],
        ["vendor-bound", "cuda0-fp32-cuda_graphs", "8.001", "4000", "2.500", DASH],
    ]
    for text in forms(run):
        assert "The price of independence" in text


def test_independence_has_a_price_in_energy_and_in_money_too() -> None:
    trials = [on_cuda(0.016), on_cuda(0.008, backend="compile"), on_cuda(0.004, backend="cuda_graphs")]
    trials = [spread(trial, 0.004, number) for number, trial in enumerate(trials)]
    run = with_energy(make_run(*trials), [300.0, 310.0, 320.0], idle_w=60.0)
    document = compose(replace(run, environment=priced_run().environment), BOOK)
    (sentence,) = [one for one in document.summary if "independence" in one]
    assert "; 40.2 mJ against 77.6 mJ for each image" in sentence
    assert "; 0.0868 against 0.1738 USD for 1 million images by rent." in sentence
    aside = document.sections[0].aside
    assert aside is not None
    assert [(column.heading, column.under) for column in aside.columns[-2:]] == [
        ("energy", "mJ/image"),
        ("rent", "USD a million"),
    ]
    assert [line.cells[-1].text for line in aside.lines] == ["0.1738", "0.0868"]
    assert all(line.cells[-1].detail for line in aside.lines)


def test_without_a_sure_verdict_the_price_is_unknown() -> None:
    run = make_run(on_cuda(0.02), spread(on_cuda(0.018, backend="tensorrt"), 0.3, 1))
    assert "the price of independence: unknown, no vendor-bound setting has a sure verdict" in said(run)
    assert compose(run).sections[0].aside is None


def test_a_cpu_has_no_price_of_independence() -> None:
    run = make_run(make_trial(), make_trial(step_s=0.01, backend="compile"))
    assert "independence" not in said(run)
    assert all("price of independence" not in text for text in forms(run))


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_latency_table_fits_the_terminal(width: int) -> None:
    steps_s = [0.010 + 0.000001 * (n * 7919 % 3000) for n in range(3000)]
    run = make_run(make_latencies(LATENCY, steps_s), make_latencies(LATENCY, steps_s, layout="channels_last"))
    text = console.render(compose(run), width)
    assert "p50" in text
    assert "≤ 12.9" in text
    assert max(map(len, text.splitlines())) <= width


def test_a_latency_page_has_no_picture_of_rates() -> None:
    run = make_run(make_latencies(LATENCY, [0.01] * 3000), make_latencies(LATENCY, [0.005] * 3000, threads=1))
    page = forms(run)[2]
    assert "speed-up</b>" in page
    assert "more is better" not in page
