"""The journal file: what is believed of a damaged one, where it goes when its disk fails, and who may write it."""

from __future__ import annotations

import errno
import random
import tempfile
import zlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import Case, Plan, Variant, recover
from bench.entries import Anchor, Closed, Entry, GroupOpened, Measured, Opened, WaveDone
from bench.errors import StorageError
from bench.journal import FILE_NAME, Journal, is_being_written, read_journal
from bench.keeping import Keeper
from bench.records import Environment, Sample
from bench.recovery import History
from bench.storage import load
from tests.factories import INFERENCE

OPENED = Opened(1, "20261125-120000-abcd", "2026-11-25T12:00:00+00:00", Environment(cpu="a"), Plan(), Anchor(0, 0))
BASELINE = Case(INFERENCE, Variant.of())
ENTRIES: list[Entry] = [
    OPENED,
    GroupOpened([BASELINE], Plan()),
    *(Measured(0, [Sample(0, n, 0, None, float(n), 1, 0.02, None)]) for n in range(5)),
    WaveDone(0, 2.0, Anchor(9.0, 9.0)),
    Closed(10.0),
]


def _written(folder: Path, entries: list[Entry] = ENTRIES) -> Path:
    journal = Journal.create(folder)
    for entry in entries:
        journal.append(entry)
    journal.close()
    return folder / FILE_NAME


def test_what_is_written_is_read_and_every_line_is_there_as_soon_as_it_is_written(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path)
    for count, entry in enumerate(ENTRIES, 1):
        journal.append(entry)
        assert read_journal(tmp_path).entries == tuple(ENTRIES[:count])
    journal.close()


@given(st.integers(min_value=0))
def test_a_journal_cut_anywhere_has_its_whole_lines(cut: int) -> None:
    whole = _encoded()
    cut %= len(whole) + 1
    found = _read(whole[:cut])
    assert found == ENTRIES[: whole[:cut].count(b"\n")]


def test_a_line_that_was_changed_lost_doubled_or_moved_ends_what_is_believed(tmp_path: Path) -> None:
    lines = _encoded().splitlines(keepends=True)
    changed = [*lines[:3], lines[3].replace(b"0.02", b"0.01"), *lines[4:]]
    lost, doubled = [*lines[:3], *lines[4:]], [*lines[:4], *lines[3:]]
    moved = [*lines[:3], lines[4], lines[3], *lines[5:]]
    for damaged, kept in ((changed, 3), (lost, 3), (doubled, 4), (moved, 3)):
        (tmp_path / FILE_NAME).write_bytes(b"".join(damaged))
        reading = read_journal(tmp_path)
        assert reading.entries == tuple(ENTRIES[:kept])
        assert f"line {kept + 1} is damaged" in str(reading.damage)


def test_going_on_cuts_off_a_torn_line_and_appends_behind_it(tmp_path: Path) -> None:
    path = _written(tmp_path, ENTRIES[:4])
    with path.open("ab") as file:
        file.write(b'0badc0de {"type":"Measured","ca')
    reading = read_journal(tmp_path)
    assert reading.damage == "line 5 was not written to its end"
    journal = Journal.go_on(reading)
    journal.append(ENTRIES[4])
    journal.close()
    assert read_journal(tmp_path).entries == tuple(ENTRIES[:5])


def test_a_last_line_that_lacks_only_its_newline_takes_nothing_that_follows_with_it(tmp_path: Path) -> None:
    path = _written(tmp_path, ENTRIES[:4])
    path.write_bytes(path.read_bytes()[:-1])
    journal = Journal.go_on(read_journal(tmp_path))
    for entry in ENTRIES[3:5]:
        journal.append(entry)
    journal.close()
    reading = read_journal(tmp_path)
    assert reading.entries == tuple(ENTRIES[:5])
    assert reading.damage is None


def test_an_interruption_while_a_line_is_forced_to_the_disk_leaves_no_half_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal.create(tmp_path)
    journal.append(OPENED)
    with monkeypatch.context() as patch:
        patch.setattr("bench.journal._sync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            journal.append(OPENED)
    journal.append(ENTRIES[1])
    journal.close()
    assert read_journal(tmp_path).entries == (OPENED, ENTRIES[1])


def interrupted(handle: int) -> None:
    raise KeyboardInterrupt


def test_nobody_goes_on_with_a_journal_that_is_being_written(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path)
    journal.append(OPENED)
    assert is_being_written(tmp_path)
    with pytest.raises(StorageError, match="still going on"):
        Journal.go_on(read_journal(tmp_path))
    journal.close()
    assert not is_being_written(tmp_path)


def test_a_journal_that_another_sitting_went_on_with_meanwhile_is_not_cut_back(tmp_path: Path) -> None:
    """Between reading it and going on with it, preparing may take minutes."""
    _written(tmp_path, ENTRIES[:4])
    reading = read_journal(tmp_path)
    other = Journal.go_on(reading)
    other.append(ENTRIES[4])
    other.close()
    with pytest.raises(StorageError, match="another process went on with it"):
        Journal.go_on(reading)
    assert read_journal(tmp_path).entries == tuple(ENTRIES[:5])
    assert not is_being_written(tmp_path)


def test_a_file_system_without_locks_is_written_to_all_the_same(tmp_path: Path, monkeypatch) -> None:
    def no_locks(handle: int, operation: int) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("bench.journal.fcntl.flock", no_locks)
    _written(tmp_path, ENTRIES[:2])
    journal = Journal.go_on(read_journal(tmp_path))
    journal.append(ENTRIES[2])
    journal.close()
    assert read_journal(tmp_path).entries == tuple(ENTRIES[:3])


def test_a_second_run_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    _written(tmp_path)
    with pytest.raises(StorageError, match="cannot be written"):
        Journal.create(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a journal of Joulemark"),
        (b"hello\n", "not a journal of Joulemark"),
        (b'00000000 {"type":"Closed","duration_s":1.0}\n', "not a journal of Joulemark"),
        (None, "is not there; name the folder"),
        ("later", "has schema 99, this Joulemark reads 1 to 1"),
    ],
)
def test_a_file_that_is_no_journal_is_refused_in_one_line(content: bytes | str | None, words: str, tmp_path) -> None:
    if content == "later":
        content = _encoded([msgspec.structs.replace(OPENED, schema=99)])
    if content is not None:
        (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(StorageError, match=words) as caught:
        read_journal(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_deleted_in_mid_run_is_made_anew_with_all_that_was_written(tmp_path: Path) -> None:
    folder = tmp_path / "out" / "run"
    keeper = Keeper.begin(folder, OPENED)
    for entry in ENTRIES[1:5]:
        keeper.note(entry)
    (folder / FILE_NAME).unlink()
    folder.rmdir()
    for entry in ENTRIES[5:]:  # the end of a wave is among them, when the place is looked at
        keeper.note(entry)
    assert keeper.folder == folder
    assert keeper.trouble is not None
    assert read_journal(folder).entries == tuple(ENTRIES)
    keeper.close(keep=True)


def test_a_full_disk_sends_the_journal_to_another_place_with_all_that_was_written(tmp_path: Path) -> None:
    class Full(Journal):
        """A journal on a disk with room for six lines."""

        lines = 0

        def append(self, entry: Entry) -> None:
            self.lines += 1
            if self.lines > 6:
                raise StorageError("no space") from OSError(errno.ENOSPC, "No space left on device")
            super().append(entry)

    journal = Full.create(tmp_path)
    journal.append(OPENED)
    keeper = Keeper(tmp_path, History(OPENED), journal)
    for entry in ENTRIES[1:]:
        keeper.note(entry)
    assert keeper.folder != tmp_path
    assert keeper.trouble == "no space"
    assert read_journal(keeper.folder).entries == tuple(ENTRIES)
    assert not (tmp_path / FILE_NAME).exists()  # it would be a second run with the same blocks
    run = keeper.history.run()
    keeper.save(run)
    keeper.close(keep=False)
    assert load(keeper.folder) == run


def test_a_run_that_cannot_be_saved_where_it_should_lie_is_saved_elsewhere_and_says_where(tmp_path: Path) -> None:
    keeper = Keeper.begin(tmp_path / "run", OPENED)
    for entry in ENTRIES[1:]:
        keeper.note(entry)
    (tmp_path / "run" / "run.json").mkdir()  # not even root can put a file there
    run = keeper.history.run()
    keeper.save(run)
    assert keeper.folder != tmp_path / "run"
    assert keeper.trouble is not None
    assert load(keeper.folder) == run
    keeper.close(keep=True)


def test_recovering_makes_a_readable_run_keeps_the_journal_and_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _written(tmp_path, ENTRIES[:-1])
    assert recover.main([str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "1 of 6 waves finished" in said
    assert f"--bench-resume={tmp_path}" in said
    assert len(load(tmp_path).trials[0].samples) == 5
    assert (tmp_path / FILE_NAME).is_file()
    (tmp_path / "empty").mkdir()
    assert recover.main([str(tmp_path / "empty")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_journal_of_a_run_that_is_saved_whole_goes(tmp_path: Path) -> None:
    keeper = Keeper.begin(tmp_path / "run", OPENED)
    for entry in ENTRIES[1:]:
        keeper.note(entry)
    keeper.save(keeper.history.run())
    keeper.close(keep=False)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["run.json"]


def test_mutated_journals_end_in_entries_or_in_one_line(tmp_path: Path) -> None:
    whole, chance = _encoded(), random.Random(7)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(data))
            data[place : place + chance.randint(0, 8)] = chance.randbytes(chance.randint(0, 8))
        (tmp_path / FILE_NAME).write_bytes(data)
        found, words = _outcome(tmp_path)
        assert "\n" not in words
        assert found == ENTRIES[: len(found)]


def _outcome(folder: Path) -> tuple[list[Entry], str]:
    try:
        return list(read_journal(folder).entries), ""
    except StorageError as error:
        return [], str(error)


def _encoded(entries: list[Entry] = ENTRIES) -> bytes:
    """As the journal's own description says, made by other means."""
    lines, crc = [], 0
    for entry in entries:
        payload = msgspec.json.encode(entry)
        crc = zlib.crc32(payload, crc)
        lines.append(f"{crc:08x} ".encode() + payload + b"\n")
    return b"".join(lines)


def _read(data: bytes) -> list[Entry]:
    from bench.journal import _believed

    return list(_believed(Path("journal.jsonl"), data).entries)


def test_a_rescue_that_fails_half_way_leaves_the_journal_to_the_next_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()

    append, failed = Journal.append, []

    def fails_twice(journal: Journal, entry: Entry) -> None:  # the journal itself, then its first copy
        if len(failed) < 2:
            failed.append(journal.path)
            raise StorageError("no space") from OSError(errno.ENOSPC, "No space left on device")
        append(journal, entry)

    keeper = Keeper.begin(tmp_path / "run", OPENED)
    (tmp_path / "run" / FILE_NAME).rename(tmp_path / "elsewhere")  # so that the first copy can be made where it was
    monkeypatch.setattr(Journal, "append", fails_twice)
    keeper.note(ENTRIES[1])
    assert failed == [tmp_path / "run" / FILE_NAME] * 2
    assert keeper.folder.parent == tmp_path / "temporary"
    assert read_journal(keeper.folder).entries == (OPENED, ENTRIES[1])
    keeper.close(keep=True)


def test_no_temporary_folder_is_made_where_none_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    keeper = Keeper.begin(tmp_path / "run", OPENED)
    (tmp_path / "run" / FILE_NAME).unlink()
    for entry in ENTRIES[1:]:
        keeper.note(entry)
    assert keeper.folder == tmp_path / "run"
    assert list((tmp_path / "temporary").iterdir()) == []
    keeper.close(keep=True)
