"""The page in a real browser: quiet, offline, and without a horizontal scroll bar."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.storage import save
from reports.document import compose
from reports.html import render
from reports.together import compose_together
from reports.together_files import write_together_html
from tests.factories import TRAINING, make_run, make_trial, with_losses
from tests.reports.example import HOSTILE, example_run, run_saying
from tests.reports.priced import BOOK, both_runs, cpu_run, priced_run
from tests.reports.test_profile import timed_run

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
    own = (path.as_uri(), "data:")
    page.on("request", lambda request: None if request.url.startswith(own) else trouble.append(request.url))
    page.goto(path.as_uri())
    return page, trouble


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 800, 1400])
def test_the_page_fits_its_window_quietly(browser, example: Path, width: int, scheme: str) -> None:
    page, trouble = opened(browser, example, width, scheme)
    assert trouble == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("svg[role=img]").count() == 8
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


@pytest.fixture(scope="module")
def priced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run with energy, money and two devices."""
    path = tmp_path_factory.mktemp("page") / "priced.html"
    path.write_text(render(compose(both_runs(), BOOK)), encoding="utf-8")
    return path


def column(page, table: int, heading: str) -> list[str]:
    """What stands in a column of a table, top to bottom, without what is hidden."""
    found: list[str] = page.evaluate(
        """([table, heading]) => {
          const found = document.querySelectorAll("table.figures")[table];
          const heads = [...found.tHead.rows[0].cells];
          const index = heads.findIndex((head) => head.textContent.startsWith(heading));
          const rows = [...found.tBodies[0].rows].filter((row) => !row.hidden && !row.classList.contains("remark"));
          return rows.map((row) => row.cells[index].firstChild.textContent.trim());
        }""",
        [table, heading],
    )
    return found


def test_a_click_on_a_heading_sorts_up_then_down_then_back(browser, example: Path) -> None:
    page, trouble = opened(browser, example, 1400, "light")
    heading = page.locator("table.figures").first.locator("th", has_text="images/s").locator("button")
    before = column(page, 0, "images/s")
    orders = []
    for _ in range(3):
        heading.click()
        orders.append(column(page, 0, "images/s"))
    assert orders[2] == before
    assert orders[0][-1] == orders[1][-1] == "–"  # what is not known stands last either way
    rising = [float(text) for text in orders[0][:-1]]
    assert rising == sorted(rising)
    assert len(set(rising)) > 3
    assert orders[1][:-1] == orders[0][:-1][::-1]
    assert trouble == []
    page.close()


def test_sorting_minds_units_and_takes_remarks_along(browser, example: Path) -> None:
    page, _ = opened(browser, example, 1400, "light")
    page.locator("table.figures").nth(1).locator("th", has_text="set-up").locator("button").click()
    seconds = column(page, 1, "set-up")
    assert seconds == ["3.05 s"] * 6 + ["42.6 s"]
    first = page.locator("table.figures").first
    first.locator("th", has_text="case").locator("button").click()
    first.locator("th", has_text="case").locator("button").click()
    names = column(page, 0, "case")
    assert names == sorted(names, reverse=True)
    follows = page.evaluate(
        """() => document.querySelector("table.figures tr.remark").previousElementSibling.cells[0].textContent.trim()"""
    )
    assert follows == "cpu-fp32-compile"
    page.close()


def test_sorting_minds_signs(browser, tmp_path: Path) -> None:
    losses = (2.0, 2.024, 1.994, 2.06, 1.9)
    trials = (with_losses(make_trial(TRAINING, 0.05, threads=n), loss) for n, loss in enumerate(losses))
    path = tmp_path / "report.html"
    path.write_text(render(compose(make_run(*trials))), encoding="utf-8")
    page, _ = opened(browser, path, 1400, "light")
    page.locator("table.figures").first.locator("th", has_text="loss").locator("button").click()
    found = [float(text.removesuffix("%").strip().replace("−", "-")) for text in column(page, 0, "loss")]
    assert found == [-5.0, -0.3, 0.0, 1.2, 3.0]
    page.close()


def test_the_keyboard_alone_sorts_and_filters(browser, example: Path) -> None:
    page, trouble = opened(browser, example, 1400, "light")
    page.locator("table.figures").first.locator("th", has_text="images/s").locator("button").focus()
    page.keyboard.press("Enter")
    assert page.locator("table.figures th[aria-sort=ascending]").count() == 1
    search = page.get_by_role("searchbox").first
    search.focus()
    page.keyboard.type("amp slower")
    assert column(page, 0, "case") == ["cpu-amp_bf16"]
    assert page.locator("output").first.inner_text() == "1 of 6"
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    assert len(column(page, 0, "case")) == 6
    assert trouble == []
    page.close()


def test_on_a_telephone_a_menu_sorts(browser, example: Path) -> None:
    page, _ = opened(browser, example, 400, "dark")
    menu = page.get_by_role("combobox").first
    assert menu.is_visible()
    menu.select_option(label="images/s")
    rates = [float(text) for text in column(page, 0, "images/s") if text != "–"]
    assert rates == sorted(rates)
    assert column(page, 0, "images/s")[-1] == "–"
    page.close()


@pytest.mark.parametrize("width", [400, 1400])
def test_the_page_with_money_fits_its_window_and_draws_every_picture(browser, priced: Path, width: int) -> None:
    page, trouble = opened(browser, priced, width, "light")
    assert trouble == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    titles = page.locator("figcaption b").all_inner_texts()
    for title in (
        "cost by rent",
        "cost by ownership",
        "choices",
        "power over time, W",
        "distribution of step times",
        "when set-up has paid",
    ):
        assert title in titles
    assert all(box["height"] > 30 for box in (chart.bounding_box() for chart in page.locator("svg[role=img]").all()))
    assert priced.stat().st_size < 2 * 2**20
    page.close()


def test_the_policy_of_the_page_lets_no_other_script_run(browser, tmp_path: Path, example: Path) -> None:
    path = tmp_path / "tampered.html"
    text = example.read_text(encoding="utf-8").replace("</main>", "<script>window.ran = true</script></main>")
    path.write_text(text, encoding="utf-8")
    page, trouble = opened(browser, path, 800, "light")
    assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in entry for entry in trouble)
    page.close()


def test_several_runs_side_by_side_are_a_page_that_sorts(browser, tmp_path: Path) -> None:
    places = [save(run, tmp_path / str(number)) for number, run in enumerate((cpu_run(), priced_run()))]
    path = tmp_path / "both.html"
    write_together_html(compose_together(places, BOOK), path)
    for width in (400, 1400):
        page, trouble = opened(browser, path, width, "light")
        assert trouble == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.close()
    page, _ = opened(browser, path, 1400, "light")
    page.locator("table.figures").nth(1).locator("th", has_text="images/s").locator("button").click()
    assert column(page, 1, "case")[-1] == "cuda0-fp32-compile"
    page.close()


def test_on_paper_no_table_is_cut_and_headings_stand_on_every_sheet(browser, priced: Path, example: Path) -> None:
    for path in (priced, example):
        page, _ = opened(browser, path, 688, "dark")  # A4 between its margins
        page.emulate_media(media="print")
        assert page.evaluate("[...document.querySelectorAll('table')].every((table) => table.offsetWidth <= 688)")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        # Chromium says a heading again only where nothing in it has a box of its own, and none is to be broken.
        assert page.evaluate("getComputedStyle(document.querySelector('thead')).breakInside") == "avoid"
        assert page.evaluate("getComputedStyle(document.querySelector('button.sort')).display") == "contents"
        page.close()


def test_a_row_that_is_filtered_out_of_its_group_still_says_whose_it_is(browser, tmp_path: Path) -> None:
    path = tmp_path / "timed.html"
    path.write_text(render(compose(timed_run())), encoding="utf-8")
    page, _ = opened(browser, path, 1400, "light")
    page.get_by_role("searchbox", name="operators").fill("threads1 relu")
    titles = page.locator("table.figures caption").all_text_contents()
    number = next(place for place, title in enumerate(titles) if "operators" in title)
    assert column(page, number, "case") == ["cpu-fp32-threads1"]
    page.close()
