"""One file of cases a detector: panels that must fire, and panels that must not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from detector.model.panel import Panel


@dataclass(frozen=True)
class Case:
    """A panel, the keys a detector must name in it, and those it cannot judge."""

    title: str
    panel: Callable[[], Panel]
    fires: frozenset[str] = frozenset()
    not_judged: frozenset[str] = frozenset()
