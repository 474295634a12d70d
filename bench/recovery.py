"""From the entries of a journal back to the run they tell of, and to what is still to be measured of it.

::

    Opened | group 1 ... GroupEnded whole | group 2: wave 1 done, wave 2 done, wave 3 .
                                                                              ^ here it was broken off
    recovered   everything, blocks of wave 3 as well                          rows say INTERRUPTED
    resumed     waves 1 and 2 are kept; wave 3 and what follows is measured   nothing is counted twice
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from bench.dossier import GroupBook
from bench.entries import (
    Anchor,
    Closed,
    Doubted,
    Entry,
    GroupEnded,
    GroupEntry,
    GroupOpened,
    Opened,
    Resumed,
    WaveDone,
)
from bench.errors import BenchError, StorageError
from bench.records import Case, Caveat, CaveatKind, Environment, Plan, Run, Sitting, Skip


@dataclass
class GroupHistory:
    """A group as its entries tell of it."""

    cases: tuple[Case, ...]
    plan: Plan
    entries: list[GroupEntry] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether all was measured that was to be."""
        return any(isinstance(entry, GroupEnded) and entry.whole for entry in self.entries)

    @property
    def waves_done(self) -> int:
        return max((entry.wave + 1 for entry in self.entries if isinstance(entry, WaveDone)), default=0)

    def finished(self) -> list[GroupEntry]:
        """The entries that resuming keeps: all of a whole group, else those of its finished waves."""
        if self.whole:
            return self.entries
        done = self.waves_done
        return [entry for entry in self.entries if not isinstance(entry, GroupEnded) and entry.wave < done]

    def book(self) -> GroupBook:
        """What is known of it."""
        book = GroupBook(self.cases, self.plan)
        for entry in self.entries:
            book.note(entry)
        return book


@dataclass
class History:
    """A run as its journal tells of it."""

    opened: Opened
    groups: list[GroupHistory] = field(default_factory=list)
    sittings: list[Sitting] = field(default_factory=list)  # those after the first
    skips: list[Skip] = field(init=False)  # those known without measuring
    anchor: Anchor = field(init=False)  # the last
    duration_s: float | None = None  # None where it did not come to its end
    earlier_s: float = 0.0  # what sittings before the present one took

    def __post_init__(self) -> None:
        self.skips = list(self.opened.skips)
        self.anchor = self._begin = self.opened.anchor

    @property
    def kept_waves(self) -> int:
        """How many waves, of all groups, resuming need not measure again."""
        return sum(group.waves_done for group in self.groups)

    @property
    def environment(self) -> Environment:
        """The machine before the present sitting."""
        return self.sittings[-2].environment if len(self.sittings) > 1 else self.opened.environment

    def add(self, entry: Entry) -> None:
        """One entry more.

        Raises:
            ValueError, LookupError: it makes no sense here.
        """
        match entry:
            case Opened():
                msg = "a run is opened twice"
                raise ValueError(msg)
            case GroupOpened(cases=cases, plan=plan):
                if not cases or (self.groups and not self.groups[-1].whole):
                    msg = "a group begins before the one before it has ended"
                    raise ValueError(msg)
                self.groups.append(GroupHistory(tuple(cases), plan))
            case Resumed():
                self._resume(entry)
            case Closed(duration_s=duration_s, skips=skips):
                self.duration_s, self.skips = duration_s, list(skips)
            case _:
                self.groups[-1].entries.append(entry)
                if isinstance(entry, WaveDone):
                    self.anchor = entry.anchor

    def _resume(self, entry: Resumed) -> None:
        """Forget what the broken-off wave had, and note the new sitting."""
        group, wave = None, 0
        if self.groups and not self.groups[-1].whole:
            last = self.groups[-1]
            last.entries = last.finished()
            group, wave = last.cases[0].name, last.waves_done
        self.earlier_s += max(0.0, self.anchor.clock_s - self._begin.clock_s)
        self.sittings.append(Sitting(entry.started, entry.environment, group, wave))
        self.anchor = self._begin = entry.anchor
        self.skips, self.duration_s = list(entry.skips), None

    def run(self) -> Run:
        """Everything that was measured, as a run; rows of a group that was broken off say so."""
        books = [group.book() for group in self.groups]
        for group, book in zip(self.groups, books, strict=True):
            if not group.whole:
                _mark_interrupted(book)
        return Run(
            id=self.opened.id,
            started=self.opened.started,
            environment=self.opened.environment,
            plan=self.opened.plan,
            trials=tuple(trial for book in books for trial in book.trials),
            skips=(*self.skips, *(skip for book in books for skip in book.skips if not skip.case.copy)),
            power=tuple(book.power for book in books if book.power is not None),
            duration_s=self.duration_s,
            self_check=self.opened.self_check,
            sittings=tuple(self.sittings),
        )


def history(entries: Iterable[Entry]) -> History:
    """What a journal tells, sittings and all.

    Raises:
        StorageError: the entries make no sense in this order.
    """
    opened, *others = entries
    if not isinstance(opened, Opened):
        msg = "a journal begins with the opening of its run; this one does not"
        raise StorageError(msg)
    told = History(opened)
    try:
        for entry in others:
            told.add(entry)
        told.run()  # it must be possible to read what they tell
    except (BenchError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
        msg = f"the journal contradicts itself ({type(error).__name__}: {error}); it was changed by hand, or damaged"
        raise StorageError(msg) from error
    return told


def _mark_interrupted(book: GroupBook) -> None:
    for dossier in book.staff:
        if not {CaveatKind.INTERRUPTED, CaveatKind.OUT_OF_TIME} & dossier.caveats.keys():
            caveat = Caveat.of(CaveatKind.INTERRUPTED, waves=book.waves_done, planned=book.plan.waves)
            book.note(Doubted(book.waves_done, dossier.index, caveat))
