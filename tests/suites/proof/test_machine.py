"""Processes that take turns, and the reading of test reports."""

from __future__ import annotations

import pytest

from suites.proof import gpu_tests, machine
from suites.proof.gpu_tests import Result
from suites.proof.machine import Holder, converse, judge_turns

REPORT = """<testsuites><testsuite>
<testcase classname="tests.test_gpu" name="test_a"/>
<testcase classname="tests.test_gpu" name="test_b"><failure message="assert 1 == 2&#10;more">...</failure></testcase>
<testcase classname="tests.test_gpu" name="test_c"><skipped message="no TF32"/></testcase>
<testcase classname="tests.test_gpu" name="test_d"><error message="fixture failed">...</error></testcase>
</testsuite></testsuites>"""


def test_a_report_is_read_test_by_test():
    assert gpu_tests.results(REPORT) == [
        Result("tests.test_gpu::test_a", "passed"),
        Result("tests.test_gpu::test_b", "failed", "assert 1 == 2"),
        Result("tests.test_gpu::test_c", "skipped", "no TF32"),
        Result("tests.test_gpu::test_d", "failed", "fixture failed"),
    ]


def test_failures_and_skips_are_told_with_their_reasons():
    outcome = gpu_tests.judge(gpu_tests.results(REPORT), 1)
    assert [claim.holds for claim in outcome.claims] == [True, False]
    assert outcome.facts["skipped"] == {"no TF32": 1}


@pytest.mark.parametrize(
    ("found", "status", "holds"),
    [
        ([Result("a", "passed")], 0, [True, True]),
        ([Result("a", "skipped")], 0, [False, True]),
        ([], 4, [False, False]),
        ([Result("a", "passed")], 2, [True, False]),  # interrupted
    ],
)
def test_tests_count_only_where_some_ran_and_none_failed(found, status, holds):
    assert [claim.holds for claim in gpu_tests.judge(found, status).claims] == holds


def test_only_files_with_tests_for_a_gpu_are_asked(tmp_path):
    (tmp_path / "test_one.py").write_text("pytestmark = pytest.mark.gpu")
    (tmp_path / "test_two.py").write_text("import hypothesis")
    assert gpu_tests.marked(tmp_path.glob("test_*.py")) == [tmp_path / "test_one.py"]
    assert any(file.name == "test_gpu.py" for file in gpu_tests.marked(gpu_tests._TESTS.glob("**/test_*.py")))


def test_processes_take_turns_on_a_device_while_the_other_is_stopped():
    with Holder("cpu") as first, Holder("cpu") as second:
        claims = list(judge_turns(converse(first, second)))
    assert [claim.holds for claim in claims] == [True] * 5


def test_a_process_that_cannot_work_is_told_with_the_reason():
    with Holder("cuda:77") as first, Holder("cpu") as second:
        claims = {claim.text: claim for claim in judge_turns(converse(first, second))}
    assert claims["one process can work"].holds is False
    assert claims["one process can work"].seen
    assert claims["another works beside one that is stopped"].holds is True


def test_a_process_that_was_lost_is_no_reason_to_fail():
    with Holder("cpu") as holder:
        holder._process.kill()
        holder._process.wait()
        assert "ended" in holder.work()["error"]
        assert holder.stop() is not None


def test_binding_to_a_core_is_tried_and_undone():
    import os

    before = os.sched_getaffinity(0)
    machine.pins()
    assert os.sched_getaffinity(0) == before


def test_a_pytorch_that_sees_no_device_says_why():
    reason = machine.why_no_cuda()
    assert reason is None or reason.startswith("PyTorch ")
