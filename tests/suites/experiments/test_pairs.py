from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.instruments.host import HostMeter
from suites.experiments import pairs

#: What six waves said of a pair: one that is slower by three percent, and one that is not slower at all.
SLOWER, EQUAL = [-0.031, -0.029, -0.03, -0.032, -0.028, -0.03], [0.001, -0.002, 0.003, -0.001, 0.002, -0.003]
UNSURE, CALLED = bench.Verdict.UNSURE, bench.Verdict.SLOWER


def _said(evidence: Sequence[float], **flags: bool) -> dict[str, Any]:
    return {"evidence": list(evidence), "at_look": False, "crowded": False, **flags}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[int, ...], int]]:
    """What was asked to be measured, and with which seed; nothing is."""
    asked: list[tuple[tuple[int, ...], int]] = []

    def measure_run(permilles: Sequence[int], seed: int, *_: object, **__: object) -> dict[str, Any]:
        asked.append((tuple(permilles), seed))
        planted = [{"permille": p, **_said(SLOWER if p else EQUAL)} for p in permilles]
        return {"seed": seed, "duration_s": 1.0, "settings": [_said([0.3, 0.31, 0.32])] * 3, "pairs": planted}

    monkeypatch.setattr(pairs, "measure_run", measure_run)
    monkeypatch.setattr(bench, "prepare", lambda *_: None)
    return asked


def test_what_is_missing_is_measured_and_no_more(tmp_path: Path, measured: list[tuple[tuple[int, ...], int]]):
    assert pairs.main([str(tmp_path), "--runs", "2", "--plant", "0", "30"]) == 0
    assert pairs.main([str(tmp_path), "--runs", "3", "--plant", "0", "30"]) == 0
    assert measured == [((0, 30), 0), ((0, 30), 1), ((0, 30), 2)]


def test_runs_with_other_pairs_or_beside_another_load_do_not_count_as_done(
    tmp_path: Path, measured: list[tuple[tuple[int, ...], int]]
):
    for arguments in (
        [],
        ["--plant", "0"],
        ["--loaded"],
        ["--loaded", "2"],
        ["--alone", "3"],
        ["--plant", "0", "0", "0"],
    ):
        pairs.main([str(tmp_path), "--runs", "1", *arguments])
    assert [permilles for permilles, _ in measured] == [
        pairs.QUIET_PAIRS,
        (0,),
        pairs.LOADED_PAIRS,
        pairs.LOADED_PAIRS,
        (0, 0, 0),
        (0, 0, 0),
    ]
    lines = [json.loads(line) for line in (tmp_path / "runs.jsonl").read_text().splitlines()]
    assert [line["load"] for line in lines] == [0, 0, 1, 2, 0, 0]
    assert [line["alone"] for line in lines] == [False] * 4 + [True, False]


@pytest.mark.usefixtures("measured")
def test_the_table_counts_what_was_called_different(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    pairs.main([str(tmp_path), "--runs", "4", "--plant", "0", "30"])
    rows = capsys.readouterr().out.splitlines()
    assert "| 0 | nothing | 1% | 4 | 0 | 0.0% to 60.2% | 0 |" in rows
    assert "| 0 | 3 % | 1% | 4 | 4 | 39.8% to 100.0% | 4 |" in rows


@pytest.mark.parametrize(
    ("evidence", "band", "verdict"),
    [
        (SLOWER, 0.01, CALLED),
        ([-x for x in SLOWER], 0.01, bench.Verdict.FASTER),
        (EQUAL, 0.01, bench.Verdict.SAME),
        (EQUAL, 0.0, UNSURE),
        ([0.5], 0.0, UNSURE),
    ],
)
def test_a_pair_is_called_by_its_interval_and_the_band(evidence: list[float], band: float, verdict: bench.Verdict):
    assert pairs.called(_said(evidence), band) is verdict


@pytest.mark.parametrize("flags", [{"crowded": True}, {"at_look": True, "crowded": True}])
def test_a_clear_pair_is_not_called_at_a_level_that_its_waves_cannot_reach(flags: dict[str, bool]):
    noisy = [-0.02, -0.06, -0.03, -0.01, -0.05, -0.04]
    assert pairs.called(_said(noisy), 0.01) is CALLED
    assert pairs.called(_said(noisy, **flags), 0.01) is UNSURE


def test_a_pair_whose_waves_happen_to_agree_is_not_called_among_settings_that_do_not():
    noisy = [_said([0.2 + x, 0.2 - x, 0.2 + x, 0.2 - x, 0.2, 0.2]) for x in (0.05, 0.07, 0.06)]
    assert pairs.called(_said(SLOWER), 0.01, noisy) is UNSURE
    quiet = [_said([0.2 + x, 0.2 - x, 0.2 + x, 0.2 - x, 0.2, 0.2]) for x in (0.005, 0.007, 0.006)]
    assert pairs.called(_said(SLOWER), 0.01, quiet) is CALLED


def test_what_is_told_of_a_run_gives_the_verdicts_that_its_trials_give(tmp_path: Path):
    run = pairs.measure_run((0, 0, 30), 1, bench.Plan(seed=1, waves=3, rounds=2, warm_up_s=0.1), alone=True)
    assert [one["permille"] for one in run["pairs"]] == [0, 0, 30]
    assert all(len(one["evidence"]) == 3 for one in run["pairs"])
    assert run["settings"] == []
    assert run["cases"] == 7
    assert json.loads(json.dumps(run)) == run


def test_the_load_beside_a_run_is_seen_as_that_of_others():
    meter = HostMeter()
    with pairs.load(1):
        before = meter.read([])
        time.sleep(0.5)
        load = meter.load(before, [])
    assert load is not None
    assert load.others_cores > 0.3
