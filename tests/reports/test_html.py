from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.document import compose
from reports.html import render
from tests.factories import make_run
from tests.reports.example import HOSTILE, example_run, run_saying

VOID = {"meta", "link", "br"}


class Outline(HTMLParser):
    """The tags of a page in order, its texts, and whether every tag was closed by its own."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_well_formed_and_needs_nothing_from_elsewhere() -> None:
    page = render(compose(example_run()))
    outline = Outline(page)
    assert outline.tags.count("script") == 1
    assert not [value for _, name, value in outline.attributes if name in {"src", "srcset"}]
    links = {value for tag, name, value in outline.attributes if name == "href" and tag != "use"}
    assert links == {"data:,", "#main"}
    assert "@import" not in page
    assert "url(" not in re.sub(r"url\(#[\w-]+\)", "", page)


def test_the_same_run_gives_the_same_page() -> None:
    assert render(compose(example_run())) == render(compose(example_run()))


def test_ids_are_unique_and_what_refers_to_them_is_met() -> None:
    attributes = Outline(render(compose(example_run()))).attributes
    ids = [value for _, name, value in attributes if name == "id"]
    assert len(ids) == len(set(ids))
    referred = {part for _, name, value in attributes if name == "aria-labelledby" for part in (value or "").split()}
    assert referred <= set(ids)


def test_tables_have_captions_and_headings_with_their_scope() -> None:
    outline = Outline(render(compose(example_run())))
    tables = outline.tags.count("table")
    assert outline.tags.count("caption") == tables == 6
    scopes = [value for tag, name, value in outline.attributes if tag == "th" and name == "scope"]
    assert len(scopes) == outline.tags.count("th")
    assert set(scopes) == {"col", "row"}


def test_every_group_has_its_table_and_its_pictures() -> None:
    outline = Outline(render(compose(example_run())))
    assert outline.tags.count("svg") == 8  # rate, speed-up, step times, set-up
    assert outline.tags.count("figcaption") == 8


def test_an_empty_run_is_a_page_too() -> None:
    assert "holds no cases" in Outline(render(compose(make_run()))).text


@pytest.mark.parametrize("text", [text for text in HOSTILE if text])
def test_hostile_text_is_text_in_the_page(text: str) -> None:
    assert tags(text) == tags("harmless")


@settings(max_examples=8, deadline=None)
@given(st.text(min_size=1, max_size=40))
def test_no_text_changes_the_structure_of_the_page(text: str) -> None:
    assert tags(text) == tags("harmless")


def test_hostile_text_is_shown_as_it_stands() -> None:
    assert '<script>alert("x")</script> on cpu' in Outline(render(compose(run_saying(HOSTILE[0])))).text


def tags(text: str) -> list[str]:
    """The tags of a page about this text; a failed worker's empty output has no details."""
    quiet = {"details", "summary", "pre", "code"}
    return [tag for tag in Outline(render(compose(run_saying(text)))).tags if tag not in quiet]
