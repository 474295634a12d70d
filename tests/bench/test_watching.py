"""Who else uses the machine: other processes, a hypervisor, other runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench import Case, Plan, Variant
from bench.analysis.quality import is_disturbed
from bench.entries import Anchor, GroupOpened, Opened, WaveDone
from bench.instruments.host import HostMeter
from bench.instruments.presence import Presence
from bench.journal import Journal, read_journal
from bench.measurement import GroupMeasurement
from bench.records import CaveatKind, Environment
from bench.records.power import HostLoad
from bench.recovery import history
from bench.workers.fakes import Scene
from tests.factories import INFERENCE

A, B = (Case(INFERENCE, Variant.of(threads=n)) for n in (0, 1))
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def _proc(folder: Path, *, user: int, steal: int, processes: dict[int, tuple[int, int]]) -> Path:
    """A /proc with two cores of ours and one that is not; of each process its group and what it used, in ticks."""
    folder.mkdir(exist_ok=True)
    lines = ["cpu  1 2 3 4", f"cpu0 {user} 0 0 900 5 0 0 {steal} 0 0", "cpu1 10 0 0 900 5 0 0 0 0 0"]
    (folder / "stat").write_text("\n".join([*lines, "cpu2 99999 0 0 0 0 0 0 99999 0 0", "intr 1"]))
    for pid, (group, used) in processes.items():
        (folder / str(pid)).mkdir(exist_ok=True)
        fields = ["S", "1", str(group), *["0"] * 8, str(used), "0", "0", "0", "20"]
        (folder / str(pid) / "stat").write_text(f"{pid} (a) b) {' '.join(fields)}")
    return folder


def test_what_others_did_is_what_our_cores_did_less_what_our_processes_did(tmp_path: Path) -> None:
    clock = iter([100.0, 102.0])
    meter = HostMeter(tmp_path / "proc", clock=lambda: next(clock), cpus={0, 1})
    _proc(tmp_path / "proc", user=1000, steal=0, processes={7: (7, 100), 8: (7, 50), 9: (9, 400)})
    before = meter.read([7])
    _proc(tmp_path / "proc", user=1000 + 350, steal=20, processes={7: (7, 250), 8: (7, 100), 9: (9, 550)})
    load = meter.load(before, [7])
    assert load is not None
    assert load.seconds == 2.0
    assert load.cores == 2
    assert load.others_cores == pytest.approx((350 - 200) * TICK_S / 2)
    assert load.stolen_cores == pytest.approx(20 * TICK_S / 2)


def test_of_our_own_process_group_only_we_and_our_children_are_ours(tmp_path: Path) -> None:
    own, group = os.getpid(), os.getpgrp()
    stat = _proc(tmp_path / "proc", user=0, steal=0, processes={own: (group, 3), 2: (group, 50), 4: (group, 700)})
    child = (stat / "4" / "stat").read_text().replace(" S 1 ", f" S {own} ")
    (stat / "4" / "stat").write_text(child)  # process 2 is a sibling: another command of the same script
    used = HostMeter(stat, cpus={0}).read([])
    assert used is not None
    assert used.ours_s == pytest.approx(703 * TICK_S)


def test_where_the_system_hides_it_nothing_is_said(tmp_path: Path) -> None:
    meter = HostMeter(tmp_path, cpus={0})
    assert meter.read([]) is None
    assert meter.load(None, []) is None


def test_a_real_busy_process_counts_as_another_s_unless_it_is_ours() -> None:
    """However loaded the machine is: what the process used is what the two ways of counting differ by."""
    meter = HostMeter()
    with subprocess.Popen([sys.executable, "-c", "while True: pass"], process_group=0) as busy:
        before = meter.read([]), meter.read([busy.pid])
        time.sleep(1.0)
        after = meter.read([]), meter.read([busy.pid])
        load = meter.load(before[0], [])
        busy.kill()
    assert load is not None
    used_s = (after[1].ours_s - before[1].ours_s) - (after[0].ours_s - before[0].ours_s)
    assert used_s > 0.05
    assert load.others_cores * load.seconds >= used_s - 0.1  # its ticks, and those of whoever else is there


class _Seen:
    """A watchman whose waves are scripted."""

    def __init__(self, others: list[float], rivals: int = 0) -> None:
        self._waves = iter(others)
        self._rivals = rivals

    def begin(self, groups) -> None: ...

    def end(self, groups) -> HostLoad:
        return HostLoad(10.0, 2, next(self._waves), 0.0)

    def rivals(self) -> int:
        return self._rivals


def _caveats(tmp_path: Path, watchman: _Seen) -> dict[CaveatKind, dict[str, float | str]]:
    scene = Scene({})
    plan = Plan(waves=3, rounds=3)
    measurement = GroupMeasurement((A, B), plan, tmp_path, hire=scene.hire, clock=scene.clock, watchman=watchman)
    measurement.run()
    first, second = measurement.trials
    assert first.caveats == second.caveats
    return {caveat.kind: dict(caveat.figures) for caveat in first.caveats}


def test_every_row_names_the_waves_in_which_others_were_busy(tmp_path: Path) -> None:
    found = _caveats(tmp_path, _Seen([1.5, 0.02, 0.9]))
    assert found[CaveatKind.BUSY_HOST] == {"waves": 2, "named": "1, 3", "others": 1.5, "stolen": 0.0, "cores": 2}
    assert _caveats(tmp_path, _Seen([0.01, 0.02, 0.01])) == {}


def test_of_many_busy_waves_the_first_few_are_named(tmp_path: Path) -> None:
    scene = Scene({})
    plan = Plan(waves=9, rounds=3)
    watchman = _Seen([1.0] * 9)
    measurement = GroupMeasurement((A,), plan, tmp_path, hire=scene.hire, clock=scene.clock, watchman=watchman)
    measurement.run()
    (caveat,) = measurement.trials[0].caveats
    assert dict(caveat.figures)["waves"] == 9
    assert dict(caveat.figures)["named"] == "1, 2, 3, 4, 5, 6 and 3 more"


def test_every_row_says_that_another_run_measured_meanwhile(tmp_path: Path) -> None:
    found = _caveats(tmp_path, _Seen([0.0] * 4, rivals=2))
    assert found[CaveatKind.ANOTHER_RUN] == {"runs": 2}


def test_the_load_of_a_wave_is_on_record(tmp_path: Path) -> None:
    load = HostLoad(10.0, 2, 1.5, 0.0)
    assert is_disturbed(load)
    entries = [
        Opened(1, "r", "2026-11-25T12:00:00+00:00", Environment(), Plan(), Anchor(0, 0)),
        GroupOpened([A], Plan()),
        WaveDone(0, 1.0, Anchor(1, 1), None, load),
    ]
    journal = Journal.create(tmp_path)
    for entry in entries:
        journal.append(entry)
    journal.close()
    assert history(read_journal(tmp_path).entries).groups[0].book.loads == {0: load}


_HOLDER = """
import sys
from pathlib import Path
from bench.instruments.presence import Presence
presence = Presence(["cuda:0"], Path(sys.argv[1]))
print("here", flush=True)
sys.stdin.read()
"""


def test_two_runs_notice_each_other_until_one_is_gone_however_it_went(tmp_path: Path) -> None:
    mine = Presence(["cpu"], tmp_path / "locks")
    assert mine.others() == 0
    command = [sys.executable, "-c", _HOLDER, str(tmp_path / "locks")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "here\n"
        assert mine.others() == 1
        names = sorted(path.name for path in (tmp_path / "locks").iterdir())
        assert names == sorted([f"cpu.{os.getpid()}", f"cpu.{other.pid}", f"cuda-0.{other.pid}"])
        other.kill()
    assert mine.others() == 0
    mine.leave()
    mine.leave()
    assert [path.name for path in (tmp_path / "locks").iterdir()] == [f"cuda-0.{other.pid}"]


def test_what_lies_in_the_way_of_a_lock_hurts_nobody(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("precious")
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "cpu.1").symlink_to(tmp_path / "target")
    (tmp_path / "locks" / "cpu.2").mkdir()
    os.mkfifo(tmp_path / "locks" / "cpu.3")
    presence = Presence([], tmp_path / "locks")
    assert presence.others() == 0
    presence.leave()
    assert (tmp_path / "target").read_text() == "precious"
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert Presence([], blocked).others() == 0
