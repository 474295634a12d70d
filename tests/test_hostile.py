"""A smaller version of ``python -m tests.hostile``: a few hundred damaged files of each kind."""

from __future__ import annotations

import signal

import pytest

from tests import hostile


@pytest.mark.parametrize("kind", hostile.KINDS)
def test_damaged_files_are_read_or_refused_in_one_line(kind: str) -> None:
    counts, wrong = hostile.tried(kind, range(300))
    assert wrong == []
    assert counts["read"] > 10
    assert counts["refused"] > 10


def test_the_harness_sees_a_crash_a_delay_and_a_file_written_elsewhere(tmp_path, monkeypatch) -> None:
    class Liar(hostile.Prices):
        """Each mutation does something else that is forbidden."""

        name = "liar"
        number = -1

        def read(self, folder):
            self.number += 1
            if self.number == 0:
                raise KeyError("x")
            if self.number == 1:
                (tmp_path / "elsewhere").write_text("")
            if self.number == 2:
                signal.raise_signal(signal.SIGALRM)
            return self.run

    monkeypatch.setitem(hostile.KINDS, "liar", Liar)
    counts, wrong = hostile.tried("liar", range(1, 5))
    assert counts == {"crash": 1, "wrote elsewhere": 1, "too slow": 1, "read": 1}
    assert len(wrong) == 3
