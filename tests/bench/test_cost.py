from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis import EnergyEstimate, Estimate, summarise
from bench.analysis.cost import (
    Bill,
    Cost,
    CostLine,
    Device,
    Tariff,
    bill,
    bill_of,
    break_even_share,
    device_of,
    tariff_of,
)
from bench.analysis.pareto import Aim, front
from bench.records import Environment
from bench.records.environment import Gpu
from bench.records.prices import Assumptions, Board, Carbon, Electricity, Overhead, PriceBook, Purchase, Rent
from tests.factories import make_run, make_trial, with_energy

EXAMPLE = Path(__file__).parents[2] / "docs" / "cost.md"


def figures(number: int) -> dict[str, tuple[float, float | None, float | None, str]]:
    """A table of the worked example: name -> value, low, high, unit."""
    tables = re.split(r"\n\|[^\n]*\|\n\|---[^\n]*\n", EXAMPLE.read_text(encoding="utf-8"))[1:]
    rows = [line.strip("|").split("|") for line in tables[number].splitlines() if line.startswith("|")]
    return {
        name.strip(): (float(value), *(float(bound) if bound.strip() else None for bound in bounds), unit.strip())
        for name, value, *bounds, unit in rows
    }


def cited(**fields: object) -> dict[str, object]:
    return {"source": "test", "date": "2026", **fields}


def book(**changes: object) -> PriceBook:
    given = {name: row[0] for name, row in figures(0).items()}
    known = {
        "rent": (Rent(**cited(device="*", provider="P", per_hour=given["rent"])),),
        "purchase": (Purchase(**cited(device="*", price=given["purchase"], years=given["years"])),),
        "electricity": (Electricity(**cited(region="R", per_kwh=given["electricity"])),),
        "carbon": (Carbon(**cited(region="R", g_per_kwh=given["emissions"])),),
        "overhead": (Overhead(**cited(site="S", pue=given["PUE"])),),
        "assume": Assumptions("R", "S", utilisation=given["utilisation"]),
    }
    return PriceBook("USD", **{**known, **changes})


def tariff(**changes: object) -> Tariff:
    return tariff_of(book(**changes), Device("any", 1))


def example(**changes: object) -> Bill:
    given = figures(0)
    value, low, high, _ = given["seconds per image"]
    item_s = Estimate("time per step", value, low, high, 0.95, "s", 6)
    joules, least, most, _ = given["energy per image"]
    _, off_low, off_high, _ = given["the same, if the sensor's gain is off"]
    energy = EnergyEstimate(
        "e", joules, least, most, 0.95, "J", 6, off_low, off_high, False, ("GPU",), ("nvml counter",)
    )
    return bill(item_s, energy, given["idle power"][0], tariff(**changes), given["set-up, cold"][0])


def test_the_worked_example_in_the_docs_is_what_the_program_computes() -> None:
    made, wanted = example(), figures(1)
    million = 1e6
    computed: dict[str, Cost | None] = {
        "rent": made.rent,
        "electricity": made.electricity,
        "ownership": made.owned,
        "energy": made.energy_j and made.energy_j.times(1 / 3600),
        "emissions": made.emissions_g,
    }
    for name, cost in computed.items():
        assert cost is not None
        many = cost.times(million)
        assert (many.value, many.low, many.high) == pytest.approx(wanted[name][:3], rel=2e-5), name
        assert wanted[name][3] == {"energy": "Wh"}.get(name, cost.unit)
        gain = wanted.get(f"{name}, if the gain is off")
        if gain is not None:
            assert (many.systematic_low, many.systematic_high) == pytest.approx(gain[1:3], rel=2e-5), name
    assert made.rent_line is not None
    assert made.owned_line is not None
    even = break_even_share(made.owned_line, made.rent_line.at(1.0))
    assert even == pytest.approx(wanted["break-even of owning against renting"][0], rel=2e-5)
    assert made.set_up == pytest.approx(wanted["set-up"][0])
    assert made.set_up_items == pytest.approx(wanted["set-up in images"][0])


def test_an_epoch_and_a_run_of_the_worked_example_cost_what_the_docs_say() -> None:
    made, wanted = example(), figures(2)
    images, epochs = wanted["images of an epoch"][0], wanted["epochs of a run"][0]
    joules, grams = made.energy_j, made.emissions_g
    assert joules is not None
    assert grams is not None
    costs = {"rent": made.rent, "electricity": made.electricity, "energy": joules.times(1 / 3600), "CO2e": grams}
    seen = {"images of an epoch", "epochs of a run", "time of the run"}
    for length, items in (("epoch", images), ("run", images * epochs)):
        for name, cost in costs.items():
            row = wanted.get(f"{name} of {length}")
            if row is not None and cost is not None:
                many = cost.times(items)
                assert (many.value, many.low, many.high) == pytest.approx(row[:3], rel=2e-5), (name, length)
                assert row[3] == {"energy": "Wh"}.get(name, cost.unit)
                seen.add(f"{name} of {length}")
    assert seen == set(wanted)
    assert figures(0)["seconds per image"][0] * images * epochs == pytest.approx(wanted["time of the run"][0])


def test_every_row_of_the_worked_example_is_checked() -> None:
    names = {name.partition(",")[0] for name in figures(1)}
    assert names == {
        "rent", "electricity", "ownership", "energy", "emissions",
        "break-even of owning against renting", "set-up", "set-up in images",
    }  # fmt: skip


def test_a_bill_without_energy_still_has_its_rent() -> None:
    made = bill(Estimate("t", 0.001, None, None, None, "s", 1), None, None, tariff())
    assert made.rent is not None
    assert (made.owned, made.electricity, made.energy_j, made.emissions_g) == (None, None, None, None)
    assert made.default_way == ("rent", made.rent)
    assert made.rent.low is None


def test_energy_that_nobody_measured_is_that_of_the_board_at_its_limit_and_an_estimate() -> None:
    board = (Board(**cited(device="*", power_w=400)),)
    made = bill(Estimate("t", 0.001, 0.0009, 0.0011, 0.95, "s", 6), None, None, tariff(board=board))
    assert made.energy_j is not None
    assert made.energy_j.value == pytest.approx(0.4)
    assert made.energy_j.estimated
    assert made.owned is not None
    assert made.owned.estimated
    assert made.rent is not None
    assert not made.rent.estimated


def test_a_device_without_prices_costs_nothing_that_is_known() -> None:
    made = example(rent=(), purchase=(), electricity=(), carbon=())
    assert (made.rent, made.owned, made.electricity, made.emissions_g, made.default_way) == (None,) * 5
    assert made.energy_j is not None


def test_rent_is_for_the_cores_that_were_used() -> None:
    two = (Rent(**cited(device="any", provider="P", per_hour=0.08, covers=2)),)
    for units, per_s in ((1, 0.04 / 3600), (2, 0.08 / 3600), (16, 0.64 / 3600)):
        assert tariff_of(book(rent=two), Device("any", units)).rent_per_s() == pytest.approx(per_s)


@given(st.floats(1e-9, 1.0), st.floats(0.0, 1.0), st.floats(1e-9, 10.0))
def test_at_its_break_even_a_device_costs_what_the_other_does(fixed: float, variable: float, target: float) -> None:
    line = CostLine(fixed, variable)
    share = break_even_share(line, target)
    if share is None:
        assert line.at(1.0) > target
    else:
        assert 0 < share <= 1
        assert line.at(share) == pytest.approx(target, rel=1e-6) or share == 1.0


@given(st.floats(0.01, 1.0), st.floats(0.01, 1.0))
def test_a_device_that_is_idle_more_costs_more_per_item(one: float, other: float) -> None:
    costs = [example(assume=Assumptions("R", "S", utilisation=share)) for share in sorted((one, other))]
    for way in ("rent", "owned"):
        lazy, busy = (getattr(cost, way) for cost in costs)
        assert lazy.value >= busy.value * (1 - 1e-12)
    assert costs[0].electricity == costs[1].electricity


def test_what_ownership_costs_follows_from_its_line() -> None:
    for share in (1.0, 0.5, 0.1):
        made = example(assume=Assumptions("R", "S", utilisation=share))
        assert made.owned is not None
        assert made.owned_line is not None
        assert made.owned.value == pytest.approx(made.owned_line.at(share))


def test_a_row_is_billed_per_item_of_its_step() -> None:
    run = with_energy(make_run(make_trial(step_s=0.032, items=32)), [100.0])
    (group,) = summarise(run)
    made = bill_of(group.rows[0], tariff())
    assert made is not None
    assert made.rent is not None
    assert made.rent.value == pytest.approx(0.001 * 0.001 / 0.5, rel=1e-3)
    assert made.energy_j is not None
    assert made.energy_j.value == pytest.approx(0.1, rel=0.02)
    assert not made.idles_unpaid


def test_the_device_of_a_group_is_named_by_its_driver_or_system() -> None:
    gpus = (Gpu(0, "NVIDIA A", "GPU-1"), Gpu(1, "NVIDIA B", "GPU-2"))
    run = replace(make_run(make_trial(device="cuda:0")), environment=Environment(gpus=gpus[:1]))
    assert device_of(summarise(run)[0], run) == Device("NVIDIA A", 1)
    unclear = replace(run, environment=Environment(gpus=gpus))
    assert device_of(summarise(unclear)[0], unclear) == Device("cuda:0", 1)
    cpu = make_run(make_trial())
    assert device_of(summarise(cpu)[0], cpu) == Device("Example CPU 9000", 2)


def test_the_front_holds_what_nothing_beats_in_everything() -> None:
    fast, cheap = (Aim(10.0), Aim.least(5.0, None, None)), (Aim(5.0), Aim.least(1.0, None, None))
    worse = (Aim(4.0), Aim.least(6.0, None, None))
    assert front({"fast": fast, "cheap": cheap, "worse": worse}) == {"fast", "cheap"}


def test_what_is_not_clearly_worse_stays_on_the_front() -> None:
    assert front({"a": [Aim(10.0, 9.0, 11.0)], "b": [Aim(9.5, 8.5, 10.5)], "c": [Aim(7.0, 6.0, 8.0)]}) == {"a", "b"}


def test_a_figure_that_one_choice_lacks_is_left_out_for_all() -> None:
    assert front({"a": [Aim(2.0), Aim(1.0)], "b": [Aim(1.0), None]}) == {"a"}
    assert front({}) == frozenset()
