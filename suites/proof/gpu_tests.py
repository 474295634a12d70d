"""The tests that need a GPU, from the files that have any: what else the tests need need not be installed."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from suites.proof.outcome import Claim, NotHereError, Outcome, Task
from suites.proof.runs import ROOT, call

_MARK = "mark.gpu"
_TESTS = ROOT / "tests"
#: A checkout that is not installed has no entry point, so the plugin is named.
_PLUGINS = ("-p", "joulemark", "-o", "required_plugins=pytest-benchmark")


@dataclass(frozen=True)
class Result:
    """One test: "passed", "failed" or "skipped", and why."""

    name: str
    state: str
    reason: str = ""


def run(task: Task) -> Outcome:
    """Run the tests that the step selects.

    Raises:
        NotHereError: there are no tests beside the suites.
    """
    files = marked(_TESTS.glob("**/test_*.py"))
    if not files:
        msg = f"there are no tests at {_TESTS}; run from a checkout"
        raise NotHereError(msg)
    report = task.folder / "tests.xml"
    report.unlink(missing_ok=True)
    select = str(task.settings["select"])
    start = [sys.executable, "-m", "pytest", *_PLUGINS, "-m", "gpu", "-k", select, f"--junitxml={report}"]
    status = call([*start, "-p", "no:cacheprovider", *map(str, files)])
    return judge(results(report.read_text(encoding="utf-8")) if report.is_file() else [], status)


def marked(files: Iterable[Path]) -> list[Path]:
    """The files that have tests marked so."""
    return sorted(file for file in files if _MARK in file.read_text(encoding="utf-8"))


def results(report: str) -> list[Result]:
    """What a report in JUnit's format says of each test."""
    found = []
    for case in ElementTree.fromstring(report).iter("testcase"):  # noqa: S314 - pytest wrote it a moment ago
        name = f"{case.get('classname')}::{case.get('name')}"
        trouble = next((child for child in case if child.tag in {"failure", "error", "skipped"}), None)
        if trouble is None:
            found.append(Result(name, "passed"))
            continue
        state = "skipped" if trouble.tag == "skipped" else "failed"
        found.append(Result(name, state, (trouble.get("message") or "").partition("\n")[0]))
    return found


def judge(found: Iterable[Result], status: int) -> Outcome:
    """Whether all passed that were not skipped, and why others were."""
    found = list(found)
    count = Counter(result.state for result in found)
    failed = [f"{result.name}: {result.reason}" for result in found if result.state == "failed"]
    skipped = Counter(result.reason for result in found if result.state == "skipped")
    told = ", ".join(f"{number} {state}" for state, number in sorted(count.items())) or f"none ran, status {status}"
    return Outcome(
        {"counts": dict(count), "failed": failed, "skipped": dict(skipped), "status": status},
        (
            Claim("tests passed", count["passed"] > 0, told),
            Claim("none failed", not failed and status in (0, 5), "; ".join(failed[:5]) or f"status {status}"),
        ),
    )
