"""The stored reports: which nights there are, and one of them."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

from pydantic import BaseModel, Field

FILES = {
    "report.html": "text/html; charset=utf-8",
    "report.json": "application/json",
    "report.ndjson": "application/x-ndjson",
    "report.csv": "text/csv; charset=utf-8",
    "report.ocsf.ndjson": "application/x-ndjson",
    "report.ocsf-1.4.ndjson": "application/x-ndjson",
}
"""What may be asked for, and as what it is sent."""
HTML_POLICY = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""A report is one file with its own style and script, and has no business with anything else."""


class ReportOfNight(BaseModel):
    """The report of one night."""

    night: date = Field(description="The judged night.")
    files: list[str] = Field(description="The paths of its files.")


class ReportIndex(BaseModel):
    """The nights that have a report, newest first."""

    reports: list[ReportOfNight]


def index(directory: Path, path: str) -> ReportIndex:
    """The nights with a report; ``path`` stands before the paths of their files."""
    folders = sorted((folder for folder in directory.glob("????-??-??") if _night(folder.name)), reverse=True)
    reports = []
    for folder in folders:
        found = [name for name in FILES if (folder / name).is_file()]
        if found:
            night = date.fromisoformat(folder.name)
            reports.append(ReportOfNight(night=night, files=[f"{path}/{night}/{name}" for name in found]))
    return ReportIndex(reports=reports)


def read(directory: Path, night: str, name: str) -> bytes | None:
    """A file of a night's report; None where there is none.

    Both parts of the path are checked against what they may be, and a link that leads out is not followed.
    """
    if name not in FILES or not _night(night):
        return None
    path = directory / night / name
    try:
        if not path.resolve(strict=True).is_relative_to(directory.resolve()):
            return None
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def _night(text: str) -> bool:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
