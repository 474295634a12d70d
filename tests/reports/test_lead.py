"""The few sentences at the top: speed, money and energy, however many groups there are."""

from __future__ import annotations

from dataclasses import replace

from bench.records import Run
from reports import console, html, markdown, short
from reports.document import compose
from tests.factories import INFERENCE, LATENCY, TRAINING, make_run, make_trial, with_energy
from tests.reports.example import failed, spread
from tests.reports.priced import BOOK, both_runs, priced_run


def many_groups() -> Run:
    """Five groups on a GPU, with energy; one of them undecided, one failed."""
    trials = []
    for number, workload in enumerate((TRAINING, INFERENCE, replace(LATENCY, measures="throughput"))):
        trials += [spread(make_trial(workload, 0.016, device="cuda:0"), 0.002, number)]
        trials += [spread(make_trial(workload, 0.008, device="cuda:0", precision="amp_bf16"), 0.003, number)]
    trials += [make_trial(TRAINING, 0.06), spread(make_trial(TRAINING, 0.05, threads=1), 0.4, 2)]
    run = with_energy(make_run(*trials), [300.0, 200.0, 300.0, 200.0, 300.0, 200.0, 300.0, 300.0], idle_w=60.0)
    trials = [*run.trials, make_trial(INFERENCE, 0.06), failed(make_trial(INFERENCE, 0.05, threads=1))]
    return replace(run, trials=tuple(trials), environment=priced_run().environment)


def test_a_sentence_for_each_group_leads_where_that_is_few() -> None:
    document = compose(make_run(make_trial(), spread(make_trial(step_s=0.01, threads=1), 0.002, 1)), BOOK)
    assert 2 <= len(document.lead) <= 5
    assert document.lead[0].startswith("Inference on cpu: cpu-fp32-threads1 is 1.999 times")
    assert "cost 0.0" in document.lead[1]


def test_money_and_energy_lead_beside_speed_however_many_groups_there_are() -> None:
    document = compose(many_groups(), BOOK)
    speed, money, energy = document.lead[:3]
    assert len(document.lead) == 5
    assert speed.startswith("The largest speed-ups shown, each over the baseline of its group: 2.00")
    assert speed.count(" times with cuda0-amp_bf16 (") == 3
    assert speed.endswith("Nothing was shown to be faster in training on cpu and inference on cpu.")
    assert money.startswith("The cheapest of each group, for 1 million images as they are paid by default: ")
    assert money.count(" by rent (") == 5
    assert "cpu-fp32-threads1 by rent (training on cpu, UNSURE)" in money
    assert energy.startswith("The most work per joule shown, each over the baseline of its group: 3.0")
    assert document.summary[:5] == document.lead
    # What was said of each group is not lost.
    assert sum(sentence.startswith("Training on cuda:0: ") for sentence in document.summary) >= 3


def test_three_groups_keep_their_own_sentences_and_share_that_of_money() -> None:
    document = compose(both_runs(), BOOK)
    assert [sentence.partition(" ")[0] for sentence in document.lead] == [
        "Training",
        "Inference",
        "Inference",
        "The",
        "Inference",
    ]
    assert "largest saving of energy" in document.lead[4]


def test_every_sentence_is_said_once_and_in_every_form() -> None:
    document = compose(many_groups(), BOOK)
    assert len(set(document.summary)) == len(document.summary)
    forms = (console.render(document, 200), markdown.render(document), html.render(document))
    for form in forms:
        assert form.count("The cheapest of each group, for 1 million images") == 1
    assert "The most work per joule shown" in short.render(document)


def test_the_doubts_about_the_fastest_are_told_in_the_joint_sentence_too() -> None:
    run = many_groups()
    shaky = spread(make_trial(TRAINING, 0.008, device="cuda:0", precision="amp_bf16"), 0.2, 1)
    run = replace(run, trials=(run.trials[0], shaky, *run.trials[2:]))
    assert "amp_bf16 (training on cuda:0, imprecise)" in compose(run, BOOK).lead[0]
