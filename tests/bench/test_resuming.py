"""What a broken-off run asks of the session that goes on with it; nothing in a journal names code that is run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench import Case, Plan, UsageError, Variant, Workload
from bench.entries import Anchor, Entry, GroupOpened, Opened
from bench.journal import Journal
from bench.records import Environment
from bench.resuming import check_cases, command_of, planned, read_history

WORKLOAD = Workload("sums", "mine:build", None, (("length", 5),))
CASES = [Case(WORKLOAD, Variant.of(threads=n)) for n in (1, 2)]


def _opened(cases: Sequence[Case] = CASES) -> Opened:
    return Opened(
        1,
        "20261125-120000-abcd",
        "2026-11-25T12:00:00+00:00",
        Environment(),
        Plan(seed=7, waves=4),
        Anchor(0, 0),
        None,
        [case.name for case in cases],
        ["--benchmark-only", "-k", "a b"],
    )


def _journal(folder: Path, *entries: Entry) -> Path:
    journal = Journal.create(folder)
    for entry in entries:
        journal.append(entry)
    journal.close()
    return folder


def test_the_plan_is_that_of_the_run_and_may_be_repeated_but_not_changed(tmp_path: Path) -> None:
    folder = _journal(tmp_path, _opened())
    assert planned(folder, {})[0] == Plan(seed=7, waves=4)
    assert planned(folder, {"waves": 4})[0].seed == 7
    with pytest.raises(UsageError, match=r"waves was 4 when the run began, not 5; .*leave that option out"):
        planned(folder, {"waves": 5})


def test_a_folder_without_a_journal_is_refused_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--bench-resume .*journal.jsonl is not there"):
        planned(tmp_path, {})


def test_a_case_that_is_lacking_is_named_with_the_command_of_then(tmp_path: Path) -> None:
    told = read_history(_journal(tmp_path, _opened()))[1]
    check_cases(told, CASES)
    check_cases(told, [*CASES, Case(WORKLOAD, Variant.of(threads=3))])  # it is not asked for
    with pytest.raises(UsageError, match=r"lacks sums\[cpu-fp32-threads2\]; .*pytest --benchmark-only -k 'a b'"):
        check_cases(told, CASES[:1])
    assert command_of(told.opened) == "pytest --benchmark-only -k 'a b'"


@pytest.mark.parametrize(
    "forged",
    [
        replace(WORKLOAD, build="antigravity:fly"),
        replace(WORKLOAD, prepare="antigravity:fly"),
        replace(WORKLOAD, parameters=(("length", 6),)),
    ],
)
def test_code_that_a_journal_names_is_never_imported(forged: Workload, tmp_path: Path) -> None:
    cases = [replace(case, workload=forged) for case in CASES]
    told = read_history(_journal(tmp_path, _opened(), GroupOpened(cases, Plan())))[1]
    with pytest.raises(UsageError, match=r"sums\[cpu-fp32-threads1\] has other parameters now"):
        check_cases(told, CASES)
    assert "antigravity" not in sys.modules
