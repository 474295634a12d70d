"""The process of one step: ``python -m suites.proof.child STEP FOLDER PACE``, which :mod:`suites.proof.runner` starts.

Its outcome is a file; what it prints goes to the step's log. It ends when the runner has gone, and takes what it has
started with it: a measurement that nobody waits for would disturb the next one.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import UnavailableError
from suites.proof.outcome import NotHereError, Outcome, Task
from suites.proof.steps import PACES, find_step

_LOOK_S = 1.0


def main(arguments: Sequence[str]) -> int:
    """Do the step and keep its outcome; what goes wrong is raised, and stands in the log."""
    name, home, pace = arguments
    step = find_step(name)
    task = Task(name, Path(home), PACES[pace], step.device, dict(step.settings))
    task.folder.mkdir(parents=True, exist_ok=True)
    try:
        outcome = _find(step.work)(task)
    except (NotHereError, UnavailableError) as error:
        outcome = Outcome(not_here=str(error))
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] in {"bench", "reports", "suites"}:
            raise
        outcome = Outcome(not_here=f"the package {error.name.partition('.')[0]} cannot be imported ({error})")
    outcome.save(task.folder)
    _tell(outcome)
    return 0


def _find(place: str) -> Callable[[Task], Outcome]:
    module, _, name = place.partition(":")
    found: Callable[[Task], Outcome] = getattr(importlib.import_module(module), name)
    return found


def _tell(outcome: Outcome) -> None:
    if outcome.not_here is not None:
        print(f"not possible here: {outcome.not_here}")
    for claim in outcome.claims:
        print(f"{claim.mark:>3}  {claim.text}: {claim.seen}")


def end_with_parent(parent: int, group: int, ended: threading.Event, look_s: float = _LOOK_S) -> None:
    """End this process group once the parent is another; returns when ``ended`` is set."""
    while not ended.wait(look_s):
        if os.getppid() != parent:
            os.killpg(group, signal.SIGTERM)
            return


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background processes are born deaf to it
    if os.getpgrp() == os.getpid():  # a group of our own, as the runner starts it; not that of somebody's shell
        watch = (os.getppid(), os.getpgrp(), threading.Event())
        threading.Thread(target=end_with_parent, args=watch, daemon=True).start()
    sys.exit(main(sys.argv[1:]))
