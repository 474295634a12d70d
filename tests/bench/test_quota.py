"""The CPU quota of a container: where it is found, and how often it ran out."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.instruments.host import HostMeter
from bench.instruments.quota import Periods, Quota, find


def _tree(tmp_path: Path, membership: str, files: dict[str, str]) -> tuple[Path, Path]:
    """A /proc whose process is in these groups, and a /sys with files of theirs."""
    proc, system = tmp_path / "proc", tmp_path / "sys"
    told = {proc / "self/cgroup": membership, **{system / "fs/cgroup" / name: text for name, text in files.items()}}
    for path, text in told.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return proc, system


@pytest.mark.parametrize(
    ("membership", "files", "cores", "folder"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5, ""),
        ("0::/pod/box\n", {"pod/box/cpu.max": "max 100000", "pod/cpu.max": "200000 100000"}, 2.0, "pod"),
        ("0::/pod/box\n", {"pod/box/cpu.max": "50000 100000", "pod/cpu.max": "200000 100000"}, 0.5, "pod/box"),
        ("0::/../../other\n", {"cpu.max": "100000 50000"}, 2.0, ""),
        (
            "9:name=systemd:/\n4:cpu,cpuacct:/docker/1f\n3:cpuset:/\n",
            {
                "cpu,cpuacct/docker/1f/cpu.cfs_quota_us": "400000\n",
                "cpu,cpuacct/docker/1f/cpu.cfs_period_us": "100000\n",
                "cpuset/cpu.max": "1 100000",
            },
            4.0,
            "cpu,cpuacct/docker/1f",
        ),
        (  # inside the container, whose own folder is the root that it sees
            "4:cpu:/docker/1f\n",
            {"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"},
            3.0,
            "cpu",
        ),
    ],
)
def test_the_tightest_quota_on_the_way_to_the_root_is_found(tmp_path, membership, files, cores, folder):
    proc, system = _tree(tmp_path, membership, files)
    assert find(proc, system) == Quota(cores, system / "fs/cgroup" / folder)


@pytest.mark.parametrize(
    ("membership", "files"),
    [
        ("0::/\n", {"cpu.max": "max 100000\n"}),
        ("0::/\n", {}),
        ("1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}),
        ("1:memory:/\n", {"memory/cpu.cfs_quota_us": "1000", "memory/cpu.cfs_period_us": "100000"}),
        ("0::/\n", {"cpu.max": "fast 0"}),
        ("nonsense\n\n", {}),
    ],
)
def test_no_limit_and_nothing_told_are_no_quota(tmp_path, membership, files):
    assert find(*_tree(tmp_path, membership, files)) is None


def test_without_control_groups_there_is_no_quota(tmp_path):
    assert find(tmp_path / "proc", tmp_path / "sys") is None


def test_the_share_of_periods_that_were_cut_short_is_of_those_between_two_readings(tmp_path):
    (tmp_path / "stat").write_text("cpu0 1 0 0 900 5 0 0 0 0 0\n")
    stat = tmp_path / "cpu.stat"
    stat.write_text("usage_usec 77\nnr_periods 1000\nnr_throttled 900\nthrottled_usec 5\n")
    clock = iter([0.0, 2.0, 4.0])
    meter = HostMeter(tmp_path, clock=lambda: next(clock), cpus={0}, quota=Quota(2.0, tmp_path))
    before = meter.read([])
    stat.write_text("usage_usec 99\nnr_periods 1020\nnr_throttled 905\nthrottled_usec 6\n")
    load = meter.load(before, [])
    assert load is not None
    assert (load.quota_cores, load.cut_short) == (2.0, 0.25)
    stat.unlink()  # hidden from now on
    hidden = meter.load(before, [])
    assert hidden is not None
    assert (hidden.quota_cores, hidden.cut_short) == (2.0, 0.0)


def test_counts_that_nobody_can_read_are_none(tmp_path):
    (tmp_path / "cpu.stat").write_text("nr_periods many\n")
    assert Quota(1.0, tmp_path).periods() is None
    assert Quota(1.0, tmp_path / "gone").periods() is None
    (tmp_path / "cpu.stat").write_text("nr_periods 3\nnr_throttled 1\nnr_bursts 0\n")
    assert Quota(1.0, tmp_path).periods() == Periods(3, 1)


_GROUPS = Path("/sys/fs/cgroup/cpu")


@pytest.fixture
def limited():
    """A control group of this machine that may use a fifth of a core, for a process to be put into."""
    group = _GROUPS / f"joulemark-test-{time.monotonic_ns()}"
    try:
        group.mkdir()
        (group / "cpu.cfs_quota_us").write_text("20000")
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    yield group
    group.rmdir()


_BUSY = """import json, os, sys, time
from pathlib import Path
from bench.instruments.host import HostMeter
Path(sys.argv[1], "cgroup.procs").write_text(str(os.getpid()))
meter = HostMeter()
before = meter.read([])
end = time.monotonic() + 1.0
while time.monotonic() < end:
    pass
load = meter.load(before, [])
print(json.dumps([load.quota_cores, load.cut_short]))"""


def test_a_process_of_a_real_group_that_wants_more_than_its_quota_is_seen_to_be_cut_short(limited):
    said = subprocess.run([sys.executable, "-c", _BUSY, str(limited)], capture_output=True, text=True, check=True)
    cores, cut_short = json.loads(said.stdout)
    assert cores == 0.2
    assert cut_short > 0.5
