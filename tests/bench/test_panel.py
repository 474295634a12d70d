"""What the user asked for, and the instruments that come of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.instruments import tdp
from bench.instruments.nvml import NoDriverError
from bench.instruments.panel import PowerSpec, open_panel, parse_power
from bench.instruments.power import SensorError
from bench.instruments.visible import visible_gpus
from bench.records import Gpu
from bench.records.power import Part, SourceKind
from tests.bench.test_rapl import zone

GPUS = tuple(Gpu(n, "Example 9000", f"GPU-{n}{n}aa-bbbb") for n in range(3))
MIG = "MIG-9f1e-4242"


def stat(folder: Path, *busy_ticks: int) -> Path:
    """A /proc/stat of as many cores, busy in user for so many ticks each."""
    lines = [f"cpu  {sum(busy_ticks)} 0 0 1000 500 0 0 70 0 0"]
    lines += [f"cpu{n} {ticks} 0 0 1000 500 0 0 70 0 0" for n, ticks in enumerate(busy_ticks)]
    path = folder / "stat"
    path.write_text("\n".join([*lines, "intr 1", "ctxt 2"]) + "\n")
    return path


def no_driver():
    raise NoDriverError("no NVIDIA driver answers", "install it")


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("auto", PowerSpec(gpus=(), rapl=True, auto=True)),
        ("off", PowerSpec()),
        ("nvml", PowerSpec(gpus=())),
        ("nvml:0,GPU-5c0d", PowerSpec(gpus=("0", "GPU-5c0d"))),
        ("rapl", PowerSpec(rapl=True)),
        ("tdp:65", PowerSpec(tdp_w=65.0)),
        ("nvml:1+rapl+tdp:4.5", PowerSpec(gpus=("1",), rapl=True, tdp_w=4.5)),
        ("nvml:1 + auto", PowerSpec(gpus=("1",), rapl=True, auto=True)),
    ],
)
def test_a_power_option_means_what_it_says(text, spec):
    assert parse_power(text) == spec
    assert parse_power(text).off == (text == "off")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gpu",
        "nvml:",
        "nvml:a",
        "nvml:0,0",
        "tdp",
        "tdp:",
        "tdp:-5",
        "tdp:nan",
        "off+rapl",
        "rapl+rapl",
        "rapl:0",
        "auto:1",
    ],
)
def test_nonsense_is_refused_with_what_to_give_instead(text):
    with pytest.raises(UsageError, match=r"give|like"):
        parse_power(text)


@pytest.mark.parametrize(
    ("environ", "indices"),
    [
        ({}, [0, 1, 2]),
        ({"CUDA_VISIBLE_DEVICES": "2,0"}, [2, 0]),
        ({"CUDA_VISIBLE_DEVICES": " 1 "}, [1]),
        ({"CUDA_VISIBLE_DEVICES": "GPU-22aa,0"}, [2, 0]),
        ({"CUDA_VISIBLE_DEVICES": "GPU-2"}, [2]),
        ({"CUDA_VISIBLE_DEVICES": "GPU-"}, []),  # fits several
        ({"CUDA_VISIBLE_DEVICES": "0,7,1"}, [0]),  # ends at the first that is not there
        ({"CUDA_VISIBLE_DEVICES": ""}, []),
        ({"CUDA_VISIBLE_DEVICES": "-1,0"}, []),
        ({"CUDA_VISIBLE_DEVICES": MIG}, [1]),
        ({"CUDA_VISIBLE_DEVICES": "MIG-GPU-11aa-bbbb/3/0"}, [1]),
        ({"CUDA_VISIBLE_DEVICES": "MIG-unknown"}, []),
    ],
)
def test_cuda_shows_what_its_variable_names(environ, indices):
    visible = visible_gpus(GPUS, environ, {MIG: GPUS[1].uuid}.get)
    assert [entry.gpu.index for entry in visible.gpus] == indices
    assert visible.ordered
    assert visible.uuid_of("cuda:0") == (GPUS[indices[0]].uuid if indices else None)
    assert visible.uuid_of("cpu") is None


def test_a_slice_is_known_as_one():
    (entry,) = visible_gpus(GPUS, {"CUDA_VISIBLE_DEVICES": MIG}, {MIG: GPUS[1].uuid}.get).gpus
    assert entry.mig == MIG


def test_numbers_of_unlike_gpus_are_not_guessed():
    unlike = (*GPUS[:2], Gpu(2, "Another 100", "GPU-22aa-bbbb"))
    visible = visible_gpus(unlike, {"CUDA_VISIBLE_DEVICES": "0"})
    assert (len(visible.gpus), visible.ordered, visible.uuid_of("cuda:0")) == (3, False, None)
    counted = visible_gpus(unlike, {"CUDA_VISIBLE_DEVICES": "2", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"})
    assert counted.uuid_of("cuda:0") == unlike[2].uuid
    assert visible_gpus(unlike, {"CUDA_VISIBLE_DEVICES": "GPU-11aa"}).uuid_of("cuda:0") == unlike[1].uuid


@pytest.mark.parametrize(
    ("text", "lacking"), [("nvml+rapl", [Part.GPU, Part.CPU, Part.DRAM]), ("auto", [Part.CPU, Part.DRAM])]
)
def test_a_machine_names_what_it_lacks_of_what_was_asked_and_a_gpu_is_lacking_only_where_asked(tmp_path, text, lacking):
    panel = open_panel(parse_power(text), environ={}, rapl_root=tmp_path / "no", stat=stat(tmp_path, 1), nvml=no_driver)
    assert panel.sensors == ()
    assert [lack.part for lack in panel.unread] == lacking
    assert all(lack.reason and lack.fix for lack in panel.unread)


def test_off_opens_nothing(tmp_path):
    assert open_panel(parse_power("off"), stat=tmp_path / "no", nvml=no_driver).watches == ()


def test_the_model_stands_in_where_rapl_does_not_answer_and_only_there(tmp_path):
    file = stat(tmp_path, 100, 300)
    alone = open_panel(parse_power("rapl+tdp:65"), rapl_root=tmp_path / "no", stat=file)
    assert [sensor.facts.kind for sensor in alone.sensors] == [SourceKind.MODEL]
    assert [lack.part for lack in alone.unread] == [Part.DRAM]
    zone(tmp_path / "powercap", "intel-rapl:0", "package-0")
    measured = open_panel(parse_power("rapl+tdp:65"), rapl_root=tmp_path / "powercap", stat=file)
    assert [sensor.facts.kind for sensor in measured.sensors] == [SourceKind.COUNTER]


def test_the_model_is_rated_power_times_the_share_of_cores_that_were_busy(tmp_path):
    model = tdp.TdpModel(60.0, stat(tmp_path, 0, 0))
    start_j = model.read()
    ticks = model.facts.resolution * 2 / 60.0  # seconds a tick
    stat(tmp_path, round(1 / ticks), 0)  # one of two cores busy for a second
    assert model.read() - start_j == pytest.approx(30.0)
    assert model.facts.kind is SourceKind.MODEL


def test_the_host_watch_counts_busy_cores_since_its_last_look(tmp_path):
    watch = tdp.HostWatch(stat(tmp_path, 0, 0))
    assert watch.look(10.0) is None
    stat(tmp_path, 200, 200)
    state = watch.look(12.0)
    assert state is not None
    assert state.busy_cores == pytest.approx(4 * 100 / tdp.BusyTime(tmp_path / "stat").ticks_per_s / 2)


def test_a_file_that_is_no_proc_stat_is_lost(tmp_path):
    (tmp_path / "stat").write_text("nothing\n")
    with pytest.raises(SensorError) as caught:
        tdp.TdpModel(65.0, tmp_path / "stat").read()
    assert caught.value.lost
