"""A document as one self-contained page: no file, font or script from elsewhere, nothing that needs a network."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jinja2
from markupsafe import Markup, escape

from reports.document import Document, Section
from reports.figures import percent
from reports.tables import STRUCK, Align, Role

if TYPE_CHECKING:
    from reports.drawing import Plot

TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("reports"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


_OPTION = re.compile(r"--[a-z][a-z-]*(?:=[0-9]+)?")


def _with_options(text: str) -> Markup:
    """The text escaped, with each command-line option as code, so that no line is broken inside one."""
    return Markup(_OPTION.sub(r"<code>\g<0></code>", str(escape(text))))  # noqa: S704  escaped first


def _drawn(svg: str) -> Markup:
    """A picture as markup: it is ours, and every name in it was escaped when it was drawn."""
    return Markup(svg)  # noqa: S704  see above


TEMPLATES.globals["STRUCK"] = STRUCK
TEMPLATES.filters["options"] = _with_options
TEMPLATES.filters["drawn"] = _drawn


@dataclass(frozen=True)
class Script:
    """The one script of a page, and a policy under which nothing else runs and nothing is fetched."""

    text: Markup
    policy: str

    @classmethod
    def of(cls, text: str) -> Script:
        """The script with its own hash in the policy."""
        digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
        rules = (
            "default-src 'none'",
            "style-src 'unsafe-inline'",
            f"script-src 'sha256-{digest}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
        return cls(Markup(text), "; ".join(rules))  # noqa: S704  ours, and free of anything from outside


def script() -> Script:
    """What sorts and filters the tables of a page."""
    return Script.of(TEMPLATES.get_template("page.js.j2").render())


@dataclass(frozen=True)
class _Pictured:
    """A section with the pictures drawn of it; None where there is nothing to draw."""

    section: Section
    rates: Markup | None
    speedups: Markup | None
    energies: Markup | None
    phases: Markup | None
    plots: tuple[Plot, ...]


def render(document: Document) -> str:
    """The page as a string of HTML; the same document gives the same bytes."""
    page = TEMPLATES.get_template("page.html.j2")
    return page.render(
        document=document,
        sections=[_pictured(section, number, document.band) for number, section in enumerate(document.sections, 1)],
        band=percent(document.band),
        script=script(),
        Align=Align,
        Role=Role,
    )


def _pictured(section: Section, number: int, band: float) -> _Pictured:
    from reports import charts, plots  # half a second: only when a page is made

    rates = charts.rate_chart(section, f"rate{number}")
    speedups = charts.speedup_chart(section, f"speedup{number}", band)
    energies = charts.energy_chart(section, f"energy{number}")
    phases = charts.phase_chart(section, f"phases{number}")
    drawn = [None if svg is None else _drawn(svg) for svg in (rates, speedups, energies, phases)]
    return _Pictured(section, drawn[0], drawn[1], drawn[2], drawn[3], plots.plots_of(section, f"group{number}"))
