"""What a reader might quote: no claim of a winner, a price or an interval that its evidence does not carry."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from bench import Variant, Verdict
from bench.analysis import compare_runs, summarise
from bench.analysis.choice import Candidate, Goal, choose
from bench.analysis.cost import bill_of, device_of, tariff_of
from bench.errors import UsageError
from bench.records import Caveat, CaveatKind, Check, CheckKind, Failure, Gpu, Proof, Run
from bench.records.power import Board, Component, GpuState, Part, PowerTrace
from reports.compare import compose_comparison
from reports.document import compose
from reports.figures import Bounds, column_scale, fraction, percent, told_apart
from reports.frames import frame
from reports.money import accounts_of
from reports.recommend import Limits, advise
from reports.standing import Standing, standing_of
from reports.summary import fastest_in_one, headline, summarised, titles
from reports.together import tables_of
from reports.together_files import write_together_csv
from reports.wording import of_caveat
from tests.factories import INFERENCE, TRAINING, make_run, make_trial, with_energy, with_scores
from tests.reports.example import example_run, spread
from tests.reports.priced import BOOK, cpu_run, priced_run
from tests.reports.test_money import table
from tests.reports.test_recommend import advised, aim
from tests.reports.test_together import together


def _words(text: str) -> str:
    return " ".join(text.replace("\u00a0", " ").split())


# --- who wins --------------------------------------------------------------------------------------------------------


def test_a_struck_case_is_never_called_cheapest():
    document = compose(example_run(), BOOK)
    said = [one for one in document.summary if "1 million images cost" in one]
    assert said
    assert not any("cpu-int8" in one for one in said)
    places = table(document, "inference: where to run it")
    assert "cpu-int8" not in {line.cells[0].text for line in places.lines}


def test_a_winner_that_is_not_ranked_is_nowhere_shown_as_the_only_one():
    winners = (spread(make_trial(step_s=s, threads=n), 0.004, n) for n, s in ((1, 0.0100), (2, 0.0101)))
    (group,) = summarise(make_run(spread(make_trial(), 0.004, 0), *winners))
    assert "overlaps with it, so the two are not ranked" in headline("inference on cpu", group).text
    assert "not ranked before cpu-fp32-threads2" in fastest_in_one((("inference on cpu", group),))
    alone = summarise(make_run(spread(make_trial(), 0.004, 0), spread(make_trial(step_s=0.01, threads=1), 0.004, 1)))
    assert "ranked" not in fastest_in_one((("inference on cpu", alone[0]),))


def test_the_cheapest_that_is_not_ranked_says_so():
    close = [spread(make_trial(step_s=s, threads=n), 0.004, n) for n, s in ((1, 0.0100), (2, 0.0101), (4, 0.0150))]
    run = make_run(spread(make_trial(), 0.004, 0), *close)
    (said,) = [one for one in compose(run, BOOK).summary if "1 million images cost" in one]
    assert "with cpu-fp32-threads1 by rent" in said
    places = table(compose(run, BOOK), "inference: where to run it")
    assert places.lines[0].cells[0].detail == "not ranked before cpu-fp32-threads2"
    assert said.endswith("; it is not ranked before cpu-fp32-threads2.")


def test_results_that_nobody_could_check_are_not_called_right():
    unchecked = replace(make_trial(step_s=0.01, threads=1), checks=(Check.absent(CheckKind.SCORES),))
    run = make_run(make_trial(), unchecked)
    (said, *_) = summarised(summarise(run), run)
    assert "cpu-fp32-threads1 is" in said
    assert "whose results are right" not in said
    checked = make_run(with_scores(make_trial(), 1e-7), with_scores(make_trial(step_s=0.01, threads=1), 1e-7))
    assert "whose results are right" in summarised(summarise(checked), checked)[0]


def test_a_baseline_that_failed_half_way_judges_nobody_and_is_not_called_unbeaten():
    broken = replace(make_trial(), failure=Failure("measure", "killed", "", 3))
    run = make_run(broken, make_trial(step_s=0.01, threads=1))
    (said, *_) = summarised(summarise(run), run)
    assert said == "Inference on cpu: the baseline cpu-fp32 failed, so no setting is judged."


@pytest.mark.parametrize("kind", ["struck", "profiled"])
def test_an_unsound_baseline_gives_nobody_a_speed_up(tmp_path: Path, kind: str):
    liar = make_trial(proofs=[Proof("tf32", "off", "on")])
    if kind == "profiled":
        liar = replace(make_trial(), caveats=(Caveat.of(CaveatKind.PROFILED, profiler="nsys"),))
    run = make_run(liar, make_trial(step_s=0.01, threads=1))
    (found,) = tables_of(together(tmp_path, run, replace(run, id="b")))
    (ratio,) = [n for n, column in enumerate(found.columns) if column.key == "speedup"]
    assert {line.cells[ratio].text for line in found.lines} == {kind, "unjudged"}
    write_together_csv(together(tmp_path / "again", run, replace(run, id="b")), tmp_path / "a.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text(encoding="utf-8"))))
    assert [row["speed-up"] for row in rows] == [""] * 4


# --- by which evidence ----------------------------------------------------------------------------------------------


def _energetic(speed: float, watts: float, half_s: float, half_w: float) -> Run:
    """A baseline of 100 W, and one other with spreads of its own in time and in energy."""
    other = spread(make_trial(step_s=speed, threads=1), half_s, 1)
    return with_energy(make_run(spread(make_trial(), half_s, 0), other), [100.0, watts])


def test_what_is_paid_for_energy_is_as_doubtful_as_the_energy_and_rent_as_the_time():
    (group,) = summarise(_energetic(0.02, 50.0, 0.02, 0.0))
    row = group.rows[1]
    assert row.verdict is not None
    assert row.energy_verdict is not None
    assert standing_of(row, "rent").value == row.verdict.value == "UNSURE"
    assert standing_of(row, "electricity").value == row.energy_verdict.value
    assert standing_of(row, "ownership") is Standing.UNSURE
    assert standing_of(group.rows[0], "ownership") is Standing.BASELINE


@pytest.mark.parametrize(
    ("by_time", "by_energy", "both"),
    [
        ("FASTER", "FASTER", "FASTER"),
        ("FASTER", "SAME", "FASTER"),
        ("SAME", "FASTER", "FASTER"),
        ("SAME", "SAME", "SAME"),
        ("FASTER", "SLOWER", "UNSURE"),
        ("UNSURE", "SLOWER", "UNSURE"),
        ("SLOWER", "SAME", "SLOWER"),
        ("SLOWER", "SLOWER", "SLOWER"),
        ("FASTER", "UNSURE", "UNSURE"),
        ("FASTER", None, "UNJUDGED"),
        (None, "SLOWER", "UNJUDGED"),
    ],
)
def test_what_is_paid_for_time_and_energy_together_follows_from_both(by_time, by_energy, both):
    (group,) = summarise(make_run(make_trial(), make_trial(step_s=0.01, threads=1)))
    verdicts = [None if name is None else Verdict[name] for name in (by_time, by_energy)]
    row = replace(group.rows[1], verdict=verdicts[0], energy_verdict=verdicts[1])
    assert standing_of(row, "ownership") is Standing[both]
    assert standing_of(row, "electricity") is Standing[by_energy or "UNJUDGED"]
    assert standing_of(row, "rent") is standing_of(row, "spot rent") is Standing[by_time or "UNJUDGED"]


def test_the_confidence_of_an_interval_is_that_it_was_made_with():
    run = make_run(make_trial(), make_trial(step_s=0.015, threads=1))
    left = replace(run.trials[1], samples=tuple(s for s in run.trials[1].samples if s.wave < 3))
    crowd = Caveat.of(CaveatKind.BUSY_HOST, waves=1, named="1", others=1.0, stolen=0.0, cores=2)
    early = replace(run, trials=(run.trials[0], left))
    crowded = replace(run, trials=(run.trials[0], replace(run.trials[1], caveats=(crowd,))))
    for one, level in ((run, 0.95), (early, 0.98), (crowded, 0.995)):
        rows = frame(one)
        (found,) = rows[(rows["metric"] == "speed-up") & rows["value"].notna()]["confidence"]
        assert found == pytest.approx(level)
    assert "98 % interval" in _words(summarised(summarise(early), early)[0])
    assert "99.5 % for cpu-fp32-threads1" in _words(compose(crowded).sections[0].table.legend)


def test_each_figure_of_the_csv_has_the_verdict_that_is_its_own():
    rows = frame(_energetic(0.02, 50.0, 0.02, 0.0), BOOK)
    ours = rows[rows["case"] == "cpu-fp32-threads1"]
    judged = dict(ours[ours["verdict"].notna()][["metric", "verdict"]].itertuples(index=False))
    assert judged == {"speed-up": "UNSURE", "work per joule": "BETTER"}
    assumed = ours[ours["assumptions"].notna()]
    assert set(assumed["unit"]) == {"USD", "g"}
    assert all("at work 1; PUE 1.5" in one for one in assumed["assumptions"])


def test_the_highest_power_is_that_of_one_component_and_says_of_which():
    run = with_energy(make_run(make_trial(device="cuda:0")), [300.0])
    (log,) = run.power
    package = replace(log.traces[0], component=Component(Part.CPU, "cpu package 0"), source="rapl")
    rows = frame(replace(run, power=(replace(log, traces=(*log.traces, _halved(package))),)))
    peak, mean = (rows[rows["metric"] == name].iloc[0] for name in ("peak power of one component", "mean power"))
    assert mean["value"] == pytest.approx(450.0, rel=0.01)
    assert mean["components"] == "GPU-1 + cpu package 0"
    assert peak["value"] == pytest.approx(300.0, rel=0.01)
    assert peak["components"] == "GPU-1"


def _halved(trace: PowerTrace) -> PowerTrace:
    return replace(trace, readings=tuple(one._replace(value=one.value / 2) for one in trace.readings))


def test_a_row_whose_sensor_fell_silent_does_not_pass_for_one_that_takes_less():
    """Of the second case the package was not read: what is left of its energy is the GPU's alone."""
    gpu = {"device": "cuda:0"}
    run = with_energy(
        make_run(make_trial(**gpu), make_trial(step_s=0.02, layout="channels_last", **gpu)), [100.0, 100.0]
    )
    (log,) = run.power
    package = replace(log.traces[0], component=Component(Part.CPU, "cpu package 0"), source="rapl")
    heard = tuple(one for one in package.readings if not 52.5 < one.at_s % 100 < 55.5)
    both = replace(run, power=(replace(log, traces=(*log.traces, replace(package, readings=heard))),))
    (group,) = summarise(both)
    components = [row.energy.per_item.components for row in group.rows]
    assert components == [("GPU-1", "cpu package 0"), ("GPU-1",)]
    assert "cuda0-fp32-channels_last of GPU-1 (nvml counter) only" in compose(both).sections[0].table.legend
    advice = advised(both, Goal.ENERGY).lines
    assert "take cuda0-fp32 on cuda:0" in advice[0]
    assert any("no figure for what is to be least: cuda0-fp32-channels_last" in line for line in advice)


def test_the_clocks_and_the_heat_of_a_gpu_stand_beneath_its_table_and_in_the_csv():
    gpu = {"device": "cuda:0"}
    run = with_energy(
        make_run(make_trial(**gpu), make_trial(step_s=0.01, layout="channels_last", **gpu)), [100.0, 100.0]
    )
    (log,) = run.power
    states = (
        GpuState(50.5, "GPU-1", sm_clock_hz=1.98e9, temperature_c=41.0),
        GpuState(53.5, "GPU-1", sm_clock_hz=1.755e9, temperature_c=63.0),
    )
    run = replace(run, power=(replace(log, boards=(Board("GPU-1", "Example GPU", 0),), states=states),))
    legend = compose(run).sections[0].table.legend
    assert "Of GPU-1, in all blocks: its SM clock was 1755 to 1980 MHz and it was 41 to 63 °C warm." in legend
    rows = frame(run)
    clocks = rows[rows["metric"] == "SM clock"].set_index("case")
    assert clocks.loc["cuda0-fp32", ["value", "low", "high", "components"]].tolist() == [
        1.98e9,
        1.98e9,
        1.98e9,
        "GPU-1",
    ]
    assert clocks.loc["cuda0-fp32-channels_last", "value"] == 1.755e9
    assert "SM clock" not in compose(make_run(make_trial())).sections[0].table.legend


# --- advice ----------------------------------------------------------------------------------------------------------


def test_an_advice_has_the_figures_of_the_bill():
    lines = advised(cpu_run(), Goal.COST).lines
    cost = re.search(r"Why: ([\d.]+) USD", lines[1])
    assert cost is not None
    assert float(cost[1]) == pytest.approx(0.02085, rel=0.01)
    assert "33\u00a0% more" in lines[2]
    lines = advised(priced_run(), Goal.ENERGY).lines
    assert lines[0].endswith("take cuda0-fp32-compile on cuda:0.")
    assert "77.8 mJ per image" in lines[1]
    near = [spread(make_trial(step_s=s, threads=n), 0.01, n) for n, s in ((1, 0.0100), (2, 0.0101))]
    assert any("not ranked for certain" in one for one in advised(make_run(make_trial(), *near), Goal.TIME).lines)


def test_a_missing_price_is_not_called_a_missed_limit():
    run = cpu_run()
    groups = summarise(run)
    accounts = accounts_of(run, groups, titles(groups), replace(BOOK, rent=(), purchase=()))
    generous = Limits(max_latency_s=10.0)
    (first, second, *_) = advise(accounts, "inference", Goal.COST, generous).lines
    assert first == "Inference: no case that meets a latency of 10.0 s at most has a price."
    assert second.startswith("The price book has neither rent nor purchase price of Example CPU 9000")
    missed = advise(accounts, "inference", Goal.COST, Limits(max_latency_s=1e-6)).lines
    assert missed[0] == "Inference: no case meets a latency of 1.00 µs at most."
    assert not any("price book" in line for line in missed)


def test_joules_of_other_sensors_are_ranked_only_beyond_all_that_either_may_be_off_by():
    def candidate(key: int, value: float, basis: str, widest: tuple[float, float] | None) -> Candidate:
        return Candidate(key, aim(value, 0.001), basis=basis, widest=widest)

    one = candidate(0, 0.150, "a", (0.135, 0.160))
    assert choose([one, candidate(1, 0.156, "a", None)], None, None).apart
    assert not choose([one, candidate(1, 0.156, "b", (0.140, 0.166))], None, None).apart
    assert not choose([one, candidate(1, 0.300, "b", None)], None, None).apart
    assert choose([one, candidate(1, 0.300, "b", (0.270, 0.320))], None, None).apart


# --- what was used ---------------------------------------------------------------------------------------------------


def test_what_is_billed_is_what_was_used():
    run = cpu_run()
    (group, *_) = summarise(run)
    limited = replace(run, environment=replace(run.environment, cores_usable=64, cpu_quota_cores=1.5))
    assert device_of(group, limited).units == 2
    assert (
        device_of(group, replace(limited, environment=replace(limited.environment, cpu_quota_cores=None))).units == 64
    )
    two = priced_run()
    (log,) = two.power
    other = replace(log.traces[0], component=Component(Part.GPU, "GPU-2"))
    gpus = (Gpu(0, "Example GPU 1", "GPU-1"), Gpu(1, "Example GPU 1", "GPU-2"))
    two = replace(
        two,
        plan=replace(two.plan, power="nvml:0,1"),
        environment=replace(two.environment, gpus=gpus),
        power=(replace(log, traces=(*log.traces, other)),),
    )
    (group,) = summarise(two)
    assert (device_of(group, two).name, device_of(group, two).units) == ("Example GPU 1", 2)


def test_an_interval_at_another_use_is_that_of_time_and_energy_there():
    document = compose(priced_run(), BOOK)
    places = table(document, "inference: where to run it")
    owned = next(line for line in places.lines if line.cells[2].text == "ownership")
    (group,) = summarise(priced_run())
    tariff = tariff_of(BOOK, device_of(group, priced_run()))
    row = next(row for row in group.rows if row.trial.case.variant.id == owned.cells[0].text)
    bill = bill_of(row, replace(tariff, utilisation=0.1))
    assert bill is not None
    assert bill.owned is not None
    assert bill.owned.low is not None
    assert float(owned.cells[5].detail.split("–")[0]) == pytest.approx(bill.owned.low * 1e6, rel=1e-3)


def test_of_two_gpus_of_one_kind_each_has_its_own_baseline():
    run = priced_run()
    twins = [replace(t, case=replace(t.case, variant=_on(t.case.variant, "cuda:1"))) for t in run.trials]
    (log,) = run.power
    both = replace(
        run,
        trials=(*run.trials, *twins),
        power=(replace(log, devices=(("cuda:0", "GPU-1"), ("cuda:1", "GPU-1"))),),
    )
    places = table(compose(both, BOOK), "inference: where to run it")
    baselines = [line for line in places.lines if line.cells[0].text in ("cuda0-fp32", "cuda1-fp32")]
    assert {line.cells[0].text for line in baselines} == {"cuda0-fp32", "cuda1-fp32"}
    assert {line.cells[6].text for line in baselines} == {"–"}


def _on(variant, device: str):
    return Variant.of(**{**dict(variant), "device": device})


def test_two_workloads_of_one_name_are_not_one_place_to_run_it():
    wide, narrow = (replace(INFERENCE, parameters=(*INFERENCE.parameters, ("width", width))) for width in (1024, 512))
    run = make_run(
        *(make_trial(workload, s * f, threads=n) for workload, s in ((wide, 0.02), (narrow, 0.01)) for n, f in _THREADS)
    )
    tables = {one.title: one for one in compose(run, BOOK).places if "where to run it" in one.title}
    assert len(tables) == 2
    for width, cheapest in ((1024, "0.01736"), (512, "0.00868")):
        (found,) = [one for title, one in tables.items() if title.endswith(f"width {width}): where to run it")]
        assert [line.cells[0].text for line in found.lines] == ["cpu-fp32-threads1", "cpu-fp32"]
        assert found.lines[1].cells[3].text.startswith(cheapest)
    with pytest.raises(UsageError, match="measured with different parameters"):
        advised(run, Goal.TIME)


#: Threads, and what they make of a step.
_THREADS = ((0, 1.0), (1, 0.5))


def test_ownership_without_idle_power_says_so():
    (log,) = priced_run().power
    run = replace(priced_run(), power=(replace(log, spans=()),))
    known, unknown = (table(compose(one, BOOK), "inference on cuda:0: what").legend for one in (priced_run(), run))
    assert "Idle power is not known" in unknown
    assert "Idle power" not in known


# --- figures as text -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.125, "12.5 %"), (0.995, "99.5 %"), (0.95, "95 %"), (1 / 3, "33 %"), (1.0, "100 %"), (0.0123, "1.2 %")],
)
def test_what_somebody_wrote_is_not_rounded_away(value: float, text: str):
    assert _words(percent(value)) == text


def test_what_is_beyond_a_limit_is_seen_to_be():
    assert [_words(one) for one in told_apart(0.5, 0.01)] == ["50 %", "1 %"]
    assert [_words(one) for one in told_apart(0.01, 0.01)] == ["1 %", "1 %"]
    assert [_words(one) for one in told_apart(1789 / 1797, 0.996)] == ["99.55 %", "99.6 %"]
    assert [_words(one) for one in told_apart(0.1221, 0.122)] == ["12.21 %", "12.2 %"]
    assert told_apart(6.1e-7, 1e-4, fraction) == ("6.1e-7", "1.0e-4")
    wide = of_caveat(Caveat.of(CaveatKind.IMPRECISE, half_width=0.01004, wanted=0.01))
    assert _words(wide.sentence) == "the interval of its speed-up is ±1.004 %, wider than the ±1 % asked for"
    wrong = Caveat.of(
        CaveatKind.WRONG_RESULT, check="agreement", found=341 / 360, allowed=0.95, against="FP64", n=360, items="images"
    )
    said = _words(of_caveat(wrong).sentence)
    found, allowed = re.findall(r"([\d.]+) %", said)
    assert float(found) < float(allowed)


def test_a_first_figure_of_zero_hides_none_of_the_others():
    scale = column_scale([Bounds(0.0, None, None), Bounds(0.15, None, None)], "J")
    assert scale.number(0.15) not in ("0", "0.00")


def test_sensors_that_said_nothing_but_zero_leave_a_report():
    run = with_energy(make_run(make_trial()), [0.0], idle_w=0.0)
    environment = replace(run.environment, gpus=(Gpu(0, "Example GPU 1", "GPU-1"),))
    zero = replace(run, environment=environment)
    assert compose(zero, BOOK).sections
    assert "take cpu-fp32 on cpu" in advised(zero, Goal.ENERGY).lines[0]
    two = with_energy(make_run(make_trial(), make_trial(threads=1)), [0.0, 0.0], idle_w=0.0)
    assert any(line.startswith("Runner-up") for line in advised(two, Goal.ENERGY).lines)


@pytest.mark.parametrize("name", ["bill-80.txt", "bill-plain-80.txt", "console-80.txt", "together-80.txt"])
def test_no_line_of_a_narrow_terminal_is_too_long(name: str):
    text = (Path(__file__).parent / "golden" / name).read_text(encoding="utf-8")
    assert max(map(cell_len, text.splitlines())) <= 80


# --- two runs, and many ----------------------------------------------------------------------------------------------


def _base_and_slower(factor: float) -> Run:
    trials = (
        spread(make_trial(TRAINING, 0.06), 0.002, 0),
        spread(make_trial(TRAINING, 0.05 * factor, layout="channels_last"), 0.002, 1),
    )
    return replace(make_run(*trials), id=f"run-{factor}")


def test_what_grew_is_called_slower_or_more():
    said = compose_comparison(compare_runs(_base_and_slower(1.0), _base_and_slower(1.1))).sentences
    ratio = "Time relative to the baseline of the same run: SLOWER in training[cpu-fp32-channels_last]."
    assert ratio in said
    base, new = (replace(with_energy(_base_and_slower(1.0), [100.0, w]), id=str(w)) for w in (100.0, 130.0))
    sheet = compose_comparison(compare_runs(base, new))
    assert "Energy per item: MORE in training[cpu-fp32-channels_last]." in sheet.sentences
    back = compose_comparison(compare_runs(new, base))
    assert "Energy per item: LESS in training[cpu-fp32-channels_last]." in back.sentences


def test_a_change_with_another_interval_than_the_rest_says_so():
    base, new = _base_and_slower(1.0), _base_and_slower(1.1)
    left = replace(new.trials[1], samples=tuple(s for s in new.trials[1].samples if s.wave < 3))
    sheet = compose_comparison(compare_runs(base, replace(new, trials=(new.trials[0], left))))
    (times,) = [one for one in sheet.tables if one.title.startswith("Time per")]
    assert "of training[cpu-fp32-channels_last] its 98 % interval" in _words(times.legend)
    plain = compose_comparison(compare_runs(base, new))
    assert not any("98 %" in _words(one.legend) for one in plain.tables)


def test_csv_and_digest_have_the_figures_of_each_run(tmp_path: Path):
    runs = [replace(make_run(make_trial(step_s=0.010 + 0.001 * n)), id=f"r{n}") for n in (3, 0, 2, 4, 5, 6, 7, 8, 1)]
    many = together(tmp_path, *runs)
    (found,) = tables_of(many)
    cells = dict(zip((column.key for column in found.columns), found.lines[0].cells, strict=True))
    shown = [float(cells[key].text) for key in ("time", "first", "last")]
    assert shown == pytest.approx([14, 13, 11], rel=1e-2)
    assert [float(bound) for bound in cells["time"].detail.split("–")] == pytest.approx([10, 18], rel=1e-2)
    write_together_csv(many, tmp_path / "a.csv")
    row = next(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text(encoding="utf-8"))))
    low, value, high = (float(row[key]) for key in ("time low", "time per step", "time high"))
    assert low < value < high
    assert value == pytest.approx(0.013, rel=0.01)
