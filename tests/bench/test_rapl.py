"""RAPL against a powercap tree made by the test."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.instruments import rapl
from bench.instruments.power import SensorError
from bench.records.power import Part

RANGE_UJ = 1_000_000


def zone(root: Path, name: str, label: str, energy_uj: int = 0, *, within: str = "") -> Path:
    folder = root / within / name
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{label}\n")
    (folder / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
    (folder / "energy_uj").write_text(f"{energy_uj}\n")
    return folder


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two packages with DRAM, a core zone that is part of a package, and psys; as sysfs lays them out."""
    for number in (0, 1):
        zone(tmp_path, f"intel-rapl:{number}", f"package-{number}")
        zone(tmp_path, f"intel-rapl:{number}:0", "core", within=f"intel-rapl:{number}")
        zone(tmp_path, f"intel-rapl:{number}:1", "dram", within=f"intel-rapl:{number}")
    (tmp_path / "intel-rapl:0:1").symlink_to(tmp_path / "intel-rapl:0" / "intel-rapl:0:1")
    zone(tmp_path, "intel-rapl:2", "psys")
    zone(tmp_path, "intel-rapl-mmio:0", "package-0")
    return tmp_path


def count(folder: Path, energy_uj: int) -> None:
    (folder / "energy_uj").write_text(f"{energy_uj}\n")


def names(sensors) -> list[str]:
    return [sensor.facts.component.name for sensor in sensors]


def test_packages_dram_and_psys_are_found_once_each_and_parts_of_packages_are_not(tree):
    sensors, unread = rapl.find(tree)
    assert names(sensors) == ["cpu package 0", "cpu package 1", "dram 0", "dram 1", "psys"]
    assert unread == ()


def test_energy_is_counted_in_joules_from_the_start(tree):
    count(tree / "intel-rapl:0", 400_000)
    (package, *_), _ = rapl.find(tree)
    assert package.read() == 0.0
    count(tree / "intel-rapl:0", 650_000)
    assert package.read() == pytest.approx(0.25)


def test_wrapping_around_once_and_twice_goes_on_counting(tree):
    count(tree / "intel-rapl:0", 900_000)
    (package, *_), _ = rapl.find(tree)
    readings = []
    for energy_uj in (200_000, 800_000, 100_000):
        count(tree / "intel-rapl:0", energy_uj)
        readings.append(package.read())
    assert readings == [pytest.approx(0.3), pytest.approx(0.9), pytest.approx(1.2)]


@pytest.mark.parametrize(
    ("vendor", "found"),
    [
        ("GenuineIntel", ["cpu package 0 die 0", "cpu package 0 die 1", "cpu package 1 die 0"]),
        ("AuthenticAMD", ["cpu package 0", "cpu package 1"]),  # one counter, shown once for each die
        ("HygonGenuine", ["cpu package 0", "cpu package 1"]),
    ],
)
def test_a_die_is_a_component_of_its_own_where_it_has_a_counter_of_its_own(tmp_path, vendor, found):
    for number, label in enumerate(("package-0-die-0", "package-0-die-1", "package-1-die-0")):
        zone(tmp_path, f"intel-rapl:{number}", label)
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nvendor_id\t: {vendor}\nmodel name\t: some AuthenticAMD\n")
    sensors, unread = rapl.find(tmp_path, cpuinfo=tmp_path / "cpuinfo")
    assert names(sensors) == found
    assert [lack.part for lack in unread] == [Part.DRAM]


def test_amd_shows_packages_without_memory_which_is_then_named_as_not_measured(tmp_path):
    zone(tmp_path, "intel-rapl:0", "package-0")
    zone(tmp_path, "intel-rapl:0:0", "core")
    sensors, unread = rapl.find(tmp_path)
    assert names(sensors) == ["cpu package 0"]
    assert [(lack.part, lack.reason) for lack in unread] == [(Part.DRAM, "there is no RAPL counter for memory")]


def test_what_may_not_be_read_is_named_with_the_way_to_allow_it(tree):
    def read_text(path: Path) -> str:
        if path.name == "energy_uj" and "intel-rapl:0" in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return path.read_text()

    sensors, unread = rapl.find(tree, read_text)
    assert names(sensors) == ["cpu package 1", "dram 1", "psys"]
    assert [lack.name for lack in unread] == ["cpu package 0", "dram 0"]
    assert "Permission denied" in unread[0].reason
    assert "chmod" in unread[0].fix


def test_a_file_that_holds_no_number_is_named(tree):
    (tree / "intel-rapl:0" / "energy_uj").write_text("gone fishing")
    _, (lack,) = rapl.find(tree)
    assert lack.name == "cpu package 0"


def test_a_machine_without_the_tree_has_no_sensors_and_says_so(tmp_path):
    sensors, unread = rapl.find(tmp_path / "powercap")
    assert sensors == ()
    assert [lack.part for lack in unread] == [Part.CPU, Part.DRAM]


def test_a_counter_that_vanishes_is_lost(tree):
    (package, *_), _ = rapl.find(tree)
    (tree / "intel-rapl:0" / "energy_uj").unlink()
    with pytest.raises(SensorError) as caught:
        package.read()
    assert caught.value.lost


def test_a_counter_that_fails_once_is_not_lost(tree):
    (package, *_), _ = rapl.find(tree)
    (tree / "intel-rapl:0" / "energy_uj").write_text("")
    with pytest.raises(SensorError) as caught:
        package.read()
    assert not caught.value.lost
    count(tree / "intel-rapl:0", 500_000)
    assert package.read() == pytest.approx(0.5)
