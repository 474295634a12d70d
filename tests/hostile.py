"""Files from elsewhere, changed at random: runs, journals, price books and captures. ``python -m tests.hostile``.

Each file is damaged in its bytes, or keeps its form and says something else, and is then read as a user would read it;
what can be read is reported as well. Allowed are a result and a sentence of a :class:`bench.BenchError`. Anything else
counts: another exception, a message of several lines, more than ten seconds, a file that is opened for writing.

The seed of a mutation is its number, so that each can be looked at again: ``python -m tests.hostile --only run 4711``.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from bench import BenchError, capture
from bench.entries import Anchor, Closed, Entry, GroupOpened, LookDone, Measured, Opened, Resumed, WaveDone
from bench.journal import FILE_NAME, Journal, read_journal
from bench.pricebook import SHIPPED, read_prices
from bench.records import Caveat, CaveatKind, Run
from bench.recovery import history
from bench.skim import skim
from bench.storage import load, save
from reports import console, markdown
from reports.document import compose
from tests.factories import with_energy
from tests.reports.example import example_run
from tests.reports.test_profile import timed_run

CAPTURE = Path(__file__).parent / "bench" / "captures" / "training.sqlite"
_LIMIT_S = 10
#: Rendering takes longer than reading by far: one in so many of the files that can be read is reported as well.
_REPORTED = 8
_NUMBERS = (0, -1, 1, 2**31, 2**63, -(2**63), 10**400, 0.0, -0.0, 1e-320, 1e308, -1e308, True, None)
_TEXTS = ("", "\x00", "\u202e", "<script>alert(1)</script>", "=1+1", "../../etc/passwd", "x" * 5000, "ä\n\r\x1b[31m")


class Outcome(NamedTuple):
    """What became of one mutation: "read", "refused", or what is wrong with it."""

    state: str
    detail: str = ""


class _TooSlowError(Exception):
    pass


def mutated_bytes(data: bytes, chance: random.Random) -> bytes:
    """The file with a few stretches of bytes replaced, lost, doubled or moved, or cut off."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        place, length = chance.randrange(len(changed) + 1), chance.choice((0, 1, 1, 2, 8, 64, 1024))
        match chance.randrange(5):
            case 0:
                changed[place : place + length] = chance.randbytes(length)
            case 1:
                del changed[place : place + length]
            case 2:
                changed[place:place] = changed[place : place + length]
            case 3:
                other = chance.randrange(len(changed) + 1)
                changed[other:other] = changed[place : place + length]
            case _:
                del changed[place : None if chance.random() < 0.1 else place + 1]
    return bytes(changed)


def mutated_value(value: Any, chance: random.Random) -> Any:
    """The same JSON with one to three of its values made into something else."""
    changed = json.loads(json.dumps(value))
    for _ in range(chance.randint(1, 3)):
        holder, key = chance.choice([*_places(changed)])
        match chance.randrange(6):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, list):
                holder.insert(key, json.loads(json.dumps(holder[key])))
            case 2:
                holder[key] = chance.choice(_TEXTS)
            case 3 if isinstance(holder[key], list | dict):
                holder[key] = type(holder[key])()
            case _:
                holder[key] = chance.choice(_NUMBERS)
    return changed


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value, as its holder and the key there; of long lists, the first and last few items."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield value, key
            yield from _places(member)
    elif isinstance(value, list):
        for index in sorted({*range(len(value))[:4], *range(len(value))[-2:]}):
            yield value, index
            yield from _places(value[index])


class Runs:
    """``run.json``: read whole, skimmed, and reported."""

    name = "run"

    def __init__(self) -> None:
        run, timed = example_run(), timed_run().trials[0]
        first, *others = (
            dataclasses.replace(trial, samples=tuple(sample for sample in trial.samples[:40] if sample.wave < 2))
            for trial in run.trials[:6]
        )
        first = dataclasses.replace(
            first, phases=timed.phases, profile=timed.profile, caveats=(Caveat.of(CaveatKind.NO_SENSOR, source="rapl"),)
        )
        measured = [trial for trial in (first, *others) if trial.samples]
        small = with_energy(dataclasses.replace(run, trials=tuple(measured)), [50.0] * len(measured))
        with tempfile.TemporaryDirectory() as folder:
            self.data = save(small, Path(folder)).read_bytes()
        self.value = json.loads(self.data)

    def write(self, folder: Path, chance: random.Random) -> None:
        broken = chance.random() < 0.5
        changed = mutated_bytes(self.data, chance) if broken else _json(mutated_value(self.value, chance))
        (folder / "run.json").write_bytes(changed)

    def read(self, folder: Path) -> Run:
        run = load(folder / "run.json")
        skim([folder])
        return run


class Journals:
    """``journal.jsonl``: damaged, or with sound checksums and entries that say something else."""

    name = "journal"

    def __init__(self) -> None:
        run = example_run()
        cases = [trial.case for trial in run.trials[:3]]
        entries: list[Entry] = [
            Opened(1, run.id, run.started, run.environment, run.plan, Anchor(1.0, 1.0), cases=[c.name for c in cases]),
            GroupOpened(cases, run.plan),
            *(Measured(index, [*trial.samples[:6]]) for index, trial in enumerate(run.trials[:3])),
            WaveDone(0, 1.0, Anchor(9.0, 9.0), run.power[0] if run.power else None),
            LookDone(0, [2]),
            Resumed(run.started, run.environment, Anchor(20.0, 20.0)),
            *(Measured(index, [s._replace(wave=1) for s in t.samples[:6]]) for index, t in enumerate(run.trials[:3])),
            Closed(30.0),
        ]
        with tempfile.TemporaryDirectory() as folder:
            self.data = _journal(Path(folder), entries)
        self.lines = [json.loads(line[9:]) for line in self.data.splitlines()]

    def write(self, folder: Path, chance: random.Random) -> None:
        if chance.random() < 0.5:
            changed = mutated_bytes(self.data, chance)
        else:
            lines = [*self.lines]
            chance.shuffle(lines) if chance.random() < 0.2 else None
            changed = _checksummed(mutated_value(lines, chance))
        (folder / FILE_NAME).write_bytes(changed)

    def read(self, folder: Path) -> Run:
        return history(read_journal(folder).entries).run()


class Prices:
    """A price book, damaged in its bytes or line by line."""

    name = "price book"

    def __init__(self) -> None:
        self.lines = SHIPPED.read_text().splitlines()
        self.run = example_run()

    def write(self, folder: Path, chance: random.Random) -> None:
        lines = [*self.lines]
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(lines))
            key = lines[place].partition("=")[0]
            value = chance.choice((*_NUMBERS, *_TEXTS, "1e999", "inf", "[]", "{}"))
            lines[place] = chance.choice((f"{key}= {json.dumps(value)}", f"{key}= {value}", "", lines[place - 1]))
        data = "\n".join(lines).encode()
        (folder / "prices.toml").write_bytes(mutated_bytes(data, chance) if chance.random() < 0.3 else data)

    def read(self, folder: Path) -> Run:
        read_prices(folder / "prices.toml")
        return self.run


class Captures:
    """An SQLite export of Nsight Systems, damaged in its pages or with other values in its tables."""

    name = "capture"

    def __init__(self) -> None:
        self.data = CAPTURE.read_bytes()
        self.run = example_run()

    def write(self, folder: Path, chance: random.Random) -> None:
        path = folder / "capture.sqlite"
        path.write_bytes(mutated_bytes(self.data, chance) if chance.random() < 0.6 else self.data)
        if chance.random() < 0.5:
            _change_tables(path, chance)

    def read(self, folder: Path) -> Run:
        return dataclasses.replace(self.run, captures=(capture.read(folder / "capture.sqlite"),))


KINDS: Mapping[str, Callable[[], Any]] = {kind.name: kind for kind in (Runs, Journals, Prices, Captures)}


def outcome(kind: Any, number: int, folder: Path) -> Outcome:
    """What becomes of one mutation of a kind; it is written to the folder, and left there."""
    kind.write(folder, random.Random(f"{kind.name} {number}"))
    signal.alarm(_LIMIT_S)
    try:
        run = kind.read(folder)
        if number % _REPORTED == 0:
            document = compose(run, read_prices())
            markdown.render(document)
            console.render(document, 80)
    except BenchError as error:
        text = str(error)
        return Outcome("several lines", text) if "\n" in text else Outcome("refused")
    except _TooSlowError:
        return Outcome("too slow")
    except Exception as error:  # noqa: BLE001  it is what is looked for
        return Outcome("crash", f"{type(error).__name__}: {error}"[:200])
    finally:
        signal.alarm(0)
    return Outcome("read")


def tried(name: str, numbers: Sequence[int]) -> tuple[Counter[str], list[str]]:
    """The counts of a kind, and a line for each mutation that did not end as it should."""
    signal.signal(signal.SIGALRM, _too_slow)
    kind, counts, wrong = KINDS[name](), Counter[str](), []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        watch = _Watch(folder)
        for number in numbers:
            found = outcome(kind, number, folder)
            written = watch.taken()
            found = Outcome("wrote elsewhere", written) if written else found
            counts[found.state] += 1
            if found.state not in ("read", "refused"):
                wrong.append(f"{name} {number}: {found.state} {found.detail}")
        watch.stop()
    return counts, wrong


class _Watch:
    """Sees files that this process opens for writing outside of one folder. An audit hook stays for ever."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._seen = ""
        self._on = True
        sys.addaudithook(self._hear)

    def taken(self) -> str:
        seen, self._seen = self._seen, ""
        return seen

    def stop(self) -> None:
        self._on = False

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on or event != "open":
            return
        path, mode, flags = arguments
        writes = (isinstance(mode, str) and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & 0b11)
        if writes and isinstance(path, str) and not path.startswith((self._folder, "/dev/null")):
            self._seen = path


def _too_slow(number: int, frame: FrameType | None) -> None:
    raise _TooSlowError


def _json(value: Any) -> bytes:
    """Python writes what JSON has no words for: NaN, and numbers of any length."""
    return json.dumps(value).encode()


def _journal(folder: Path, entries: Sequence[Entry]) -> bytes:
    journal = Journal.create(folder)
    for entry in entries:
        journal.append(entry)
    journal.close()
    return (folder / FILE_NAME).read_bytes()


def _checksummed(lines: Sequence[Any]) -> bytes:
    import zlib

    crc, made = 0, []
    for line in lines:
        payload = _json(line)
        crc = zlib.crc32(payload, crc)
        made.append(b"%08x %b\n" % (crc, payload))
    return b"".join(made)


def _change_tables(path: Path, chance: random.Random) -> None:
    with contextlib.suppress(sqlite3.Error, IndexError, UnicodeError), closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA synchronous = OFF")
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        table = chance.choice(tables)
        columns = [row[1] for row in database.execute(f'PRAGMA table_info("{table}")')]
        numbers = [value for value in _NUMBERS if value is None or -(2**63) <= value < 2**63]
        value = chance.choice((*numbers, *_TEXTS, b"\xff\xfe"))
        share = chance.choice((1, 2, 10))
        database.execute(f'UPDATE "{table}" SET "{chance.choice(columns)}" = ? WHERE rowid % {share} = 0', (value,))
        if chance.random() < 0.1:
            database.execute(f'DROP TABLE "{table}"')
        database.commit()


def main(arguments: Sequence[str] | None = None) -> int:
    """Try all kinds and print the counts; 1 where one mutation did not end as it should."""
    parser = argparse.ArgumentParser(prog="tests.hostile", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--each", type=int, default=25_000, help="mutations of each kind (25000)")
    parser.add_argument("--only", nargs=2, metavar=("KIND", "NUMBER"), help="one mutation, with its traceback")
    options = parser.parse_args(arguments)
    if options.only is not None:
        kind = KINDS[options.only[0]]()
        with tempfile.TemporaryDirectory() as folder:
            kind.write(Path(folder), random.Random(f"{kind.name} {options.only[1]}"))
            document = compose(kind.read(Path(folder)), read_prices())
            print(console.render(document, 80), markdown.render(document))
        return 0
    bad: list[str] = []
    print("| file | mutations | could be read | refused in one line | anything else | time |")
    print("|---|--:|--:|--:|--:|--:|")
    for name in KINDS:
        begin = time.monotonic()
        counts, wrong = tried(name, range(options.each))
        bad += wrong
        cells = (name, options.each, counts["read"], counts["refused"], len(wrong), f"{time.monotonic() - begin:.0f} s")
        print(f"| {' | '.join(map(str, cells))} |", flush=True)
    print("\n".join(bad[:50]), file=sys.stderr)
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
