"""Temporary files and folders that killed processes left behind."""

from __future__ import annotations

import shutil
from pathlib import Path

from sqlalchemy.engine import make_url

from detector.boundary.disk import TEMPORARY_SUFFIX
from detector.config.config import Config
from detector.config.source import HttpSource


def leftovers(config: Config) -> list[Path]:
    """Every file and folder with a temporary name, in and beside the folders that detector writes to.

    The caller holds the lock of a run, so that no living process uses them.
    """
    folders = [Path(config.history.path), Path(config.report.directory)]
    if isinstance(config.source, HttpSource) and config.source.snapshots:
        folders.append(Path(config.source.snapshots))
    beside = list(folders)
    database = make_url(config.state.url)
    if database.get_backend_name() == "sqlite" and database.database not in (None, "", ":memory:"):
        beside.append(Path(str(database.database)))
    found: set[Path] = set()
    for folder in folders:
        found.update(folder.rglob(f".*{TEMPORARY_SUFFIX}"))
    for path in beside:
        found.update(path.parent.glob(f".{path.name}.*{TEMPORARY_SUFFIX}"))
    return sorted(found)


def remove(leftover: Path) -> None:
    """Remove a file or folder. Raises OSError."""
    if leftover.is_dir() and not leftover.is_symlink():
        shutil.rmtree(leftover)
    else:
        leftover.unlink(missing_ok=True)
