from __future__ import annotations

import pytest

from bench import Plan
from bench.analysis.circumstances import of_budget, of_host, of_worker
from bench.records import Caveat, CaveatKind
from bench.records.power import HostLoad

QUIET = HostLoad(10.0, 2, 0.01, 0.0)


def kinds(caveats):
    return [caveat.kind for caveat in caveats]


@pytest.mark.parametrize(
    ("start", "can_freeze", "pinned", "profiler", "expected"),
    [
        ("fork_server", True, True, None, []),
        ("fork_server", False, True, None, [CaveatKind.UNFROZEN]),
        ("fork_server", True, False, "nsys", [CaveatKind.UNPINNED, CaveatKind.PROFILED]),
        ("in_process", False, True, None, [CaveatKind.IN_PROCESS]),
    ],
)
def test_a_worker_is_doubted_for_what_its_platform_denied_it(start, can_freeze, pinned, profiler, expected):
    plan = Plan(start=start)
    assert kinds(of_worker(plan, can_freeze=can_freeze, pinned=pinned, profiler=profiler)) == expected


def test_a_busy_host_is_told_of_with_the_worst_of_its_waves():
    loads = {0: QUIET, 1: HostLoad(10.0, 2, 1.234, 0.0), 2: HostLoad(10.0, 2, 0.0, 0.5)}
    (caveat,) = of_host(loads, 0)
    assert caveat == Caveat.of(CaveatKind.BUSY_HOST, waves=2, named="2, 3", others=1.23, stolen=0.5, cores=2)


def test_a_quiet_host_and_no_other_run_leave_no_doubt():
    assert kinds(of_host({0: QUIET}, 0)) == []


def test_of_a_thousand_busy_waves_six_are_named():
    (caveat,) = of_host(dict.fromkeys(range(1000), HostLoad(10.0, 2, 1.0, 0.0)), 0)
    assert dict(caveat.figures)["named"] == "1, 2, 3, 4, 5, 6 and 994 more"


def test_a_quota_that_ran_out_is_told_of_with_the_worst_of_its_waves():
    loads = {
        0: HostLoad(10.0, 64, 0.0, 0.0, 2.0, 0.009),
        1: HostLoad(10.0, 64, 0.0, 0.0, 2.0, 0.125),
        2: HostLoad(10.0, 64, 0.0, 0.0, 2.0, 0.5),
    }
    (caveat,) = of_host(loads, 0)
    assert caveat == Caveat.of(CaveatKind.CPU_QUOTA, waves=2, named="2, 3", cut_short=0.5, quota=2.0, cores=64)


def test_other_runs_are_told_of():
    assert list(of_host({}, 2)) == [Caveat.of(CaveatKind.ANOTHER_RUN, runs=2)]


@pytest.mark.parametrize(
    ("waves", "rounds", "expected"),
    [
        (6, 10, []),
        (None, 10, []),
        (4, 10, [Caveat.of(CaveatKind.FEWER_WAVES, waves=4, planned=6)]),
        (6, 9, [Caveat.of(CaveatKind.CUT_TO_BUDGET, rounds=9, planned=10)]),
    ],
)
def test_a_short_budget_is_told_of_once_its_waves_are_settled(waves, rounds, expected):
    assert list(of_budget(Plan(waves=6), waves, rounds)) == expected


def test_rounds_that_were_asked_for_are_the_ones_wanted():
    assert list(of_budget(Plan(rounds=3), None, 3)) == []
    assert kinds(of_budget(Plan(rounds=20), None, 12)) == [CaveatKind.CUT_TO_BUDGET]
