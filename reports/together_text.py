"""Several runs side by side on a terminal: plain text, because of two hundred runs there are ten thousand lines."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from reports.figures import DASH, Bounds
from reports.text import one_line, shortened
from reports.together import Shelf, Together, scaled, scales, speedup_of, stands_instead

_NAME = 44


def text_lines(together: Together, width: int) -> Iterator[str]:
    """Every case in every run, a line each: ten thousand lines in a tenth of a second."""
    digits = len(str(len(together.runs)))
    for number, (run, machine) in enumerate(zip(together.runs, together.machines, strict=True), start=1):
        yield shortened(f"[{number:{digits}}] {one_line(run.id)}, {one_line(run.started)}, {machine}", width)
    for shelf in together.shelves:
        yield ""
        yield from _shelf_lines(shelf, digits, width)
    yield ""
    for note in together.notes:
        yield from textwrap.wrap(note, min(width, 110), initial_indent="- ", subsequent_indent="  ")


def _shelf_lines(shelf: Shelf, digits: int, width: int) -> Iterator[str]:
    times, rates, ratios = scales(shelf)
    yield shortened(shelf.title, width)
    known = [ratio for entry in shelf.entries if (ratio := speedup_of(entry)) is not None]
    widest = max((len(ratios.interval(ratio.low, ratio.high)) for ratio in known), default=8)
    room = max(12, min(_NAME, width - digits - 53 - widest))
    names = {name: shortened(name, room).ljust(room) for name in dict.fromkeys(entry.name for entry in shelf.entries)}
    yield shortened(
        f"{'case':{room}} {'run':>{digits + 2}} {f'step, {times.unit}':>10} {'interval':>17} "
        f"{f'{shelf.items}/s':>10} {'speed-up':>8} interval",
        width,
    )
    for entry in shelf.entries:
        time, stands = entry.glance.item_s, stands_instead(entry)
        head = f"{names[entry.name]} {f'[{entry.run + 1}]':>{digits + 2}} "
        if time is None:
            yield f"{head}{DASH:>10} {'':>17} {DASH:>10} {stands:>8}".rstrip()
            continue
        step = scaled(time, entry.glance.items_per_step) or Bounds(0.0, None, None)
        ratio = None if stands else speedup_of(entry)
        shown = stands or (DASH if ratio is None else ratios.number(ratio.value))
        within = "" if ratio is None else ratios.interval(ratio.low, ratio.high)
        yield (
            f"{head}{times.number(step.value):>10} {times.interval(step.low, step.high):>17} "
            f"{rates.number(1 / time.value):>10} {shown:>8} {within}"
        ).rstrip()
