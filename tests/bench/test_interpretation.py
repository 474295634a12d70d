"""From evidence to figures: what would be wrong by a factor, a sign or a level if one line of the analysis were."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from bench import Check, CheckKind, Plan, Proof, Variant, summarise
from bench.analysis import Metric, compare_runs
from bench.analysis.comparison import CROWDED_SHARE, LOOK_SHARE
from bench.analysis.correctness import judge_checks
from bench.analysis.cost import Device, tariff_of
from bench.analysis.energy import compare_energy, energy_of, over_waves
from bench.analysis.ledger import Watch, conditions
from bench.analysis.power import Metered, steady_power
from bench.analysis.statistics import exponential, t_interval, t_quantile
from bench.instruments import nvml
from bench.instruments.fakes import GPU, ScriptedClock, constant, counter, drive
from bench.instruments.host import HostMeter
from bench.instruments.power import Panel
from bench.instruments.tdp import BusyTime
from bench.metering import SampledMeter
from bench.records import Caveat, CaveatKind, Run, SampleKind, Trial
from bench.records.power import Board, GpuState, PowerLog, Reading, Span, SpanKind
from bench.records.prices import PriceBook, Purchase
from tests.bench.test_between_runs import _run
from tests.bench.test_energy import CPU, counted, energy_trial, kinds, log_of
from tests.bench.test_watching import TICK_S
from tests.factories import LATENCY, make_latencies, make_run, make_trial, with_energy

# --- energy ----------------------------------------------------------------------------------------------------------


def test_energy_is_compared_per_item_whatever_the_batch():
    small = energy_trial(step_s=0.1)
    large = replace(energy_trial(step_s=0.1, batch=64), items_per_step=64)
    found = compare_energy(large, small, log_of(counted(100.0)), 0.95)
    assert found is not None
    assert found.speedup == pytest.approx(2.0)


def test_a_struck_case_gets_no_verdict_on_its_energy():
    liar = make_trial(step_s=0.01, threads=1, proofs=[Proof("threads", "1", "2")])
    (group,) = summarise(with_energy(make_run(make_trial(step_s=0.02), liar), [100.0, 50.0]))
    assert group.rows[1].energy_comparison is not None
    assert group.rows[1].energy_verdict is None


def test_the_interval_of_energy_is_students_over_the_medians_of_waves():
    waves = (9.0, 10.0, 12.0)
    figures = {(wave, n): joules * (1, 1, 5)[n] for wave, joules in enumerate(waves) for n in range(3)}
    interval, n = over_waves(figures, 0.95)
    expected = exponential(t_interval([math.log(joules) for joules in waves], 0.95))
    assert (tuple(interval), n) == (pytest.approx(tuple(expected)), 3)
    assert over_waves({(0, 0): -1.0, (1, 0): 3.0}, 0.95)[0].value == pytest.approx(1.0)


def test_idle_is_the_mean_of_before_and_after_summed_over_components():
    readings = tuple(Reading(n / 10, n / 10, 4.0 * min(n, 230) + 6.0 * max(0, n - 230)) for n in range(600))
    spans = (Span(SpanKind.IDLE, 0, 20.05, 22.05), Span(SpanKind.IDLE, 0, 24.05, 26.05))  # 40 W, then 60 W
    package = counted(10.0, component=CPU, source="rapl")
    log = log_of(counted(readings=readings), package, spans=spans)
    total = energy_of(energy_trial(), log, 0.95).total
    assert total is not None
    assert total.idle_w == pytest.approx(60.0)


@pytest.mark.parametrize("steps", [8, 13])
def test_energy_blocks_at_another_speed_are_doubted_either_way(steps):
    trial = energy_trial(step_s=0.1)
    samples = tuple(s._replace(steps=steps) if s.kind is SampleKind.ENERGY else s for s in trial.samples)
    found = energy_of(replace(trial, samples=samples), log_of(counted()), 0.95).caveats
    assert kinds(found) == [CaveatKind.SPEED_DISAGREES]


def test_an_idle_span_begins_when_the_sensors_are_known_and_lasts_as_asked():
    clock = ScriptedClock()
    panel = Panel((counter(clock, constant(60.0)),))
    meter: Any = None

    def sleep(seconds: float) -> None:
        drive(meter._sampler, clock, seconds)

    meter = SampledMeter(panel, clock=clock, sleep=sleep)
    meter.idle(1, 1.25)
    meter.set_up("a", 0, 5.0, 6.0)
    log = meter.piece()
    idle, set_up = log.spans
    assert (idle.kind, idle.wave, idle.stop_s - idle.start_s) == (SpanKind.IDLE, 1, pytest.approx(1.25, abs=0.01))
    found = steady_power(log.traces[0], idle.start_s, idle.stop_s)
    assert isinstance(found, Metered)
    assert found.value == pytest.approx(60.0, rel=0.01)
    assert set_up == Span(SpanKind.SET_UP, 0, 5.0, 6.0, "a")


@pytest.mark.parametrize(
    ("capability", "averages"), [((7, 5), False), ((8, 0), False), ((8, 6), True), ((9, 0), True), (None, True)]
)
def test_from_ampere_on_but_ga100_plain_power_is_a_mean(capability, averages):
    asked: Any = SimpleNamespace(ask=lambda *_: capability)
    assert nvml._averages(asked, None) is averages


def test_a_block_between_two_looks_is_judged_by_those_on_either_side():
    states = [
        GpuState(10.0, "G", temperature_c=60.0),
        GpuState(10.5, "G", temperature_c=85.0, reasons=("sw_power_cap",)),
    ]
    watch = Watch("G", states, None, frozenset())
    found = conditions(watch, 10.1, 10.3)
    assert found is not None
    assert (found.temperature_c, found.slowing) == (85.0, {"sw_power_cap"})
    assert conditions(watch, 20.0, 20.2) is None


@pytest.mark.parametrize("facts", [{"slices": ("MIG-1",)}, {"mig": True}])
def test_a_gpu_that_is_cut_in_slices_is_said_to_be_counted_whole(facts):
    """In a container the slice is handed in without its name."""
    board = replace(Board(GPU.name, "Example GPU", 0), **facts)
    run = replace(make_run(energy_trial()), power=(log_of(counted(), boards=(board,)),))
    (group,) = summarise(replace(run, plan=replace(run.plan, power="nvml:0")))
    assert CaveatKind.WHOLE_GPU in kinds(group.rows[0].caveats)


def test_the_clocks_and_the_heat_of_all_blocks_are_kept_with_their_range():
    """Timing blocks are from the first second on, energy blocks from the second on, every two seconds."""
    states = tuple(GpuState(at, GPU.name, sm_clock_hz=hz, temperature_c=c) for at, hz, c in _CLOCKED)
    boards = (Board(GPU.name, "Example GPU", 0), Board("GPU-2", "another", 1))
    log = log_of(counted(), boards=boards, states=(*states, GpuState(2.5, "GPU-2", sm_clock_hz=1.0)))
    trial = replace(energy_trial(waves=1), samples=tuple(s for s in energy_trial(waves=1).samples if s.start_s >= 2))
    (climate,) = energy_of(trial, log, 0.95, [GPU.name]).climates
    assert climate.uuid == GPU.name
    assert climate.sm_clock_hz == (1.7e9, 1.5e9, 1.9e9, 2)
    assert climate.temperature_c == (55.0, 50.0, 60.0, 2)
    assert climate.memory_clock_hz is None
    assert len(energy_of(trial, log, 0.95).climates) == 2
    assert energy_of(trial, log_of(counted()), 0.95).climates == ()


#: In the first energy block (seconds 2 to 3), the second (4 to 5), and in none.
_CLOCKED = ((2.4, 1.9e9, 49.0), (2.6, 1.9e9, 50.0), (4.5, 1.5e9, 60.0), (9.0, 3.0e9, 99.0))


def test_an_energy_block_is_named_as_one():
    hot = GpuState(2.5, GPU.name, reasons=("sw_thermal_slowdown",))
    board = Board(GPU.name, "Example GPU", 0)
    run = replace(
        make_run(energy_trial(waves=1)),
        power=(log_of(counted(), boards=(board,), states=(hot, hot._replace(at_s=4.5))),),
        plan=Plan(power="nvml:0"),
    )
    (group,) = summarise(run)
    (caveat,) = [one for one in group.rows[0].caveats if one.kind is CaveatKind.THROTTLED]
    assert "wave 1 energy" in str(dict(caveat.figures)["named"])


# --- money -----------------------------------------------------------------------------------------------------------


def test_ownership_is_of_the_cores_that_were_used():
    server = Purchase("any", 8766.0, 5.0, covers=64, source="s", date="2026-11")
    for units, per_h in ((64, 0.2), (16, 0.05)):
        found = tariff_of(PriceBook("USD", purchase=(server,)), Device("any", units)).amortised_per_s
        assert found == pytest.approx(per_h / 3600)


# --- time ------------------------------------------------------------------------------------------------------------


def test_idle_and_waiting_are_nobodys_work_and_children_are_ours(tmp_path):
    def told(cpu: str, used: str) -> None:
        (tmp_path / "stat").write_text(f"cpu  {cpu} 0 0\ncpu0 {cpu} 0 0\n")
        (tmp_path / "7").mkdir(exist_ok=True)
        (tmp_path / "7" / "stat").write_text(f"7 (a) S 1 7 {'9 ' * 8}{used} 20")

    clock = iter([0.0, 10.0])
    meter = HostMeter(tmp_path, clock=lambda: next(clock), cpus={0})
    told("0 0 0 0 0 0 0 0", "0 0 0 0")
    before = meter.read([7])
    told("100 20 30 5000 700 4 6 50", "40 30 20 10")
    load = meter.load(before, [7])
    assert load is not None
    assert load.others_cores == pytest.approx((160 - 100) * TICK_S / 10)
    assert load.stolen_cores == pytest.approx(50 * TICK_S / 10)
    assert BusyTime(tmp_path / "stat").read() == pytest.approx(160 * TICK_S)


def _slowed(waves: set[int]) -> Trial:
    trial = make_trial(step_s=0.02, wobble=0.0)
    samples = tuple(s._replace(host_s=s.host_s * (1.1 if s.wave in waves else 1)) for s in trial.samples)
    return replace(trial, samples=samples)


def test_waves_in_two_modes_are_told_and_one_outlier_is_not():
    def found(slow: set[int]) -> list[dict[str, object]]:
        (group,) = summarise(make_run(make_trial(), replace(_slowed(slow), case=make_trial(threads=1).case)))
        return [dict(c.figures) for row in group.rows for c in row.caveats if c.kind is CaveatKind.TWO_MODES]

    assert found({1, 3}) == [{"low_s": pytest.approx(0.02, rel=0.01), "high_s": pytest.approx(0.022, rel=0.01)}]
    assert found({5}) == []
    assert found(set()) == []
    # Those of a baseline show in the ratios of all others, which are as steady as can be.
    others = (make_trial(step_s=0.01, threads=n) for n in (1, 2))
    (group,) = summarise(make_run(_slowed({1, 3}), *others))
    told = [c.kind is CaveatKind.TWO_MODES for row in group.rows for c in row.caveats]
    assert told.count(True) == 1
    assert CaveatKind.TWO_MODES in {c.kind for c in group.rows[0].caveats}
    # A machine with two speeds gives them to all cases alike.
    (group,) = summarise(make_run(_slowed({1, 3}), replace(_slowed({1, 3}), case=make_trial(threads=1).case)))
    assert not any(c.kind is CaveatKind.TWO_MODES for row in group.rows for c in row.caveats)


@pytest.mark.parametrize(("precision", "right"), [("fp32", False), ("tf32", True), ("amp_bf16", True)])
def test_the_loss_allowed_follows_from_the_precision(precision, right):
    check = Check.of(CheckKind.LOSS, 8, 2.14, reference=2.0, spread=0.0)
    trial = replace(make_trial(precision=precision), checks=(check,))
    (judgement,) = judge_checks(trial, Plan())
    assert judgement.holds is right


# --- two runs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", [0, 1])
def test_on_crowded_cores_a_change_is_held_to_the_stricter_level(which):
    crowd = Caveat.of(CaveatKind.BUSY_HOST, waves=1, named="1", others=1.0, stolen=0.0, cores=2)
    runs = [_run(1.0), _run(1.1)]
    first, case = runs[which].trials
    runs[which] = replace(runs[which], trials=(first, replace(case, caveats=(crowd,))))
    change = compare_runs(*runs).changes[Metric.TIME][1]
    assert change.evidence is not None
    assert change.high is not None
    half = t_quantile(change.evidence.degrees, 1 - CROWDED_SHARE * 0.05) * change.evidence.error
    assert (change.share, math.log(change.high / change.ratio)) == (CROWDED_SHARE, pytest.approx(half))


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("metric", [Metric.TIME, Metric.LATENCY])
def test_a_case_that_left_in_one_of_two_runs_is_held_to_the_stricter_level(which, metric):
    steps = [0.002 + 1e-6 * (n % 37) for n in range(600)]
    base = make_run(make_latencies(LATENCY, steps), make_latencies(LATENCY, steps, threads=1))
    runs = [base, replace(base, id="b")]
    first, case = runs[which].trials
    left = replace(case, samples=tuple(s for s in case.samples if s.wave < 3))
    runs[which] = replace(runs[which], trials=(first, left))
    change = compare_runs(*runs).changes[metric][1]
    assert change.share == LOOK_SHARE


def test_energy_of_two_machines_is_not_compared():
    one = with_energy(_on_gpu(_run(1.0)), [100.0, 90.0])
    other = replace(one, id="b")
    assert Metric.ENERGY in compare_runs(one, other).changes
    elsewhere = replace(other, environment=replace(other.environment, cpu="Another CPU"))
    assert Metric.ENERGY not in compare_runs(one, elsewhere).changes
    here, there = (
        replace(run, environment=replace(run.environment, machine=number)) for run, number in ((one, "a"), (other, "b"))
    )
    assert Metric.ENERGY in compare_runs(here, there).changes  # a GPU has a number of its own
    by_rapl = with_energy(_run(1.0), [100.0, 90.0])
    mine, yours, older = (replace(by_rapl, id=run.id, environment=run.environment) for run in (here, there, other))
    assert Metric.ENERGY not in compare_runs(mine, yours).changes
    assert Metric.ENERGY in compare_runs(mine, older).changes  # an older run does not know its machine


def _on_gpu(run: Run) -> Run:
    moved = (
        replace(trial, case=replace(trial.case, variant=Variant.of(**{**dict(trial.case.variant), "device": "cuda:0"})))
        for trial in run.trials
    )
    return replace(run, trials=tuple(moved))


def test_a_log_without_any_sensor_is_no_energy():
    run = replace(make_run(energy_trial()), power=(PowerLog(0.0, 60.0),))
    assert all(row.energy is None or row.energy.per_item is None for row in summarise(run)[0].rows)
