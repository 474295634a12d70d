"""What is it worth that steadier rows are believed by half? ``python -m suites.experiments.alarms`` simulates.

Few waves agree by chance now and then, and of identical copies those are called different. Tables of ten rows whose
spreads are known are simulated, of which nine are plainly faster than the baseline; how the tenth is judged by itself,
and as a row of its table (:func:`bench.judge`), is counted. Arrays do it for all tables at once; some go through
``bench.judge`` as well, which must agree.
"""

from __future__ import annotations

import argparse
import datetime
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy
from numpy.typing import NDArray
from scipy.special import stdtrit

import bench
from bench.analysis.statistics import exponential, t_interval

WAVES = (4, 6)
_ROWS = 10
_CLEAR = math.log(1.5)
_PLACE = Path(__file__).parents[2] / "docs" / "alarms.md"
_PLAN = bench.Plan()
#: A difference in percent, and the spread from wave to wave, in percent, that it is looked for in.
_SOUGHT = ((2.0, 0.5), (2.0, 0.75), (3.0, 1.0), (5.0, 2.0), (10.0, 5.0))
_ALARM_SPREADS = (0.5, 1.0, 2.0, 6.0)

Array = NDArray[numpy.float64]


class Kind(NamedTuple):
    """How a table's rows spread, as factors: the tenth's own, the others' from least to most, what all share."""

    tenth: float = 1.0
    unlike: float = 1.0
    shared: float = 0.0


KINDS: Mapping[str, Kind] = {
    "all spread alike": Kind(),
    "half of the variance is the baseline's": Kind(tenth=math.sqrt(0.5), unlike=1.0, shared=math.sqrt(0.5)),
    "the others spread by half to twice as much": Kind(unlike=2.0),
    "the row spreads twice as much as the others": Kind(tenth=2.0),
    "the row spreads half as much": Kind(tenth=0.5),
}


class Judged(NamedTuple):
    """Which of many tables called their tenth row different: judged by itself, and in its table."""

    alone: NDArray[numpy.bool_]
    together: NDArray[numpy.bool_]


def evidence_of(kind: Kind, waves: int, spread: float, log_speedup: float, tables: int, seed: int) -> Array:
    """The logarithms of many tables, by row and wave; the first row is the one that is looked at."""
    random = numpy.random.default_rng([seed, waves, round(1e6 * spread), round(1e6 * log_speedup)])
    others = kind.unlike ** numpy.linspace(-1, 1, _ROWS - 1) * math.sqrt(1 - kind.shared**2)
    spreads = spread * numpy.array([kind.tenth, *others])
    own = spreads[None, :, None] * random.standard_normal((tables, _ROWS, waves))
    shared = spread * kind.shared * random.standard_normal((tables, 1, waves))
    return numpy.asarray(numpy.array([log_speedup] + [_CLEAR] * (_ROWS - 1))[None, :, None] + own + shared)


def judged(evidence: Array) -> Judged:
    """Whether the first row of each table is called different; the others plainly are, and leave it all the risk."""
    waves, margin = evidence.shape[2], math.log1p(_PLAN.band)
    spreads = evidence.std(axis=2, ddof=1)
    distance = abs(evidence[:, 0].mean(axis=1)) - margin
    needed = stdtrit(waves - 1, (1 + _PLAN.confidence) / 2) / math.sqrt(waves)
    own, typical = spreads[:, 0], numpy.median(spreads, axis=1)
    believed = numpy.sqrt((own**2 + numpy.maximum(own, typical) ** 2) / 2)
    return Judged(distance > needed * own, distance > needed * believed)


def check(evidence: Array, found: Judged, tables: int) -> None:
    """Hold some tables against what judges real ones.

    Raises:
        MeasurementError: they differ, so the simulation is one of something else.
    """
    claims = (bench.Verdict.FASTER, bench.Verdict.SLOWER)
    for number in range(min(tables, len(evidence))):
        rows = [_comparison(row) for row in evidence[number].tolist()]
        verdicts = bench.judge(rows[:1], _PLAN.band)[0], bench.judge(rows, _PLAN.band)[0]
        if tuple(one in claims for one in verdicts) != (found.alone[number], found.together[number]):
            msg = f"table {number}: bench says {verdicts}, the simulation otherwise; make judged follow bench.judge"
            raise bench.MeasurementError(msg)


def _comparison(evidence: Sequence[float]) -> bench.Comparison:
    case = bench.Case(bench.Workload("simulated", "nowhere:build"), bench.Variant.of())
    ratio = exponential(t_interval(evidence, _PLAN.confidence))
    return bench.Comparison(case, case, *ratio, _PLAN.confidence, over_waves=True, evidence=tuple(evidence))


def shares(
    kind: Kind, waves: int, spread: float, difference: float, tables: int, seed: int, checked: int
) -> tuple[float, float]:
    """How often a difference is called by itself and in its table; both in percent, as spread and difference are."""
    evidence = evidence_of(kind, waves, spread / 100, math.log1p(difference / 100), tables, seed)
    found = judged(evidence)
    check(evidence, found, checked)
    return 100 * float(found.alone.mean()), 100 * float(found.together.mean())


def _document(tables: int, seed: int, checked: int) -> Iterator[str]:
    date = datetime.datetime.now(datetime.UTC).date()
    yield _HEAD.format(date=date, tables=tables, seed=seed, checked=checked)
    yield "\n".join(_table([(0.0, spread) for spread in _ALARM_SPREADS], tables, seed, checked))
    yield _POWER
    yield "\n".join(_table(_SOUGHT, tables, seed, checked))
    yield _VERDICT


def _table(sought: Sequence[tuple[float, float]], tables: int, seed: int, checked: int) -> Iterator[str]:
    titles = " | ".join(f"{f'{difference:g} % in ' if difference else ''}{spread:g} %" for difference, spread in sought)
    yield f"| the table | waves | {titles} |"
    yield f"|---|--:|{'--:|' * len(sought)}"
    for name, kind in KINDS.items():
        for waves in WAVES:
            both = [shares(kind, waves, spread, difference, tables, seed, checked) for difference, spread in sought]
            cells = " | ".join(f"{_shown(alone)} → {_shown(together)}" for alone, together in both)
            yield f"| {name} | {waves} | {cells} |"


def _shown(percent: float) -> str:
    return f"{percent:.2f}" if percent < 10 else f"{percent:.0f}"


_HEAD = """# Rows that agree by chance

Written by `python -m suites.experiments.alarms` on {date}: {tables} simulated tables a cell, seed {seed}. {checked} of
each went through `bench.judge` too and agreed.

A table has ten rows, each with one normal number a wave; nine are 1.5 times as fast as the baseline, the tenth is what
is looked at. The band is 1 %. Each cell has percents of tables: by Student's interval of the row alone, and → as it is
done, where the variance of a row that spreads less than the median row of its table is the mean of both variances.

**Identical copies called different**, by their spread from wave to wave:"""
_POWER = """**Differences found**, each in a spread from wave to wave:"""
_VERDICT = """Where waves spread by several times the band, the band no longer guards, and of copies that are judged
alone those are called different whose few waves happen to agree. Believed by half, they are rarer by a factor of two to
five, and what is found hardly changes, for a row that is as noisy as the others. One that is steadier pays a little: of
its difference a part has to stand in the others' noise. One that is noisier than the others is judged by its own
spread. To take no row for steadier than the median row was tried too: false alarms were rarer by half again, but of the
differences of 2 % of a row that spreads half as much as 0.75 %, four waves showed 46 in place of 92 of 100."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the document; returns the exit status."""
    parser = argparse.ArgumentParser(prog="suites.experiments.alarms", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tables", type=int, default=50_000, help="simulated tables a cell (50000)")
    parser.add_argument("--seed", type=int, default=20261126, help="of all draws (20261126)")
    parser.add_argument("--checked", type=int, default=20, help="tables a cell that bench itself judges (20)")
    parser.add_argument("--out", type=Path, default=_PLACE, help="the document (docs/alarms.md)")
    options = parser.parse_args(arguments)
    text = "\n\n".join(_document(options.tables, options.seed, options.checked)) + "\n"
    options.out.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{options.out} is written\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
