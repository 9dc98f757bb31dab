"""The stored reports: the days that have one, and the files of one report."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import BaseModel, Field

from detector.config.plugins import REPORTERS
from detector.reports import Reporter, reporter
from detector.reports.folders import day_folders

HTML_POLICY = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""A report is one file with its own style and script, and loads nothing else."""


class ReportOfDay(BaseModel):
    """The report of one day."""

    day: date = Field(description="The evaluated day.")
    files: list[str] = Field(description="The paths of its files.")


class ReportIndex(BaseModel):
    """The days that have a report, newest first."""

    reports: list[ReportOfDay]


@dataclass(frozen=True)
class StoredFile:
    """A file of a day's report and its format."""

    data: bytes
    format: Reporter


def formats() -> dict[str, Reporter]:
    """Every format by the name of its file. Only these files can be requested."""
    reporters = [reporter(name) for name in REPORTERS]
    return {each.filename: each for each in reporters}


def index(directory: Path, path: str) -> ReportIndex:
    """The days with a report; ``path`` is the beginning of the paths of their files."""
    names = list(formats())
    reports = []
    for day, folder in reversed(day_folders(directory).items()):
        found = [name for name in names if (folder / name).is_file()]
        if found:
            reports.append(ReportOfDay(day=day, files=[f"{path}/{day}/{name}" for name in found]))
    return ReportIndex(reports=reports)


def read(directory: Path, day: str, name: str) -> StoredFile | None:
    """A file of a day's report; None if the report has no such file.

    ``day`` must be a day and ``name`` the file of a format. A link that leads out of the folder is not followed.
    """
    stored_format = formats().get(name)
    if stored_format is None or not _is_day(day):
        return None
    path = directory / day / name
    try:
        if not path.resolve(strict=True).is_relative_to(directory.resolve()):
            return None
        return StoredFile(path.read_bytes(), stored_format)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def _is_day(text: str) -> bool:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
