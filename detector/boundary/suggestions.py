"""What somebody may have meant by a name that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from detector.boundary.text import visible

NEAR_ENOUGH = 0.5
"""Likeness from 0 to 1, as ``difflib`` has it."""


def did_you_mean(written: str, known: Collection[str]) -> str:
    """``, did you mean x?`` where a known name comes close, else nothing. Names may be those of customers."""
    close = nearest(written, known)
    return f", did you mean {visible(close[0])}?" if close else ""


def did_you_mean_or_all(written: str, known: Collection[str]) -> str:
    """The same, and where nothing comes close, the names that there are."""
    return did_you_mean(written, known) or f"; allowed: {', '.join(visible(name) for name in sorted(known))}"


def nearest(written: str, known: Collection[str], most: int = 1) -> list[str]:
    """The known names that come closest to what was written, the closest first."""
    return difflib.get_close_matches(written, sorted(known), most, NEAR_ENOUGH)
