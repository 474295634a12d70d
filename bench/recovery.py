"""From the entries of a journal back to the run they tell of, and to what is still to be measured of it.

::

    Opened | group 1 ... GroupEnded whole | group 2: wave 1 done, wave 2 done, wave 3 .
                                                                              ^ here it was broken off
    recovered   everything, blocks of wave 3 as well                          rows say INTERRUPTED
    resumed     waves 1 and 2 are kept; wave 3 and what follows is measured   nothing is counted twice
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from bench.dossier import GroupBook
from bench.entries import (
    Anchor,
    Closed,
    Doubted,
    Entry,
    GroupEnded,
    GroupOpened,
    Opened,
    Resumed,
    WaveDone,
)
from bench.errors import BenchError, StorageError
from bench.records import Case, Caveat, CaveatKind, Environment, Plan, Run, Sitting, Skip, Trial

#: What a sitting that was broken off says of itself: no more true once another goes on.
_BROKEN_OFF = frozenset({CaveatKind.INTERRUPTED, CaveatKind.OUT_OF_TIME})


@dataclass
class GroupHistory:
    """A group as its entries tell of it. Who measures it notes what happens in its book."""

    cases: tuple[Case, ...]
    plan: Plan
    book: GroupBook = field(init=False)

    def __post_init__(self) -> None:
        self.book = GroupBook(self.cases, self.plan)

    @property
    def whole(self) -> bool:
        """Whether all was measured that was to be."""
        return self.book.done

    @property
    def trials(self) -> tuple[Trial, ...]:
        """What was measured; rows of a group that was broken off say so."""
        if self.whole:
            return self.book.trials
        return tuple(_interrupted(trial, self.book) for trial in self.book.trials)


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
        return sum(group.book.waves_done for group in self.groups)

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
                self.groups[-1].book.note(entry)
                if isinstance(entry, WaveDone):
                    self.anchor = entry.anchor

    def _resume(self, entry: Resumed) -> None:
        group, wave = None, 0
        if self.groups and not self.groups[-1].whole:
            last = self.groups[-1]
            group, wave = last.cases[0].name, last.book.waves_done
        self.earlier_s += max(0.0, self.anchor.clock_s - self._begin.clock_s)
        self.sittings.append(Sitting(entry.started, entry.environment, group, wave))
        self.anchor = self._begin = entry.anchor
        self.skips, self.duration_s = list(entry.skips), None

    def run(self) -> Run:
        """Everything that was measured, as a run."""
        powers = (group.book.power for group in self.groups)
        return Run(
            id=self.opened.id,
            started=self.opened.started,
            environment=self.opened.environment,
            plan=self.opened.plan,
            trials=tuple(trial for group in self.groups for trial in group.trials),
            skips=(*self.skips, *(skip for group in self.groups for skip in group.book.skips if not skip.case.copy)),
            power=tuple(power for power in powers if power is not None),
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
        for entry in _kept(others):
            told.add(entry)
        told.run()  # it must be possible to read what they tell
    except (BenchError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
        msg = f"the journal contradicts itself ({type(error).__name__}: {error}); it was changed by hand, or damaged"
        raise StorageError(msg) from error
    return told


def _kept(entries: Iterable[Entry]) -> list[Entry]:
    """The entries that count: what is of a wave that its sitting did not finish, the next sitting measured again."""
    kept: list[Entry] = []
    for entry in entries:
        if isinstance(entry, Resumed):
            kept = _finished(kept)
        kept.append(entry)
    return kept


def _finished(entries: list[Entry]) -> list[Entry]:
    """The same without what resuming voids: of a group that is not whole, all but its finished waves."""
    opened = max((place for place, entry in enumerate(entries) if isinstance(entry, GroupOpened)), default=len(entries))
    last = entries[opened + 1 :]
    if any(isinstance(entry, GroupEnded) and entry.whole for entry in last):
        return entries
    done = max((entry.wave + 1 for entry in last if isinstance(entry, WaveDone)), default=0)
    return [*entries[: opened + 1], *(entry for entry in last if _outlasts(entry, done))]


def _outlasts(entry: Entry, waves_done: int) -> bool:
    if isinstance(entry, Resumed | Closed):
        return True
    if isinstance(entry, Doubted) and entry.caveat.kind in _BROKEN_OFF:
        return False  # it goes on now
    return not isinstance(entry, Opened | GroupOpened | GroupEnded) and entry.wave < waves_done


def _interrupted(trial: Trial, book: GroupBook) -> Trial:
    """The trial of a group that was broken off, marked unless it had ended or says so already."""
    ended = trial.case not in {dossier.case for dossier in book.staff}
    if ended or _BROKEN_OFF & {caveat.kind for caveat in trial.caveats}:
        return trial
    caveat = Caveat.of(CaveatKind.INTERRUPTED, waves=book.waves_done, planned=book.waves)
    return replace(trial, caveats=(*trial.caveats, caveat))
