"""Reports: every format is a rendering of one ``RunReport``, so the counts agree everywhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from detector.boundary.disk import write_atomically
from detector.boundary.plugins import load_plug_in
from detector.config.plugins import REPORTERS
from detector.model.report import RunReport


class Reporter(ABC):
    """A format: how a day is told to one kind of reader, and the name of its file."""

    filename: ClassVar[str]
    media_type: ClassVar[str]
    """As what the file is sent over HTTP."""
    description: ClassVar[str]
    """Its purpose, in the words of a table cell."""
    is_page: ClassVar[bool] = False
    """Whether the file is a page that a browser shows, with styles and scripts of its own."""

    @abstractmethod
    def render(self, report: RunReport) -> str:
        """The whole document as text."""

    def write(self, report: RunReport, directory: Path) -> Path:
        """Render into ``directory``, the day's folder, whole or not at all; return the file's path."""
        path = directory / self.filename
        write_atomically(path, self.render(report).encode())
        return path


def reporter(name: str) -> Reporter:
    """The reporter of a format; ``KeyError`` for a name that ``REPORTERS`` does not have."""
    made: Reporter = load_plug_in(REPORTERS, name)()
    return made
