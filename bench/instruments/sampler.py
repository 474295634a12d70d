"""Reads sensors beside the measuring, in one thread, and keeps what they said with the time they said it.

A sensor is brought up to date by its hardware every 20 to 100 ms, and when it is says as much as what it says.
Polling all the time would find that out at the price of 2 to 4 % of a core; so each sensor is followed::

    learning     |.|.|.|.|.|.|.|      dense polling until the period is known
    following    .        |.|x        .        |.|x        asleep until shortly before the next change is due
                          ^   ^                                        ^ x: the change, known to within one poll
                       asleep until here
    running      .    .    .    .     brought up to date faster than anybody could follow (RAPL): read at a steady
                                      pace, every reading is a change

A value that stays the same is noted as well where it is power: a constant reading is a reading. A second source
of a component (power beside a counter) is there to check the first, and is read whenever that has changed.
"""

from __future__ import annotations

import threading
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterable
from statistics import median, quantiles
from typing import TypeVar

from bench.instruments.power import Panel, Sensor, SensorError, Watch
from bench.instruments.tracker import LEISURE_S, Tracker
from bench.records.power import (
    Component,
    GpuState,
    HostState,
    PowerLog,
    PowerTrace,
    Reading,
    SamplerCost,
    Span,
    Trouble,
    TroubleKind,
)

#: Clocks and heat are looked at so often, and other processes every other time.
_LOOK_S = 0.5
#: Readings of one sensor in memory; 24 bytes each. At ten a second it takes five hours to reach it.
MOST_READINGS = 200_000
_MOST_STATES = 50_000
#: So long the thread may sleep without listening for its end.
_SHORT_S = 0.02
#: How long the thread may take to end; a driver that hangs must not hang the run.
_PATIENCE_S = 5.0


S = TypeVar("S", GpuState, HostState)


class Recording:
    """The readings of one sensor, with bounded memory: when it is full, every other one goes."""

    def __init__(self, sensor: Sensor, most: int, *, at_leisure: bool) -> None:
        self.sensor = sensor
        self.tracker = Tracker(sensor.facts, at_leisure=at_leisure)
        # Read at no particular moment, a value may be as much older as the sensor lets it get.
        self.late_s = sensor.facts.late_s + (LEISURE_S if at_leisure else 0.0)
        self.company: list[Recording] = []  # what is read along with it
        self.troubles: dict[TroubleKind, Trouble] = {}
        self.lost = False
        self._most = most
        self._numbers = array("d")  # of readings that nobody has taken yet
        self._lock = threading.Lock()  # one thread adds, another takes
        self._latest: Reading | None = None

    def note(self, reading: Reading) -> None:
        self._latest = reading
        with self._lock:
            self._numbers.extend(reading)
            if len(self._numbers) >= 3 * self._most:
                self._thin(reading.at_s)

    def trouble(self, kind: TroubleKind, at_s: float, reason: str) -> None:
        """Note a trouble; of each kind the first is kept, and counted on."""
        known = self.troubles.get(kind)
        self.troubles[kind] = Trouble(kind, at_s, reason) if known is None else known._replace(times=known.times + 1)

    def past(self, time_s: float) -> bool:
        """Whether there is power read after this time, or a change of a counter that certainly came after it."""
        if self._latest is None:
            return False
        since_s, at_s, _ = self._latest
        return at_s > time_s if self.sensor.facts.unit == "W" else since_s >= time_s + self.late_s

    def take(self) -> PowerTrace:
        """What was read since it was last taken, as a frozen fact: to the microsecond, microjoule and microwatt."""
        with self._lock:
            numbers, self._numbers = self._numbers, array("d")
        facts = self.sensor.facts
        return PowerTrace(
            facts.component,
            facts.source,
            facts.kind,
            facts.unit,
            facts.resolution,
            self.tracker.spacing_s,
            facts.averaged_s,
            self.late_s,
            tuple(Reading(*(round(x, 6) for x in numbers[n : n + 3])) for n in range(0, len(numbers), 3)),
            tuple(self.troubles.values()),
        )

    def _thin(self, at_s: float) -> None:
        kept = array("d")
        for start in range(0, len(self._numbers), 6):
            kept.extend(self._numbers[start : start + 3])
        self._numbers = kept
        self.trouble(TroubleKind.THINNED, at_s, f"more than {self._most} readings; every other earlier one was dropped")


class Sampler:
    """Follows the sensors of a panel, on the clock of the samples (``time.perf_counter``).

    :meth:`step` does what is due and says when to come back: the thread that :meth:`start` begins calls it, or a
    test in virtual time.
    """

    def __init__(
        self,
        panel: Panel,
        *,
        clock: Callable[[], float] = time.perf_counter,
        cpu_clock: Callable[[], float] = time.thread_time,
        most_readings: int = MOST_READINGS,
    ) -> None:
        self.panel = panel
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._recordings = _recordings(panel.sensors, most_readings)
        self._watches: list[Watch] = list(panel.watches)
        self._states: deque[GpuState] = deque(maxlen=_MOST_STATES)
        self._host: deque[HostState] = deque(maxlen=_MOST_STATES)
        self._troubles: list[Trouble] = []
        self._spans: list[Span] = []
        self._look_s = clock()
        self._start_s = self._look_s
        self._stop_s: float | None = None
        self._due_s: float | None = None
        self._late: deque[float] = deque(maxlen=4096)
        self._reads = 0
        self._cpu_s = 0.0
        self._active_s = 0.0
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    # --- what the conductor does ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin, or go on after :meth:`pause`; a panel without sensors needs no thread and gets none."""
        if self._thread is not None or not (self._recordings or self._watches):
            return
        self._wake.clear()
        self._due_s = None
        self._thread = threading.Thread(target=self._run, name="joulemark-sampler", daemon=True)
        self._thread.start()

    def pause(self) -> None:
        """Stop reading until :meth:`start`; the readings have a gap there, and nothing is computed across it."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._wake.set()
        thread.join(_PATIENCE_S)
        if thread.is_alive():
            self._trouble(TroubleKind.STALLED, "a sensor did not answer; the sampling thread was left behind")

    def stop(self) -> None:
        """Stop for good and close the panel."""
        self.pause()
        self._stop_s = self._clock()
        self.panel.close()

    def span(self, span: Span) -> None:
        """Note what a stretch of the log was: idle, or the set-up of a case."""
        self._spans.append(span)

    def ready(self) -> bool:
        """Whether every sensor has been learned, so that a window may begin."""
        return all(recording.lost or recording.tracker.learned for recording in self._recordings)

    def past(self, time_s: float) -> bool:
        """Whether every sensor that is alive has said what there is to say about the time up to this one."""
        return all(recording.lost or recording.past(time_s) for recording in self._recordings)

    def take(self, ours: Iterable[int] = ()) -> PowerLog:
        """What was read since the last call, and is forgotten here; ``ours`` are the process ids of the workers.

        A reading of a counter that begins before the call and ends after it is in the next log, which so begins with
        the energy since the last reading of this one: :func:`bench.records.power.joined` puts them together again.
        """
        start_s, self._start_s = self._start_s, self._clock() if self._stop_s is None else self._stop_s
        spans, self._spans = self._spans, []
        return PowerLog(
            start_s=start_s,
            stop_s=self._start_s,
            traces=tuple(recording.take() for recording in self._recordings),
            unread=self.panel.unread,
            boards=self.panel.boards,
            devices=self.panel.devices,
            states=_emptied(self._states),
            host=_emptied(self._host),
            spans=tuple(spans),
            before=self.panel.before,
            ours=tuple(sorted(set(ours))),
            cost=self._cost(),
            troubles=tuple(self._troubles),
        )

    # --- what the thread does ------------------------------------------------------------------------------------

    def step(self) -> float:
        """Read whatever is due, and return when the next reading is."""
        now_s = self._clock()
        if self._due_s is not None:
            self._late.append(max(0.0, now_s - self._due_s))
        for recording in self._recordings:
            if not recording.lost and recording.tracker.due_s <= now_s:
                self._read(recording)
        if self._look_s <= now_s:
            self._look(now_s)
        alive = [recording.tracker.due_s for recording in self._recordings if not recording.lost]
        self._due_s = min([self._look_s, *alive])
        return self._due_s

    def _run(self) -> None:
        begin_s, begin_cpu_s = self._clock(), self._cpu_clock()
        active_s, cpu_s = self._active_s, self._cpu_s
        while not self._wake.is_set():
            wait_s = self.step() - self._clock()
            self._active_s = active_s + self._clock() - begin_s
            self._cpu_s = cpu_s + self._cpu_clock() - begin_cpu_s
            if wait_s > _SHORT_S:
                self._wake.wait(wait_s)
            elif wait_s > 0:
                time.sleep(wait_s)  # costs a third of waiting for an event

    def _read(self, recording: Recording) -> None:
        before_s = self._clock()
        try:
            value = recording.sensor.read()
        except SensorError as error:
            self._note_error(recording, before_s, str(error), lost=error.lost)
            return
        except Exception as error:  # noqa: BLE001 - whatever ails one sensor, the others go on
            self._note_error(recording, before_s, f"{type(error).__name__}: {error}", lost=True)
            return
        after_s = self._clock()
        self._reads += 1
        reading = recording.tracker.saw(value, before_s, after_s)
        if reading is not None:
            recording.note(reading)
            for companion in recording.company:
                if not companion.lost:
                    self._read(companion)
        silent_s = recording.tracker.silent_s
        if silent_s is not None:
            recording.trouble(TroubleKind.STALLED, after_s, f"it stood still for {silent_s:.1f} s")

    def _note_error(self, recording: Recording, at_s: float, reason: str, *, lost: bool) -> None:
        recording.lost = lost
        recording.trouble(TroubleKind.LOST if lost else TroubleKind.ERRED, at_s, reason)
        recording.tracker.failed(at_s)

    def _look(self, now_s: float) -> None:
        self._look_s = now_s + _LOOK_S
        for watch in tuple(self._watches):
            try:
                state = watch.look(now_s)
            except Exception as error:  # noqa: BLE001 - whatever ails one watch, the others go on
                self._watches.remove(watch)
                self._trouble(TroubleKind.LOST, str(error))
                continue
            if isinstance(state, GpuState):
                self._states.append(state)
            elif state is not None:
                self._host.append(state)

    def _trouble(self, kind: TroubleKind, reason: str) -> None:
        self._troubles.append(Trouble(kind, self._clock(), reason))

    def _cost(self) -> SamplerCost:
        late = sorted(self._late.copy())
        if len(late) < 2:
            return SamplerCost(self._active_s, self._cpu_s, self._reads)
        return SamplerCost(
            self._active_s,
            self._cpu_s,
            self._reads,
            median(late),
            quantiles(late, n=100, method="inclusive")[-1],
            late[-1],
        )


def _emptied(states: deque[S]) -> tuple[S, ...]:
    """What is in it now; the thread may go on adding."""
    return tuple(states.popleft() for _ in range(len(states)))


def _recordings(sensors: Iterable[Sensor], most: int) -> list[Recording]:
    """A recording for every sensor; the second and further ones of a component keep the first one company."""
    first: dict[Component, Recording] = {}
    recordings = []
    for sensor in sensors:
        leader = first.get(sensor.facts.component)
        recording = Recording(sensor, most, at_leisure=leader is not None)
        if leader is None:
            first[sensor.facts.component] = recording
        else:
            leader.company.append(recording)
        recordings.append(recording)
    return recordings
