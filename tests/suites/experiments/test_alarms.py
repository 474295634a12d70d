"""A fast version of docs/alarms.md, and that the simulation is one of what judges real tables."""

from pathlib import Path

import pytest

from bench import MeasurementError
from suites.experiments import alarms
from suites.experiments.alarms import KINDS, Judged, evidence_of, judged, shares

SEED = 7
DOCUMENT = Path(__file__).parents[3] / "docs" / "alarms.md"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("waves", alarms.WAVES)
def test_every_table_is_judged_as_bench_judges_it(kind: str, waves: int):
    for difference in (0.0, 3.0):
        shares(KINDS[kind], waves, 1.0, difference, 100, SEED, 100)


def test_a_simulation_of_something_else_is_noticed():
    evidence = evidence_of(KINDS["all spread alike"], 6, 0.001, 0.5, 1, SEED)
    found = judged(evidence)
    with pytest.raises(MeasurementError, match="table 0"):
        alarms.check(evidence, Judged(found.alone, ~found.together), 1)


@pytest.mark.parametrize(("waves", "most"), [(4, 0.8), (6, 1.0)])
def test_copies_on_a_noisy_machine_are_rarely_called_different_in_a_table(waves: int, most: float):
    alone, together = shares(KINDS["all spread alike"], waves, 6.0, 0.0, 20_000, SEED, 0)
    assert alone > 2 * together
    assert together < most


@pytest.mark.parametrize(("difference", "spread"), [(2.0, 0.5), (3.0, 1.0), (5.0, 2.0)])
def test_what_is_found_in_six_waves_hardly_changes(difference: float, spread: float):
    alone, together = shares(KINDS["all spread alike"], 6, spread, difference, 20_000, SEED, 0)
    assert alone - 3 < together <= alone


def test_the_document_tells_of_every_kind():
    text = DOCUMENT.read_text(encoding="utf-8")
    for name in KINDS:
        assert text.count(f"| {name} | ") == 2 * len(alarms.WAVES)


def test_the_script_writes_its_document_where_it_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    place = tmp_path / "alarms.md"
    assert alarms.main(["--tables", "200", "--checked", "2", "--out", str(place)]) == 0
    assert "seed 20261126" in place.read_text(encoding="utf-8")
    assert str(place) in capsys.readouterr().out
