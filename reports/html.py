"""A document as one self-contained page: no file, font or script from elsewhere, nothing that needs a network."""

from __future__ import annotations

import re
from dataclasses import dataclass

import jinja2
from markupsafe import Markup, escape

from reports.document import Document, Section
from reports.figures import percent
from reports.tables import Align, Role

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("reports"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


_OPTION = re.compile(r"--[a-z][a-z-]*")


def _with_options(text: str) -> Markup:
    """The text escaped, with each command-line option as code, so that no line is broken inside one."""
    return Markup(_OPTION.sub(r"<code>\g<0></code>", str(escape(text))))  # noqa: S704  escaped first


_TEMPLATES.filters["options"] = _with_options


@dataclass(frozen=True)
class _Pictured:
    """A section with the pictures drawn of it; None where there is nothing to draw."""

    section: Section
    rates: Markup | None
    speedups: Markup | None
    energies: Markup | None
    phases: Markup | None


def render(document: Document) -> str:
    """The page as a string of HTML; the same document gives the same bytes."""
    page = _TEMPLATES.get_template("page.html.j2")
    return page.render(
        document=document,
        sections=[_pictured(section, number, document.band) for number, section in enumerate(document.sections, 1)],
        band=percent(document.band),
        Align=Align,
        Role=Role,
    )


def _pictured(section: Section, number: int, band: float) -> _Pictured:
    from reports import charts  # half a second: only when a page is made

    rates = charts.rate_chart(section, f"rate{number}")
    speedups = charts.speedup_chart(section, f"speedup{number}", band)
    energies = charts.energy_chart(section, f"energy{number}")
    phases = charts.phase_chart(section, f"phases{number}")
    return _Pictured(section, *(None if svg is None else _drawn(svg) for svg in (rates, speedups, energies, phases)))


def _drawn(svg: str) -> Markup:
    """A picture as markup: it is ours, and every name in it was escaped when it was drawn."""
    return Markup(svg)  # noqa: S704  see above
