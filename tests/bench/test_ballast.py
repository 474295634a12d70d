"""Memory in pieces is found, held and given back."""

from __future__ import annotations

import mmap
import sys
from contextlib import closing
from pathlib import Path

import pytest

from bench.workers import ballast
from bench.workers.ballast import Ballast, _old_limits, cpus_of, pieces
from bench.workers.limits import available_memory_bytes

PAGE = mmap.PAGESIZE
#: As Linux 6.18 writes it: counts of free blocks of 1, 2, 4 ... 1024 pages.
ONE_NODE = """\
Node 0, zone      DMA      0      0      0      0      0      0      0      0      1      1      3
Node 0, zone    DMA32      2      3      0      2      3      2      1      4      4      2    752
Node 0, zone   Normal  14245  11607   5796   6375   4842   3091   1619    995    596    275   1226
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/buddyinfo, which Linux has")


@pytest.mark.skipif(PAGE != 4096, reason="the blocks below are of pages of 4 KiB")
def test_pieces_are_the_small_blocks_of_the_zones_that_memory_comes_from() -> None:
    counts = [14245, 11607, 5796, 6375, 4842, 3091]
    assert pieces(ONE_NODE) == {0: sum(count * PAGE << order for order, count in enumerate(counts))}


@pytest.mark.skipif(PAGE != 4096, reason="the blocks below are of pages of 4 KiB")
def test_a_machine_of_few_gigabytes_has_them_elsewhere_and_a_large_one_on_several_nodes() -> None:
    assert pieces("Node 0, zone    DMA32      2      1      0") == {0: 4 * PAGE}
    assert pieces("Node 0, zone Normal 1 0\nNode 1, zone Normal 0 2\nNode 1, zone Movable 1") == {0: PAGE, 1: 5 * PAGE}
    assert pieces("") == {}


@pytest.mark.parametrize("text", ["Node 0, zone Normal", "what is this", "Node 0, zone Normal many"])
def test_what_is_no_such_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no line|invalid literal"):
        pieces(text)


def test_cores_are_listed_as_the_kernel_does() -> None:
    assert cpus_of("0-3,8\n") == {0, 1, 2, 3, 8}
    assert cpus_of("\n") == set()


@linux
def test_the_pieces_are_held_until_they_are_given_back() -> None:
    available = available_memory_bytes()
    assert available is not None
    held = Ballast()
    with closing(held):
        size = held.settle()
        assert 0 < size <= available * 0.26
        assert held._process is not None
        status = Path(f"/proc/{held._process.pid}/status")
        assert size <= _resident_bytes(status) < size + (64 << 20)
        assert size <= held.settle() <= available * 0.26  # and what has come up since
    assert not status.exists()
    held.close()


def test_a_limit_of_the_older_control_groups_is_seen_wherever_it_is_set(tmp_path: Path) -> None:
    own, groups = tmp_path / "cgroup", tmp_path / "memory"
    job = groups / "slurm" / "job"
    job.mkdir(parents=True)
    own.write_text("5:cpu,memory:/slurm/job\n1:name=systemd:/other\n")
    assert _old_limits(groups, own) == []
    (groups / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    (job / "memory.limit_in_bytes").write_text("2147483648\n")
    assert sorted(_old_limits(groups, own)) == [2147483648, 9223372036854771712]
    assert _old_limits(groups, tmp_path / "none") == []


@linux
def test_a_process_that_cannot_do_it_is_no_harm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("raise SystemExit(1)")
    monkeypatch.setattr(ballast, "__file__", str(broken))
    with closing(Ballast()) as held:
        assert held.settle() == 0


@linux
def test_a_process_that_never_answers_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    silent = tmp_path / "silent.py"
    silent.write_text("import time; time.sleep(600)")
    monkeypatch.setattr(ballast, "__file__", str(silent))
    monkeypatch.setattr(ballast, "_LIMIT_S", 0.2)
    held = Ballast()
    assert held.settle() == 0
    assert held._process is None


def test_without_what_the_kernel_says_nothing_is_held(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ballast, "_BUDDIES", tmp_path / "none")
    held = Ballast()
    assert held.settle() == 0
    held.close()


def _resident_bytes(status: Path) -> int:
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024
