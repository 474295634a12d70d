from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from reports.document import compose
from reports.grid import folded, lay_out
from reports.tables import Table
from reports.text import one_line
from tests.factories import make_run, make_trial, with_energy
from tests.reports.example import example_run


def training() -> Table:
    return compose(example_run()).sections[0].table


@given(st.text(max_size=200).map(one_line), st.integers(min_value=8, max_value=80))
def test_folding_keeps_every_word_and_the_width(text: str, width: int) -> None:
    folds = folded(text, width)
    assert "".join("".join(folds).split()) == "".join(text.split())
    assert all(cell_len(fold) <= width for fold in folds)


def test_a_name_is_folded_after_its_hyphens() -> None:
    assert folded("cpu-fp32-channels_last", 16) == ["cpu-fp32-", "channels_last"]


def test_the_widest_form_stands_on_one_line_for_each_case() -> None:
    grid = lay_out(training(), 200)
    assert grid.left_out == ()
    assert len(grid.lines) == 3 + 6 + 1  # heading of two lines, a rule, six cases, and why one failed


def test_only_memory_and_break_even_are_left_out_of_eighty_columns() -> None:
    for section, left_out in zip(compose(example_run()).sections, [("memory",), ("pays after", "memory")], strict=True):
        grid = lay_out(section.table, 80)
        assert grid.left_out == left_out
        assert max(line.cell_len for line in grid.lines) <= 80


def test_a_table_of_large_figures_leaves_out_memory_before_set_up() -> None:
    wide = make_run(
        make_trial(step_s=0.0000123, items=32), make_trial(step_s=0.98765, items=1024, layout="channels_last")
    )
    (section,) = compose(with_energy(wide, [20.0, 30.0])).sections
    assert lay_out(section.table, 80).left_out == ("images/s", "images/J", "set-up", "memory")
    assert lay_out(section.table, 110).left_out == ("set-up", "memory")


def test_energy_that_nobody_read_makes_room_before_anything_that_says_something() -> None:
    wide = make_run(make_trial(step_s=0.0000123), make_trial(step_s=0.98765, items=1024, layout="channels_last"))
    (section,) = compose(wide).sections
    grid = lay_out(section.table, 80)
    assert grid.left_out == ("memory",)
    assert "energy" not in grid.lines[0].plain
    assert "set-up" in grid.lines[0].plain


def test_the_error_of_the_scores_stands_beneath_their_accuracy_where_it_is_narrow() -> None:
    table = compose(example_run()).sections[1].table
    narrow, wide = lay_out(table, 80).lines, lay_out(table, 220).lines
    assert narrow[0].plain.index("accuracy") <= narrow[1].plain.index("error")
    assert "error" not in narrow[0].plain
    assert narrow[3].plain.index("98.6") < narrow[4].plain.index("6.1e-7") + 4
    assert wide[0].plain.index("accuracy") < wide[0].plain.index("error")
    assert "96.8–99.4" in wide[3].plain


def test_intervals_verdicts_and_marks_survive_in_the_narrow_form() -> None:
    text = "\n".join(line.plain for line in lay_out(training(), 80).lines)
    for line in training().lines:
        for cell in line.cells[1:4]:
            assert cell.text in text
            assert cell.detail in text
        assert line.cells[4].text in text
    assert "[2,3]" not in text
    assert "[2]" in text
