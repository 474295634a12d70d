"""A run comes back as it was; anything that is not a run is refused in one line that names the file."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import StorageError, load, storage
from bench.records import SCHEMA, Case, Caveat, CaveatKind, Failure, Run, Skip, Trial, Variant
from tests.factories import INFERENCE, TRAINING, make_run, make_trial


def _run() -> Run:
    failed = Trial(
        Case(TRAINING, Variant.of(layout="channels_last")),
        None,
        caveats=(Caveat.of(CaveatKind.NOT_WARM, waves=2, warm_up_s=5.0),),
        failure=Failure("measure", "the worker was killed by SIGKILL", "\x1b[31mlast words", 3),
    )
    skip = Skip(Case(INFERENCE, Variant.of(device="cuda:0")), "no NVIDIA driver", "install one")
    return make_run(make_trial(), make_trial(threads=1, step_s=0.03), failed, skips=[skip])


def test_a_run_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    path = storage.save(_run(), tmp_path / "deep" / "er")
    assert load(path) == load(path.parent) == _run()


def test_writing_twice_leaves_one_whole_file(tmp_path: Path) -> None:
    storage.save(make_run(), tmp_path)
    storage.save(_run(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    assert load(tmp_path) == _run()


def test_a_stored_run_of_schema_1_is_still_read() -> None:
    run = load(Path(__file__).parent / "stored" / "schema-1")
    assert run.schema == 1
    assert [trial.case.name for trial in run.trials] == ["inference[cpu-fp32]", "inference[cpu-fp32-threads1]"]
    assert run.trials[0].samples[0].host_s == 0.02


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a run"),
        (b"not json", "not a run"),
        (b"[1, 2]", "not a run"),
        (b'{"benchmarks": []}', "not a run"),
        (b"\xff\xfe\x00", "not a run"),
        (b'{"schema": 1, "id": "x"}', "damaged"),
        (json.dumps({"schema": SCHEMA + 1, "id": "x"}).encode(), "upgrade joulemark"),
        (b'{"schema": -3, "id": "x"}', "schema -3"),
        (b"[" * 100_000, "not a run"),
    ],
)
def test_anything_else_is_refused_in_one_line(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(StorageError, match=words) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"run\.json is not there"):
        load(tmp_path)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_truncated_or_mutated_run_is_read_or_refused_but_never_crashes(data: st.DataObject, tmp_path: Path) -> None:
    content = bytearray((Path(__file__).parent / "stored" / "schema-1" / "run.json").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "run.json"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(StorageError):
        assert isinstance(load(path), Run)


def test_a_place_that_cannot_be_written_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(StorageError, match="cannot be written"):
        storage.save(_run(), blocked / "run")
    assert list(tmp_path.iterdir()) == [blocked]


def test_the_file_is_as_readable_as_the_umask_allows(tmp_path: Path) -> None:
    path = storage.save(_run(), tmp_path)
    mask = os.umask(0o022)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_place_is_a_file_a_runs_folder_or_the_latest_in_a_folder_of_runs(tmp_path: Path) -> None:
    assert storage.find(tmp_path) is storage.find(tmp_path / "nowhere") is None
    early, late = (storage.save(make_run(), tmp_path / name) for name in ("20261122-1", "20261122-2"))
    (tmp_path / "zzz").mkdir()
    assert storage.find(tmp_path) == storage.find(late.parent) == storage.find(late) == late
    assert storage.find(early) == early
    assert load(tmp_path) == make_run()


def test_what_cannot_be_written_whole_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.save(make_run(), tmp_path)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="No space left on device"):
        storage.save(make_run(make_trial()), tmp_path)
    assert load(tmp_path) == make_run()
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_folder_that_somebody_named_is_older_than_those_with_a_date(tmp_path: Path) -> None:
    """A copy kept as "base" comes last in the alphabet, and is no new run."""
    for name in ("20261122-1", "base"):
        storage.save(make_run(), tmp_path / name)
    assert storage.find(tmp_path) == tmp_path / "20261122-1" / "run.json"
    storage.save(make_run(), tmp_path / "only" / "base")
    assert storage.find(tmp_path / "only") == tmp_path / "only" / "base" / "run.json"


def test_a_link_is_followed_and_what_is_no_file_is_written_to_and_stays(tmp_path: Path) -> None:
    target, link, pipe = tmp_path / "served" / "report.html", tmp_path / "report.html", tmp_path / "pipe"
    target.parent.mkdir()
    target.write_text("old")
    link.symlink_to(target)
    storage.write_whole(link, b"new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as others:
        read = others.submit(pipe.read_bytes)
        storage.write_whole(pipe, b"figures")
        assert read.result(10) == b"figures"
    assert pipe.is_fifo()


def test_a_file_that_is_no_run_is_found_and_then_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("notes")
    assert storage.find(path) == path
    with pytest.raises(StorageError, match="not a run"):
        load(path)


IN_MEMORY = Path("/dev") / "shm"


@pytest.mark.skipif(not IN_MEMORY.is_dir(), reason="no file system in memory")
def test_a_file_in_memory_is_a_file_like_any_other() -> None:
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        storage.save(make_run(), Path(folder))
        storage.save(_run(), Path(folder))
        assert load(folder) == _run()
