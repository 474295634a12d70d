from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from reports.console import render
from reports.document import compose
from tests.reports.example import HOSTILE, example_run, run_saying
from tests.reports.golden_text import golden


@pytest.mark.parametrize("width", [80, 200])
def test_the_example_looks_as_it_did(width: int) -> None:
    text = render(compose(example_run()), width)
    assert text == golden(f"console-{width}.txt", text)


@pytest.mark.parametrize("width", [80, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(map(cell_len, render(compose(example_run()), width).splitlines())) <= width


def test_colours_change_nothing_but_colours() -> None:
    document = compose(example_run())
    assert "\x1b[" not in render(document, 80)
    assert "\x1b[" in render(document, 80, color=True)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_neither_acts_nor_breaks_the_table(text: str) -> None:
    assert_tame(render(compose(run_saying(text)), 80))


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=60))
def test_no_text_acts_or_breaks_the_table(text: str) -> None:
    assert_tame(render(compose(run_saying(text)), 80))


def test_what_rich_would_take_for_markup_is_shown() -> None:
    shown = render(compose(run_saying("[bold]rich[/bold] :smile:")), 200)
    assert "[bold]rich[/bold] :smile: on cpu" in shown


def assert_tame(shown: str) -> None:
    assert not [c for c in shown if unicodedata.category(c) in {"Cc", "Cf"} and c not in "\n\u200d"]
    assert max(map(cell_len, shown.splitlines())) <= 80
