"""Suggestions of known names for an unknown name."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from detector.boundary.text import visible

NEAR_ENOUGH = 0.5
"""The least similarity of a suggestion, from 0 to 1 as ``difflib`` measures it."""


def did_you_mean(written: str, known: Collection[str]) -> str:
    """``, did you mean x?`` if a known name is similar, else an empty text. Names are made safe to show."""
    close = nearest(written, known)
    return f", did you mean {visible(close[0])}?" if close else ""


def did_you_mean_or_all(written: str, known: Collection[str]) -> str:
    """``, did you mean x?`` if a known name is similar, else the list of all known names."""
    return did_you_mean(written, known) or f"; allowed: {', '.join(visible(name) for name in sorted(known))}"


def nearest(written: str, known: Collection[str], most: int = 1) -> list[str]:
    """The known names that are most similar to a written one, the most similar first."""
    return difflib.get_close_matches(written, sorted(known), most, NEAR_ENOUGH)
