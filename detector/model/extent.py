"""The extent to which a day could be evaluated."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Extent:
    """The extent to which a day could be evaluated. It decides whether an absent finding has ended.

    ``complete`` says whether the day's data are complete. ``unjudged`` holds the types of finding that could not
    be evaluated, because a detector that reports them failed.
    """

    complete: bool
    unjudged: frozenset[str] = frozenset()

    def ends(self, kind: str) -> bool:
        """Whether an open finding of a type ends if it is absent on the day."""
        return self.complete and kind not in self.unjudged
