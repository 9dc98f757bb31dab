"""The properties of a type of finding. The detector that reports the type defines them."""

from __future__ import annotations

from dataclasses import dataclass

from detector.model.finding import Severity


@dataclass(frozen=True)
class FindingType:
    """One type of behaviour: its names, the way it is found, and the way reports show its findings."""

    kind: str
    """The name of the type in every format and on the command line."""
    is_rule: bool
    """Whether a rule finds it. Otherwise a comparison with an expectation finds it."""
    title: str
    """The name for a reader, for example ``Dormant key woke``."""
    tag: str
    """A one-word name for narrow places, for example ``woke``."""
    singular: str
    """The noun for one finding within a sentence, for example ``dormant key that woke``."""
    plural: str
    severities: tuple[Severity, ...]
    """The possible severities of its findings, in ascending order."""
    counts_requests: bool = False
    """Whether its expected range counts requests per day. A chart of requests can then show the range."""
    is_inventory: bool = False
    """Whether its findings are remarks on the register. Reports show these as a line and without a card."""
