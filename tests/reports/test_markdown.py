from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.document import compose
from reports.markdown import escaped, render
from tests.reports.example import HOSTILE, example_run, run_saying
from tests.reports.golden_text import golden


def test_the_example_looks_as_it_did() -> None:
    text = render(compose(example_run()))
    assert text == golden("report.md", text)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_forms_no_markup(text: str) -> None:
    assert structure(render(compose(run_saying(text)))) == structure(render(compose(run_saying("harmless"))))


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=60))
def test_no_text_forms_markup(text: str) -> None:
    assert structure(render(compose(run_saying(text)))) == structure(render(compose(run_saying("harmless"))))


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("a|b", r"a\|b"),
        ("<b>", r"\<b\>"),
        ("- item", r"\- item"),
        ("1. item", r"1\. item"),
        ("12.5 ms", "12.5 ms"),
        ("=1+1", r"\=1+1"),
        ("&amp;", r"\&amp;"),
        ("see https://evil.example/x", r"see https\://evil.example/x"),
        ("WWW.evil.example", r"WWW\.evil.example"),
        ("12:30, a www site", "12:30, a www site"),
    ],
)
def test_what_would_be_markup_is_escaped_and_nothing_else(text: str, markdown: str) -> None:
    assert escaped(text) == markdown


def test_a_struck_case_is_struck_in_its_name_and_figures() -> None:
    line = next(line for line in render(compose(example_run())).splitlines() if line.startswith("| ~~cpu"))
    assert line.count("~~") == 14


def structure(markdown: str) -> list[tuple[str, int, tuple[str, ...]]]:
    """How each line begins, its unescaped pipes, and the tags in it."""
    lines = []
    for line in markdown.splitlines():
        bare = re.sub(r"\\[^\w\s]", "", line)
        kind = re.match(r"#* |- |\||", bare)
        assert kind is not None
        lines.append((kind[0], bare.count("|"), tuple(re.findall(r"<[^>]*>?", bare))))
    return lines
