"""What the pages under docs/ name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))
_TEST = re.compile(r"`((?:[a-z_]+/)*[a-z_]+\.py)`")
_MODULE = re.compile(r"python -m ((?:suites|tests)[\w.]*)")
_LINK = re.compile(r"\]\(([\w./-]+\.(?:md|png|json))\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_scripts_pages_and_tests_that_are_there(page: Path) -> None:
    text = page.read_text()
    places = [ROOT / "tests" / name for name in _TEST.findall(text)] if page.name == "promises.md" else []
    places += [page.parent / link for link in _LINK.findall(text)]
    assert [str(place) for place in places if not place.is_file()] == []
    modules = [ROOT / name.replace(".", "/") for name in _MODULE.findall(text)]
    lacking = [m for m in modules if not (m.with_suffix(".py").is_file() or (m / "__main__.py").is_file())]
    assert lacking == []


def test_promises_name_their_tests() -> None:
    assert len(_TEST.findall((ROOT / "docs" / "promises.md").read_text())) > 15
