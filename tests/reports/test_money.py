from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

import pytest

from bench.analysis import summarise
from bench.analysis.cost import Cost, CostLine, bill_of, device_of, tariff_of
from reports import console, html, markdown, short
from reports.document import Document, compose
from reports.frames import COLUMNS, frame, to_csv
from reports.places import _even, _Place
from reports.tables import Table
from tests.factories import INFERENCE, TRAINING, make_run, make_trial, with_energy
from tests.reports.example import HOSTILE, example_run, failed, run_saying, spread
from tests.reports.golden_text import golden
from tests.reports.priced import BOOK, book_saying, both_runs, cpu_run, priced_run
from tests.reports.test_frames import assert_inert_rows
from tests.reports.test_html import Outline
from tests.reports.test_markdown import structure


def priced() -> Document:
    return compose(both_runs(), BOOK)


def table(document: Document, title: str) -> Table:
    return next(one for one in document.money if one.title.startswith(title))


def test_the_bill_looks_as_it_did() -> None:
    document = priced()
    for name, text in (
        ("bill-80.txt", console.render(document, 80)),
        ("bill-200.txt", console.render(document, 200)),
        ("bill.md", markdown.render(document)),
        ("bill-short.md", short.render(document)),
    ):
        assert text == golden(name, text)


def test_what_a_struck_case_would_cost_is_struck_too() -> None:
    document = compose(example_run(), BOOK)
    costs = table(document, "training on cpu: what 1 million")
    assert costs.lines[-1].cells[0].text == "cpu-fp32-threads1"
    after = markdown.render(document).split("raining on cpu: what 1 million")[1]
    line = next(line for line in after.splitlines() if "cpu-fp32-threads1" in line)
    assert line.count("~~") >= 4
    assert re.search(r"<th[^>]*><s>cpu-fp32-threads1</s></th>\s*<td[^>]*rent[^>]*><s>", html.render(document))


def test_the_csv_of_the_bill_holds_the_same_figures() -> None:
    text = to_csv(priced_run(), BOOK)
    rows = list(csv.DictReader(io.StringIO(text)))
    run = priced_run()
    (group,) = summarise(run)
    bill = bill_of(group.rows[0], tariff_of(BOOK, device_of(group, run)))
    assert bill is not None
    assert bill.rent is not None
    first = next(row for row in rows if row["metric"] == "rent per image")
    assert float(first["value"]) == bill.rent.value
    assert first["unit"] == "USD"
    stored = list(csv.DictReader(io.StringIO(golden("bill.csv", text))))
    assert [row["metric"] for row in rows] == [row["metric"] for row in stored]
    for row, expected in zip(rows, stored, strict=True):
        if expected["value"]:
            assert float(row["value"]) == pytest.approx(float(expected["value"]), rel=1e-9)


def test_without_prices_a_report_has_no_money() -> None:
    document = compose(both_runs())
    assert document.money == ()
    assert not any("USD" in sentence for sentence in document.summary)


def test_a_device_without_a_price_is_asked_for_in_one_line_and_the_rest_stands() -> None:
    document = compose(example_run(), BOOK)
    no_price = compose(make_run(make_trial(), make_trial(layout="channels_last", step_s=0.01)), book_without_rent())
    (asked,) = [sentence for sentence in no_price.summary if "price book has neither" in sentence]
    assert "Example CPU 9000" in asked
    assert no_price.money == ()
    assert no_price.sections[0].table.lines
    assert not any("price book has neither" in sentence for sentence in document.summary)


def test_a_region_without_a_price_of_electricity_is_asked_for_too() -> None:
    book = replace(BOOK, assume=replace(BOOK.assume, region="Atlantis"))
    said = [sentence for sentence in compose(priced_run(), book).summary if "Atlantis" in sentence]
    assert len(said) == 2
    assert "[[electricity]]" in said[0]
    assert "[[carbon]]" in said[1]


def test_a_page_of_fifty_cases_stays_under_two_megabytes() -> None:
    trials = [make_trial(w, 0.01 * (1 + n), threads=n) for w in (TRAINING, INFERENCE) for n in range(25)]
    watts = [50.0 + n for n in range(50)]
    page = html.render(compose(with_energy(make_run(*trials), watts), BOOK))
    assert len(page.encode("utf-8")) < 2 * 2**20


def book_without_rent():
    return type(BOOK)("USD", electricity=BOOK.electricity, carbon=BOOK.carbon, assume=BOOK.assume)


def test_money_is_per_million_items_with_its_interval() -> None:
    costs = table(priced(), "Inference on cuda:0".lower())
    keys = [column.key for column in costs.columns]
    assert keys == ["case", "rent", "spot", "owned", "electricity", "energy", "emissions", "set-up", "front"]
    baseline = dict(zip(keys, costs.lines[0].cells, strict=True))
    assert float(baseline["rent"].text) == pytest.approx(2.5 / 3600 * 0.0005 * 1e6, rel=0.01)
    assert re.fullmatch(r"[\d.]+–[\d.]+", baseline["rent"].detail)
    assert float(baseline["energy"].text) == pytest.approx(150 / 3.6, rel=0.01)
    assert costs.columns[5].under == "Wh"


def test_training_is_priced_by_epoch_and_by_run() -> None:
    run = table(priced(), "training on cpu: what a training run costs")
    keys = [column.key for column in run.columns]
    first = dict(zip(keys, run.lines[0].cells, strict=True))
    per_image = 0.10 / 3600 * 0.002
    assert float(first["epoch"].text) == pytest.approx(per_image * 50_000, rel=0.01)
    assert float(first["run"].text) == pytest.approx(per_image * 500_000, rel=0.01)
    assert first["length"].text == "16 min 40 s"
    assert "10 epochs of 50,000 images" in run.legend


def test_where_to_run_it_names_the_use_at_which_devices_break_even() -> None:
    places = table(priced(), "inference: where to run it")
    lines = {(line.cells[0].text, line.cells[2].text): [cell.text for cell in line.cells] for line in places.lines}
    owned, rented = lines["cuda0-fp32-compile", "ownership"], lines["cuda0-fp32-compile", "rent"]
    assert owned[-1] == "–"
    assert rented[-2:] == ["50%", "never"]
    assert float(rented[4]) == pytest.approx(2 * float(rented[3]), rel=0.02)
    assert float(owned[5]) < 10 * float(owned[3])


def test_the_front_leaves_out_what_is_worse_in_everything() -> None:
    costs = table(priced(), "inference on cuda:0")
    kept = {line.cells[0].text: line.cells[-1].text for line in costs.lines}
    assert kept["cuda0-fp32-compile"] == "yes"
    assert kept["cuda0-fp32"] == ""


def test_every_price_that_was_used_stands_with_source_and_date() -> None:
    prices = table(priced(), "Prices used")
    entries = [line for line in prices.lines if not line.cells[0].text.startswith(("share", "training run"))]
    assert len(entries) == 7
    assert all(line.cells[2].text == "a list of prices, check before use" for line in entries)
    assert all(line.cells[3].text == "2026-11" for line in entries)


def test_an_undecided_place_says_so_in_its_line() -> None:
    run = make_run(make_trial(), spread(make_trial(step_s=0.0195, layout="channels_last"), 0.12, 3))
    places = table(compose(run, BOOK), "inference: where to run it")
    details = {line.cells[0].text: line.cells[0].detail for line in places.lines}
    assert details["cpu-fp32-channels_last"] == "UNSURE"
    assert details["cpu-fp32"] == ""


def test_an_undecided_case_is_never_called_cheapest_without_saying_so() -> None:
    run = make_run(make_trial(), spread(make_trial(step_s=0.0195, layout="channels_last"), 0.12, 3))
    (sentence,) = [one for one in compose(run, BOOK).summary if "cost" in one]
    assert "with cpu-fp32-channels_last by rent" in sentence
    assert "not shown to be better (UNSURE)" in sentence


def test_a_run_without_energy_or_gpu_and_with_two_failed_cases_reads_well() -> None:
    run = make_run(
        make_trial(),
        make_trial(step_s=0.01, layout="channels_last"),
        failed(make_trial(backend="compile")),
        failed(make_trial(onednn=False)),
    )
    document = compose(run, BOOK)
    text = console.render(document, 80)
    assert text == golden("bill-plain-80.txt", text)
    assert "None" not in text
    assert "nan" not in text.casefold()
    page = Outline(html.render(document)).text
    assert "Cloud A" in page


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_in_a_price_book_are_text_everywhere(text: str) -> None:
    document, plain = compose(run_saying(text), book_saying(text)), compose(run_saying("x"), book_saying("x"))
    if text:  # an empty processor is another device
        assert without_output(document) == without_output(plain)
        assert structure(markdown.render(document)) == structure(markdown.render(plain))
    printed = console.render(document, 80)
    assert "\x1b" not in printed
    assert "\u202e" not in printed
    assert_inert_rows(to_csv(run_saying(text), book_saying(text)))
    assert len(short.render(document)) < 4000
    assert not any(tags for _, _, tags in structure(short.render(document)))


def without_output(document: Document) -> list[str]:
    """The tags of the page; a worker's last words are of one line or of several."""
    quiet = {"details", "summary", "pre", "code"}
    return [tag for tag in Outline(html.render(document)).tags if tag not in quiet]


def test_the_short_form_is_short_whatever_the_run_and_ends_with_the_verdict() -> None:
    many = make_run(*(make_trial(step_s=0.01 * (1 + n), threads=n) for n in range(40)))
    for document in (priced(), compose(many, BOOK), compose(make_run(), BOOK), compose(run_saying("x" * 300))):
        text = short.render(document)
        assert len(text) < 4000
        assert text.rstrip().splitlines()[-1].startswith("**Verdict.**")


def test_the_frame_has_every_metric_of_money_for_every_case() -> None:
    data = frame(cpu_run(), BOOK)
    assert list(data.columns) == list(COLUMNS)
    counts = data.groupby(["workload", "case"]).size()
    assert len(set(counts)) == 1
    assert data.loc[data["metric"] == "rent per image", "value"].notna().all()
    assert data.loc[data["metric"] == "ownership per image", "value"].isna().all()


def test_an_epoch_and_a_run_have_money_energy_and_emissions_each() -> None:
    gpu = {"device": "cuda:0"}
    run = make_run(make_trial(TRAINING, 0.016, **gpu), make_trial(TRAINING, 0.012, precision="amp_bf16", **gpu))
    run = replace(with_energy(run, [300.0, 220.0], idle_w=60.0), environment=priced_run().environment)
    costs = table(compose(run, BOOK), "training on cuda:0: what a training run")
    figures = dict(zip((column.key for column in costs.columns), costs.lines[0].cells, strict=True))
    assert {"epoch", "run", "epoch-energy", "run-energy", "epoch-emissions", "run-emissions"} <= set(figures)
    for of_epoch, of_run in (("epoch-energy", "run-energy"), ("epoch-emissions", "run-emissions")):
        assert float(figures[of_run].text) == pytest.approx(10 * float(figures[of_epoch].text), rel=1e-3)
        assert figures[of_run].detail


def test_the_headings_of_a_training_run_are_those_of_the_worked_example() -> None:
    gpu = {"device": "cuda:0"}
    run = make_run(make_trial(TRAINING, 0.016, **gpu), make_trial(TRAINING, 0.012, precision="amp_bf16", **gpu))
    run = replace(with_energy(run, [300.0, 220.0], idle_w=60.0), environment=priced_run().environment)
    document = compose(run, BOOK)
    million = table(document, "training on cuda:0: what 1 million")
    training = table(document, "training on cuda:0: what a training run")
    headings = {f"{column.heading} {column.under}" for column in training.columns}
    assert {"rent of epoch USD", "rent of run USD", "energy of run Wh", "CO2e of epoch g"} <= headings
    whole, part = (
        float(
            next(cell.text for column, cell in zip(one.columns, one.lines[0].cells, strict=True) if column.key == key)
        )
        for one, key in ((million, "rent"), (training, "epoch"))
    )
    assert part == pytest.approx(whole * BOOK.assume.images / 1e6, rel=2e-3)


@pytest.mark.parametrize(
    ("ours", "theirs", "shown"),
    [
        ((0.50, 0.45, 0.55), (1.0, 0.9, 1.1), ("50%", "41%–61%")),
        ((1.02, 0.99, 1.05), (1.0, 0.97, 1.03), ("never", "96%–never")),
        ((0.98, 0.95, 1.01), (1.0, 0.97, 1.03), ("98%", "92%–never")),
        ((2.00, 1.98, 2.02), (1.0, 0.99, 1.01), ("never", "")),
        ((0.50, None, None), (1.0, None, None), ("50%", "")),
    ],
)
def test_a_break_even_has_the_range_that_its_costs_have(
    ours: tuple[float, float | None, float | None],
    theirs: tuple[float, float | None, float | None],
    shown: tuple[str, str],
) -> None:
    row = compose(priced_run()).sections[0].group.rows[0]

    def place(cost: tuple[float, float | None, float | None], *, estimated: bool = False) -> _Place:
        paid = Cost("rent", *cost, 0.95, "USD", 6, estimated=estimated)
        return _Place("GPU", "cuda:0", row, "rent", paid, CostLine(cost[0]), (), ())

    cell = _even(place(ours), place(theirs))
    assert (cell.text, cell.detail) == shown
    assert _even(place(ours, estimated=True), place(theirs)).text == f"≈ {shown[0]}"
