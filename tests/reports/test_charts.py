from __future__ import annotations

import re
from xml.etree import ElementTree

import matplotlib
import pytest

from bench.records import Run
from reports.charts import rate_chart, speedup_chart
from reports.document import Section, compose
from tests.factories import make_run, make_trial
from tests.reports.example import HOSTILE, example_run, failed, run_saying, spread

SVG = "{http://www.w3.org/2000/svg}"


def sections(run: Run) -> tuple[Section, ...]:
    return compose(run).sections


def both(section: Section) -> list[str]:
    drawn = [rate_chart(section, "rate1"), speedup_chart(section, "speedup1", 0.01)]
    return [svg for svg in drawn if svg is not None]


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314  our own picture


def test_the_same_group_gives_the_same_bytes() -> None:
    section = sections(example_run())[0]
    assert both(section) == both(section)


def test_a_picture_has_a_role_a_title_and_a_description_with_its_figures() -> None:
    for svg in both(sections(example_run())[0]):
        root = parsed(svg)
        assert root.get("role") == "img"
        names = (root.get("aria-labelledby") or "").split()
        described = {element.get("id"): element.text or "" for element in root.iter() if element.get("id") in names}
        assert set(described) == set(names)
        assert "cpu-amp_bf16" in described[names[1]]


def test_all_colours_are_the_pages_own() -> None:
    for svg in both(sections(example_run())[0]):
        assert re.findall(r"(?<!&)#[0-9a-fA-F]{3,8}\b", re.sub(r'(?:href="#|url\(#)[^")]*', "", svg)) == []
        assert "var(--faster)" in svg
        assert "font-family" not in svg
        assert "<style" not in svg
        assert "<metadata" not in svg


def test_ids_are_unique_over_the_pictures_of_a_page_and_every_reference_is_met() -> None:
    svgs = both(sections(example_run())[0])
    ids = [name for svg in svgs for name in re.findall(r'\bid="([^"]+)"', svg)]
    assert len(ids) == len(set(ids))
    for svg in svgs:
        referred = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
        assert referred <= set(re.findall(r'\bid="([^"]+)"', svg))


def test_every_measured_case_is_named_and_failed_ones_without_figures_are_not_drawn() -> None:
    rates, speedups = both(sections(example_run())[0])
    texts = {"".join(element.itertext()) for element in parsed(rates).iter(f"{SVG}text")}
    assert {"cpu-fp32 (baseline)", "cpu-amp_bf16", "cpu-fp32-threads1 (struck)"} <= texts
    assert "compile" not in rates
    assert "(baseline)" not in speedups


def test_nothing_to_draw_is_no_picture() -> None:
    (alone,) = sections(make_run(make_trial()))
    assert speedup_chart(alone, "s", 0.01) is None
    (nothing,) = sections(make_run(failed(make_trial())))
    assert rate_chart(nothing, "r") is None


def test_an_interval_without_bounds_or_beyond_all_measure_is_drawn_all_the_same() -> None:
    few = make_run(make_trial(waves=1, rounds=2), make_trial(waves=1, rounds=2, layout="channels_last"))
    wild = make_run(make_trial(waves=2), spread(make_trial(waves=2, layout="channels_last"), 0.9, 1))
    assert len(both(sections(few)[0])) == 2
    assert len(both(sections(wild)[0])) == 2


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text_in_a_picture(text: str) -> None:
    for svg in both(sections(run_saying(text))[0]):
        assert {element.tag for element in parsed(svg).iter()}.isdisjoint({f"{SVG}script", f"{SVG}b"})


def test_drawing_leaves_the_readers_own_settings_alone() -> None:
    before = dict(matplotlib.rcParams)
    both(sections(example_run())[0])
    assert dict(matplotlib.rcParams) == before
