"""Many stored runs at once: of each only what is needed to put its times beside those of others.

A run of 50 cases is read as columns of numbers in a few milliseconds. Nothing is believed that
:func:`bench.storage.load` would not believe: what does not fit is read by it instead, and refused by it.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import msgspec
import numpy as np

from bench.analysis.comparison import is_crowded
from bench.analysis.correctness import is_right, judge_each
from bench.analysis.many import Samples, blocks_of, item_seconds, speedups
from bench.analysis.statistics import Interval
from bench.errors import BenchError
from bench.records import (
    SCHEMA,
    Case,
    Caveat,
    CaveatKind,
    Check,
    Environment,
    Failure,
    Plan,
    Proof,
    Run,
    Sample,
    SampleKind,
    Workload,
)
from bench.records.trial import LEAST_S, MOST_ITEMS, MOST_S
from bench.storage import FILE_NAME, find, load, read_bytes

_INDEX = {name: Sample._fields.index(name) for name in ("wave", "round", "steps", "host_s", "kind")}
#: A sample as a plain tuple; its kind is left as text, because a hundred thousand of them are looked at as one.
_ROW: Any = tuple[tuple(str if hint is SampleKind else hint for hint in get_type_hints(Sample).values())]  # type: ignore[misc]


class _Trial(msgspec.Struct, gc=False):
    case: msgspec.Raw
    items_per_step: int | None
    samples: list[_ROW]
    proofs: tuple[Proof, ...] = ()
    failure: Failure | None = None
    checks: tuple[Check, ...] = ()
    caveats: tuple[Caveat, ...] = ()


class _Run(msgspec.Struct, gc=False):
    schema: int
    id: str
    started: str
    environment: Environment
    plan: Plan
    trials: list[_Trial]


class _Known(NamedTuple):
    case: Case
    name: str
    group: tuple[Workload, str]


_Cases = dict[bytes, _Known]


@dataclass(frozen=True)
class Glance:
    """One case of one run: its time per item, and its speed-up over the baseline of its own group."""

    case: Case
    name: str  # the variant's id
    baseline: str  # that of the first case of its group
    is_baseline: bool
    items_per_step: int
    item_s: Interval | None
    speedup: Interval | None  # None for the baseline, and for what may not be compared
    failed: bool
    honoured: bool
    right: bool  # no check of its results failed
    profiled: bool = False  # a profiler was attached
    judged: bool = True  # the baseline it is compared with may be relied on, and so may it

    @property
    def sound(self) -> bool:
        """Whether its own figures may be relied on."""
        return self.honoured and self.right and not self.failed and not self.profiled


@dataclass(frozen=True)
class Skimmed:
    """What was read of one run."""

    path: Path
    id: str
    started: str
    environment: Environment
    plan: Plan
    glances: tuple[Glance, ...]


def skim(places: Sequence[Path]) -> tuple[Skimmed, ...]:
    """These runs, in this order.

    Raises:
        StorageError: one of them cannot be read, as in :func:`bench.storage.load`.
    """
    known: _Cases = {}
    with _no_collection():
        return tuple(_skimmed(place, known) for place in places)


def _skimmed(place: Path, known: _Cases) -> Skimmed:
    path = find(place) or (place / FILE_NAME if place.is_dir() else place)
    try:
        run = msgspec.json.decode(read_bytes(path), type=_Run)
        if run.schema == SCHEMA and not any(_is_absurd(trial) for trial in run.trials):
            return _glanced(path, run, known)
    except (msgspec.DecodeError, UnicodeDecodeError, BenchError, ValueError, OverflowError, RecursionError):
        pass
    return _glanced(path, _plain(load(path)), known)


def _plain(run: Run) -> _Run:
    """A run that was read the long way, in the short form."""
    trials = [
        _Trial(
            msgspec.Raw(msgspec.json.encode(trial.case)),
            trial.items_per_step,
            [(*sample[: _INDEX["kind"]], sample.kind.value) for sample in trial.samples],
            trial.proofs,
            trial.failure,
            trial.checks,
            trial.caveats,
        )
        for trial in run.trials
    ]
    return _Run(run.schema, run.id, run.started, run.environment, run.plan, trials)


def _is_absurd(trial: _Trial) -> bool:
    return trial.items_per_step is not None and not 1 <= trial.items_per_step < MOST_ITEMS


def _case(text: bytes, known: _Cases) -> _Known:
    """A case from its JSON: the same in most runs, so that each is read once."""
    found = known.get(text)
    if found is None:
        case = msgspec.json.decode(text, type=Case)
        found = known[text] = _Known(case, case.variant.id, case.group)
    return found


def _glanced(path: Path, run: _Run, known: _Cases) -> Skimmed:
    cases = [_case(bytes(trial.case), known) for trial in run.trials]
    baselines: dict[tuple[Workload, str], int] = {}
    for number, case in enumerate(cases):
        baselines.setdefault(case.group, number)
    base = [baselines[case.group] for case in cases]
    blocks = blocks_of(_samples(run.trials))
    times = item_seconds(blocks, len(run.trials), run.plan.confidence)
    crowded = [is_crowded(trial.caveats) for trial in run.trials]
    ratios = speedups(blocks, base, crowded, run.plan.confidence)
    glances = tuple(
        Glance(
            cases[number].case,
            cases[number].name,
            cases[base[number]].name,
            number == base[number],
            trial.items_per_step or 1,
            times[number],
            ratios[number],
            trial.failure is not None,
            all(proof.honoured for proof in trial.proofs),
            is_right(judge_each(trial.checks, cases[number].case, run.plan)),
            any(caveat.kind is CaveatKind.PROFILED for caveat in trial.caveats),
        )
        for number, trial in enumerate(run.trials)
        if not cases[number].case.copy  # a copy is there to check the instrument
    )
    sound = {glance.case.group: glance.sound for glance in glances if glance.is_baseline}
    glances = tuple(
        glance if sound.get(glance.case.group, True) else replace(glance, judged=False) for glance in glances
    )
    return Skimmed(path, run.id, run.started, run.environment, run.plan, glances)


def _samples(trials: Sequence[_Trial]) -> Samples:
    """The samples that times are made of, of all trials in one.

    Raises:
        ValueError: a sample that is no evidence.
    """
    rows = [row for trial in trials for row in trial.samples]
    if not rows:
        nothing = np.empty(0, np.int64)
        return Samples(nothing, nothing, nothing, np.empty(0))
    columns = list(zip(*rows, strict=True))
    lengths = [len(trial.samples) for trial in trials]
    number = np.repeat(np.arange(len(trials), dtype=np.int64), lengths)
    items = np.repeat(np.array([trial.items_per_step or 1 for trial in trials], np.float64), lengths)
    steps = np.array(columns[_INDEX["steps"]], np.float64)
    host_s = np.array(columns[_INDEX["host_s"]], np.float64)
    if not (steps.min() >= 1 and (host_s / steps).min() >= LEAST_S and (host_s / steps).max() <= MOST_S):
        msg = "a sample is no evidence"
        raise ValueError(msg)
    kept = _of_their_kind(trials, columns[_INDEX["kind"]], number)
    wave, round_ = (np.array(columns[_INDEX[name]], np.int64) for name in ("wave", "round"))
    if min(wave.min(), round_.min()) < 0 or max(wave.max(), round_.max()) >= 2**20:
        msg = "a sample has an absurd wave or round"
        raise ValueError(msg)
    return Samples(number[kept], wave[kept], round_[kept], (host_s / steps / items)[kept])


def _of_their_kind(trials: Sequence[_Trial], kinds: Sequence[str], number: Any) -> Any:
    """Which samples count: those of timing, or those of latency where a trial has no others."""
    if set(kinds) == {SampleKind.TIMING.value}:
        return slice(None)
    kind = np.array(kinds)
    timing, latency = (kind == wanted.value for wanted in (SampleKind.TIMING, SampleKind.LATENCY))
    timed = np.bincount(number[timing], minlength=len(trials)) > 0
    return timing | (latency & ~timed[number])


@contextmanager
def _no_collection() -> Iterator[None]:
    """No search for cycles while millions of short-lived tuples come and go: they have none."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
