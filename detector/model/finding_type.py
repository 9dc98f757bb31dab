"""What others need to know of a type of finding, stated once by whoever makes findings of it."""

from __future__ import annotations

from dataclasses import dataclass

from detector.model.finding import Severity


@dataclass(frozen=True)
class FindingType:
    """One kind of behaviour: what it is called, how it is found, and how its findings are shown."""

    kind: str
    """Its name in every format and on the command line."""
    is_rule: bool
    """Whether it is found by a rule, or by comparison with what was expected."""
    title: str
    """Its name for a reader: ``Dormant key woke``."""
    tag: str
    """One word for it, where there is no room for more: ``woke``."""
    singular: str
    """What one finding is within a sentence: ``dormant key that woke``."""
    plural: str
    severities: tuple[Severity, ...]
    """What its findings can have, least first."""
    counts_requests: bool = False
    """Whether its expected range counts requests a day, so that it may be drawn behind the key's days."""
    is_inventory: bool = False
    """Whether it is a remark on the register and no alarm: it gets a line and no card."""
