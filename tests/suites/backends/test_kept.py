from __future__ import annotations

from pathlib import Path

from suites.backends.kept import FOLDER, kept


def test_what_was_made_in_one_wave_is_read_in_the_next(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path / "case"))
    made = iter([b"first", b"second"])
    assert [kept("model", lambda: next(made)) for _ in range(3)] == [b"first"] * 3
    assert kept("other", lambda: next(made)) == b"second"
    assert sorted(path.name for path in (tmp_path / "case").iterdir()) == ["model", "other"]


def test_without_a_folder_nothing_is_kept(monkeypatch) -> None:
    monkeypatch.delenv(FOLDER, raising=False)
    made = iter([b"first", b"second"])
    assert [kept("model", lambda: next(made)) for _ in range(2)] == [b"first", b"second"]
