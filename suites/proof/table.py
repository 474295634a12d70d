"""What is known of all steps, as Markdown: a table, and beneath it each claim with what was seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from suites.proof.journal import Attempt, Journal, latest
from suites.proof.outcome import Outcome
from suites.proof.steps import Step


def summary(folder: Path, steps: Sequence[Step], pace: str) -> str:
    """The summary of a folder at one pace."""
    known = latest(Journal(folder).attempts(), pace)
    outcomes = {step.name: Outcome.load(folder / step.name) for step in steps if _measured(known.get(step.name))}
    return "\n".join([f"# Proof at the pace {pace}", "", *_table(steps, known), *_claims(steps, outcomes)]) + "\n"


def _measured(attempt: Attempt | None) -> bool:
    """Whether what lies in the step's folder is of its last attempt."""
    return attempt is not None and attempt.state.value in {"passed", "contradicted"}


def _table(steps: Sequence[Step], known: Mapping[str, Attempt]) -> Iterator[str]:
    yield "| step | what it does | state | seconds | |"
    yield "|---|---|---|---|---|"
    for step in steps:
        attempt = known.get(step.name)
        state = "not yet" if attempt is None else attempt.state.value
        seconds = "" if attempt is None or attempt.duration_s is None else f"{attempt.duration_s:.0f}"
        reason = "" if attempt is None else _cell(attempt.reason)
        yield f"| {step.name} | {step.what} | {state} | {seconds} | {reason} |"


def _claims(steps: Sequence[Step], outcomes: Mapping[str, Outcome | None]) -> Iterator[str]:
    for step in steps:
        outcome = outcomes.get(step.name)
        if outcome is None:
            continue
        yield from ("", f"## {step.name}", "", "| so? | claim | seen |", "|---|---|---|")
        yield from (f"| {claim.mark} | {_cell(claim.text)} | {_cell(claim.seen)} |" for claim in outcome.claims)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")[:600]
