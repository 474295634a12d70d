"""What counts as found by each tool, on literal numbers."""

from __future__ import annotations

import pytest

from suites.experiments import peers
from suites.experiments.peers import Reading

QUARTILES = (0.9, 1.1)  # of the median


@pytest.mark.parametrize(
    ("ratio", "by_gate", "by_ranges"),
    [(1.0, False, False), (1.009, False, False), (1.02, True, False), (1.3, True, True), (0.7, False, True)],
)
def test_each_peer_is_held_to_its_own_rule(
    ratio: float, by_gate: bool, by_ranges: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pytest-benchmark's gate looks for what became slower, and for nothing else."""

    def read(permille: int, seconds: float) -> Reading:
        assert seconds == 30.0
        median = ratio if permille else 1.0
        return Reading(median, *(quartile * median for quartile in QUARTILES))

    monkeypatch.setattr(peers, "read_pytest_benchmark", read)
    monkeypatch.setattr(peers, "read_torch_benchmark", read)
    assert peers.by_pytest_benchmark(30, 60.0, 0) == (pytest.approx(ratio), by_gate)
    assert peers.by_torch_benchmark(30, 60.0, 0) == (pytest.approx(ratio), by_ranges)


def test_a_slowed_copy_that_is_called_faster_is_not_found() -> None:
    lines = [
        {"tool": "Joulemark", "permille": permille, "ratio": ratio, "different": True}
        for permille in (0, 30)
        for ratio in (0.9, 1.1)
    ]
    copies, slowed = peers.table(lines).splitlines()[2:]
    assert copies.startswith("| Joulemark | nothing | 2 | 2 |")
    assert slowed.startswith("| Joulemark | 3 % | 2 | 1 |")
