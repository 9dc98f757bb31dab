"""The folders of reports: one a day, named by it."""

from __future__ import annotations

from datetime import date
from pathlib import Path


def day_folders(directory: Path) -> dict[date, Path]:
    """The folder of each day that has one, oldest first. Whatever else lies in the directory is left out."""
    found = {}
    for folder in directory.glob("????-??-??"):
        try:
            day = date.fromisoformat(folder.name)
        except ValueError:
            continue
        if folder.is_dir():
            found[day] = folder
    return dict(sorted(found.items()))
