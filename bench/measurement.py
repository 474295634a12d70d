"""Measure the cases of one group, interleaved, in waves of fresh processes.

::

    wave 1   hire | enrol each: build, first step, freeze, warm-up | round 1 | round 2 | ... | prove, check, dismiss
    wave 2   hire | ...           the order of enrolling drawn anew, so that no case is always the first
    round    [ C ][ A ][ B ]      one block of every case, order drawn from the plan's seed
    block    thaw | dropped step | samples | freeze
    energy   idle | one long block of every case | idle        at the end of a wave, where a sensor can be read
    inspect  phases, operators                                 after all of it, where asked for: bench.profiling

Everything that happens becomes an entry (:mod:`bench.entries`), is recorded as one, and only then known. A case that
fails, or that this machine cannot run, costs its own figures only.
"""

from __future__ import annotations

import math
import os
import random
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec

from bench import profiling
from bench.analysis.circumstances import of_budget, of_host, of_worker
from bench.analysis.stopping import is_look, may_leave
from bench.dossier import Dossier, GroupBook
from bench.entries import (
    Anchor,
    Checked,
    Dismissed,
    Doubted,
    Enrolled,
    Failed,
    GroupEnded,
    GroupEntry,
    LookDone,
    Looked,
    Measured,
    Skipped,
    WaveDone,
)
from bench.errors import BenchError, MeasurementError, StorageError, UnavailableError
from bench.instruments.power import Panel
from bench.metering import Meter, SampledMeter
from bench.pacing import pace
from bench.preparing import Hire, source_of
from bench.records import Case, Caveat, CaveatKind, Failure, Life, Plan, Sample, SampleKind, Skip, Trial
from bench.records.power import HostLoad, PowerLog
from bench.records.trial import kind_of
from bench.shaping import alike, shape_block, shape_energy_block, shape_latency_block
from bench.surroundings import Nobody, OutOfTimeError, Progress, Silence, Surroundings, Watchman
from bench.warming import warm_up
from bench.workers.crew import Worker, hire
from bench.workers.messages import Block, Build, Built, Examine, Examined, Finish, Finished, Inspected, Sealed

_FINISH_LIMIT_S = 10.0


class GroupMeasurement:
    """The measuring of one group: :meth:`run` does it, the properties hold what there is, then or at any time.

    ``book`` is where what happens is noted; an earlier sitting's waves in it are not measured again. ``record``
    is told of every entry before it counts.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        plan: Plan,
        caches: Path,
        *,
        progress: Progress | None = None,
        meter: Meter | None = None,
        watchman: Watchman | None = None,
        hire: Hire = hire,
        clock: Callable[[], float] = time.perf_counter,
        surroundings: Surroundings | None = None,
        record: Callable[[GroupEntry], None] | None = None,
        book: GroupBook | None = None,
    ) -> None:
        self._plan = plan
        self._surroundings = surroundings or Surroundings()
        self._caches = caches
        self._progress = progress or Silence()
        self._meter = meter or SampledMeter(Panel())
        self._watchman = watchman or Nobody()
        self._hire = hire
        self._clock = clock
        self._record = record
        self.book = GroupBook(cases, plan) if book is None else book
        self._first_wave = self.book.waves_done
        self._random = random.Random()
        self._given_up = False
        self._lost_in: dict[int, int] = {}  # case: the wave whose worker a look into the step has cost

    @property
    def power(self) -> PowerLog | None:
        """What the sensors said so far."""
        return self.book.power

    @property
    def trials(self) -> tuple[Trial, ...]:
        """A trial of every case that was not skipped, in the order given; the first is the baseline."""
        return self.book.trials

    @property
    def skips(self) -> tuple[Skip, ...]:
        """The cases that a worker found this machine unable to run."""
        return self.book.skips

    def run(self) -> None:
        """Measure the waves that are not measured yet: those of the plan, or as many as the budget has room for.

        Raises:
            KeyboardInterrupt: the user interrupted; what was measured stands, marked INTERRUPTED.
            OutOfTimeError: the run's time limit has passed; what was measured stands, marked OUT_OF_TIME.
        """
        book, wave = self.book, self._first_wave
        self._meter.start()
        try:
            self._look(wave - 1)  # an earlier sitting may have been broken off before it
            self._progress.waves_set(book.waves)
            wave = self._first_wave
            while wave < book.waves and book.is_open:
                self._run_wave(wave)
                self._look(wave)
                wave += 1
        except MeasurementError as error:  # no crew could be hired: nobody's case can go on
            self._give_up(wave, str(error))
        except (KeyboardInterrupt, OutOfTimeError) as error:
            kind = CaveatKind.OUT_OF_TIME if isinstance(error, OutOfTimeError) else CaveatKind.INTERRUPTED
            for dossier in book.staff:
                self._doubt(dossier, wave, [Caveat.of(kind, waves=wave, planned=book.waves)])
            raise
        finally:
            self._stop()

    def _give_up(self, wave: int, reason: str) -> None:
        """No more waves: where some are whole they stand, otherwise all cases have failed."""
        self._given_up = True
        for dossier in self.book.staff:
            if self.book.waves_done:
                done, planned = self.book.waves_done, self.book.waves
                caveat = Caveat.of(CaveatKind.NO_WORKERS, waves=done, planned=planned, reason=reason)
                self._doubt(dossier, wave, [caveat])
            else:
                self._tell(Failed(dossier.index, Failure("start", reason, "", wave)))

    def _stop(self) -> None:
        """The end of the group, or of this sitting, which may not be its end."""
        whole = self.book.waves_done >= self.book.waves or not self.book.is_open or self._given_up
        self._tell(GroupEnded(whole, self._meter.stop()))

    def _tell(self, entry: GroupEntry) -> None:
        """What happened: first on record, then known."""
        if self._record is not None:
            self._record(entry)
        self.book.note(entry)

    def _doubt(self, dossier: Dossier, wave: int, caveats: Iterable[Caveat]) -> None:
        for caveat in caveats:
            if dossier.caveats.get(caveat.kind) != caveat:
                self._tell(Doubted(wave, dossier.index, caveat))

    def _run_wave(self, wave: int) -> None:
        begin = self._clock()
        # Of the wave alone, so that a wave that is measured again after a breakdown has the order it would have had.
        self._random = random.Random(f"{self._plan.seed}:{self.book.dossiers[0].case.name}:{wave}")
        staff = self._drawn()  # which memory and whose caches a worker gets depends on how many came before it
        with closing(self._hire(len(staff), self._plan.start)) as crew:
            workers = {dossier.index: worker for dossier, worker in zip(staff, crew.workers, strict=True)}
            hire_s = self._clock() - begin
            for dossier in staff:
                self._meter.employ(workers[dossier.index].pid)
                self._progress.enrolling(dossier.case, wave)
                self._attempt(dossier, workers[dossier.index], wave, "set-up", self._enrol)
            self._set_rounds(wave, hire_s)
            load = self._run_rounds(wave, workers, crew.groups)
            if self._meter.measures:
                self._run_energy_round(wave, workers)
            for dossier in staff:
                self._attempt(dossier, workers[dossier.index], wave, "inspect", self._inspect)
                self._attempt(dossier, workers[dossier.index], wave, "check", self._check)
                self._attempt(dossier, workers[dossier.index], wave, "finish", self._dismiss)
        clock = self._surroundings.clock
        self._tell(WaveDone(wave, hire_s, Anchor(clock.now(), clock.wall()), self._meter.piece(), load))

    def _run_rounds(self, wave: int, workers: dict[int, Worker], groups: Sequence[int]) -> HostLoad | None:
        """All rounds of a wave, and what others than these process groups did meanwhile."""
        self._watchman.begin(groups)
        for round_ in range(self.book.rounds):
            self._run_round(wave, round_, workers)
            self._progress.round_done(wave, round_, self.book.rounds)
        load = self._watchman.end(groups)
        loads = self.book.loads | ({wave: load} if load is not None else {})
        doubts = tuple(of_host(loads, self._watchman.rivals()))
        for dossier in self.book.staff:
            self._doubt(dossier, wave, doubts)
        return load

    def _attempt(
        self, dossier: Dossier, worker: Worker, wave: int, phase: str, work: Callable[..., None], *where: int
    ) -> None:
        """Do some work for a case; whatever goes wrong is noted on that case alone."""
        if not dossier.active:
            return
        if self._left_s() <= 0:
            raise OutOfTimeError
        try:
            work(dossier, worker, wave, *where)
        except UnavailableError as error:
            self._tell(Skipped(wave, dossier.index, Skip(dossier.case, error.reason, error.fix)))
            worker.kill()
        except StorageError:
            raise  # no fault of the case
        except (BenchError, OSError) as error:
            if self._left_s() <= 0:  # it was not given the time it may take
                worker.kill()
                raise OutOfTimeError from error
            failure = Failure(phase, str(error), getattr(error, "detail", ""), wave)
            self._tell(Failed(dossier.index, failure))
            worker.kill()

    def _left_s(self) -> float:
        """Seconds until the run must have ended."""
        deadline_s = self._surroundings.deadline_s
        return math.inf if deadline_s is None else deadline_s - self._surroundings.clock.now()

    def _limit_s(self, limit_s: float) -> float:
        """How long a worker may take for what has this limit: no longer than there is time."""
        return min(limit_s, max(0.1, self._left_s()))

    def _enrol(self, dossier: Dossier, worker: Worker, wave: int) -> None:
        """Build, take the first step, warm up; then wait, frozen."""
        plan, begin = self._plan, self._clock()
        request = Build(
            dossier.case,
            source_of(dossier.case.workload.build),
            usable_cpus(),
            self._cache_folder(dossier),
            plan.seed,
            within=[self._surroundings.run, group_name(dossier.case), str(dossier.case)],
        )
        built = worker.ask(request, Built, self._limit_s(plan.build_limit_s))
        worker.freeze()
        start_s = built.start_s + self._surroundings.clock.shift_s
        self._meter.set_up(dossier.case.name, wave, start_s, start_s + built.build_s + built.first_step_s)
        warmed = warm_up(partial(self._thawed, worker), plan, self._clock)
        shape = shape_latency_block if kind_of(dossier.case.workload) is SampleKind.LATENCY else shape_block
        life = Life(
            wave=wave,
            cold=wave == self._first_wave,
            build_s=built.build_s,
            first_step_s=built.first_step_s,
            warm_up_s=warmed.length_s,
            warm_up_steps=warmed.steps,
            warmed=warmed.agreed,
            settings=tuple(built.settings),
        )
        self._tell(
            Enrolled(
                wave,
                dossier.index,
                life,
                built.items,
                dossier.block
                or alike(warmed.step_s, self.book.shaped)
                or shape(plan, dossier.case.variant.device, warmed.step_s),
                warmed.step_s,
                self._clock() - begin,
                proofs=list(built.proofs),
            )
        )
        profiler = self._surroundings.profiler
        self._doubt(
            dossier, wave, of_worker(plan, can_freeze=worker.can_freeze, pinned=built.pinned, profiler=profiler)
        )

    def _thawed(self, worker: Worker, block: Block) -> Sealed:
        worker.thaw()
        sealed = worker.ask(block, Sealed, self._limit_s(self._plan.block_limit_s))
        worker.freeze()
        return sealed

    def _cache_folder(self, dossier: Dossier) -> str:
        folder = self._caches / f"{dossier.index}-{dossier.case.workload.name}"
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)

    def _set_rounds(self, wave: int, hire_s: float) -> None:
        """Fit waves and rounds into the budget, and say of each row if they are few."""
        if wave > 1:
            return
        self._tell(pace(self.book, wave, hire_s, cold=wave == self._first_wave, energy=self._meter.measures))
        self._progress.waves_set(self.book.waves)
        settled = self.book.waves if wave == 1 else None
        for dossier in self.book.staff:
            self._doubt(dossier, wave, of_budget(self._plan, settled, self.book.rounds))

    def _run_round(self, wave: int, round_: int, workers: dict[int, Worker]) -> None:
        taking_part = [dossier for dossier in self._drawn() if round_ % dossier.stride == 0]
        for position, dossier in enumerate(taking_part):
            self._attempt(dossier, workers[dossier.index], wave, "measure", self._run_block, round_, position)

    def _drawn(self) -> list[Dossier]:
        """The cases still in it, in a new order."""
        order = self.book.staff
        self._random.shuffle(order)
        return order

    def _run_energy_round(self, wave: int, workers: dict[int, Worker]) -> None:
        self._meter.idle(wave, self._plan.idle_s)
        for position, dossier in enumerate(self._drawn()):
            self._attempt(dossier, workers[dossier.index], wave, "energy", self._run_energy_block, position)
        self._meter.idle(wave, self._plan.idle_s)

    def _run_block(self, dossier: Dossier, worker: Worker, wave: int, round_: int, position: int) -> None:
        if dossier.block is None:
            msg = f"{dossier.case.name} has no block to run; it was not enrolled"
            raise MeasurementError(msg)
        block = msgspec.structs.replace(dossier.block, label=f"round {round_ + 1}")
        kind = kind_of(dossier.case.workload)
        self._keep(dossier, worker, block, Sample(wave, round_, position, None, 0.0, 1, 0.0, None, kind))

    def _run_energy_block(self, dossier: Dossier, worker: Worker, wave: int, position: int) -> None:
        block = shape_energy_block(self._plan, dossier.step_s)
        if kind_of(dossier.case.workload) is SampleKind.LATENCY:  # back to back it would be another regime
            block = Block(1, block.steps, block.drop_steps, block.drop_s)
        self._keep(dossier, worker, block, Sample(wave, 0, position, None, 0.0, 1, 0.0, None, SampleKind.ENERGY))

    def _keep(self, dossier: Dossier, worker: Worker, block: Block, where: Sample) -> None:
        """Run a block and keep its samples; ``where`` has all of a sample but what the worker answers."""
        predecessor, shift_s = self.book.latest, self._surroundings.clock.shift_s
        samples = [
            where._replace(
                predecessor=predecessor,
                start_s=start_s + shift_s,
                steps=block.steps,
                host_s=host_s,
                device_s=device_s,
            )
            for start_s, host_s, device_s in self._thawed(worker, block).samples
        ]
        self._tell(Measured(dossier.index, samples))

    def _inspect(self, dossier: Dossier, worker: Worker, wave: int) -> None:
        """Look into the step, where that was asked for; what goes wrong there costs no figure."""
        request = profiling.request(dossier.case, self._plan, wave, dossier.step_s, self._surroundings.folder)
        if request is None:
            return
        worker.thaw()
        try:
            inspected = worker.ask(request, Inspected, self._limit_s(self._plan.block_limit_s))
        except (BenchError, OSError) as error:
            if self._left_s() <= 0:
                raise  # it was not given the time it may take
            self._doubt(dossier, wave, [Caveat.of(CaveatKind.NOT_INSPECTED, reason=str(error))])
            self._lost_in[dossier.index] = wave
            worker.kill()
            return
        worker.freeze()
        self._tell(Looked(wave, dossier.index, inspected.phases, inspected.profile))

    def _check(self, dossier: Dossier, worker: Worker, wave: int) -> None:
        """Hold the step against its label and its results against a reference, at length once, then with a quick look.

        After all timing of the wave: see :class:`bench.workers.case_runner.CaseRunner`.
        """
        if self._lost_in.get(dossier.index) == wave:
            return
        worker.thaw()
        limit_s = self._limit_s(self._plan.build_limit_s)
        examined = worker.ask(Examine(thorough=not dossier.checks), Examined, limit_s)
        worker.freeze()
        checks = [replace(check, wave=wave) for check in examined.checks]
        self._tell(Checked(wave, dossier.index, checks, examined.check_s, examined.proofs, examined.proof_s))

    def _dismiss(self, dossier: Dossier, worker: Worker, wave: int) -> None:
        if self._lost_in.get(dossier.index) == wave:
            return
        worker.thaw()
        finished = worker.ask(Finish(), Finished, _FINISH_LIMIT_S)
        self._tell(Dismissed(wave, dossier.index, finished.peak_memory_bytes))

    def _look(self, wave: int) -> None:
        """At a look: cases whose ratio is precise and clear are done. The baseline and its copies never are."""
        if not is_look(self.book.waves, wave + 1) or self.book.looked == wave + 1:
            return
        baseline, *others = self.book.dossiers
        staff = [dossier for dossier in others if dossier.active and not dossier.case.copy]
        leaving = may_leave([baseline.trial(), *(dossier.trial() for dossier in staff)], self._plan)
        self._tell(LookDone(wave, [dossier.index for dossier in staff if dossier.case in leaving]))
        paced = pace(self.book, wave, self.book.hire_s, cold=False, energy=self._meter.measures)
        if paced.rounds > self.book.rounds:
            self._tell(paced)


def group_name(case: Case) -> str:
    """What reports call the group of a case: "inference on cpu"."""
    return f"{case.workload.name} on {case.variant.device}"


def usable_cpus() -> list[int] | None:
    """The cores this process may use, which all workers are pinned to; None where the platform has no affinity."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
