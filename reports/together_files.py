"""Several runs side by side as files: a page, Markdown, CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from bench.storage import write_whole
from reports.html import TEMPLATES, script
from reports.markdown import escaped, section_blocks
from reports.tables import Align, Role
from reports.text import counted
from reports.together import Entry, Together, run_table, tables_of

_COLUMNS = (
    "run", "started", "machine", "workload", "device", "case", "baseline", "status", "items per step",
    "time per step", "time low", "time high", "speed-up", "speed-up low", "speed-up high",
)  # fmt: skip


def write_together_html(together: Together, path: Path) -> None:
    """Write the page; raises StorageError where the place cannot be written."""
    page = TEMPLATES.get_template("together.html.j2").render(
        runs=counted(len(together.runs), "run"),
        notes=together.notes,
        tables=tables_of(together),
        listing=run_table(together),
        prices=together.prices,
        script=script(),
        Align=Align,
        Role=Role,
    )
    write_whole(path, page.encode("utf-8"))


def write_together_markdown(together: Together, path: Path) -> None:
    """Write the Markdown; raises StorageError where the place cannot be written."""
    blocks = [f"# {counted(len(together.runs), 'run')} side by side"]
    blocks.append("\n".join(f"- {escaped(note)}" for note in together.notes))
    prices = () if together.prices is None else (together.prices,)
    for table in (*tables_of(together), run_table(together), *prices):
        blocks += section_blocks(table)
    write_whole(path, ("\n\n".join(blocks) + "\n").encode("utf-8"))


def write_together_csv(together: Together, path: Path) -> None:
    """Write every case of every run, a line each; raises StorageError where the place cannot be written."""
    from reports.frames import inert  # pandas

    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for shelf in together.shelves:
        for entry in shelf.entries:
            values = _values(entry, together)
            writer.writerow(inert(value) if isinstance(value, str) else value for value in values)
    write_whole(path, file.getvalue().encode("utf-8"))


def _values(entry: Entry, together: Together) -> Iterator[object]:
    run, glance = together.runs[entry.run], entry.glance
    yield from (run.id, run.started, together.machines[entry.run])
    yield from (glance.case.workload.name, glance.case.variant.device, glance.name, glance.baseline)
    measured = "profiled" if glance.profiled else "measured"
    yield "failed" if glance.failed else measured if glance.honoured and glance.right else "struck"
    yield glance.items_per_step
    speedup = glance.speedup if glance.judged else None  # else its baseline cannot be relied on
    for interval, factor in ((glance.item_s, glance.items_per_step), (speedup, 1)):
        yield from ("",) * 3 if interval is None else ("" if one is None else one * factor for one in interval)
