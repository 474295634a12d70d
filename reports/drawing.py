"""How a picture becomes part of the page: drawn by Matplotlib, then given the page's own colours and font.

Drawn with Matplotlib's figure objects (no pyplot, hence no state shared between pictures) in placeholder colours,
which are then replaced by the page's own CSS variables: one picture serves light, dark and print. The same figures
give the same bytes.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

#: In inches; at this width a picture's text is as large as the page's small print on a telephone.
WIDTH_IN = 5.4
#: Placeholder -> what stands in the page. Each placeholder is a colour that Matplotlib never uses by itself.
INK, MUTED, RULE, BAND = "#010203", "#020304", "#030405", "#040506"
_COLORS: Mapping[str, str] = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    BAND: "var(--band)",
    "#050607": "var(--faster)",
    "#060708": "var(--slower)",
    "#070809": "var(--same)",
    "#08090a": "var(--unsure)",
    "#090a0b": "var(--baseline)",
    "#0b0c0d": "var(--line1)",
    "#0c0d0e": "var(--line2)",
    "#0d0e0f": "var(--line3)",
    "#0e0f10": "var(--line4)",
    "#0f1011": "var(--line5)",
    "#101112": "var(--line6)",
}
#: For several lines of one picture: a colour and a dash each, so that they can be told apart on grey paper too.
SERIES = ("#0b0c0d", "#0c0d0e", "#0d0e0f", "#0e0f10", "#0f1011", "#101112")
DASHES: tuple[str | tuple[float, tuple[float, ...]], ...] = (
    "-", (0, (5, 1.5)), (0, (6, 1.5, 1, 1.5)), (0, (1.2, 1.2)), (0, (8, 2, 2, 2, 2, 2)), (0, (3, 3)),
)  # fmt: skip


@dataclass(frozen=True)
class Plot:
    """A picture with its heading and the line beneath it."""

    title: str
    text: str
    svg: str


def picture(draw: Callable[[Figure], None], height_in: float, prefix: str, title: str, description: str) -> str:
    """What ``draw`` puts on a figure, as inline SVG with ids of its own, a name and a description."""
    with matplotlib.rc_context():
        _settle(prefix)
        figure = Figure(figsize=(WIDTH_IN, height_in))
        figure.patch.set_visible(False)
        draw(figure)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _themed(file.getvalue(), prefix, title, description)


def plain(axes: Axes, *, grid: str = "both") -> None:
    """Axes in the page's manner: two thin lines, a faint grid, muted figures."""
    axes.patch.set_visible(False)
    for side in ("right", "top"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(RULE)
    axes.tick_params(axis="both", which="both", color=RULE, labelcolor=MUTED, labelsize=8.5, length=3)
    axes.grid(axis=grid, color=RULE, linewidth=0.6)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(MUTED)
        label.set_fontsize(8.5)


def _settle(salt: str) -> None:
    """Matplotlib's defaults, whatever the user's own are, and what inline SVG needs."""
    matplotlib.rcdefaults()
    matplotlib.rcParams["svg.fonttype"] = "none"
    matplotlib.rcParams["svg.hashsalt"] = salt
    matplotlib.rcParams["font.family"] = "DejaVu Sans"  # for the layout; the page's font, mostly narrower, replaces it
    matplotlib.rcParams["font.size"] = 9.5
    matplotlib.rcParams["text.parse_math"] = False


def _themed(svg: str, prefix: str, title: str, description: str) -> str:
    """The picture as it stands in a page: ids of its own, the page's colours and font, a name and a description."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<(metadata|style)\b.*?</\1>\s*", "", svg, flags=re.DOTALL)  # a style in a picture rules the page
    svg = re.sub(r"<[^>]*>", lambda tag: _themed_tag(tag[0], prefix), svg)
    named = f'role="img" aria-labelledby="{prefix}-title {prefix}-desc" '
    head, _, rest = svg.partition(">")
    size = re.sub(r'(?:width|height)="[\d.]+pt" ?', "", head)
    return (
        f'{size.replace("<svg ", f"<svg {named}")}>\n <title id="{prefix}-title">{html.escape(title)}</title>\n'
        f' <desc id="{prefix}-desc">{html.escape(description)}</desc>{rest}'
    )


def _themed_tag(tag: str, prefix: str) -> str:
    """One tag with the page's ids, colours and font; texts between tags are not touched, whatever they hold."""
    tag = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{prefix}-", tag)
    tag = re.sub(r"font-family: [^;\"]*(; )?", "", tag)
    tag = re.sub(r"font: ([\d.]+px)[^;\"]*(; )?", r"font-size: \1; ", tag)
    for placeholder, color in _COLORS.items():
        tag = tag.replace(placeholder, color)
    return tag
