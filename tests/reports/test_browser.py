"""The page in a real browser: quiet, offline, and without a horizontal scroll bar."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from reports.document import compose
from reports.html import render
from tests.reports.example import HOSTILE, example_run, run_saying

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """A headless Chromium."""
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the example run, as a file."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render(compose(example_run())), encoding="utf-8")
    return path


def opened(browser, path: Path, width: int, scheme: str):
    """The page, and all that it asked of the network or complained about."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda request: None if request.url == path.as_uri() else trouble.append(request.url))
    page.goto(path.as_uri())
    return page, [entry for entry in trouble if not entry.startswith("data:")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 800, 1400])
def test_the_page_fits_its_window_quietly(browser, example: Path, width: int, scheme: str) -> None:
    page, trouble = opened(browser, example, width, scheme)
    assert trouble == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("svg[role=img]").count() == 4
    assert all(box["width"] > 300 for box in (chart.bounding_box() for chart in page.locator("svg[role=img]").all()))
    page.close()


def test_light_and_dark_differ_in_paper_and_in_the_pictures(browser, example: Path) -> None:
    colours = []
    for scheme in ("light", "dark"):
        page, _ = opened(browser, example, 1400, scheme)
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        ink = page.evaluate("getComputedStyle(document.querySelector('svg[role=img] text')).fill")
        colours.append((paper, ink))
        page.close()
    (light_paper, light_ink), (dark_paper, dark_ink) = colours
    assert light_paper != dark_paper
    assert light_ink != dark_ink


def test_a_wide_table_scrolls_by_keyboard_inside_its_own_region(browser, example: Path) -> None:
    page, _ = opened(browser, example, 800, "light")
    region = page.locator(".scroll").first
    region.focus()
    assert page.evaluate("document.activeElement.className") == "scroll"
    page.close()


def test_hostile_text_neither_runs_nor_widens_the_page(browser, tmp_path: Path) -> None:
    for number, text in enumerate(HOSTILE):
        path = tmp_path / f"{number}.html"
        path.write_text(render(compose(run_saying(text))), encoding="utf-8")
        page, trouble = opened(browser, path, 400, "light")
        assert trouble == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 400, text
        page.set_viewport_size({"width": 1400, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= 1400, text
        page.close()
