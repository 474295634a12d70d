from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench import UsageError
from suites import cache


class Maker:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> dict[str, torch.Tensor]:
        self.calls += 1
        return {"values": torch.full((3,), float(self.calls))}


def test_what_was_made_once_is_read_afterwards():
    make = Maker()
    for _ in range(2):
        assert cache.load_or_make("once", {"n": 1}, make)["values"].tolist() == [1, 1, 1]
    assert make.calls == 1


def test_another_key_is_another_file():
    assert cache.path_of("x", {"epochs": 10}) != cache.path_of("x", {"epochs": 11})
    assert cache.path_of("x", {"a": 1, "b": 2}) == cache.path_of("x", {"b": 2, "a": 1})


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[: len(whole) // 2],
        lambda whole: b"not a file of torch",
        lambda whole: b"\x80",
    ],
    ids=["empty", "truncated", "foreign", "cut pickle"],
)
def test_a_damaged_file_is_made_anew(damage):
    make, key = Maker(), {"case": "damage"}
    cache.load_or_make("damage", key, make)
    path = cache.path_of("damage", key)
    path.write_bytes(damage(path.read_bytes()))
    before = make.calls
    assert cache.load_or_make("damage", key, make)["values"].tolist() == [before + 1] * 3
    assert cache.load_or_make("damage", key, make)["values"].tolist() == [before + 1] * 3


def test_a_file_that_says_it_holds_something_else_is_made_anew():
    make, key = Maker(), {"case": "other"}
    cache.save({"key": {"case": "another"}, "tensors": {"values": torch.zeros(3)}}, cache.path_of("other", key))
    assert cache.load_or_make("other", key, make)["values"].tolist() == [1, 1, 1]


def test_a_file_with_code_in_it_is_not_run(tmp_path):
    key, witness = {"case": "code"}, tmp_path / "witness"
    cache.save({"key": key, "tensors": _Malicious(witness)}, cache.path_of("code", key))
    cache.load_or_make("code", key, Maker())
    assert not witness.exists()


class _Malicious:
    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self):
        return Path.touch, (self.witness,)


def test_nothing_is_left_of_a_file_that_could_not_be_written_whole(tmp_path):
    path = tmp_path / "whole.pt"
    with pytest.raises(Exception, match="pickle"):
        cache.save({"key": lambda: None}, path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot be written .*XDG_CACHE_HOME"):
        cache.check_writable(tmp_path / "file" / "weights.pt")


def test_a_relative_cache_home_is_ignored(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "somewhere")
    assert cache.folder() == Path.home() / ".cache" / "joulemark"
