from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.analysis import summarise
from reports.frames import COLUMNS, frame, to_csv
from tests.factories import make_run
from tests.reports.example import HOSTILE, example_run, run_saying
from tests.reports.golden_text import golden

NUMBERS = {"value", "low", "high", "confidence", "n"}


def cells(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_example_is_what_it_was() -> None:
    text = to_csv(example_run())
    ours, stored = cells(text), cells(golden("report.csv", text))
    assert len(ours) == len(stored)
    for row, expected in zip(ours, stored, strict=True):
        for name in COLUMNS:
            if name in NUMBERS and expected[name]:
                assert float(row[name]) == pytest.approx(float(expected[name]), rel=1e-9)
            else:
                assert row[name] == expected[name]


def test_every_case_has_every_metric_in_si_units() -> None:
    table = frame(example_run())
    measured = table[table["status"] != "skipped"]
    assert list(table.columns) == list(COLUMNS)
    assert set(measured.groupby(["workload", "case"]).size()) == {26}
    assert set(measured["unit"]) == {"s", "images/s", "images", "1", "B", "J", "W", "J·s", "Hz", "°C"}
    assert measured.loc[measured["metric"] == "peak memory", "value"].max() == 400 * 2**20


def test_figures_are_neither_scaled_nor_rounded() -> None:
    run = example_run()
    table = frame(run)
    first = summarise(run)[0].rows[0].time_per_step
    assert first is not None
    assert table.loc[0, "value"] == first.value
    assert table.loc[0, "interval"] == "confidence"


def test_the_range_over_waves_is_not_called_a_confidence_interval() -> None:
    table = frame(example_run())
    warm = table[table["metric"] == "set-up warm"]
    assert set(warm["interval"].dropna()) == {"range"}
    assert warm["confidence"].isna().all()


def test_failed_struck_and_skipped_cases_say_so_with_the_reason() -> None:
    table = frame(example_run())
    reasons = {status: set(rows["reason"]) for status, rows in table.groupby("status") if status != "measured"}
    assert set(reasons) == {"failed", "struck", "skipped"}
    assert [len(reasons[status]) for status in ("failed", "struck", "skipped")] == [1, 2, 1]
    assert table[table["status"] == "failed"]["verdict"].isna().all()


def test_an_empty_run_is_an_empty_frame_with_all_columns() -> None:
    assert to_csv(make_run()) == ",".join(COLUMNS) + "\n"


@pytest.mark.parametrize("text", [*HOSTILE, "+1", "-1", "@SUM(1)", "\t=1", "\r=1", " =1"])
def test_hostile_text_is_no_formula_and_breaks_no_row(text: str) -> None:
    assert_inert(text)


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=40))
def test_no_text_is_a_formula_or_breaks_a_row(text: str) -> None:
    assert_inert(text)


def assert_inert(text: str) -> None:
    assert_inert_rows(to_csv(run_saying(text)))


def assert_inert_rows(written: str, width: int = len(COLUMNS)) -> None:
    rows = list(csv.reader(io.StringIO(written, newline="")))
    assert {len(row) for row in rows} == {width}
    assert len(rows) == len(written.splitlines())
    for row in rows[1:]:
        for cell in row:
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r")) or is_number(cell)


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
