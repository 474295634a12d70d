from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.records import Caveat, CaveatKind, Run
from bench.storage import save
from reports.cli import report, show
from reports.tables import Role
from reports.together import MOST_IN_FULL, Together, compose_together, run_table, tables_of
from reports.together_files import write_together_csv, write_together_html, write_together_markdown
from reports.together_text import text_lines
from tests.factories import INFERENCE, make_run, make_trial
from tests.reports.example import HOSTILE, example_run, run_saying
from tests.reports.golden_text import golden
from tests.reports.priced import BOOK, cpu_run, priced_run
from tests.reports.test_frames import assert_inert_rows
from tests.reports.test_html import Outline
from tests.reports.test_markdown import structure


def stored(folder: Path, *runs: Run) -> list[Path]:
    return [save(run, folder / str(number)).parent for number, run in enumerate(runs)]


def together(folder: Path, *runs: Run) -> Together:
    return compose_together(stored(folder, *runs), BOOK)


def test_two_machines_stand_side_by_side_with_energy_and_cost(tmp_path: Path) -> None:
    both = together(tmp_path, cpu_run(), priced_run())
    assert [shelf.title for shelf in both.shelves] == ["training", "inference"]
    assert any("2 machines" in note for note in both.notes)
    inference = tables_of(both)[1]
    assert [column.key for column in inference.columns][-3:] == ["energy", "cost", "way"]
    assert {line.cells[-1].text for line in inference.lines} == {"rent"}
    assert both.prices is not None
    used = [line.cells[0].text for line in both.prices.lines]
    assert "rent of Example CPU 9000, Cloud A small" in used
    assert "rent of Example GPU 1, Cloud B" in used
    devices = {(line.cells[1].text, line.cells[2].text) for line in inference.lines}
    assert devices == {("1", "Example CPU 9000"), ("2", "Example GPU 1")}


def test_the_lines_and_the_tables_look_as_they_did(tmp_path: Path) -> None:
    both = together(tmp_path, cpu_run(), replace(cpu_run(), id="20261123-000000-bbbb"), example_run())
    for width in (80, 200):
        text = "\n".join(text_lines(both, width)) + "\n"
        assert text == golden(f"together-{width}.txt", text)
    write_together_markdown(both, tmp_path / "both.md")
    text = (tmp_path / "both.md").read_text(encoding="utf-8")
    assert text == golden("together.md", text)


def test_what_may_not_be_compared_is_said(tmp_path: Path) -> None:
    other = replace(
        cpu_run(),
        trials=tuple(replace(trial) for trial in cpu_run().trials[1:]),
        environment=replace(cpu_run().environment, python="3.13.1", cpu="Other CPU"),
    )
    notes = "\n".join(together(tmp_path, cpu_run(), other).notes)
    assert "absolute figures carry no verdict" in notes
    assert "the baselines differ" in notes
    assert "Software differs: Python 3.11.7 and 3.13.1" in notes


def test_workloads_with_other_parameters_are_not_put_on_one_shelf(tmp_path: Path) -> None:
    other = replace(INFERENCE, parameters=(("data", "mnist"),))
    both = together(tmp_path, make_run(make_trial()), make_run(make_trial(other)))
    assert [shelf.title for shelf in both.shelves] == [
        "inference (data digits)",
        "inference (data mnist)",
    ]


def test_many_runs_have_a_line_for_each_case_and_all_figures_in_the_csv(tmp_path: Path) -> None:
    runs = [replace(example_run(), id=f"run{number}") for number in range(MOST_IN_FULL + 1)]
    many = together(tmp_path, *runs)
    (training, inference) = tables_of(many)
    assert (len(training.lines), len(inference.lines)) == (6, 7)
    assert training.lines[0].cells[1].text == str(len(runs))
    assert training.lines[3].cells[2].text == str(len(runs))  # failed in every run
    for struck in (training.lines[5], inference.lines[6]):  # not as labelled, and wrong results
        assert [cell.text for cell in struck.cells[2:4]] == [str(len(runs)), "–"]
    write_together_csv(many, tmp_path / "all.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "all.csv").read_text(encoding="utf-8"))))
    assert len(rows) == 13 * len(runs)
    assert len(run_table(many).lines) == len(runs)


def test_a_run_named_twice_is_a_slip(tmp_path: Path) -> None:
    (place,) = stored(tmp_path, cpu_run())
    with pytest.raises(UsageError, match="named twice"):
        compose_together([place, place / "run.json"])


def test_a_struck_or_failed_case_has_no_speed_up(tmp_path: Path) -> None:
    both = together(tmp_path, example_run(), replace(example_run(), id="b"))
    cells = {line.cells[0].text: line.cells[5].text for line in tables_of(both)[0].lines}
    assert cells["cpu-fp32-threads1"] == "struck"
    assert cells["cpu-fp32-compile"] == "failed"


def test_a_case_that_was_profiled_has_no_speed_up(tmp_path: Path) -> None:
    first, second, *others = example_run().trials
    profiled = replace(second, caveats=(Caveat.of(CaveatKind.PROFILED, profiler="nsys"),))
    run = replace(example_run(), id="b", trials=(first, profiled, *others))
    both = together(tmp_path, run, replace(run, id="c"))
    cells = {line.cells[0].text: line.cells[5].text for line in tables_of(both)[0].lines}
    assert cells["cpu-fp32-channels_last"] == "profiled"


def test_a_case_whose_results_are_wrong_is_struck_here_too(tmp_path: Path) -> None:
    both = together(tmp_path, example_run(), replace(example_run(), id="b"))
    (line, _) = [line for line in tables_of(both)[1].lines if line.cells[0].text == "cpu-int8"]
    assert line.role is Role.STRUCK
    assert line.cells[5].text == "struck"
    write_together_csv(both, tmp_path / "both.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "both.csv").read_text(encoding="utf-8"))))
    assert {row["status"] for row in rows if row["case"] == "cpu-int8"} == {"struck"}


def test_a_copy_that_checks_the_instrument_has_no_line(tmp_path: Path) -> None:
    trial = make_trial()
    run = make_run(trial, make_trial(step_s=0.01, threads=1), replace(trial, case=replace(trial.case, copy=1)))
    both = together(tmp_path, run, cpu_run())
    assert [entry.name for entry in both.shelves[0].entries if entry.run == 0] == ["cpu-fp32", "cpu-fp32-threads1"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_text_on_every_page_of_several_runs(text: str, tmp_path: Path) -> None:
    pages, marks = [], []
    for number, said in enumerate((text, "x")):
        both = together(tmp_path / str(number), run_saying(said), replace(run_saying(said), id=f"{said}2"))
        write_together_html(both, tmp_path / "page.html")
        write_together_markdown(both, tmp_path / "page.md")
        write_together_csv(both, tmp_path / "page.csv")
        pages.append(Outline((tmp_path / "page.html").read_text(encoding="utf-8")).tags)
        marks.append(structure((tmp_path / "page.md").read_text(encoding="utf-8")))
        assert_inert_rows((tmp_path / "page.csv").read_text(encoding="utf-8"), 15)
        assert not any(bad in line for line in text_lines(both, 80) for bad in ("\x1b", "\u202e", "\n"))
    assert pages[0] == pages[1]
    assert len(marks[0]) == len(marks[1])


def test_the_verbs_take_several_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [str(place) for place in stored(tmp_path, cpu_run(), priced_run())]
    assert show(places) == 0
    assert "training\n" in capsys.readouterr().out
    monkeypatch.chdir(tmp_path)
    assert report(places) == 0
    assert sorted(path.name for path in tmp_path.glob("report.*")) == ["report.html", "report.md"]
    assert report([*places, "--short", "x.md"]) == 2
    assert "--short is made of a single run" in capsys.readouterr().err
    assert show([*places, "--between", "cpu-fp32", "cpu-amp_bf16"]) == 2
    assert "name one run" in capsys.readouterr().err
