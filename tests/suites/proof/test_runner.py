"""Steps one after the other, cut off and gone on with; the processes are real, and short."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from bench import UsageError
from suites.proof import __main__ as program
from suites.proof import child
from suites.proof.child import end_with_parent
from suites.proof.journal import Attempt, Journal, State, cuts, latest, to_do
from suites.proof.outcome import Claim, Outcome, largest
from suites.proof.runner import Clock, Ending, judge_ending, run_child, run_steps
from suites.proof.steps import STEPS, Step, find_step
from suites.proof.table import summary

NAMES = ("one", "two", "three")


def attempt(step, state, pace="full"):
    return Attempt(step, pace, state, "2026-11-25T12:00:00+00:00", 1.0)


def test_the_next_step_is_the_first_that_is_not_settled():
    attempts = [attempt("one", State.PASSED), attempt("two", State.FAILED)]
    assert to_do(NAMES, attempts, "full") == ["three"]


def test_what_was_cut_off_is_tried_again_after_what_was_not_tried_yet():
    attempts = [attempt("one", State.STARTED), attempt("one", State.CUT), attempt("two", State.STARTED)]
    assert to_do(NAMES, attempts, "full") == ["three", "one", "two"]


def test_what_ended_after_it_was_cut_off_is_settled():
    attempts = [attempt("one", State.STARTED), attempt("one", State.STARTED), attempt("one", State.PASSED)]
    assert to_do(NAMES, attempts, "full") == ["two", "three"]
    assert cuts(attempts, "full") == {"one": 1}


def test_each_pace_has_a_standing_of_its_own():
    assert to_do(NAMES, [attempt("one", State.PASSED, "brief")], "full") == list(NAMES)


def test_a_line_that_was_torn_is_passed_over_and_the_next_stands_by_itself(tmp_path):
    journal = Journal(tmp_path)
    journal.add(attempt("one", State.PASSED))
    path = tmp_path / "steps.jsonl"
    path.write_text(path.read_text() + '{"step": "two", "pa')
    journal.add(attempt("three", State.FAILED))
    assert [(each.step, each.state) for each in journal.attempts()] == [
        ("one", State.PASSED),
        ("three", State.FAILED),
    ]


@pytest.mark.parametrize(
    ("ending", "outcome", "own_limit", "state"),
    [
        (Ending(0, 1.0), Outcome({}, (Claim("it is so", True),)), True, State.PASSED),
        (Ending(0, 1.0), Outcome({}, (Claim("nobody knows", None),)), True, State.PASSED),
        (Ending(0, 1.0), Outcome({}, (Claim("it is so", False),)), True, State.CONTRADICTED),
        (Ending(0, 1.0), Outcome(not_here="no sensor"), True, State.NOT_HERE),
        (Ending(0, 1.0), None, True, State.FAILED),
        (Ending(1, 1.0), None, True, State.FAILED),
        (Ending(-9, 1.0), None, True, State.FAILED),
        (Ending(None, 9.0), None, True, State.TIMED_OUT),
        (Ending(None, 9.0), None, False, State.CUT),
    ],
)
def test_what_becomes_of_a_step(ending, outcome, own_limit, state):
    assert judge_ending(ending, outcome, own_limit=own_limit)[0] is state


def test_a_contradiction_names_the_claim():
    outcome = Outcome({}, (Claim("water is wet", True), Claim("the moon is cheese", False)))
    assert judge_ending(Ending(0, 1.0), outcome, own_limit=True)[1] == "not so: the moon is cheese"


def test_an_outcome_is_read_as_it_was_written(tmp_path):
    outcome = Outcome({"watts": [1.5, None]}, (Claim("a", None, "b"), Claim("c", False)), None)
    outcome.save(tmp_path)
    assert Outcome.load(tmp_path) == outcome
    assert Outcome.load(tmp_path / "elsewhere") is None


def test_the_largest_of_what_is_known():
    assert largest({"a": 1.0, "b": None, "c": 3.0}) == ("c", 3.0)
    assert largest({"a": None}) is None


def _python(code):
    return [sys.executable, "-S", "-c", code]


def test_a_child_writes_to_the_log_and_its_status_is_told(tmp_path):
    with (tmp_path / "log").open("wb") as log:
        ending = run_child(_python("print('said'); raise SystemExit(3)"), log, 30)
    assert ending.status == 3
    assert (tmp_path / "log").read_text() == "said\n"


def test_a_child_beyond_its_limit_is_interrupted_and_may_save(tmp_path):
    code = (
        "import signal\n"
        "try:\n"
        "    signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "    signal.pause()\n"
        "except KeyboardInterrupt:\n"
        "    print('saved')\n"
    )
    with (tmp_path / "log").open("wb") as log:
        ending = run_child(_python(code), log, 1.5, patience_s=30)
    assert ending.status is None
    assert (tmp_path / "log").read_text() == "saved\n"


def test_what_a_child_has_started_ends_with_it(tmp_path):
    reader, writer = os.pipe()  # its end is open for as long as any process that inherited it lives
    grandchild = f"[sys.executable, '-S', '-c', 'import signal; signal.pause()'], pass_fds=[{writer}]"
    code = f"import os, subprocess, sys; subprocess.Popen({grandchild}); os._exit(0)"
    os.set_inheritable(writer, True)
    with (tmp_path / "log").open("wb") as log:
        assert run_child(_python(code), log, 30, pass_fds=[writer]).status == 0
    os.close(writer)
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_a_child_looks_after_its_parent_until_it_has_ended():
    ended = threading.Event()
    ended.set()
    end_with_parent(parent=-1, group=-1, ended=ended)  # would signal group -1, had it looked


def test_the_process_of_a_step_leaves_an_outcome_also_where_the_machine_cannot(tmp_path, capsys):
    assert child.main(["profile-cpu", str(tmp_path), "rehearsal"]) == 0
    outcome = Outcome.load(tmp_path / "profile-cpu")
    assert outcome.not_here.startswith("no run with a sound row yet; do one of training-cpu")
    assert f"not possible here: {outcome.not_here}" in capsys.readouterr().out


STEP = "suites.proof.machine:platform"


def play(tmp_path, steps, limit_s=None, no_cuda=lambda: "no GPU"):
    said = []
    clock = Clock(limit_s, lambda: 0.0)
    done = run_steps(steps, tmp_path, "full", clock, said.append, no_cuda)
    return done, said


def test_without_cuda_its_steps_are_settled_with_the_reason_and_asked_for_once(tmp_path):
    asked = []
    steps = [Step("a", "", STEP, "cuda:0"), Step("b", "", STEP, "cuda:0")]
    done, said = play(tmp_path, steps, no_cuda=lambda: asked.append(1) or "no GPU")
    assert done
    assert said == ["a: not possible here: no GPU", "b: not possible here: no GPU"]
    assert len(asked) == 1
    assert to_do(["a", "b"], Journal(tmp_path).attempts(), "full") == []


def test_nothing_is_begun_for_which_no_time_is_left(tmp_path):
    done, (said,) = play(tmp_path, [Step("a", "", STEP)], limit_s=20.0)
    assert not done
    assert "call again" in said
    assert Journal(tmp_path).attempts() == []


def test_a_step_whose_process_fails_is_told_from_one_that_is_done(tmp_path):
    done, (said,) = play(tmp_path, [Step("no-such-step", "", STEP)])
    assert done
    assert "failed" in said
    assert "no step 'no-such-step'" in (tmp_path / "no-such-step" / "log.txt").read_text()
    assert [each.state for each in Journal(tmp_path).attempts()] == [State.STARTED, State.FAILED]


def test_steps_have_unique_names_and_work_that_is_there():
    assert len({step.name for step in STEPS}) == len(STEPS)
    for step in STEPS:
        module, _, function = step.work.partition(":")
        assert callable(getattr(__import__(module, fromlist=[function]), function))


def test_every_run_that_a_step_reads_is_left_by_an_earlier_one():
    names = [step.name for step in STEPS]
    for number, step in enumerate(STEPS):
        for run in dict(step.settings).get("runs", ()):
            assert run in names
            assert "autotune" in run or names.index(run) < number


def test_no_step_is_longer_than_a_call_of_ten_minutes():
    assert max(step.limit_s for step in STEPS) <= 540 - 20


def test_a_step_that_is_none_is_refused_with_the_choices():
    with pytest.raises(UsageError, match="choose one of environment, platform"):
        find_step("envoronment")


def test_the_steps_are_listed(capsys):
    assert program.main(["--list"]) == 0
    assert all(step.name in line for step, line in zip(STEPS, capsys.readouterr().out.splitlines(), strict=True))


def test_the_table_says_what_is_known_and_that_there_is_more_to_do(tmp_path, capsys):
    Journal(tmp_path).add(attempt("environment", State.CONTRADICTED))
    (tmp_path / "environment").mkdir()
    Outcome({}, (Claim("two | three", False, "four"),)).save(tmp_path / "environment")
    assert program.main([str(tmp_path), "--table"]) == 3
    told = capsys.readouterr().out
    assert "| environment | what this machine is" in told
    assert "| NO | two \\| three | four |" in told
    assert "not yet" in told


def test_claims_of_an_older_attempt_are_not_shown(tmp_path):
    Outcome({}, (Claim("stale", True),)).save(tmp_path)
    step = Step(".", "", STEP)
    Journal(tmp_path).add(attempt(".", State.FAILED))
    assert "stale" not in summary(tmp_path, [step], "full")


def test_a_mistake_is_status_2(tmp_path, capsys):
    assert program.main([str(tmp_path), "--only", "nonsense"]) == 2
    assert "there is no step 'nonsense'" in capsys.readouterr().err


def test_the_latest_attempt_counts():
    attempts = [attempt("one", State.FAILED), attempt("one", State.PASSED)]
    assert latest(attempts, "full")["one"].state is State.PASSED
