"""The table ``values.toml`` as cases."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

TABLE = Path(__file__).parent / "values.toml"


@dataclass(frozen=True)
class Batch:
    """Values of one kind in a column of one type, under the same settings of the source."""

    kind: str
    rows: dict[str, str]
    """The writing of a value: what it means."""
    column: str = "text"
    zone: str = "UTC"
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """A name for people."""
        settings = [f"{name} {value}" for name, value in self.options.items()]
        zone = [] if self.zone == "UTC" else [self.zone]
        return ", ".join([f"{self.kind} as {self.column}", *zone, *settings])

    @property
    def timezone(self) -> ZoneInfo:
        """The zone of the days."""
        return ZoneInfo(self.zone)

    @property
    def values(self) -> list[Any]:
        """The values in the order of the rows: texts, or what the JSON stands for."""
        return [json.loads(text) if self.column == "json" else text for text in self.rows]


def batches() -> list[Batch]:
    """All tables."""
    found = []
    for table in tomllib.loads(TABLE.read_text(encoding="utf-8"))["table"]:
        known = {name: table.pop(name) for name in ("kind", "rows", "column", "zone") if name in table}
        found.append(Batch(**known, options=table))
    return found
