"""The report folders: one per day, with the date as its name."""

from __future__ import annotations

from datetime import date
from pathlib import Path


def day_folders(directory: Path) -> dict[date, Path]:
    """The existing folder of each day, oldest first. All other files and folders are ignored."""
    folders = {}
    for folder in directory.glob("????-??-??"):
        try:
            day = date.fromisoformat(folder.name)
        except ValueError:
            continue
        if folder.is_dir():
            folders[day] = folder
    return dict(sorted(folders.items()))
