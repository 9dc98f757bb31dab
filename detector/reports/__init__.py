"""Reports: every format is a rendering of one ``RunReport``, so the counts agree everywhere."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from importlib import import_module
from pathlib import Path
from typing import ClassVar, cast

from detector.files import write_atomically
from detector.model import RunReport

REPORTERS: dict[str, str] = {
    "html": "detector.reports.html:HtmlReporter",
    "json": "detector.reports.json:JsonReporter",
    "ndjson": "detector.reports.ndjson:NdjsonReporter",
    "csv": "detector.reports.csv:CsvReporter",
    "ocsf": "detector.reports.ocsf:OcsfReporter",
    "ocsf-1.4": "detector.reports.ocsf:OlderOcsfReporter",
}
"""Format name to ``module:Class``; imported only when asked for, so that starting stays quick."""

UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, but tab and line feed
    "\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # bidi controls, invisibles
    "\ud800-\udfff"  # halves of a surrogate pair
    "\ufffe\uffff\U000e0000-\U000e007f]"  # no characters at all, and invisible tags
)
"""Characters that change how their neighbours are shown without being seen themselves."""

LONGEST_TEXT = 1000


class Reporter(ABC):
    """A format: how a night is told to one kind of reader, and the name of its file."""

    filename: ClassVar[str]

    @abstractmethod
    def render(self, report: RunReport) -> str:
        """The whole document as text."""

    def write(self, report: RunReport, directory: Path) -> Path:
        """Render into ``directory``, the night's folder, whole or not at all; return the file's path."""
        path = directory / self.filename
        write_atomically(path, self.render(report).encode())
        return path


def reporter(name: str) -> Reporter:
    """The reporter of a format; ``KeyError`` for a name that ``REPORTERS`` does not have."""
    module, _, attribute = REPORTERS[name].partition(":")
    return cast(Reporter, getattr(import_module(module), attribute)())


def visible(text: str) -> str:
    """Text that a customer may have chosen, safe to show: what cannot be seen is spelled out.

    Escaping stops markup, but not a right-to-left override that turns ``exe.cod`` around or a terminal
    escape. Each such character becomes ``[U+202E]``, so that a reader sees that somebody tried. Very
    long text is cut, so that one name cannot fill the page; ``report.json`` has all of it.
    """
    shown = text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
    return UNSEEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", shown)
