"""Backends from outside this package, as one text among a workload's parameters. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable


def format_backends(backends: Iterable[tuple[str, str]]) -> str:
    """The text that :func:`parse_backends` reads: ``"mine=mypackage.mine:ready;other=/path/other.py:ready"``."""
    return ";".join(f"{name}={place}" for name, place in backends)


def parse_backends(text: str) -> dict[str, str]:
    """Name -> where its function is found."""
    pairs = (part.partition("=") for part in text.split(";") if part)
    return {name: place for name, _, place in pairs}
