"""Energy in the reports: measured, estimated, or a dash with its reason; and never an estimate without its mark."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.records import Run
from bench.records.power import Part, PowerLog, SamplerCost, Unread
from reports import console, frames, html, markdown
from reports.document import compose
from tests.factories import make_run, make_trial, with_energy

PLAIN = make_run(make_trial(step_s=0.02), make_trial(step_s=0.01, threads=1))
MEASURED = with_energy(PLAIN, [100.0, 150.0], idle_w=20.0)
ESTIMATED = with_energy(PLAIN, [100.0, 150.0], estimated=True)
LACK = Unread(Part.CPU, "cpu package", "rapl", "only root may read it", "chmod -R a+r /sys/class/powercap")
UNREAD = replace(PLAIN, power=(PowerLog(0.0, 1e4, unread=(LACK,)),))


def _column(run: Run, key: str) -> list[tuple[str, str]]:
    (section,) = compose(run).sections
    keys = [column.key for column in section.table.columns]
    return [(line.cells[keys.index(key)].text, line.cells[keys.index(key)].detail) for line in section.table.lines]


def test_energy_stands_beside_speed_with_its_interval_and_a_verdict_of_its_own() -> None:
    assert [text for text, _ in _column(MEASURED, "energy")] == ["62.50", "46.88"]
    saving = _column(MEASURED, "saving")
    assert saving[0][0] == "–"
    assert saving[1][0].endswith(" BETTER")
    assert float(saving[1][0].split()[0]) == pytest.approx(200 / 150, abs=0.01)
    text = console.render(compose(MEASURED), 80)
    assert "does 1.333 times as much with a joule as cpu-fp32" in " ".join(text.split())
    assert "its sensors may be off by an unknown part, which cancels in ratios only" in " ".join(text.split())


@pytest.mark.parametrize(
    "render",
    [lambda document: console.render(document, 80), lambda document: console.render(document, 200), markdown.render],
    ids=["80 columns", "200 columns", "markdown"],
)
def test_an_estimate_is_marked_wherever_it_appears(render) -> None:
    text = " ".join(render(compose(ESTIMATED)).replace("<br>", " ").split())
    assert "≈ 62.5" in text
    assert "estimate" in text
    assert "Energy figures are estimates of a model and decide nothing." in text
    assert " BETTER" not in text


def test_an_estimate_is_marked_on_the_page_and_in_no_picture() -> None:
    page = html.render(compose(ESTIMATED))
    assert "≈ 62.5" in page
    assert 'id="energy1-title"' not in page
    assert 'id="energy1-title"' in html.render(compose(MEASURED))


def test_the_export_says_of_every_energy_figure_where_it_comes_from() -> None:
    for run, origin in ((MEASURED, "measured"), (ESTIMATED, "estimated")):
        table = frames.frame(run)
        of_energy = table[table["unit"].isin(["J", "W", "J·s"]) & table["value"].notna()]
        assert len(of_energy) >= 2 * 6
        assert set(of_energy["origin"]) == {origin}
    row = table[(table["metric"] == "work per joule") & table["value"].notna()].iloc[0]
    assert row["origin"] == "estimated"
    assert row.isna()["verdict"]


def test_without_a_sensor_every_energy_cell_is_a_dash_and_the_reason_stands_below() -> None:
    assert _column(UNREAD, "energy") == [("–", ""), ("–", "")]
    text = " ".join(console.render(compose(UNREAD), 80).split())
    assert "Energy was not measured: only root may read it. To have it: chmod -R a+r /sys/class/powercap." in text
    assert "saving" not in [column.key for column in compose(UNREAD).sections[0].table.columns]


def test_what_reading_the_sensors_cost_is_said_and_only_where_any_was_read() -> None:
    (log,) = MEASURED.power
    paid = replace(MEASURED, power=(replace(log, cost=SamplerCost(active_s=200.0, cpu_s=0.9, reads=5000)),))
    facts = {line.cells[0].text: line.cells[1].text for line in compose(paid).environment.lines}
    assert facts["cost of reading sensors"] == "0.45\N{NO-BREAK SPACE}% of one core"
    assert "cost of reading sensors" not in {line.cells[0].text for line in compose(UNREAD).environment.lines}


def test_a_lack_of_energy_is_no_doubt_about_a_speed() -> None:
    document = compose(replace(UNREAD, trials=(PLAIN.trials[0], PLAIN.trials[1])))
    assert not [sentence for sentence in document.summary if "Its caveats" in sentence]
