"""What processes that were killed left half-written beside what they were writing."""

from __future__ import annotations

import shutil
from pathlib import Path

from sqlalchemy.engine import make_url

from detector.boundary.disk import SCRAP
from detector.config.config import Config
from detector.config.source import HttpSource


def scraps(config: Config) -> list[Path]:
    """Every file and folder under a temporary name of ours, in and beside the places that are written to.

    Only while the lock of a run is held are they surely nobody's.
    """
    folders = [Path(config.history.path), Path(config.report.directory)]
    if isinstance(config.source, HttpSource) and config.source.snapshots:
        folders.append(Path(config.source.snapshots))
    beside = list(folders)
    database = make_url(config.state.url)
    if database.get_backend_name() == "sqlite" and database.database not in (None, "", ":memory:"):
        beside.append(Path(str(database.database)))
    found = {scrap for folder in folders for scrap in folder.rglob(f".*{SCRAP}")}
    return sorted(found | {scrap for path in beside for scrap in path.parent.glob(f".{path.name}.*{SCRAP}")})


def remove(scrap: Path) -> None:
    """Remove one. Raises OSError."""
    if scrap.is_dir() and not scrap.is_symlink():
        shutil.rmtree(scrap)
    else:
        scrap.unlink(missing_ok=True)
