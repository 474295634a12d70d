from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import bench
from suites.experiments import pairs

#: What six waves said of a pair: one that is slower by three percent, and one that is not slower at all.
SLOWER, EQUAL = [-0.031, -0.029, -0.03, -0.032, -0.028, -0.03], [0.001, -0.002, 0.003, -0.001, 0.002, -0.003]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[int, ...], int]]:
    """What was asked to be measured, and with which seed; nothing is."""
    asked: list[tuple[tuple[int, ...], int]] = []

    def measure_run(permilles: Sequence[int], seed: int, *_: object, **__: object) -> dict[str, Any]:
        asked.append((tuple(permilles), seed))
        planted = [{"permille": p, "evidence": SLOWER if p else EQUAL, "share": 1.0} for p in permilles]
        return {"seed": seed, "duration_s": 1.0, "pairs": planted}

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
    for arguments in ([], ["--plant", "0"], ["--loaded"], ["--loaded", "2"], ["--alone", "3"]):
        pairs.main([str(tmp_path), "--runs", "1", *arguments])
    assert [permilles for permilles, _ in measured] == [
        pairs.QUIET_PAIRS,
        (0,),
        pairs.LOADED_PAIRS,
        pairs.LOADED_PAIRS,
        (0, 0, 0),
    ]
    lines = [json.loads(line) for line in (tmp_path / "runs.jsonl").read_text().splitlines()]
    assert [line["load"] for line in lines] == [0, 0, 1, 2, 0]


@pytest.mark.usefixtures("measured")
def test_the_table_counts_what_was_called_different(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    pairs.main([str(tmp_path), "--runs", "4", "--plant", "0", "30"])
    rows = capsys.readouterr().out.splitlines()
    assert "| 0 | nothing | 1% | 4 | 0 | 0.0% to 60.2% |" in rows
    assert "| 0 | 3 % | 1% | 4 | 4 | 39.8% to 100.0% |" in rows


@pytest.mark.parametrize(
    ("evidence", "band", "said"),
    [
        (SLOWER, 0.01, "SLOWER"),
        ([-x for x in SLOWER], 0.01, "FASTER"),
        (EQUAL, 0.0, "neither"),
        ([0.5], 0.0, "neither"),
    ],
)
def test_a_pair_is_called_by_its_interval_and_the_band(evidence: list[float], band: float, said: str):
    assert pairs.called({"evidence": evidence}, band, 1.0) == said


def test_a_clear_pair_is_not_called_at_a_level_that_its_waves_cannot_reach():
    noisy = {"evidence": [-0.02, -0.06, -0.03, -0.01, -0.05, -0.04]}
    assert pairs.called(noisy, 0.01, 1.0) == "SLOWER"
    assert pairs.called(noisy, 0.01, 0.1) == "neither"
