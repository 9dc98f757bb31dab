"""The formats of a day's report. All formats render the same ``RunReport``, so their counts agree."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from detector.boundary.disk import write_atomically
from detector.boundary.plugins import load_plug_in
from detector.config.plugins import REPORTERS
from detector.model.report import RunReport


class Reporter(ABC):
    """A format of the report: how a day is rendered, and the name of its file."""

    filename: ClassVar[str]
    media_type: ClassVar[str]
    """The media type of the file in HTTP responses."""
    description: ClassVar[str]
    """The purpose of the format, as text of a table cell."""
    is_page: ClassVar[bool] = False
    """Whether the file is a page for a browser, with its own styles and scripts."""

    @abstractmethod
    def render(self, report: RunReport) -> str:
        """Render the whole document as text."""

    def write(self, report: RunReport, directory: Path, *, shared: bool = False) -> Path:
        """Write the document to ``directory``, the day's folder, atomically. Return the path of the file.

        Only the owner of the process may read the file, unless it is ``shared``.
        """
        path = directory / self.filename
        write_atomically(path, self.render(report).encode(), shared=shared)
        return path


def reporter(name: str) -> Reporter:
    """The reporter of this name. A name that ``REPORTERS`` does not have raises KeyError."""
    instance: Reporter = load_plug_in(REPORTERS, name)()
    return instance
