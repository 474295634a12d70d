"""``python -m suites.proof FOLDER``: goes on with the first step that is not done, until all are or the time is up.

Exit status: 0 when no step is left and none is contradicted or failed, 1 when one is, 3 when there is more to do: call
again. 130 when interrupted, 2 for a command that cannot be meant.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import BenchError
from suites.proof.journal import Journal, State, latest, to_do
from suites.proof.machine import why_no_cuda
from suites.proof.runner import Clock, run_steps
from suites.proof.steps import PACES, STEPS, find_step
from suites.proof.table import summary

_SUMMARY = "summary.md"
_MORE_TO_DO, _INTERRUPTED = 3, 130
_BAD = (State.CONTRADICTED, State.FAILED, State.TIMED_OUT)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    options = _parser().parse_args(arguments)
    try:
        if options.list:
            for step in STEPS:
                print(f"{step.name:<26}{step.device:<8}{step.limit_s:>5.0f} s  {step.what}")
            return 0
        if options.folder is None:
            _parser().error("name a folder for the results, or --list")
        return _go_on(options)
    except BenchError as error:
        print(f"suites.proof: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("suites.proof: interrupted; the next call goes on", file=sys.stderr)
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="suites.proof", description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("folder", nargs="?", type=Path, help="where results are kept, and looked for")
    add("--limit", type=float, metavar="S", help="seconds that this call may take (no limit)")
    add("--pace", choices=tuple(PACES), default="full", help="how much is measured (full)")
    add("--only", action="append", default=[], metavar="STEP", help="this step, done or not; may be repeated")
    add("--list", action="store_true", help="print the steps, each with its device and its own limit")
    add("--table", action="store_true", help="only print what there is")
    return parser


def _go_on(options: argparse.Namespace) -> int:
    folder: Path = options.folder.absolute()
    names = [step.name for step in STEPS]
    wanted = [find_step(name).name for name in options.only]
    done = True
    if not options.table:
        clock = Clock(options.limit)
        left = wanted or to_do(names, Journal(folder).attempts(), options.pace)
        steps = [find_step(name) for name in left]
        done = run_steps(steps, folder, options.pace, clock, _say, why_no_cuda)
    text = summary(folder, STEPS, options.pace)
    if not options.table:
        (folder / _SUMMARY).write_text(text, encoding="utf-8")
    print(text, end="")
    attempts = Journal(folder).attempts()
    known = latest(attempts, options.pace)
    if not done or (not wanted and to_do(names, attempts, options.pace)):
        return _MORE_TO_DO
    return int(any(known[name].state in _BAD for name in wanted or names if name in known))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
