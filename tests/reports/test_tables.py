from __future__ import annotations

from bench.analysis import summarise
from bench.records import Case, Caveat, CaveatKind, Plan, Run, Skip, Variant
from reports.document import compose
from reports.figures import DASH
from reports.tables import Role, Table, failure_table, group_table, skip_table
from tests.factories import LATENCY, TRAINING, make_latencies, make_run, make_trial, with_losses, with_scores
from tests.reports.example import example_run, failed


def table_of(run: Run) -> Table:
    (group,) = summarise(run)
    return group_table(group, "a table", run.plan)


def texts(table: Table) -> dict[str, dict[str, str]]:
    keys = [column.key for column in table.columns]
    return {
        line.cells[0].text: dict(zip(keys, (cell.text for cell in line.cells), strict=True)) for line in table.lines
    }


def test_a_line_tells_time_rate_speed_up_verdict_set_up_and_memory() -> None:
    table = table_of(make_run(make_trial(step_s=0.02), make_trial(step_s=0.01, layout="channels_last")))
    assert texts(table)["cpu-fp32-channels_last"] == {
        "case": "cpu-fp32-channels_last",
        "time": "10.00",
        "rate": "3200",
        "speedup": "2.000",
        "verdict": "FASTER",
        "energy": "–",
        "setup": "3.05 s",
        "memory": "400 MiB",
        "notes": "",
    }
    assert [column.under for column in table.columns][1] == "ms"


def test_the_set_up_with_warm_caches_stands_beneath_the_cold_one() -> None:
    (line,) = table_of(make_run(make_trial())).lines
    assert (line.cells[6].text, line.cells[6].detail) == ("3.05 s", "1.05 s")
    (line,) = table_of(make_run(make_trial(waves=1))).lines
    assert (line.cells[6].text, line.cells[6].detail) == ("3.05 s", "")


def test_the_unknown_is_a_dash() -> None:
    table = table_of(make_run(make_trial(), failed(make_trial(backend="compile"))))
    line = texts(table)["cpu-fp32-compile"]
    assert {line[key] for key in ("time", "rate", "speedup", "setup", "memory")} == {DASH}


def test_a_failed_case_is_a_line_with_its_reason() -> None:
    table = table_of(make_run(make_trial(), failed(make_trial(backend="compile"))))
    assert table.lines[1].role is Role.FAILED
    assert "no C++ compiler was found" in table.lines[1].remark


def test_a_case_that_was_not_what_its_label_says_is_struck_and_has_no_verdict() -> None:
    training = compose(example_run()).sections[0].table
    struck = training.lines[5]
    assert struck.role is Role.STRUCK
    assert struck.cells[0].role is Role.STRUCK
    assert texts(training)["cpu-fp32-threads1"]["verdict"] == "struck"


def test_notes_are_numbered_and_each_kind_is_explained_once() -> None:
    unpinned = Caveat.of(CaveatKind.UNPINNED)
    trials = [make_trial(), make_trial(layout="channels_last"), make_trial(threads=1)]
    trials = [type(trial)(trial.case, 32, trial.lives, trial.samples, (), (unpinned,)) for trial in trials]
    table = table_of(make_run(*trials))
    assert [line.cells[-1].text for line in table.lines] == ["1", "1", "1"]
    (note,) = table.notes
    assert note.text.startswith("cpu-fp32, cpu-fp32-channels_last and cpu-fp32-threads1: ")


def test_the_legend_says_what_the_intervals_are_made_of() -> None:
    assert "over waves" in table_of(make_run(make_trial())).legend
    assert "over the rounds of a single wave" in table_of(make_run(make_trial(waves=1))).legend
    assert "99\u00a0% interval" in table_of(make_run(make_trial(), plan=Plan(confidence=0.99))).legend


def test_skips_and_failures_have_tables_of_their_own() -> None:
    run = example_run()
    assert [line.cells[0].text for line in skip_table(run.skips).lines] == [
        "training[cuda0-fp32]",
        "inference[cuda0-fp32]",
    ]
    (line,) = failure_table(run).lines
    assert line.output[0].startswith("torch._inductor")


def test_a_latency_table_tells_the_quantiles_and_no_rate() -> None:
    steps_s = [0.010 + 0.000001 * (n * 7919 % 3000) for n in range(3000)]  # 10 to 13 ms, each value once
    run = make_run(make_latencies(LATENCY, steps_s), make_latencies(LATENCY, steps_s, threads=1))
    table = table_of(run)
    cells = texts(table)["cpu-fp32-batch1"]
    assert (cells["time"], cells["p90"], cells["p99"]) == ("11.50", "12.70", "12.97")
    p99 = [column.key for column in table.columns].index("p99")
    assert table.columns[p99].under == "ms, at most"
    assert table.lines[0].cells[p99].detail.startswith("≤ 12.9")
    assert "rate" not in cells
    assert "each waited for" in table.legend


def test_a_tail_that_cannot_be_bounded_is_a_dash_with_what_it_takes() -> None:
    run = make_run(make_latencies(LATENCY, [0.01 + 1e-6 * (n * 37 % 100) for n in range(100)], waves=1, rounds=1))
    table = table_of(run)
    assert texts(table)["cpu-fp32-batch1"]["p99"] == DASH
    assert table.lines[0].cells[3].detail == "takes 299"


def test_what_pays_for_itself_says_after_how_many_items() -> None:
    table = table_of(make_run(make_trial(step_s=0.02), make_trial(step_s=0.01, backend="compile", build_s=11.0)))
    assert texts(table)["cpu-fp32"]["payoff"] == DASH
    assert texts(table)["cpu-fp32-compile"]["payoff"] == "96,000"


def test_the_same_reason_to_skip_is_said_once_for_each_workload() -> None:
    skips = [Skip(Case(TRAINING, Variant.of(device="cuda:0", batch=n)), "no GPU", "get one") for n in range(1, 6)]
    (line,) = skip_table(skips).lines
    assert line.cells[0].text.startswith("training[cuda0-fp32-batch1], ")
    assert line.cells[0].text.endswith(" and 2 more")


def test_accuracy_error_and_loss_are_columns_only_where_there_are_any() -> None:
    training, inference = (
        {column.key for column in section.table.columns} for section in compose(example_run()).sections
    )
    assert "loss" in training - inference
    assert {"accuracy", "error"} <= inference - training
    without = {column.key for column in table_of(make_run(make_trial())).columns}
    assert without.isdisjoint({"accuracy", "error", "loss"})


def test_accuracy_has_its_interval_and_the_error_its_power_of_ten() -> None:
    checked, unchecked = with_scores(make_trial(), 6.1e-7), make_trial(threads=1)
    table = table_of(make_run(checked, unchecked))
    keys = [column.key for column in table.columns]
    first, second = (dict(zip(keys, line.cells, strict=True)) for line in table.lines)
    assert (first["accuracy"].text, first["accuracy"].detail) == ("98.6\u00a0%", "96.8–99.4")
    assert first["error"].text == "6.1e-7"
    assert (second["accuracy"].text, second["error"].text) == (DASH, DASH)
    assert "on 360 held-out images" in table.legend
    assert "against FP64" in table.legend


def test_scores_without_labels_have_an_error_and_no_accuracy() -> None:
    columns = {column.key for column in table_of(make_run(with_scores(make_trial(), 6.1e-7, None))).columns}
    assert "error" in columns
    assert "accuracy" not in columns


def test_a_loss_is_shown_with_its_sign() -> None:
    table = table_of(
        make_run(with_losses(make_trial(TRAINING), 1.9), with_losses(make_trial(TRAINING, threads=1), 2.1))
    )
    assert [line["loss"] for line in texts(table).values()] == ["-5.0\u00a0%", "+5.0\u00a0%"]
    assert "how far that after 8 steps is from FP32's from the same start" in table.legend
