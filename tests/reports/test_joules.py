"""Which joules may stand beside which, and what they cost: of sums of sensors and of parts of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench import Verdict
from bench.analysis import summarise
from bench.analysis.choice import Goal
from bench.analysis.cost import Device, bill_of, device_of, tariff_of
from bench.analysis.energy import gains_at_worst
from bench.records import CaveatKind, Run, Trial
from bench.records.power import Component, Part
from bench.records.prices import Board
from reports.document import compose
from reports.frames import frame
from reports.money_said import unranked
from reports.recommend import Limits
from tests.factories import LATENCY, make_latencies, make_run, make_trial, with_energy
from tests.reports.example import spread
from tests.reports.priced import BOOK, cpu_run, priced_run
from tests.reports.test_recommend import advised
from tests.reports.test_together import together

PACKAGE = Component(Part.CPU, "cpu package 0")
ON_GPU = {"device": "cuda:0"}


def of_two_sensors(gpu_w: Sequence[float], package_w: Sequence[float], *, silent: bool = False) -> Run:
    """A baseline and another case of the same speed, on a GPU whose host is metered too; the other's not if silent."""
    trials = (spread(make_trial(**ON_GPU), 0.0005, 0), spread(make_trial(layout="channels_last", **ON_GPU), 0.0005, 1))
    run = with_energy(make_run(*trials), gpu_w)
    (log,), (other,) = run.power, with_energy(make_run(*trials), package_w).power
    heard = tuple(one for one in other.traces[0].readings if not silent or not 52.5 < one.at_s % 100 < 55.5)
    package = replace(other.traces[0], component=PACKAGE, source="rapl", readings=heard)
    return replace(run, power=(replace(log, traces=(*log.traces, package)),))


# --- sums ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gpu_w", "package_w", "verdict"),
    [
        ([100.0, 60.0], [60.0, 40.0], Verdict.FASTER),  # less of either
        ([100.0, 150.0], [60.0, 80.0], Verdict.SLOWER),
        ([100.0, 95.0], [60.0, 63.0], Verdict.UNSURE),  # 1.3 % less, or 0.5 % if the sensors are off apart
        ([100.0, 60.0], [60.0, 66.0], Verdict.FASTER),  # more of one, and less of both whatever they are off by
    ],
)
def test_a_verdict_on_a_sum_holds_however_far_off_each_sensor_is(
    gpu_w: list[float], package_w: list[float], verdict: Verdict
) -> None:
    (group,) = summarise(of_two_sensors(gpu_w, package_w))
    assert group.rows[1].energy_verdict is verdict
    legend = compose(of_two_sensors(gpu_w, package_w)).sections[0].table.legend
    assert "cancels in ratios as far as they are off alike" in legend


def test_two_sums_of_several_sensors_are_not_ranked_before_each_other() -> None:
    """Either is less than the baseline's for certain; between them it depends on what the sensors are off by."""
    trials = [spread(make_trial(**ON_GPU), 0.0005, 0)]
    trials += [
        spread(make_trial(**ON_GPU, **axes), 0.0005, n)
        for n, axes in enumerate([{"layout": "channels_last"}, {"precision": "amp_bf16"}], 1)
    ]
    run = with_energy(make_run(*trials), [300.0, 100.0, 95.0])
    (other,) = with_energy(make_run(*trials), [100.0, 60.0, 63.0]).power
    (log,) = run.power
    package = replace(other.traces[0], component=PACKAGE, source="rapl")
    both = replace(run, power=(replace(log, traces=(*log.traces, package)),))
    (group,) = summarise(both)
    assert [row.energy_verdict for row in group.rows[1:]] == [Verdict.FASTER, Verdict.FASTER]
    lines = advised(both, Goal.ENERGY).lines
    assert "not ranked for certain" in lines[2]
    assert unranked(group.rows[2], group.rows, "electricity") == ("cuda0-fp32-channels_last",)
    assert unranked(group.rows[2], group.rows, "rent") == ("cuda0-fp32-channels_last",)
    said = [one for one in compose(both).summary if "the largest saving of energy shown" in one]
    assert "not ranked" in said[0]
    (alone,) = summarise(run)
    assert unranked(alone.rows[2], alone.rows, "electricity") == ()


def test_the_gain_of_a_single_sensor_cancels() -> None:
    assert gains_at_worst([("cpu package 0", "rapl"), ("dram 0", "rapl")]) == ()
    board, other, package = ("GPU-1", "nvml counter"), ("GPU-2", "nvml counter"), ("cpu package 0", "rapl")
    assert gains_at_worst([board]) == ()
    assert [tuple(gains.values()) for gains in gains_at_worst([board, package])] == [
        (0.94, 1.1),
        (1.11, 0.9),
    ]
    boards = [(f"GPU-{number}", "nvml counter") for number in range(3)]
    assert (0.94, 1.11, 1.11, 0.9) in [tuple(gains.values()) for gains in gains_at_worst([*boards, package])]
    assert len(gains_at_worst([(f"GPU-{number}", "nvml counter") for number in range(8)])) == 16
    assert (1.11, 0.94) in [tuple(gains.values()) for gains in gains_at_worst([board, other])]
    run = with_energy(
        make_run(spread(make_trial(), 0.0005, 0), spread(make_trial(layout="channels_last"), 0.0005, 1)), [100.0, 98.0]
    )
    assert summarise(run)[0].rows[1].energy_verdict is Verdict.FASTER


def test_energy_that_lacks_a_part_is_neither_billed_nor_exported_as_money() -> None:
    run = of_two_sensors([100.0, 100.0], [60.0, 60.0], silent=True)
    rows = frame(run, BOOK)
    electricity = rows[rows["metric"] == "electricity per image"].set_index("case")["value"]
    assert electricity.notna().tolist() == [True, False]
    energy = rows[rows["metric"] == "energy per image"].set_index("case")
    assert energy["components"].tolist() == ["GPU-1 + cpu package 0", "GPU-1"]  # which says what it is of


def test_no_part_of_a_machine_stands_for_another() -> None:
    """Of one row memory was not heard, of the other the package: neither is whole, nor a part of the other."""
    run = of_two_sensors([100.0, 100.0], [60.0, 60.0], silent=True)
    (log,) = run.power
    gpu, package = log.traces
    heard = tuple(one for one in gpu.readings if not 49.5 < one.at_s % 100 < 52.5)
    memory = replace(gpu, component=Component(Part.DRAM, "dram 0"), source="rapl", readings=heard)
    (group,) = summarise(replace(run, power=(replace(log, traces=(gpu, package, memory)),)))
    read = [row.energy.per_item.components for row in group.rows if row.energy and row.energy.per_item]
    assert read == [("GPU-1", "cpu package 0"), ("GPU-1", "dram 0")]
    assert [group.comparable_energy(row) for row in group.rows] == [None, None]


def test_a_case_on_some_of_the_cores_has_the_joules_of_all_and_says_so() -> None:
    run = with_energy(make_run(make_trial()), [100.0])
    slice_of = replace(run, environment=replace(run.environment, cores_usable=4, cores_online=64))
    (caveat,) = (c for c in summarise(slice_of)[0].rows[0].caveats if c.kind is CaveatKind.WHOLE_PACKAGE)
    assert dict(caveat.figures) == {"usable": 4, "cores": 64}
    quota = replace(run.environment, cores_usable=64, cores_online=64, cpu_quota_cores=3.5)
    assert CaveatKind.WHOLE_PACKAGE in {c.kind for c in _caveats(replace(run, environment=quota))}
    whole = replace(run.environment, cores_usable=64, cores_online=64)
    assert CaveatKind.WHOLE_PACKAGE not in {c.kind for c in _caveats(replace(run, environment=whole))}
    on_gpu = replace(of_two_sensors([100.0, 90.0], [60.0, 60.0]), environment=slice_of.environment)
    assert CaveatKind.WHOLE_PACKAGE in {c.kind for c in _caveats(on_gpu)}  # whose sum has the package too


def _caveats(run: Run) -> list:
    return [caveat for row in summarise(run)[0].rows for caveat in row.caveats]


def test_sums_of_other_parts_are_not_compared_between_runs(tmp_path: Path) -> None:
    one, other = priced_run(), replace(of_two_sensors([300.0, 220.0], [60.0, 60.0]), id="20261122-190000-cccc")
    notes = together(tmp_path, one, other).notes
    assert any("not that of the same parts (GPU in run 1; CPU + GPU in run 2)" in note for note in notes)
    cpu = with_energy(_inference_of(cpu_run()), [40.0, 30.0])
    both = replace(one, trials=(*cpu.trials, *one.trials), power=(*cpu.power, *one.power))
    alike = together(tmp_path / "alike", both, replace(both, id="20261122-190000-dddd")).notes
    assert not any("same parts" in note for note in alike)


# --- money -----------------------------------------------------------------------------------------------------------


def test_single_steps_are_paid_by_their_mean() -> None:
    """Every fourth step takes four times as long: whoever pays by the hour pays for it."""
    steps = [0.010, 0.010, 0.010, 0.040] * 300
    run = make_run(make_latencies(LATENCY, steps))
    (group,) = summarise(run)
    bill = bill_of(group.rows[0], tariff_of(BOOK, Device("Example CPU 9000", 2)))
    assert group.rows[0].time_per_step is not None
    assert group.rows[0].time_per_step.value == pytest.approx(0.010)
    assert bill is not None
    assert bill.rent is not None
    assert bill.rent.value == pytest.approx(0.0175 * 0.10 / 3600)


def test_setting_up_what_one_owns_takes_electricity() -> None:
    (group,) = summarise(priced_run())
    row = group.rows[0]
    owned = tariff_of(replace(BOOK, rent=()), device_of(group, priced_run()))
    plain = bill_of(row, owned)
    assert row.energy is not None
    assert row.energy.per_item is not None
    joules = replace(row.energy.per_item, value=1e6)
    with_joules = bill_of(replace(row, energy=replace(row.energy, set_up_cold=joules)), owned)
    assert plain is not None
    assert with_joules is not None
    assert plain.set_up is not None
    assert with_joules.set_up == pytest.approx(plain.set_up + 1e6 * 0.20 * 1.5 / 3.6e6)


def test_what_is_bought_and_what_is_left_out_stand_beside_the_figures() -> None:
    (purchase,) = BOOK.purchase
    book = replace(BOOK, purchase=(replace(purchase, what="the card alone"),))
    costs, *_ = (one for one in compose(priced_run(), book).money if "million" in one.title)
    assert "Ownership is that of the card alone" in costs.legend
    assert "What the device uses while it waits counts in ownership only" in costs.legend
    prices = compose(priced_run(), book).prices
    assert prices is not None
    assert "purchase of Example GPU 1, the card alone" in [line.cells[0].text for line in prices.lines]


def test_a_known_rent_is_not_passed_over_because_most_cases_have_none() -> None:
    """The GPU's four cases have a rent, the CPU's two do not: the electricity of all six decides nothing."""
    run, cpu = priced_run(), with_energy(_inference_of(cpu_run()), [40.0, 30.0])
    both = replace(run, trials=(*cpu.trials, *run.trials), power=(*cpu.power, *run.power))
    gpu_only = replace(BOOK, rent=tuple(rent for rent in BOOK.rent if rent.device != "Example CPU*"))
    lines = advised(both, Goal.COST, book=gpu_only).lines
    assert lines[0] == "Inference: take cuda0-fp32-compile on cuda:0."
    assert "by rent" in lines[1]
    assert any(line.startswith("Priced by rent of Example GPU 1, Cloud B: 2.5 USD/h") for line in lines)
    assert any("no figure for what is to be least: cpu-fp32 on cpu" in line for line in lines)
    assert any("The price book has no rent of Example CPU 9000: write it there" in line for line in lines)
    too_slow = Limits(max_latency_s=0.025)
    cheap = replace(both, trials=tuple(_slower(trial) for trial in both.trials))
    lines = advised(cheap, Goal.COST, too_slow, book=gpu_only).lines  # what is refused decides nothing
    assert lines[0] == "Inference: take cpu-amp_bf16 on cpu."
    assert "by electricity" in lines[1]


def _slower(trial: Trial) -> Trial:
    """Of a GPU that is too slow for anybody."""
    if trial.case.variant.device == "cpu":
        return trial
    return replace(trial, samples=tuple(s._replace(host_s=10 * s.host_s, steps=s.steps) for s in trial.samples))


def _inference_of(run: Run) -> Run:
    return replace(run, trials=tuple(trial for trial in run.trials if trial.case.workload.name == "inference"))


def test_faster_is_not_cheaper_to_own_where_it_is_thirstier() -> None:
    """One is faster, the other takes less: neither is ranked before the other where both are paid for."""
    trials = [
        spread(make_trial(step_s=0.020, **ON_GPU), 0.0005, 0),
        spread(make_trial(step_s=0.010, layout="channels_last", **ON_GPU), 0.0005, 1),
        spread(make_trial(step_s=0.014, precision="amp_bf16", **ON_GPU), 0.0005, 2),
    ]
    (group,) = summarise(with_energy(make_run(*trials), [300.0, 400.0, 150.0]))
    _, fast, thrifty = group.rows
    assert unranked(fast, group.rows, "rent") == ()
    assert unranked(fast, group.rows, "ownership") == ("cuda0-amp_bf16",)
    assert unranked(thrifty, group.rows, "electricity") == ()


def test_an_estimate_does_not_displace_what_was_measured() -> None:
    run = priced_run()
    (log,) = run.power
    quiet = tuple(one for one in log.traces[0].readings if not 55.5 < one.at_s % 100 < 58.5)  # the third case
    unheard = replace(run, power=(replace(log, traces=(replace(log.traces[0], readings=quiet),)),))
    book = replace(BOOK, rent=(), board=(Board("Example GPU*", 1.0, "a brochure", "2026"),))
    document = compose(unheard, book)
    (table,) = (one for one in document.money if one.title.endswith("where to run it"))
    assert "cuda0-fp32-compile" not in {line.cells[0].text for line in table.lines}
