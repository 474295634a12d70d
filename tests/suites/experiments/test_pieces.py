from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest

from bench.workers.ballast import pieces
from suites.experiments.pieces import broken, correlation, line_of, offsets
from tests.factories import make_trial


@pytest.mark.parametrize("wobble", [0.0, 0.2])
def test_offsets_are_against_the_round_whatever_its_pace(wobble: float):
    trials = [make_trial(step_s=step_s, wobble=wobble, threads=n) for n, step_s in enumerate((0.020, 0.021, 0.022), 1)]
    expected = [math.log(0.020 / 0.021), 0.0, math.log(0.022 / 0.021)]
    assert offsets(trials, 0) == pytest.approx(expected, abs=1e-9)


def test_a_line_tells_offsets_spread_and_correlation():
    assert line_of([0.02, 0.0, -0.02]) == "+2.0% +0.0% -2.0%; spread 1.63%, correlation -1.00"
    assert correlation([1.0, 3.0, 2.0]) == pytest.approx(0.5)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/buddyinfo, which Linux has")
def test_memory_is_in_pieces_while_it_is_asked_to_be():
    def now() -> int:
        return sum(pieces(Path("/proc/buddyinfo").read_text()).values())

    with broken(256):
        during = now()
    assert during > 64 << 20  # of 128 MiB: the kernel has some use for the others
