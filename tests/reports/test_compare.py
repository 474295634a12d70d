"""Two runs side by side: the verb, its words, its exit statuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.analysis import compare_runs, parse_gate
from bench.records import Case, Environment, Failure, Proof, Run, Variant, Workload
from bench.storage import save
from reports import console, markdown
from reports.cli import compare
from reports.compare import compose_comparison
from tests.factories import TRAINING, make_run, make_trial, with_losses
from tests.reports.example import HOSTILE, example_run, run_saying, spread


def _run(factor: float = 1.0, common: float = 1.0) -> Run:
    trials = (
        spread(make_trial(TRAINING, 0.06 * common), 0.002, 0),
        spread(make_trial(TRAINING, 0.05 * factor * common, layout="channels_last"), 0.002, 1),
        spread(make_trial(TRAINING, 0.1 * common, threads=1), 0.002, 2),
    )
    return replace(make_run(*trials), id=f"run-{factor}")


def _stored(run: Run, folder: Path) -> str:
    return str(save(run, folder))


@pytest.fixture
def places(tmp_path: Path) -> tuple[str, str]:
    """A base, and a run in which one case became a tenth slower."""
    return _stored(_run(), tmp_path / "base"), _stored(_run(1.1), tmp_path / "new")


def _words(text: str) -> str:
    return " ".join(text.replace("\u00a0", " ").split())


def test_a_gate_that_fails_is_exit_status_1_and_says_which_case(
    places: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare([*places, "--fail-on", "ratio:5%", "--fail-on=memory:5%"]) == 1
    said = _words(capsys.readouterr().out)
    assert "FAILED: ratio may grow by 5 %, and training[cpu-fp32-channels_last] (+10.0%) did by more, of 2" in said
    assert "passed: memory may grow by 5 %, and none of 3 cases" in said
    assert "beyond the limit" in said


@pytest.mark.parametrize("options", [[], ["--fail-on", "time:20%"], ["--markdown"]])
def test_without_a_failing_gate_the_status_is_0(places: tuple[str, str], options: list[str]) -> None:
    assert compare([*places, *options]) == 0


def test_a_base_that_is_not_there_yet_is_a_sentence_and_no_failure(
    places: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    for missing in ("nowhere", "empty"):
        assert compare([str(tmp_path / missing), places[1], "--fail-on=time:5%"]) == 0
        assert "yet, so there is nothing to compare run-1.1 with" in capsys.readouterr().out


def test_misuse_is_exit_status_2_in_one_line(
    places: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "run.json"
    damaged.write_text("{}")
    for arguments in ([*places, "--fail-on=time"], [places[0], str(tmp_path / "no")], [str(damaged), places[1]]):
        assert compare(arguments) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_a_folder_of_runs_means_the_latest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, factor in (("20261121-1", 1.0), ("20261122-1", 1.3), ("notes", 1.0)):
        if name != "notes":
            save(_run(factor), tmp_path / "out" / name)
        else:
            (tmp_path / "out" / name).mkdir()
    assert compare([str(tmp_path / "out"), str(tmp_path / "out" / "20261121-1")]) == 0
    assert "base: run-1.3" in capsys.readouterr().out


def test_the_tables_fit_80_columns_and_say_what_each_is_worth() -> None:
    text = console.render_comparison(compose_comparison(compare_runs(example_run(), example_run())), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "Time relative to the baseline of the same run" in text
    assert "differ by 5 to 20 %," in text.replace("\u00a0", " ")
    assert "No figure of any case was shown to differ." in text


def test_what_all_cases_share_is_said_to_be_the_machines() -> None:
    sheet = compose_comparison(compare_runs(_run(), _run(common=1.2)))
    assert any("The median case took 1.200 times as long" in sentence for sentence in sheet.sentences)
    assert not any("relative to the baseline" in sentence for sentence in sheet.sentences)


def test_memory_is_shown_where_it_changed_or_a_gate_asks() -> None:
    def titles(new: Run, *gates: str) -> list[str]:
        return [t.title for t in compose_comparison(compare_runs(_run(), new), [*map(parse_gate, gates)]).tables]

    fat = replace(
        _run(),
        trials=tuple(
            replace(t, lives=tuple(replace(x, peak_memory_bytes=2**31) for x in t.lives)) for t in _run().trials
        ),
    )
    assert "Peak memory" not in titles(_run())
    assert "Peak memory" in titles(_run(), "memory:5%")
    assert "Peak memory" in titles(fat)


def test_newly_failed_unmatched_and_differing_have_tables_of_their_own() -> None:
    base = _run()
    failed = replace(base.trials[1], failure=Failure("build", "ValueError: no"))
    struck = replace(base.trials[2], proofs=(Proof("threads", "1", "2"),))
    new = replace(
        base,
        trials=(base.trials[0], failed, struck, make_trial(TRAINING, precision="amp_bf16")),
        environment=replace(base.environment, memory_bytes=2**35, gpu_driver="570.1"),
        plan=replace(base.plan, budget_s=300.0),
    )
    sheet = compose_comparison(compare_runs(base, new), [parse_gate("time:50%")])
    assert not sheet.passed
    text = _words(markdown.render_comparison(sheet)).replace("\\", "")
    for words in (
        "| training[cpu-fp32-channels_last] | failed in build (wave 1): ValueError: no |",
        "| training[cpu-fp32-threads1] | struck out, its label was not honoured: threads was 2, not 1 |",
        "| training[cpu-amp_bf16] | only in the new run |",
        "| memory | 24.0 GiB | 32.0 GiB |",
        "| GPU driver | – | 570.1 |",
        "| plan: budget | – | 300 s |",
        "FAILED: training[cpu-fp32-channels_last] was sound in the base and is not any more.",
    ):
        assert words in text


@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_outside_cannot_act(text: str) -> None:
    run = run_saying(text)
    other = replace(run, environment=Environment(cpu=f"{text}!"), trials=run.trials[:1])
    sheet = compose_comparison(compare_runs(run, other), [parse_gate("time:1%")])
    terminal, page = console.render_comparison(sheet, 80), markdown.render_comparison(sheet)
    assert "\x1b" not in terminal
    assert "\u202e" not in terminal + page
    assert "<script>" not in page


def test_what_gave_wrong_results_is_newly_failed_with_the_reason() -> None:
    base = _run()
    wrong = with_losses(base.trials[1], 9.0)
    sheet = compose_comparison(compare_runs(base, replace(base, trials=(base.trials[0], wrong, base.trials[2]))))
    text = _words(markdown.render_comparison(sheet)).replace("\\", "")
    assert "| training[cpu-fp32-channels_last] | struck out, its results are wrong: its loss" in text


def test_a_run_is_not_compared_with_a_copy_of_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every ratio would be 1, and the gate pass for ever."""
    for name in ("20261127-045559-b8ce", "base"):
        save(_run(), tmp_path / "out" / name)
    assert compare([str(tmp_path / "out" / "base"), str(tmp_path / "out"), "--fail-on=ratio:5%"]) == 2
    assert "are the same run (run-1.0)" in capsys.readouterr().err


def test_two_runs_with_nothing_in_common_say_so() -> None:
    other = make_run(replace(make_trial(), case=Case(Workload("x", "a:b"), Variant.of())))
    sheet = compose_comparison(compare_runs(_run(), other), [parse_gate("time:5%")])
    assert "No case has figures in both runs, so nothing was compared." in sheet.sentences
    assert not sheet.passed
    assert "nothing to judge" in sheet.gates[0]
