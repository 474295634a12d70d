"""When to read one sensor next, so that each of its changes is caught to within a poll at little cost.

A tracker is told what every read returned and between which times; it answers with the next time to read, and
with a reading where there is one to keep. It has no clock of its own.
"""

from __future__ import annotations

import enum
import math
from collections import deque
from statistics import median

from bench.instruments.power import SensorFacts
from bench.records.power import Reading, SourceKind

#: Dense polling: a change of a counter is known to within this; of power less is asked.
POLL_S = 0.001
_POLL_POWER_S = 0.005
#: A sensor that is always up to date is read at this pace.
PACE_S = 0.05
#: A second source of a component is read along with the first, and by itself when that has been silent for so long.
LEISURE_S = 0.15
#: So long before the predicted change the polling begins at most, and no more than this share of the period.
_LEAD_S = 0.004
_LEAD_SHARE = 0.1
#: Learning ends with so many distances between changes, or after so long.
_LEARN_GAPS = 4
_LEARN_S = 1.0
#: What changes more often than this is read at a steady pace instead.
_FASTEST_S = 0.015
#: Changes that follow each other faster than this are not all waited for: of a counter of 20 ms every third says as
#: much about a second, at a third of the cost (measured: 0.7 % of a core instead of 2 %).
_APART_S = 0.045
#: The period that is supposed where no change was seen at all; power is refreshed at least so often, however
#: rarely its value differs.
_SUPPOSED_S = 0.1
#: A rhythm that was lost is searched for, for so many changes, at most so often.
_SEARCH_CHANGES = 2
_SEARCH_EVERY_S = 1.0
#: A counter that stands still for longer than this, and than so many periods, is stalled.
_STALL_S = 2.0
_STALL_PERIODS = 10
#: After a failed read the next waits for so long.
_RETRY_S = 0.25


class _Pace(enum.Enum):
    LEARNING = "learning"  # polled densely until the period is known
    FOLLOWING = "following"  # asleep until shortly before the next change
    SEARCHING = "searching"  # polled densely, because a change came when it was not expected
    STEADY = "steady"  # always up to date, or changing too fast to follow


class Tracker:
    """The rhythm of one sensor; or none, for one that is read ``at_leisure``, along with another."""

    def __init__(self, facts: SensorFacts, *, at_leisure: bool = False) -> None:
        self.due_s = float("-inf")  # when to read next
        self.silent_s: float | None = None  # set by the read that finds a counter stalled
        self._facts = facts
        steady = at_leisure or facts.fresh_s is not None
        self._pace = _Pace.STEADY if steady else _Pace.LEARNING
        self._pace_s = LEISURE_S if at_leisure else PACE_S
        self._poll_s = POLL_S if facts.unit == "J" else _POLL_POWER_S
        self._gaps: deque[float] = deque(maxlen=16)  # between changes that were both caught in time
        self._period_s = _SUPPOSED_S
        self._stride = 1  # one change in so many is waited for
        self._lead_s = _LEAD_S
        self._woken = False  # the next read is the first after a sleep over several changes
        self._value: float | None = None
        self._begin_s = 0.0
        self._seen_s = 0.0  # start of the last read
        self._change_s: float | None = None  # the last change, if it was caught in time
        self._still_s = 0.0  # since when the value is what it is
        self._stalled = False
        self._expected_s = 0.0  # when the next change that is waited for is due
        self._searched_s = float("-inf")
        self._wanted = 0  # changes still to be found by a search

    @property
    def learned(self) -> bool:
        """Whether its rhythm is known, or known to be unknowable."""
        return self._value is not None and self._pace is not _Pace.LEARNING

    @property
    def spacing_s(self) -> float | None:
        """The distance between two readings; None while it is not known."""
        if self._pace is _Pace.STEADY:
            return self._pace_s
        return self._stride * self._period_s if self._gaps else None

    def saw(self, value: float, before_s: float, after_s: float) -> Reading | None:
        """Take note of a read that began and ended at these times; returns what is to be kept of it.

        The value may have been fetched at any moment of a read, so a change lies between the start of the last
        read without it and the end of the first one with it.
        """
        poll_s = max(self._poll_s, 4 * (after_s - before_s))  # a slow driver is not kept busy
        first, changed = self._value is None, value != self._value and not self._woken
        self._woken = False
        reading = Reading(before_s if first else self._seen_s, after_s, value)
        if first:
            self._begin_s = self._still_s = before_s
        self._value, self._seen_s, self.silent_s = value, before_s, None
        self.due_s = after_s + (self._pace_s if self._pace is _Pace.STEADY else poll_s)
        if changed and not first:
            self._changed(reading, 3 * poll_s)
        elif not first:
            self._unchanged(after_s)
        if self._pace is _Pace.LEARNING:
            self._graduate(after_s)
        return self._kept(reading, before_s, news=changed)

    def failed(self, at_s: float) -> None:
        """Take note of a read that failed: try again in a while."""
        self.due_s = at_s + _RETRY_S
        self._change_s = None

    def _changed(self, reading: Reading, sharp_s: float) -> None:
        now_s = reading.at_s
        sharp = now_s - reading.since_s <= sharp_s
        if sharp and self._change_s is not None:
            self._learn(now_s - self._change_s)
        self._change_s = now_s if sharp else None
        self._still_s, self._stalled = now_s, False
        if self._pace is _Pace.FOLLOWING:
            if sharp:
                self._sleep_from(now_s)
            elif reading.since_s <= self._expected_s <= now_s:  # the reader came late, not the change
                self._sleep_from(self._expected_s)
            elif now_s - self._searched_s >= _SEARCH_EVERY_S:
                self._search(now_s)
            else:
                self._sleep_from(now_s)
        elif self._pace is _Pace.SEARCHING:
            self._wanted -= 1
            if self._wanted == 0:
                self._sleep_from(now_s)

    def _unchanged(self, now_s: float) -> None:
        """The change may be late, or the sensor may have been brought up to date with the value it had."""
        if self._pace is _Pace.FOLLOWING and now_s >= self._expected_s + self._lead_s:
            if self._stride > 1 and now_s - self._searched_s >= _SEARCH_EVERY_S:
                self._search(now_s)
            else:  # shortly after the expected time it is that time that counts on; after a long sleep, now
                self._sleep_from(self._expected_s if now_s < self._expected_s + self._period_s else now_s)
        elif self._pace is _Pace.SEARCHING and now_s > self._searched_s + (_SEARCH_CHANGES + 1) * self._period_s:
            self._sleep_from(now_s)
        still_s = now_s - self._still_s
        if self._facts.kind is not SourceKind.COUNTER or self._stalled:  # power may well be constant
            return
        if still_s > max(_STALL_S, _STALL_PERIODS * self._period_s):
            self._stalled, self.silent_s = True, still_s

    def _kept(self, reading: Reading, before_s: float, *, news: bool) -> Reading | None:
        """A change; of power also that it stayed, whenever a change was due; of a model every reading."""
        if self._pace is _Pace.STEADY:
            fresh_s = self._facts.fresh_s or self._period_s
            if news or self._facts.kind is not SourceKind.COUNTER:
                return reading._replace(since_s=max(reading.since_s, before_s - fresh_s))
            return None
        waited = self._pace is _Pace.FOLLOWING and self.due_s > reading.at_s + 2 * self._poll_s
        if news or (waited and self._facts.unit == "W"):
            return reading
        return None

    def _learn(self, gap_s: float) -> None:
        """A distance of several periods is one with changes missed between: only the shortest teach anything."""
        if self._pace is _Pace.FOLLOWING:
            gap_s /= self._stride
        if self._gaps and gap_s < self._period_s / 1.5:
            self._gaps.clear()
        if self._gaps and gap_s > self._period_s * 1.5:
            return
        self._gaps.append(gap_s)
        middle_s = median(self._gaps)
        self._period_s = min(middle_s, _SUPPOSED_S) if self._facts.unit == "W" else middle_s
        self._stride = math.ceil(_APART_S / self._period_s)
        spread_s = self._stride * (max(self._gaps) - min(self._gaps))
        self._lead_s = max(2 * POLL_S, min(_LEAD_S, _LEAD_SHARE * self._period_s, spread_s + POLL_S))

    def _graduate(self, now_s: float) -> None:
        """End learning, when enough was seen or nothing came."""
        if len(self._gaps) < _LEARN_GAPS and now_s - self._begin_s < _LEARN_S:
            return
        if self._gaps and self._period_s < _FASTEST_S:
            self._pace, self.due_s = _Pace.STEADY, now_s + PACE_S
        else:
            self._sleep_from(now_s if self._change_s is None else self._change_s)

    def _sleep_from(self, anchor_s: float) -> None:
        """Follow: the sensor was brought up to date at the anchor; sleep until shortly before the next time."""
        self._pace, self._woken = _Pace.FOLLOWING, self._stride > 1
        self._expected_s = anchor_s + self._stride * self._period_s
        self.due_s = self._expected_s - self._lead_s

    def _search(self, now_s: float) -> None:
        """Poll densely until the rhythm is found again."""
        self._pace, self._searched_s, self._wanted = _Pace.SEARCHING, now_s, _SEARCH_CHANGES
