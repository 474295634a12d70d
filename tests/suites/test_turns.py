from __future__ import annotations

from suites.turns import Turns


def test_batches_come_in_turn_for_ever():
    turns = Turns("abc")
    assert "".join(next(turns) for _ in range(7)) == "abcabca"


def test_a_restart_begins_with_the_first():
    turns = Turns("abc")
    next(turns)
    turns.restart()
    assert next(turns) == "a"


def test_what_was_lent_is_given_back():
    turns = Turns("abc")
    next(turns)
    with turns.lent("z"):
        assert [next(turns), next(turns)] == ["z", "z"]
    assert next(turns) == "a"
