"""One pytest session's measuring: which cases are selected, how they group, what has been measured and saved."""

from __future__ import annotations

import datetime
import secrets
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.entries import Anchor, Closed, GroupOpened, Opened, Resumed
from bench.errors import MeasurementError, UnavailableError, UsageError
from bench.instruments import nvtx, probe
from bench.instruments.clock import RunClock
from bench.instruments.panel import open_panel, parse_power
from bench.instruments.presence import Presence
from bench.journal import Reading
from bench.keeping import Keeper
from bench.measurement import GroupMeasurement, group_name
from bench.metering import SampledMeter
from bench.option_values import COPIES
from bench.options import Options
from bench.overheads import measure_overheads
from bench.preparing import prepare
from bench.progress import shown
from bench.records import SCHEMA, Case, Plan, Run, SelfCheck, Skip, Trial
from bench.recovery import GroupHistory, History
from bench.resuming import check_cases, read_history
from bench.storage import shown_path
from bench.surroundings import OutOfTimeError, Surroundings
from bench.watching import HostWatchman


class Session:
    """Holds the run while it grows: every entry goes to the journal first, so that no trouble can take it away."""

    def __init__(self, options: Options, *, quiet: bool = False, command: Sequence[str] = ()) -> None:
        self.profiler = nvtx.profiler()
        self.options = _followed(options) if self.profiler else options
        self._quiet = quiet
        self._command = tuple(command)
        self._clock = RunClock()
        self._begin_s = self._clock.now()
        self._groups: dict[object, list[Case]] = {}
        self._results: dict[Case, Trial | Skip] = {}
        self._caches = tempfile.TemporaryDirectory(prefix="joulemark-")
        self._keeper: Keeper | None = None
        self._presence: Presence | None = None
        self._out_of_time = False
        self._declared = True  # whether all cases were known at collection

    @property
    def run(self) -> Run | None:
        """The run as far as it has come; None when nothing has been measured."""
        if self._keeper is None or not self._keeper.history.groups:
            return None
        return self._keeper.history.run()

    @property
    def path(self) -> Path | None:
        """Of ``run.json``, once there is one."""
        return None if self._keeper is None else self._keeper.path

    @property
    def saved(self) -> bool:
        """Whether the run lies at its path as it is now."""
        return self._keeper is not None and self._keeper.saved

    @property
    def trouble(self) -> str | None:
        """Why the run does not lie where it should."""
        return None if self._keeper is None else self._keeper.trouble

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
    def planned(self) -> tuple[tuple[Sequence[Case], Plan], ...]:
        """The groups as they will be measured, the copies of a self-check among them, each with its plan."""
        return tuple(self._with_copies(group, self.options.plan) for group in self._groups.values())

    @property
    def impossible(self) -> tuple[Skip, ...]:
        """The cases that are known to be impossible on this machine."""
        return self._skips()

    @property
    def resumed(self) -> History | None:
        """The history that this session goes on with; None where it began a run of its own."""
        told = None if self._keeper is None else self._keeper.history
        return told if told is not None and told.sittings else None

    @property
    def rivals(self) -> int:
        """How many other runs are measuring on this machine now."""
        return 0 if self._presence is None else self._presence.others()

    def get_ready(self) -> None:
        """Check everything that can be checked, and prepare data and weights, before the first measurement.

        Raises:
            UsageError: an option cannot be meant, the output folder cannot be written, or the run that is to be
                resumed is another one.
            MeasurementError: preparing failed.
        """
        if self.options.resume is None:
            self._check_output()
        open_panel(parse_power(self.options.plan.power)).close()  # a GPU that is not there is said now
        told = None
        if self.options.resume is not None:
            reading, told = read_history(self.options.resume)
            check_cases(told, [*self._results, *(case for group in self._groups.values() for case in group)])
        devices = [group[0].variant.device for group in self._groups.values()]
        self._presence = Presence(devices)
        self_check = None
        if self.options.self_check is not None and told is None:
            self_check = measure_overheads(COPIES[self.options.self_check], devices, self.options.plan)
        for group in self._groups.values():
            self._prepare(group)
        self._keeper = self._begin(self_check) if told is None else self._go_on(told, reading)

    def _prepare(self, group: list[Case]) -> None:
        """Make what the cases of a group share, or set them aside where this machine cannot run them.

        Raises:
            UsageError, MeasurementError: as of :func:`bench.preparing.prepare`.
        """
        members, plan = self._with_copies(group, self.options.plan)
        together = len(members) > 1 and plan.start != "in_process"
        lack = probe.why_not_together(group[0].variant.device) if together else None
        try:
            if lack is None:
                prepare(group, self.options.plan)
        except UnavailableError as error:
            lack = error.reason, error.fix
        if lack is not None:
            self._results.update({case: Skip(case, *lack) for case in group})

    def result(self, case: Case) -> Trial | Skip:
        """What is known of a case; one that was not known at collection is measured now, by itself.

        Raises:
            UsageError: others of its group have been measured, with which it would seem to have been interleaved.
            MeasurementError: it could not be prepared.
        """
        if case not in self._results:
            if case not in (others := self._groups.get(case.group, ())):
                if any(isinstance(self._results.get(other), Trial) for other in others):
                    msg = f"{case.name} comes after its group was measured, and could only be compared across the gap; "
                    msg += 'name all cases of a group at collection: @pytest.mark.parametrize("case", CASES, ids=str)'
                    raise UsageError(msg)
                self._declared = False
            self.select([case])
            if case in self._results:  # it plainly cannot run here
                return self._results[case]
            if self._keeper is None:
                self.get_ready()
            else:
                self._prepare(self._groups[case.group])
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
        if self._out_of_time:
            self._results.update({each: self._too_late(each) for each in cases})
            return
        cases, plan = self._with_copies(cases, self.options.plan)
        self._keeper = keeper = self._keeper or self._begin(None)
        goes_on = self._goes_on(cases, plan, keeper.history)
        meter = SampledMeter(open_panel(parse_power(plan.power)), clock=self._clock.now)
        if not goes_on:
            keeper.note(GroupOpened(list(cases), plan))
        with shown(group_name(case), len(cases), plan, quiet=self._quiet) as progress:
            measurement = GroupMeasurement(
                cases,
                plan,
                Path(tempfile.mkdtemp(dir=self._caches.name)),
                progress=progress,
                meter=meter,
                watchman=HostWatchman(self._presence or Presence([case.variant.device])),
                surroundings=self._surroundings(keeper),
                record=keeper.write,
                book=keeper.history.groups[-1].book,
            )
            try:
                measurement.run()
            except OutOfTimeError:
                self._out_of_time = True
            finally:
                self._take(keeper.history.groups[-1])
                keeper.save(keeper.history.run())

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

    @property
    def resumable(self) -> bool:
        """Whether a later session can go on with what is unfinished: it has to find all cases at collection."""
        return self.unfinished and self._declared

    @property
    def unfinished(self) -> bool:
        """Whether something that was selected has not been measured, so that the run can be resumed."""
        if self._keeper is None:
            return False
        broken_off = any(not told.whole for told in self._keeper.history.groups)
        return broken_off or self._out_of_time or any(self._unmeasured(group[0]) for group in self._groups.values())

    def finish(self) -> Run | None:
        """Write the run for the last time and return it; None when nothing was measured.

        The journal of a run in which nothing is left to be measured goes: ``run.json`` has it all.
        """
        keeper, run = self._keeper, None
        if keeper is not None:
            told = keeper.history
            duration_s = told.earlier_s + self._clock.now() - self._begin_s
            known = [skip for skip in self._skips() if not any(skip.case in group.cases for group in told.groups)]
            if self.unfinished:
                told.skips = known  # of this session, and not of the run: whoever resumes it may have more luck
            else:
                keeper.note(Closed(duration_s, known))
            if told.groups:
                run = replace(told.run(), duration_s=duration_s)
                keeper.save(run)
            keeper.close(keep=self.unfinished and run is not None)
        if self._presence is not None:
            self._presence.leave()
        self._caches.cleanup()
        return run

    def _begin(self, self_check: SelfCheck | None) -> Keeper:
        """The keeper of a new run."""
        started = datetime.datetime.now(datetime.UTC)
        opened = Opened(
            SCHEMA,
            f"{started:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}",
            started.isoformat(timespec="seconds"),
            probe.environment(),
            self.options.plan,
            self._anchor(),
            self_check,
            [case.name for group in self._groups.values() for case in group],
            list(self._command),
            list(self._skips()),
        )
        return Keeper.begin(self.options.out / opened.id, opened)

    def _go_on(self, told: History, reading: Reading) -> Keeper:
        """The keeper of a run that was broken off; what is whole in it has its results at once."""
        passed_s = self._clock.now() - self._begin_s
        self._clock = RunClock.following(told.anchor.clock_s, told.anchor.wall_s)
        self._begin_s = self._clock.now() - passed_s  # preparing counts, as it does in a run's first sitting
        started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        keeper = Keeper.resume(reading, Resumed(started, probe.environment(), self._anchor(), list(self._skips())))
        for group in keeper.history.groups:
            if group.whole:
                self._take(group)
        return keeper

    def _anchor(self) -> Anchor:
        return Anchor(self._clock.now(), self._clock.wall())

    def _surroundings(self, keeper: Keeper) -> Surroundings:
        limit_s = self.options.time_limit_s
        deadline_s = None if limit_s is None else self._begin_s + limit_s
        return Surroundings(keeper.history.opened.id, keeper.folder, self.profiler, self._clock, deadline_s)

    def _goes_on(self, cases: Sequence[Case], plan: Plan, told: History) -> bool:
        """Whether an earlier sitting has begun with these cases.

        Raises:
            MeasurementError: it has measured others of their group.
        """
        last = told.groups[-1] if told.groups else None
        if last is None or last.whole:
            return False
        if last.cases != tuple(cases) or last.plan != plan:
            msg = f"{last.cases[0].name} and its group were broken off; no other group can be measured before them"
            raise MeasurementError(msg)
        return True

    def _take(self, group: GroupHistory) -> None:
        """The results of a group; a case that the time limit left without a sample has none."""
        self._results.update({skip.case: skip for skip in group.book.skips})
        for trial in group.trials:
            empty = self._out_of_time and trial.failure is None and not trial.samples
            self._results[trial.case] = self._too_late(trial.case) if empty else trial

    def _too_late(self, case: Case) -> Skip:
        folder = self._keeper.folder if self._keeper is not None else self.options.out
        advice = f"go on with --bench-resume={folder}" if self._declared else "allow more (--bench-time-limit)"
        return Skip(case, "the time limit of the run has passed", advice)

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

    def _skips(self) -> tuple[Skip, ...]:
        return tuple(result for result in self._results.values() if isinstance(result, Skip) and not result.case.copy)

    def _check_output(self) -> None:
        out = self.options.out
        try:
            out.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=out):
                pass
        except OSError as error:
            msg = (
                f"--bench-out {shown_path(out)}: nothing can be written there ({error.strerror}); choose another folder"
            )
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
