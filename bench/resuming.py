"""What a run that was broken off asks of the session that goes on with it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from bench.entries import Opened
from bench.errors import StorageError, UsageError
from bench.journal import Reading, is_being_written, read_journal
from bench.records import Case, Plan
from bench.recovery import History, history


def read_history(folder: Path) -> tuple[Reading, History]:
    """The journal in a folder and what it tells.

    Raises:
        StorageError: there is none that can be read, or the run is still going on.
    """
    if is_being_written(folder):
        msg = f"{folder} is still being measured by another process; wait for its end"
        raise StorageError(msg)
    reading = read_journal(folder)
    return reading, history(reading.entries)


def planned(folder: Path, given: Mapping[str, Any]) -> tuple[Plan, Opened]:
    """The plan of a broken-off run; ``given`` are the fields of a plan that the user asks for.

    Raises:
        UsageError: the folder has no such run, or the user asks for another plan.
    """
    try:
        opened = read_history(folder)[1].opened
    except StorageError as error:
        msg = f"--bench-resume {folder}: {error}"
        raise UsageError(msg) from error
    plan = opened.plan
    for field in fields(plan):
        if field.name in given and given[field.name] != getattr(plan, field.name):
            msg = (
                f"--bench-resume {folder}: {field.name} was {getattr(plan, field.name)} when the run began, not "
                f"{given[field.name]}; a plan is fixed before the first sample, so leave that option out"
            )
            raise UsageError(msg)
    return plan, opened


def check_cases(told: History, collected: Iterable[Case]) -> None:
    """Whether all cases of the run are there again, with the same workloads.

    Raises:
        UsageError: one is lacking, or means something else now.
    """
    known = set(collected)
    names = {case.name for case in known}
    lacking = [name for name in told.opened.cases if name not in names]
    changed = [case.name for group in told.groups for case in group.cases if not case.copy and case not in known]
    if lacking or changed:
        what = f"it lacks {lacking[0]}" if lacking else f"{changed[0]} has other parameters now"
        msg = f"this is not the run that was begun: {what}; it was begun with: {command_of(told.opened)}"
        raise UsageError(msg)


def command_of(opened: Opened) -> str:
    """What the user typed then, as a shell would take it."""
    return shlex.join(["pytest", *opened.command])
