"""Runs one step after the other, each in a process group of its own, within the time of the call.

::

    call      |<------------------------- limit ------------------------->|
    steps     [ first ][ second ][ third .......... interrupted, given time to save | cut off ]
                                                    |<--------- patience --------->|

A step that the call cannot hold is cut off and tried again by the next call; one that exceeds its own limit is not.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from suites.proof.journal import Attempt, Journal, State
from suites.proof.outcome import Outcome
from suites.proof.steps import Step

ROOT = Path(__file__).parents[2]
LOG_NAME = "log.txt"
#: So long an interrupted step has to save what it has; of a call, so much is kept for that.
PATIENCE_S = 20.0
#: With less time left than this, nothing is begun.
LEAST_S = 15.0

Say = Callable[[str], None]


class Ending(NamedTuple):
    """How a child ended: its exit status, or None where it was stopped because its time was up."""

    status: int | None
    duration_s: float


class Clock:
    """How much of a call is left; ``limit_s`` None for no limit."""

    def __init__(self, limit_s: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end_s = None if limit_s is None else clock() + limit_s

    def left_s(self) -> float:
        return float("inf") if self._end_s is None else self._end_s - self._clock()


def run_steps(
    steps: Sequence[Step], folder: Path, pace: str, clock: Clock, say: Say, why_no_cuda: Callable[[], str | None]
) -> bool:
    """Run these steps as far as the time goes; whether none is left.

    Raises:
        KeyboardInterrupt: the user interrupted; the step that ran is cut off.
    """
    journal = Journal(folder)
    no_cuda: list[str | None] = []
    for number, step in enumerate(steps):
        if clock.left_s() < LEAST_S + PATIENCE_S:
            say(f"no time is left to begin {step.name}; call again for {len(steps) - number} more steps")
            return False
        if step.needs_cuda and not no_cuda:
            no_cuda.append(why_no_cuda())
        if step.needs_cuda and no_cuda[0] is not None:
            journal.add(Attempt(step.name, pace, State.NOT_HERE, _now(), 0.0, no_cuda[0]))
            say(f"{step.name}: not possible here: {no_cuda[0]}")
            continue
        attempt = _run_step(step, folder, pace, clock, journal)
        say(f"{step.name}: {attempt.state.value}, {attempt.duration_s or 0:.0f} s{_because(attempt)}")
        if not attempt.state.settled:
            return False
    return True


def _because(attempt: Attempt) -> str:
    return f": {attempt.reason}" if attempt.reason else ""


def _run_step(step: Step, folder: Path, pace: str, clock: Clock, journal: Journal) -> Attempt:
    place = folder / step.name
    place.mkdir(parents=True, exist_ok=True)
    started = _now()
    journal.add(Attempt(step.name, pace, State.STARTED, started))
    call_s = clock.left_s() - PATIENCE_S
    limit_s = min(step.limit_s, call_s)
    arguments = [sys.executable, "-m", "suites.proof.child", step.name, str(folder), pace]
    before = _written(place)
    begin = time.monotonic()
    try:
        with (place / LOG_NAME).open("ab") as log:
            log.write(f"\n== {step.name} at the pace {pace}, {started}\n".encode())
            log.flush()
            ending = run_child(arguments, log, limit_s)
    except KeyboardInterrupt:
        journal.add(Attempt(step.name, pace, State.CUT, started, time.monotonic() - begin, "interrupted"))
        raise
    outcome = Outcome.load(place) if _written(place) != before else None
    state, reason = judge_ending(ending, outcome, own_limit=step.limit_s <= call_s)
    attempt = Attempt(step.name, pace, state, started, round(ending.duration_s, 1), reason)
    journal.add(attempt)
    return attempt


def _written(place: Path) -> int | None:
    """When the outcome in a step's folder was written; None where there is none."""
    with contextlib.suppress(OSError):
        return (place / "outcome.json").stat().st_mtime_ns
    return None


def judge_ending(ending: Ending, outcome: Outcome | None, *, own_limit: bool) -> tuple[State, str]:
    """What became of a step whose process ended so and left this outcome."""
    if ending.status is None:
        if own_limit:
            return State.TIMED_OUT, f"it takes longer than the {ending.duration_s:.0f} s that it may"
        return State.CUT, "the call's time was up"
    if ending.status != 0 or outcome is None:
        return State.FAILED, f"status {ending.status}; its log says why"
    if outcome.not_here is not None:
        return State.NOT_HERE, outcome.not_here
    broken = [claim.text for claim in outcome.claims if claim.holds is False]
    return (State.CONTRADICTED, "not so: " + "; ".join(broken)) if broken else (State.PASSED, "")


def run_child(
    arguments: Sequence[str],
    log: IO[bytes],
    limit_s: float,
    patience_s: float = PATIENCE_S,
    pass_fds: Sequence[int] = (),
) -> Ending:
    """Run a command in a process group of its own, within a limit; nothing of it is left afterwards.

    Raises:
        KeyboardInterrupt: the user interrupted.
    """
    begin = time.monotonic()
    process = subprocess.Popen(
        arguments,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        process_group=0,
        pass_fds=pass_fds,
    )
    try:
        status: int | None = process.wait(max(0.1, limit_s))
    except subprocess.TimeoutExpired:
        status = None
        _end(process, patience_s)
    except KeyboardInterrupt:
        _end(process, patience_s)
        raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return Ending(status, time.monotonic() - begin)


def _end(process: subprocess.Popen[bytes], patience_s: float) -> None:
    """Interrupt the group, as Ctrl-C does, and give it time to save."""
    with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
        os.killpg(process.pid, signal.SIGINT)
        process.wait(patience_s)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
