from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.text import counted, listed, one_line, plain_lines, shortened


@given(st.text())
def test_a_line_holds_nothing_that_acts_instead_of_showing(text: str) -> None:
    line = one_line(text)
    assert not [c for c in line if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and c != "\u200d"]


@given(st.text())
def test_making_a_line_safe_twice_changes_nothing_more(text: str) -> None:
    assert one_line(one_line(text)) == one_line(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nb\r\nc", "a b c"),
        ("\x1b[31m", r"\x1b[31m"),
        ("x\u202ey", r"x\u202ey"),
        ("\U000e0041", r"\U000e0041"),
        ("\ud800", r"\ud800"),
        ("👩‍🚀", "👩‍🚀"),
        (None, "None"),
    ],
)
def test_what_would_act_is_spelled_out(text: object, line: str) -> None:
    assert one_line(text) == line


def test_lines_of_an_output_keep_their_indentation() -> None:
    assert plain_lines("\na\n  b\x00\n") == ("a", r"  b\x00")


@given(st.text(), st.integers(min_value=3, max_value=50))
def test_a_shortened_text_is_never_longer_than_asked(text: str, length: int) -> None:
    assert len(shortened(text, length)) <= length


def test_a_list_reads_as_a_person_would_say_it() -> None:
    assert [listed(tuple("abcde"[:n])) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert listed(tuple("abcdef"), limit=4) == "a, b, c, d and 2 more"


def test_one_is_singular() -> None:
    assert (counted(1, "wave"), counted(6.0, "wave"), counted("1", "wave")) == ("1 wave", "6 waves", "1 wave")
