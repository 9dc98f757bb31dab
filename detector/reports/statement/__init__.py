"""The formats of a month's statement. All formats render the same ``Statement``, so their amounts agree."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from detector.boundary.plugins import load_plug_in
from detector.chargeback.statement import Statement
from detector.config.plugins import STATEMENT_FORMATS


class StatementFormat(ABC):
    """A format of the statement: how it is rendered, and the name of its file."""

    filename: ClassVar[str | None]
    """None for a format that is only printed."""

    @abstractmethod
    def render(self, statement: Statement) -> str:
        """Render the whole document as text."""


def statement_format(name: str) -> StatementFormat:
    """The format of this name. A name that ``STATEMENT_FORMATS`` does not have raises KeyError."""
    instance: StatementFormat = load_plug_in(STATEMENT_FORMATS, name)()
    return instance
