from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from bench.analysis import Estimate, summarise
from bench.analysis.choice import Candidate, Goal, Refusal, choose
from bench.errors import UsageError
from bench.records import Run, Trial
from bench.records.prices import PriceBook
from bench.storage import save
from reports.cli_prices import prices, recommend
from reports.document import compose
from reports.money import accounts_of
from reports.recommend import Advice, Limits, advise
from reports.summary import titles
from reports.text import one_line
from tests.factories import LATENCY, TRAINING, make_latencies, make_run, make_trial, with_energy
from tests.reports.example import HOSTILE, example_run, run_saying, spread
from tests.reports.priced import BOOK, book_saying, both_runs, priced_run


def advised(
    run: Run, goal: Goal, limits: Limits | None = None, workload: str = "inference", book: PriceBook = BOOK
) -> Advice:
    groups = summarise(run)
    return advise(accounts_of(run, groups, titles(groups), book), workload, goal, limits or Limits())


def aim(value: float, half: float = 0.0) -> Estimate:
    return Estimate("aim", value, value - half, value + half, 0.95, "1", 6)


def test_the_least_that_meets_the_limits_wins_and_the_next_is_its_runner_up() -> None:
    choice = choose(
        [
            Candidate(0, aim(3.0), latency=aim(0.001), accuracy=aim(0.99)),
            Candidate(1, aim(1.0), latency=aim(0.009), accuracy=aim(0.99)),
            Candidate(2, aim(2.0), latency=aim(0.001), accuracy=aim(0.90)),
            Candidate(3, aim(4.0), latency=aim(0.001), accuracy=aim(0.99)),
        ],
        0.005,
        0.97,
    )
    assert (choice.winner and choice.winner.key, choice.runner_up and choice.runner_up.key) == (0, 3)
    assert [(each.key, why) for each, why in choice.refused] == [(1, Refusal.TOO_SLOW), (2, Refusal.NOT_ACCURATE)]
    assert choice.apart


def test_a_limit_is_held_by_the_bound_and_not_by_the_value() -> None:
    choice = choose([Candidate(0, aim(1.0), latency=aim(0.0049, 0.0002), accuracy=aim(0.975, 0.01))], 0.005, None)
    assert choice.winner is None
    choice = choose([Candidate(0, aim(1.0), latency=aim(0.0049, 0.0002), accuracy=aim(0.975, 0.01))], None, 0.97)
    assert choice.refused[0][1] is Refusal.NOT_ACCURATE


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (Candidate(0, None), Refusal.NO_FIGURE),
        (Candidate(0, aim(1.0), aim_estimated=True), Refusal.ESTIMATED),
        (Candidate(0, aim(1.0), refused=Refusal.STRUCK), Refusal.STRUCK),
        (Candidate(0, aim(1.0), accuracy=aim(0.99)), Refusal.NO_LATENCY),
        (Candidate(0, aim(1.0), latency=aim(0.001)), Refusal.NO_ACCURACY),
    ],
)
def test_what_is_not_known_cannot_win(candidate: Candidate, reason: Refusal) -> None:
    limits = (0.005, 0.97) if reason in (Refusal.NO_LATENCY, Refusal.NO_ACCURACY) else (None, None)
    choice = choose([candidate], *limits)
    assert choice.winner is None
    assert choice.refused == ((candidate, reason),)


def test_overlapping_intervals_are_not_ranked_for_certain() -> None:
    assert not choose([Candidate(0, aim(1.0, 0.2)), Candidate(1, aim(1.1, 0.2))], None, None).apart


def test_the_cheapest_is_named_with_figure_runner_up_and_caveats() -> None:
    advice = advised(both_runs(), Goal.COST)
    assert advice.found
    assert advice.lines[0] == "Inference: take cpu-amp_bf16 on cpu."
    assert "USD for a million images by rent" in advice.lines[1]
    assert "95\u00a0% interval" in advice.lines[1]
    assert advice.lines[2].startswith("Runner-up: ")
    assert any("accuracy was not measured" in line for line in advice.lines)


def test_least_energy_and_least_time_may_be_different_cases() -> None:
    energy, time = advised(priced_run(), Goal.ENERGY), advised(priced_run(), Goal.TIME)
    assert "cuda0-fp32-compile" in time.lines[0]
    assert " J per image" in energy.lines[1] or " mJ per image" in energy.lines[1]


def test_a_limit_on_latency_rules_out_and_says_by_which_figure() -> None:
    advice = advised(both_runs(), Goal.COST, Limits(max_latency_s=0.013))
    text = "\n".join(advice.lines)
    assert "meet a latency of 13.0 ms at most" in text
    assert "Left out, too slow" in text
    assert "no single steps were timed" in text


def test_no_case_within_the_limits_is_an_answer_too() -> None:
    advice = advised(both_runs(), Goal.COST, Limits(max_latency_s=1e-6))
    assert not advice.found
    assert advice.lines[0] == "Inference: no case meets a latency of 1.00 µs at most."


def test_a_winner_that_is_unsure_says_so() -> None:
    run = make_run(make_trial(), spread(make_trial(step_s=0.0195, layout="channels_last"), 0.12, 3))
    lines = advised(run, Goal.TIME).lines
    assert "channels_last" in lines[0]
    assert any(line.startswith("Beware: it is UNSURE") for line in lines)


def test_failed_and_struck_cases_never_win() -> None:
    text = "\n".join(advised(example_run(), Goal.TIME, workload="training").lines)
    assert "Left out, failed: cpu-fp32-compile on cpu" in text
    assert "Left out, struck out: cpu-fp32-threads1 on cpu" in text


def test_estimated_energy_decides_nothing() -> None:
    run = with_energy(make_run(make_trial(), make_trial(layout="channels_last")), [50.0, 40.0], estimated=True)
    advice = advised(run, Goal.ENERGY)
    assert not advice.found
    assert "an estimate, which decides nothing" in advice.lines[-1]


def test_an_unknown_workload_names_those_there_are() -> None:
    with pytest.raises(UsageError, match="choose from training and inference"):
        advised(both_runs(), Goal.COST, workload="infrence")


def test_the_verb_answers_and_its_status_tells_whether_there_is_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(both_runs(), tmp_path)
    assert recommend([str(tmp_path), "--minimise", "time", "--max-latency", "50ms"]) == 0
    assert capsys.readouterr().out.startswith("Inference: take cuda0-fp32-compile")
    assert recommend([str(tmp_path), "--minimise", "time", "--max-latency", "1us"]) == 1
    assert recommend([str(tmp_path), "--workload", "none"]) == 2
    assert capsys.readouterr().err.startswith("joulemark: the run has no workload")


@pytest.mark.parametrize(
    "arguments",
    [["--max-latency", "fast"], ["--max-latency", "0ms"], ["--min-accuracy", "97"], ["--minimise", "beauty"]],
)
def test_a_limit_that_cannot_be_meant_is_refused(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        recommend([str(tmp_path), *arguments])
    assert caught.value.code == 2
    assert "joulemark recommend: error" in capsys.readouterr().err


def test_assumptions_are_taken_from_the_command_line_and_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(both_runs(), tmp_path)
    assert recommend([str(tmp_path), "--region", "Atlantis"]) == 2
    assert "the price book knows no region 'Atlantis'; it has France, Germany" in capsys.readouterr().err
    assert recommend([str(tmp_path), "--prices", str(tmp_path / "none.toml")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_the_shipped_book_is_printed_to_be_edited(capsys: pytest.CaptureFixture[str]) -> None:
    assert prices([]) == 0
    assert capsys.readouterr().out.startswith("# The price book of Joulemark.")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_text_in_the_advice(text: str) -> None:
    run = run_saying(text)
    groups = summarise(run)
    advice = advise(accounts_of(run, groups, titles(groups), book_saying(text)), text, Goal.COST, Limits())
    assert advice.found
    assert all(one_line(line) == line for line in advice.lines)


def _bursty(slow_s: float) -> list[float]:
    """Steps of 1 ms, of which a whole block in sixty is slow: nobody can say what the slowest of a hundred takes."""
    return [slow_s + 1e-4 * (n % 50) if n // 50 % 60 == 7 else 0.001 + 1e-7 * (n % 100) for n in range(3000)]


def test_a_limit_on_latency_holds_the_same_quantile_against_all() -> None:
    """A case whose slow steps come together must not be judged by a nearer one than its rivals."""
    quiet = make_latencies(LATENCY, [0.002 + 1e-7 * (n % 100) for n in range(3000)])
    bursty = make_latencies(LATENCY, _bursty(0.5), threads=1)
    bounds = [
        [tail.bound_s for tail in row.tails] for group in summarise(make_run(quiet, bursty)) for row in group.rows
    ]
    assert [bound is None for case in bounds for bound in case] == [False, False, False, True]
    lines = advised(make_run(quiet, bursty), Goal.TIME, Limits(max_latency_s=0.005), "latency").lines
    assert any(line.startswith("Its p90 is ") and "all cases are judged by theirs" in line for line in lines)
    most = make_run(quiet, make_latencies(LATENCY, [0.003] * 3000, threads=2), bursty)
    found = advised(most, Goal.TIME, Limits(max_latency_s=0.005), "latency").lines
    assert any(line.startswith("Its p90 is ") for line in found)


def test_a_case_without_single_steps_is_not_judged_by_steps_back_to_back_beside_others() -> None:
    quiet = make_latencies(LATENCY, [0.002 + 1e-7 * (n % 100) for n in range(3000)])
    run = make_run(make_trial(step_s=0.001, batch=1), make_trial(step_s=0.0008, threads=1), quiet)
    lines = advised(run, Goal.TIME, Limits(max_latency_s=0.005)).lines
    assert "take cpu-fp32-batch1" in lines[0]
    assert any("latency not measured" in line and "threads1" in line for line in lines)


def test_training_does_not_borrow_the_latency_of_inference() -> None:
    steps = [0.001 + 1e-7 * (n % 100) for n in range(3000)]
    training = make_trial(TRAINING, 0.05, batch=1)
    run = make_run(training, make_latencies(LATENCY, steps))
    assert training.case.variant == run.trials[1].case.variant
    assert not advised(run, Goal.TIME, Limits(max_latency_s=0.005), "training").found
    inference = make_run(make_trial(step_s=0.05, batch=1), make_latencies(LATENCY, steps))
    assert advised(inference, Goal.TIME, Limits(max_latency_s=0.005)).found


def test_who_asks_a_latency_of_steps_back_to_back_is_told_where_single_ones_were_timed() -> None:
    steps = [0.001 + 1e-7 * (n % 100) for n in range(3000)]
    run = make_run(make_trial(), make_trial(step_s=0.01, threads=1), make_latencies(LATENCY, steps))
    advice = advised(run, Goal.TIME, Limits(max_latency_s=0.005))
    assert not advice.found
    assert advice.lines[-1] == "No single steps were timed for these cases; they were in latency (--workload)."
    assert advised(run, Goal.TIME, Limits(max_latency_s=0.005), "latency").found
    assert not any("--workload" in line for line in advised(run, Goal.TIME).lines)


def test_all_that_the_winner_is_not_apart_from_are_named() -> None:
    wide, second = Candidate(2, aim(10.6, 1.7)), Candidate(1, aim(10.5, 0.1))
    choice = choose([wide, Candidate(0, aim(10.0, 0.1)), second], None, None)
    assert choice.apart
    assert choice.close == (wide,)
    trials = [
        spread(make_trial(step_s=step_s, threads=n), size, n)
        for n, (step_s, size) in enumerate([(0.010, 0.001), (0.0104, 0.001), (0.0107, 0.09)], 1)
    ]
    lines = advised(make_run(make_trial(), *trials), Goal.TIME).lines
    assert lines[0] == "Inference: take cpu-fp32-threads1 on cpu."
    assert "The choice is not certain against cpu-fp32-threads3 on cpu." in lines


def test_who_left_in_the_fast_half_does_not_win_by_that() -> None:
    """From the fourth wave on the machine is slower by a fifth; the first case left before, the second is faster."""

    def slowing(trial: Trial, waves: int) -> Trial:
        samples = (s._replace(host_s=s.host_s * (1.2 if s.wave >= 3 else 1.0)) for s in trial.samples if s.wave < waves)
        return replace(trial, samples=tuple(samples))

    baseline = slowing(spread(make_trial(step_s=0.0150), 0.001, 0), 6)
    left = slowing(spread(make_trial(step_s=0.0125, threads=1), 0.001, 1), 3)
    stayed = slowing(spread(make_trial(step_s=0.0120, threads=2), 0.001, 2), 6)
    run = make_run(baseline, left, stayed)
    for goal in (Goal.TIME, Goal.COST):
        assert advised(run, goal).lines[0] == "Inference: take cpu-fp32-threads2 on cpu."
    (group,) = summarise(run)
    assert [round(row.drift, 3) for row in group.rows] == [1.0, pytest.approx(math.sqrt(1.2), abs=0.002), 1.0]
    legend = compose(run, BOOK).money[0].legend
    told = "cpu-fp32-threads1, which left half-way, is scaled by how the baseline's went on after that; energy is not."
    assert f"The time of {told}" in legend
