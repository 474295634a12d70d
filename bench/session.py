"""One pytest session's measuring: which cases are selected, how they group, what has been measured and saved."""

from __future__ import annotations

import datetime
import secrets
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench import storage
from bench.errors import MeasurementError, StorageError, UnavailableError, UsageError
from bench.instruments import nvtx, probe
from bench.instruments.panel import open_panel, parse_power
from bench.measurement import GroupMeasurement, Surroundings, group_name, prepare
from bench.metering import SampledMeter
from bench.options import COPIES, Options
from bench.overheads import measure_overheads
from bench.progress import shown
from bench.records import Case, Plan, Run, SelfCheck, Skip, Trial


class Session:
    """Holds the run while it grows; written after each group, so that a later trouble cannot take it away."""

    def __init__(self, options: Options, *, quiet: bool = False) -> None:
        self.profiler = nvtx.profiler()
        self.options = _followed(options) if self.profiler else options
        self.path: Path | None = None  # of run.json, once there is one
        self.trouble: str | None = None  # why it does not lie where it should
        self._quiet = quiet
        self._begin = time.monotonic()
        self._started = datetime.datetime.now(datetime.UTC)
        self._id = f"{self._started:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        self._run: Run | None = None
        self._self_check: SelfCheck | None = None
        self._groups: dict[object, list[Case]] = {}
        self._results: dict[Case, Trial | Skip] = {}
        self._caches = tempfile.TemporaryDirectory(prefix="joulemark-")

    @property
    def run(self) -> Run | None:
        """The run as far as it has come; None when nothing has been measured."""
        return self._run

    def select(self, cases: Sequence[Case]) -> None:
        """Take note of the cases that will be measured, and set aside those that this machine plainly cannot run.

        Raises:
            UsageError: two cases of a group have one id.
        """
        seen: dict[str, Case] = {}
        for case in cases:
            if seen.setdefault(case.name, case) != case:
                msg = f"two different cases are called {case.name}; give their workloads different names"
                raise UsageError(msg)
            lack = probe.why_unavailable(case.variant.device)
            if lack is not None:
                self._results[case] = Skip(case, *lack)
            elif case not in (group := self._groups.setdefault(case.group, [])):
                group.append(case)

    @property
    def selected(self) -> tuple[int, int]:
        """How many cases will be measured, in how many groups."""
        return sum(len(group) for group in self._groups.values()), len(self._groups)

    @property
    def groups(self) -> tuple[tuple[Case, ...], ...]:
        """The cases that will be measured, by group."""
        return tuple(map(tuple, self._groups.values()))

    @property
    def impossible(self) -> tuple[Skip, ...]:
        """The cases that are known to be impossible on this machine."""
        return self._skips()

    def get_ready(self) -> None:
        """Check everything that can be checked, and prepare data and weights, before the first measurement.

        Raises:
            UsageError: an option cannot be meant, or the output folder cannot be written.
            MeasurementError: preparing failed.
        """
        self._check_output()
        open_panel(parse_power(self.options.plan.power)).close()  # a GPU that is not there is said now
        if self.options.self_check is not None:
            devices = [group[0].variant.device for group in self._groups.values()]
            self._self_check = measure_overheads(COPIES[self.options.self_check], devices, self.options.plan)
        for group in self._groups.values():
            try:
                prepare(group, self.options.plan)
            except UnavailableError as error:
                for case in group:
                    self._results[case] = Skip(case, error.reason, error.fix)

    def result(self, case: Case) -> Trial | Skip:
        """What is known of a case; one that was not known at collection is measured now, by itself."""
        if case not in self._results:
            if case not in self._groups.get(case.group, ()):
                self.select([case])
            self.measure_group_of(case)
        return self._results[case]

    def known_skip(self, case: Case) -> Skip | None:
        """The skip of a case, if it is already known to be one."""
        result = self._results.get(case)
        return result if isinstance(result, Skip) else None

    def is_due(self, case: Case) -> bool:
        """Whether this case's group is still to be measured."""
        return bool(self._unmeasured(case))

    def measure_group_of(self, case: Case) -> None:
        """Measure all cases of this case's group that have no result yet, unless that was done, and save the run."""
        cases = self._unmeasured(case)
        if not cases:
            return
        title = group_name(case)
        folder = Path(tempfile.mkdtemp(dir=self._caches.name))
        plan = self.options.plan
        meter = SampledMeter(open_panel(parse_power(plan.power)))
        cases, plan = self._with_copies(cases, plan)
        surroundings = Surroundings(self._id, self._folder(), self.profiler)
        with shown(title, len(cases), plan, quiet=self._quiet) as progress:
            measurement = GroupMeasurement(
                cases, plan, folder, progress=progress, meter=meter, surroundings=surroundings
            )
            try:
                measurement.run()
            finally:
                self._keep(measurement)

    def run_once(self, case: Case) -> None:
        """Build a case in a worker and take one step, for ``--benchmark-disable``; nothing is kept.

        Raises:
            MeasurementError: it failed.
            UnavailableError: this machine cannot run it.
        """
        plan = replace(self.options.plan, waves=1, rounds=1, warm_up_s=1e-9, block_s=1e-9, cuda_block_s=1e-9)
        plan = replace(plan, phases=False, profile=False)
        measurement = GroupMeasurement([case], plan, Path(self._caches.name) / "once")
        measurement.run()
        for skip in measurement.skips:
            raise UnavailableError(skip.reason, skip.fix)
        for trial in measurement.trials:
            if trial.failure is not None:
                msg = f"{case.name} failed in {trial.failure.phase}: {trial.failure.reason}"
                raise MeasurementError(msg)

    def finish(self) -> Run | None:
        """Write the run for the last time and return it; None when nothing was measured."""
        if self._run is not None:
            self._save(replace(self._run, skips=self._skips(), duration_s=time.monotonic() - self._begin))
        self._caches.cleanup()
        return self._run

    def _unmeasured(self, case: Case) -> list[Case]:
        return [member for member in self._groups.get(case.group, ()) if member not in self._results]

    def _with_copies(self, cases: list[Case], plan: Plan) -> tuple[list[Case], Plan]:
        """The cases with copies of their baseline, and the plan for them.

        A single copy shares the budget, so that it shows what this very budget can show; many have their own.
        """
        baseline = self._groups[cases[0].group][0]
        if self.options.self_check is None or cases[0] is not baseline:
            return cases, plan
        copies = COPIES[self.options.self_check]
        budget_s = plan.group_budget_s(len(cases)) * (1 if copies == 1 else (len(cases) + copies) / len(cases))
        return [*cases, *(replace(baseline, copy=n + 1) for n in range(copies))], replace(plan, budget_s=budget_s)

    def _keep(self, measurement: GroupMeasurement) -> None:
        trials, power = measurement.trials, measurement.power
        self._results.update({trial.case: trial for trial in trials})
        self._results.update({skip.case: skip for skip in measurement.skips})
        run = self._run or self._new_run()
        logs = (*run.power, *([power] if power is not None else []))
        self._save(replace(run, trials=(*run.trials, *trials), skips=self._skips(), power=logs))

    def _skips(self) -> tuple[Skip, ...]:
        return tuple(result for result in self._results.values() if isinstance(result, Skip) and not result.case.copy)

    def _new_run(self) -> Run:
        return Run(
            id=self._id,
            started=self._started.isoformat(timespec="seconds"),
            environment=probe.environment(),
            plan=self.options.plan,
            self_check=self._self_check,
        )

    def _save(self, run: Run) -> None:
        """Save where the user wants it; if that has become impossible, in a temporary folder rather than nowhere."""
        self._run = run
        try:
            self.path = storage.save(run, self._folder())
        except StorageError as error:
            self.trouble = str(error)
            self.path = storage.save(run, Path(tempfile.mkdtemp(prefix="joulemark-rescued-")))

    def _folder(self) -> Path:
        return self.path.parent if self.path else self.options.out / self._id

    def _check_output(self) -> None:
        out = self.options.out
        try:
            out.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=out):
                pass
        except OSError as error:
            msg = f"--bench-out {out}: nothing can be written there ({error.strerror}); choose another folder"
            raise UsageError(msg) from error


def _followed(options: Options) -> Options:
    """The options under a profiler: it does not follow forks, so workers are spawned.

    Raises:
        UsageError: PyTorch's profiler was asked for as well.
    """
    if options.plan.profile:
        msg = "two profilers cannot record one process; leave out --bench-profile, or run without Nsight Systems"
        raise UsageError(msg)
    start = "spawn" if options.plan.start == "fork_server" else options.plan.start
    return replace(options, plan=replace(options.plan, start=start))
