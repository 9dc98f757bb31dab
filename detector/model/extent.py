"""How far a day was judged."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Extent:
    """How far a day was judged, which decides what follows from a finding that is absent on it.

    ``complete`` says whether the day's data are complete. ``unjudged`` holds the types of finding that nothing
    can be concluded about, because a detector that names them failed.
    """

    complete: bool
    unjudged: frozenset[str] = frozenset()

    def ends(self, kind: str) -> bool:
        """Whether an open finding of a type ends when the day does not show it."""
        return self.complete and kind not in self.unjudged
