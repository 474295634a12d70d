from __future__ import annotations

from dataclasses import replace

from bench.records import Environment, Gpu, Plan
from reports.facts import environment_table, method_table
from reports.tables import Table
from tests.factories import make_run


def values(table: Table) -> dict[str, str]:
    return {line.cells[0].text: line.cells[1].text for line in table.lines}


def test_a_machine_that_hides_everything_is_told_in_dashes() -> None:
    told = values(environment_table(replace(make_run(), environment=Environment())))
    assert set(told.values()) == {"–"}


def test_every_package_and_accelerator_is_told() -> None:
    gpu = Gpu(0, "Example GPU", "GPU-1", 16 * 2**30, 250.0)
    run = replace(make_run(), environment=Environment(packages=(("torch", "2.15.0"),), gpu_driver="600.1", gpus=(gpu,)))
    told = values(environment_table(run))
    assert told["torch"] == "2.15.0"
    assert told["GPU 0"] == "Example GPU, 16.0 GiB, power limit 250 W"


def test_the_method_is_told_from_the_plan() -> None:
    told = values(method_table(Plan(waves=3, block_s=0.2, band=0.02, seed=7, start="spawn")))
    assert told["waves"] == "3"
    assert told["block"] == "≥ 200 ms"
    assert told["noise band"] == "±2\u00a0%"
    assert told["order"] == "seed 7"
    assert told["processes"] == "spawn"


def test_the_tolerances_are_told_and_for_a_run_without_checks_that_there_were_none() -> None:
    told = values(method_table(Plan(rmse_int8=0.3)))
    assert told["error allowed"].endswith("INT8 0.3")
    assert "checks of the results" not in told
    assert values(method_table(Plan(), checked=False))["checks of the results"] == "none"
