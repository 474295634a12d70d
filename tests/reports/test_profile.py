"""Tables of where the time goes, and their place in every kind of report."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from bench.capture import read
from bench.errors import UsageError
from bench.records import DeviceWork, Hotspot, PhaseBlock, Profile, Run, SpotKind
from bench.storage import save
from reports import cli, console, html, markdown
from reports.document import compose
from reports.profile import check_pair
from tests.bench.test_capture import STORED
from tests.factories import TRAINING, make_run, make_trial
from tests.reports.example import HOSTILE

NAMES = ("data", "forward", "loss", "backward", "optimizer")


def phases(wave: int, scale: float = 1.0) -> PhaseBlock:
    rows = tuple(tuple(scale * part for part in (0.1, 0.00001, 0.03, 0.001, 0.055, 0.01)) for _ in range(10))
    return PhaseBlock(wave, "host", NAMES, rows)


def profile(scale: float = 1.0, name: str = "aten::mm") -> Profile:
    spots = (
        Hotspot(SpotKind.OPERATOR, name, 10, 0.3 * scale),
        Hotspot(SpotKind.OPERATOR, "aten::relu", 5, 0.1),
        Hotspot(SpotKind.KERNEL, "sm90_gemm", 10, 0.2),
    )
    return Profile("torch 2.15.0", 5, 1.0, spots, 0.0, DeviceWork(1.0, 0.2, 10, 0.02, 1e-5), "traces/a.json.gz")


def timed_run() -> Run:
    first = replace(make_trial(TRAINING, 0.1), phases=(phases(0), phases(1, 1.02)), profile=profile())
    second = replace(
        make_trial(TRAINING, 0.2, threads=1), phases=(phases(0, 2.0), phases(1, 2.04)), profile=profile(2.0)
    )
    return make_run(first, second, make_trial(TRAINING, 0.3, onednn=False))


def tables(run: Run, between: tuple[str, str] | None = None) -> dict[str, list[list[str]]]:
    document = compose(run, between=between)
    found = [*(table for section in document.sections for table in section.time), *document.captures]
    return {table.title: [[cell.text for cell in line.cells] for line in table.lines] for table in found}


def test_a_run_without_any_of_it_has_no_such_tables() -> None:
    assert tables(make_run(make_trial(), make_trial(threads=1))) == {}


def test_the_phases_are_shares_of_a_step_and_the_rest_is_other() -> None:
    lines = tables(timed_run())["training on cpu: the phases of a step"]
    assert [line[0] for line in lines] == ["cpu-fp32", "cpu-fp32-threads1"]
    assert lines[0][2:] == ["< 0.1\u00a0%", "30\u00a0%", "1\u00a0%", "55\u00a0%", "10\u00a0%", "4\u00a0%"]
    assert lines[0][1] == "101"


def test_the_top_of_host_and_device_is_told_per_step_with_shares() -> None:
    lines = tables(timed_run())["training on cpu: top operators and kernels"]
    assert lines[:3] == [
        ["cpu-fp32", "sm90_gemm", "kernel", "100\u00a0%", "40.0 ms", "2"],
        ["", "aten::mm", "operator", "75\u00a0%", "60.0 ms", "2"],
        ["", "aten::relu", "operator", "25\u00a0%", "20.0 ms", "1"],
    ]


def test_the_gpus_gaps_say_what_the_host_kept_it_waiting() -> None:
    lines = tables(timed_run())["training on cpu: the GPU's gaps"]
    assert lines[0] == ["cpu-fp32", "20\u00a0%", "80\u00a0%", "2", "20.0 ms", "10.0 µs"]


def test_the_baseline_and_the_next_case_are_set_side_by_side_by_themselves() -> None:
    lines = tables(timed_run())["where the time differs: cpu-fp32 against cpu-fp32-threads1"]
    assert lines[0] == ["backward", "phase", "55.6 ms", "111 ms", "+55.6 ms"]
    assert ["aten::mm", "operator", "60.0 ms", "120 ms", "+60.0 ms"] in lines


def test_two_cases_can_be_chosen_and_the_other_way_round() -> None:
    found = tables(timed_run(), ("training[cpu-fp32-threads1]", "cpu-fp32"))
    lines = found["where the time differs: cpu-fp32-threads1 against cpu-fp32"]
    assert lines[0][-1] == "−55.6 ms"


@pytest.mark.parametrize("pair", [("cpu-fp32", "nothing"), ("cpu-fp32", "cpu-fp32-no_onednn")])
def test_two_cases_of_which_nothing_is_known_are_refused_with_those_that_are(pair: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match=r"training\[cpu-fp32-threads1\]"):
        check_pair(timed_run(), pair)
    with pytest.raises(UsageError, match="--bench-phases"):
        check_pair(make_run(make_trial()), pair)


def test_a_capture_is_a_table_of_its_ranges_as_they_lie_in_each_other() -> None:
    run = replace(make_run(make_trial(TRAINING, 0.1)), captures=(read(STORED),))
    lines = tables(run)["Ranges of cpu-fp32-threads1"]
    names = [line[0] for line in lines]
    assert names[1:3] == ["· training on cpu", "· · cpu-fp32-threads1"]
    steps = names.index("· · · phases")
    assert ["· · · · step", "10"] in [line[:2] for line in lines[steps:]]
    assert ["· · · · · backward", "10"] in [line[:2] for line in lines[steps:]]


def test_every_kind_of_report_has_the_tables() -> None:
    run = replace(timed_run(), captures=(read(STORED),))
    document = compose(run)
    for text in (console.render(document, 100), markdown.render(document), html.render(document)):
        for words in ("phases of a step", "top operators and kernels", "here the time differs", "training.sqlite"):
            assert words in text
    assert "where the time of a step goes" in html.render(document)


def test_the_phase_bar_names_its_parts() -> None:
    page = html.render(compose(timed_run()))
    picture = page[page.index('aria-labelledby="phases1-title') :]
    picture = picture[: picture.index("</svg>")]
    assert "backward 55\u00a0%" in picture
    assert "cpu-fp32-threads1" in picture
    assert "#0" not in picture.replace('href="#', "")  # no placeholder of a colour is left


def test_tables_fit_eighty_columns() -> None:
    text = console.render(compose(replace(timed_run(), captures=(read(STORED),))), 80)
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("text", HOSTILE)
def test_names_from_outside_form_no_markup(text: str) -> None:
    def tags(name: str) -> tuple[int, int]:
        hostile = replace(
            timed_run().trials[0],
            profile=profile(name=name or "x"),
            phases=(PhaseBlock(0, "host", (name or "x",), ((0.1, 0.05),)),),
        )
        page = html.render(compose(make_run(hostile)))
        return re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL).count("<"), page.count("<script")

    assert tags(text) == tags("harmless")


def test_the_verbs_take_two_cases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(timed_run(), tmp_path)
    assert cli.show([str(tmp_path), "--between", "cpu-fp32-threads1", "cpu-fp32"]) == 0
    assert "cpu-fp32-threads1 against cpu-fp32" in capsys.readouterr().out
    assert cli.report([str(tmp_path), "--between", "cpu-fp32", "nobody"]) == 2
    assert "there are training[cpu-fp32]" in capsys.readouterr().err
