"""Measure the cases of one group, interleaved, in waves of fresh processes.

::

    wave 1   hire | enrol each: build, first step, check, freeze, warm-up | round 1 | round 2 | ... | dismiss
    wave 2   hire | ...
    round    [ C ][ A ][ B ]      one block of every case, order drawn from the plan's seed
    block    thaw | dropped step | samples | freeze
    energy   idle | one long block of every case | idle        at the end of a wave, where a sensor can be read
    inspect  phases, operators                                 after all of it, where asked for: bench.profiling

A case that fails, or that this machine cannot run, costs its own figures only.
"""

from __future__ import annotations

import math
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import NamedTuple, Protocol

import msgspec

from bench import profiling
from bench.analysis.stopping import (
    LEAST_ROUNDS,
    WANTED_ROUNDS,
    affordable_rounds,
    is_look,
    is_warm,
    may_leave,
    strides,
)
from bench.errors import BenchError, MeasurementError, UnavailableError
from bench.instruments.power import Panel
from bench.metering import Meter, SampledMeter
from bench.records import (
    Case,
    Caveat,
    CaveatKind,
    Check,
    Failure,
    Life,
    PhaseBlock,
    Plan,
    Profile,
    Proof,
    Sample,
    SampleKind,
    Skip,
    Trial,
)
from bench.records.power import PowerLog
from bench.records.trial import kind_of
from bench.workers.crew import Crew, Worker, WorkerError, hire
from bench.workers.messages import Block, Build, Built, Finish, Finished, Inspected, Prepare, Prepared, Sealed

Hire = Callable[[int, str], Crew]

#: At the start of a block on CUDA, or of one for energy, so much is dropped: clocks idle down while others run.
_DROP_S = 0.1
#: More samples than this in a block tell nothing more; shorter steps are put into longer samples.
_MOST_SAMPLES = 10
#: The same of single steps: each is kept, since it may be the slow one.
_MOST_LATENCIES = 500
_FINISH_LIMIT_S = 10.0
#: A shorter stretch of the warm-up is no witness: steps are doubled until it is as long.
_STRETCH_S = 0.025


class Progress(Protocol):
    """Told what happens, so that somebody can show it. Called between samples, never inside one."""

    def enrolling(self, case: Case, wave: int) -> None: ...

    def round_done(self, wave: int, round_: int, rounds: int) -> None: ...


class Silence:
    """Progress that nobody watches."""

    def enrolling(self, case: Case, wave: int) -> None: ...

    def round_done(self, wave: int, round_: int, rounds: int) -> None: ...


class _WarmUp(NamedTuple):
    length_s: float
    steps: int
    agreed: bool
    step_s: float  # what a step takes now


@dataclass
class _Dossier:
    """What is gathered of one case while it is being measured."""

    case: Case
    index: int
    lives: list[Life] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    proofs: tuple[Proof, ...] = ()
    checks: list[Check] = field(default_factory=list)
    check_s: float = 0.0  # what the latest checks took
    doubts: dict[CaveatKind, Caveat] = field(default_factory=dict)
    items: int | None = None
    block: Block | None = None  # set in the first wave, the same in all
    step_s: float = 0.0
    failure: Failure | None = None
    skip: Skip | None = None
    left: bool = False  # precise and clear at a look
    set_up_s: float = 0.0  # what enrolling took, last time
    stride: int = 1  # takes part in every so many-th round
    phases: list[PhaseBlock] = field(default_factory=list)
    profile: Profile | None = None
    lost_in: int = -1  # the wave whose worker a look into the step has cost

    @property
    def active(self) -> bool:
        return self.failure is None and self.skip is None and not self.left

    def doubt(self, kind: CaveatKind, **figures: float | str) -> None:
        self.doubts[kind] = Caveat.of(kind, **figures)

    def trial(self) -> Trial:
        return Trial(
            self.case,
            self.items,
            tuple(self.lives),
            tuple(self.samples),
            self.proofs,
            tuple(self.doubts.values()),
            self.failure,
            tuple(self.checks),
            tuple(self.phases),
            self.profile,
        )


@dataclass(frozen=True)
class Surroundings:
    """What a group is measured in: names that a profiler shows, and where files of the run go."""

    run: str = "run"  # its id
    folder: Path | None = None  # of the run
    profiler: str | None = None  # the one that is attached to this process


class GroupMeasurement:
    """The measuring of one group: :meth:`run` does it, the properties hold what there is, then or at any time."""

    def __init__(
        self,
        cases: Sequence[Case],
        plan: Plan,
        caches: Path,
        *,
        progress: Progress | None = None,
        meter: Meter | None = None,
        hire: Hire = hire,
        clock: Callable[[], float] = time.perf_counter,
        surroundings: Surroundings | None = None,
    ) -> None:
        self._plan = plan
        self._surroundings = surroundings or Surroundings()
        self._caches = caches
        self._progress = progress or Silence()
        self._meter = meter or SampledMeter(Panel())
        self._hire = hire
        self._clock = clock
        self._dossiers = [_Dossier(case, index) for index, case in enumerate(cases)]
        self._random = random.Random(f"{plan.seed}:{cases[0].name}")
        self._rounds = plan.rounds or WANTED_ROUNDS
        self._hire_s = 0.0
        self._predecessor: int | None = None
        self._power: PowerLog | None = None

    @property
    def power(self) -> PowerLog | None:
        """What the sensors said from the start to the end; None before the end."""
        return self._power

    @property
    def trials(self) -> tuple[Trial, ...]:
        """A trial of every case that was not skipped, in the order given; the first is the baseline."""
        return tuple(dossier.trial() for dossier in self._dossiers if dossier.skip is None)

    @property
    def skips(self) -> tuple[Skip, ...]:
        """The cases that a worker found this machine unable to run."""
        return tuple(dossier.skip for dossier in self._dossiers if dossier.skip is not None)

    def run(self) -> None:
        """Measure all waves of the plan.

        Raises:
            KeyboardInterrupt: the user interrupted; what was measured stands, marked INTERRUPTED.
        """
        wave = 0
        self._meter.start()
        try:
            for wave in range(self._plan.waves):
                if not self._is_open():
                    break
                self._run_wave(wave)
                if is_look(self._plan, wave + 1):
                    self._let_leave()
                    self._rounds = max(self._rounds, self._affordable())
        except MeasurementError as error:  # no crew could be hired: nobody's case can go on
            for dossier in self._dossiers:
                if dossier.active:
                    dossier.failure = Failure("start", str(error), "", wave)
        except KeyboardInterrupt:
            for dossier in self._dossiers:
                if dossier.active:
                    dossier.doubt(CaveatKind.INTERRUPTED, waves=wave, planned=self._plan.waves)
            raise
        finally:
            self._power = self._meter.stop()

    def _is_open(self) -> bool:
        """Whether any question is left: a case to measure, and not the baseline alone when all others have left."""
        others = self._dossiers[1:]
        if any(dossier.left for dossier in others):
            return any(dossier.active for dossier in others)
        return any(dossier.active for dossier in self._dossiers)

    def _run_wave(self, wave: int) -> None:
        begin = self._clock()
        staff = self._staff()
        with closing(self._hire(len(staff), self._plan.start)) as crew:
            workers = {dossier.index: worker for dossier, worker in zip(staff, crew.workers, strict=True)}
            self._hire_s = self._clock() - begin
            for dossier in staff:
                begin = self._clock()
                self._meter.employ(workers[dossier.index].pid)
                self._progress.enrolling(dossier.case, wave)
                self._attempt(dossier, workers[dossier.index], wave, "set-up", self._enrol)
                dossier.set_up_s = self._clock() - begin
            if wave == 0:
                lives = [life for dossier in staff for life in dossier.lives]
                cold_s = sum(life.build_s + life.first_step_s for life in lives)
                self._rounds = self._affordable(cold_s + sum(dossier.check_s for dossier in staff))
            elif wave == 1:
                self._rounds = self._affordable()
            if wave < 2:
                self._doubt_rounds()
            for round_ in range(self._rounds):
                self._run_round(wave, round_, workers)
                self._progress.round_done(wave, round_, self._rounds)
            if self._meter.measures:
                self._run_energy_round(wave, workers)
            for dossier in staff:
                self._attempt(dossier, workers[dossier.index], wave, "inspect", self._inspect)
                self._attempt(dossier, workers[dossier.index], wave, "finish", self._dismiss)

    def _attempt(
        self, dossier: _Dossier, worker: Worker, wave: int, phase: str, work: Callable[..., None], *where: int
    ) -> None:
        """Do some work for a case; whatever goes wrong is noted on that case alone."""
        if not dossier.active:
            return
        try:
            work(dossier, worker, wave, *where)
        except UnavailableError as error:
            dossier.skip = Skip(dossier.case, error.reason, error.fix)
            worker.kill()
        except (BenchError, OSError) as error:
            dossier.failure = Failure(phase, str(error), getattr(error, "detail", ""), wave)
            worker.kill()

    def _enrol(self, dossier: _Dossier, worker: Worker, wave: int) -> None:
        """Build, take the first step, check the results, warm up; then wait, frozen."""
        plan = self._plan
        request = Build(
            dossier.case,
            source_of(dossier.case.workload.build),
            usable_cpus(),
            self._cache_folder(dossier),
            plan.seed,
            thorough=wave == 0,
            within=[self._surroundings.run, group_name(dossier.case), str(dossier.case)],
        )
        built = worker.ask(request, Built, plan.build_limit_s)
        worker.freeze()
        stop_s = built.start_s + built.build_s + built.first_step_s
        self._meter.set_up(dossier.case.name, wave, built.start_s, stop_s)
        warm_up = self._warm_up(worker)
        dossier.items = built.items
        dossier.proofs = _worst(dossier.proofs, tuple(built.proofs))
        dossier.checks += [replace(check, wave=wave) for check in built.checks]
        dossier.check_s = built.check_s
        dossier.step_s = warm_up.step_s
        shape = shape_latency_block if kind_of(dossier.case.workload) is SampleKind.LATENCY else shape_block
        dossier.block = dossier.block or shape(plan, dossier.case.variant.device, warm_up.step_s)
        dossier.lives.append(
            Life(
                wave=wave,
                cold=wave == 0,
                build_s=built.build_s,
                first_step_s=built.first_step_s,
                warm_up_s=warm_up.length_s,
                warm_up_steps=warm_up.steps,
                warmed=warm_up.agreed,
                settings=tuple(built.settings),
            )
        )
        self._note_platform(dossier, worker, pinned=built.pinned)

    def _warm_up(self, worker: Worker) -> _WarmUp:
        """Run stretches until the last few agree with those before them, or the plan's limit has passed.

        A stretch is thawed and frozen like a block: what a step costs is learnt in the regime it is measured in, and
        threads that the scheduler has put on one core by mistake are placed anew each time.
        """
        plan = self._plan
        steps, total_steps = 1, 0
        stretches_s: list[float] = []
        begin = self._clock()
        while True:
            (reading,) = self._thawed(worker, Block(steps, 1, 0, 0.0, "warm-up")).samples
            total_steps += steps
            stretches_s.append(reading[1] / steps)
            agreed = is_warm(stretches_s, plan.warm_up_tolerance)
            length_s = self._clock() - begin
            if agreed or length_s >= plan.warm_up_s:
                return _WarmUp(length_s, total_steps, agreed, median(stretches_s[-3:]))
            if reading[1] < _STRETCH_S:
                steps *= 2
                stretches_s.clear()  # a stretch of another length is no witness

    def _thawed(self, worker: Worker, block: Block) -> Sealed:
        worker.thaw()
        sealed = worker.ask(block, Sealed, self._plan.block_limit_s)
        worker.freeze()
        return sealed

    def _note_platform(self, dossier: _Dossier, worker: Worker, *, pinned: bool) -> None:
        if self._plan.start == "in_process":
            dossier.doubt(CaveatKind.IN_PROCESS)
        elif not worker.can_freeze:
            dossier.doubt(CaveatKind.UNFROZEN)
        if not pinned:
            dossier.doubt(CaveatKind.UNPINNED)
        if self._surroundings.profiler is not None:
            dossier.doubt(CaveatKind.PROFILED, profiler=self._surroundings.profiler)

    def _cache_folder(self, dossier: _Dossier) -> str:
        folder = self._caches / f"{dossier.index}-{dossier.case.workload.name}"
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)

    def _staff(self) -> list[_Dossier]:
        return [dossier for dossier in self._dossiers if dossier.active]

    def _affordable(self, cold_s: float = 0.0) -> int:
        """The rounds of the coming waves, from what hiring and enrolling took last; no sample is looked at.

        Asked in the first wave, of whose cold set-up and long checks ``cold_s`` in all is not counted, in the second,
        which shows what later ones take, and at the look.
        """
        staff = self._staff()
        if not staff:
            return self._rounds
        chosen = strides([_block_s(dossier) for dossier in staff])
        round_s = sum(_block_s(dossier) / stride for dossier, stride in zip(staff, chosen, strict=True))
        overhead_s = self._hire_s + sum(dossier.set_up_s for dossier in staff) - cold_s
        if self._meter.measures:
            overhead_s += self._energy_round_s(staff)
        rounds = affordable_rounds(self._plan, len(self._dossiers), max(0.0, overhead_s), round_s)
        for dossier, stride in zip(staff, chosen, strict=True):
            dossier.stride = min(stride, max(1, rounds // LEAST_ROUNDS))
        return rounds

    def _doubt_rounds(self) -> None:
        wanted = self._plan.rounds or WANTED_ROUNDS
        if self._rounds < wanted:
            for dossier in self._staff():
                dossier.doubt(CaveatKind.CUT_TO_BUDGET, rounds=self._rounds, planned=wanted)

    def _energy_round_s(self, staff: Sequence[_Dossier]) -> float:
        plan = self._plan
        return 2 * plan.idle_s + sum(_DROP_S + max(plan.energy_block_s, dossier.step_s) for dossier in staff)

    def _run_round(self, wave: int, round_: int, workers: dict[int, Worker]) -> None:
        taking_part = [dossier for dossier in self._drawn() if round_ % dossier.stride == 0]
        for position, dossier in enumerate(taking_part):
            self._attempt(dossier, workers[dossier.index], wave, "measure", self._run_block, round_, position)

    def _drawn(self) -> list[_Dossier]:
        """The cases still in it, in a new order."""
        order = self._staff()
        self._random.shuffle(order)
        return order

    def _run_energy_round(self, wave: int, workers: dict[int, Worker]) -> None:
        self._meter.idle(wave, self._plan.idle_s)
        for position, dossier in enumerate(self._drawn()):
            self._attempt(dossier, workers[dossier.index], wave, "energy", self._run_energy_block, position)
        self._meter.idle(wave, self._plan.idle_s)

    def _run_block(self, dossier: _Dossier, worker: Worker, wave: int, round_: int, position: int) -> None:
        if dossier.block is None:
            msg = f"{dossier.case.name} has no block to run; it was not enrolled"
            raise MeasurementError(msg)
        block = msgspec.structs.replace(dossier.block, label=f"round {round_ + 1}")
        kind = kind_of(dossier.case.workload)
        self._keep(dossier, worker, block, Sample(wave, round_, position, None, 0.0, 1, 0.0, None, kind))

    def _run_energy_block(self, dossier: _Dossier, worker: Worker, wave: int, position: int) -> None:
        block = shape_energy_block(self._plan, dossier.step_s)
        if kind_of(dossier.case.workload) is SampleKind.LATENCY:  # back to back it would be another regime
            block = Block(1, block.steps, block.drop_steps, block.drop_s)
        self._keep(dossier, worker, block, Sample(wave, 0, position, None, 0.0, 1, 0.0, None, SampleKind.ENERGY))

    def _keep(self, dossier: _Dossier, worker: Worker, block: Block, where: Sample) -> None:
        """Run a block and keep its samples; ``where`` has all of a sample but what the worker answers."""
        dossier.samples += [
            where._replace(
                predecessor=self._predecessor, start_s=start_s, steps=block.steps, host_s=host_s, device_s=device_s
            )
            for start_s, host_s, device_s in self._thawed(worker, block).samples
        ]
        self._predecessor = dossier.index

    def _inspect(self, dossier: _Dossier, worker: Worker, wave: int) -> None:
        """Look into the step, where that was asked for; what goes wrong there costs no figure."""
        request = profiling.request(dossier.case, self._plan, wave, dossier.step_s, self._surroundings.folder)
        if request is None:
            return
        worker.thaw()
        try:
            inspected = worker.ask(request, Inspected, self._plan.block_limit_s)
        except (BenchError, OSError) as error:
            dossier.doubt(CaveatKind.NOT_INSPECTED, reason=str(error))
            dossier.lost_in = wave
            worker.kill()
            return
        worker.freeze()
        dossier.phases += [inspected.phases] if inspected.phases is not None else []
        dossier.profile = inspected.profile or dossier.profile

    def _dismiss(self, dossier: _Dossier, worker: Worker, wave: int) -> None:
        if dossier.lost_in == wave:
            return
        worker.thaw()
        finished = worker.ask(Finish(), Finished, _FINISH_LIMIT_S)
        dossier.lives[-1] = replace(dossier.lives[-1], peak_memory_bytes=finished.peak_memory_bytes)

    def _let_leave(self) -> None:
        """At a look: cases whose ratio is precise and clear are done. The baseline and its copies never are."""
        baseline, *others = self._dossiers
        staff = [dossier for dossier in others if dossier.active and not dossier.case.copy]
        leaving = may_leave([baseline.trial(), *(dossier.trial() for dossier in staff)], self._plan)
        for dossier in staff:
            dossier.left = dossier.case in leaving


def prepare(cases: Sequence[Case], plan: Plan, *, hire: Hire = hire) -> None:
    """Run each distinct preparer of these cases once, in a process of its own.

    Raises:
        UsageError: a preparer refused its parameters; nothing has been measured.
        UnavailableError: this machine lacks something that all cases of a workload need.
        MeasurementError: a preparer failed in a way it did not foresee.
    """
    for workload in dict.fromkeys(case.workload for case in cases):
        if workload.prepare is None:
            continue
        with closing(hire(1, plan.start)) as crew:
            request = Prepare(workload.prepare, source_of(workload.prepare), dict(workload.parameters))
            try:
                crew.workers[0].ask(request, Prepared, plan.build_limit_s)
            except WorkerError as error:
                msg = f"preparing {workload.name} failed: {error}\n{error.detail}".rstrip()
                raise MeasurementError(msg) from error


def shape_block(plan: Plan, device: str, step_s: float) -> Block:
    """The block for a step of this length: samples of at least ``sample_s``, together at least the block's length."""
    on_cuda = device.startswith("cuda")
    length_s = plan.block_length_s(device)
    steps = max(1, math.ceil(max(plan.sample_s, length_s / _MOST_SAMPLES) / step_s))
    samples = max(1, math.ceil(length_s / (steps * step_s)))
    return Block(steps=steps, samples=samples, drop_steps=1, drop_s=_DROP_S if on_cuda else 0.0)


def shape_latency_block(plan: Plan, device: str, step_s: float) -> Block:
    """The block for single steps: at least the plan's number of them, and at least the block's length."""
    enough = min(_MOST_LATENCIES, math.ceil(plan.block_length_s(device) / step_s))
    drop_s = _DROP_S if device.startswith("cuda") else 0.0
    return Block(steps=1, samples=max(plan.latency_steps, enough), drop_steps=1, drop_s=drop_s)


def shape_energy_block(plan: Plan, step_s: float) -> Block:
    """One sample of at least ``energy_block_s``, after a tenth of a second that is dropped."""
    return Block(max(1, math.ceil(plan.energy_block_s / step_s)), 1, drop_steps=1, drop_s=_DROP_S, label="energy")


def group_name(case: Case) -> str:
    """What reports call the group of a case: "inference on cpu"."""
    return f"{case.workload.name} on {case.variant.device}"


def source_of(import_name: str) -> str | None:
    """The file of a module that is loaded here, so that a worker can load it when it is not on the import path."""
    module = sys.modules.get(import_name.partition(":")[0])
    return getattr(module, "__file__", None)


def usable_cpus() -> list[int] | None:
    """The cores this process may use, which all workers are pinned to; None where the platform has no affinity."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def _block_s(dossier: _Dossier) -> float:
    if dossier.block is None:
        return 0.0
    block = dossier.block
    return (block.drop_steps + block.steps * block.samples) * dossier.step_s + block.drop_s


def _worst(known: tuple[Proof, ...], new: tuple[Proof, ...]) -> tuple[Proof, ...]:
    """The proofs of the life that has more to hide: one dishonoured label in any wave spoils the case."""
    return known if any(not proof.honoured for proof in known) else new
