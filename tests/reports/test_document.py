from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench.storage import load, save
from reports.document import compose
from tests.factories import make_run
from tests.reports.example import example_run


def test_a_run_and_its_stored_copy_give_the_same_document(tmp_path: Path) -> None:
    run = example_run()
    save(run, tmp_path)
    assert repr(compose(load(tmp_path))) == repr(compose(run))


def test_a_document_says_what_was_measured_when_and_where() -> None:
    document = compose(example_run())
    assert document.title == "Training on cpu, inference on cpu"
    assert dict(document.facts) == {
        "run": "20261122-173015-4f2a",
        "started": "22 November 2026, 17:30 UTC",
        "took": "5 min 12 s",
        "machine": "Example CPU 9000, 2 cores usable",
        "memory": "24.0 GiB",
    }


def test_a_run_that_is_still_going_on_says_so() -> None:
    assert dict(compose(replace(make_run(), duration_s=None)).facts)["took"] == "not finished"


def test_a_start_that_is_no_date_is_shown_as_it_stands() -> None:
    assert dict(compose(replace(make_run(), started="some\nday")).facts)["started"] == "some day"


def test_an_empty_run_is_a_document_too() -> None:
    document = compose(make_run())
    assert document.title == "No cases measured"
    assert document.sections == ()
