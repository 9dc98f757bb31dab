"""Restore a backup: the state in one transaction, the folders beside the old ones and swapped by rename."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from detector.boundary.disk import TEMPORARY_SUFFIX, make_folder, whole_file
from detector.boundary.words import counted
from detector.config.config import Config
from detector.model.errors import BackupError, ConfigError
from detector.operations.upkeep.archive import Archive, describe
from detector.operations.upkeep.backup import snapshots_of
from detector.state.database import State
from detector.state.dump import count_rows, replaced
from detector.state.runs import only_run
from detector.usage.history import History


@dataclass(frozen=True)
class Contents:
    """How much there is: days and snapshots stored, rows in the state."""

    days: int
    snapshots: int
    rows: int

    def __str__(self) -> str:
        files = f"{counted(self.days, 'day')}, {counted(self.snapshots, 'snapshot')}"
        return f"{files} and {counted(self.rows, 'row')} of the state"


def restore_backup(config: Config, state: State, archive: Archive, *, replace: bool) -> Contents:
    """Put a backup into the configured places and say what it took the place of.

    Raises ConfigError where something is there already and ``replace`` is false, or where the backup belongs to
    another timezone, organization or source; LockedError while a run is at work. Where it fails, what was there
    is there again.
    """
    _require_same(config, archive)
    with only_run(state):
        former = contents(config, state)
        if former != Contents(0, 0, 0) and not replace:
            raise ConfigError(f"{former} are there already; --replace puts the backup in their place")
        try:
            _put_in_place(config, state, archive)
        except OSError as error:
            raise BackupError(f"nothing was restored: {error.filename}: {error.strerror}") from error
    return former


def contents(config: Config, state: State) -> Contents:
    """What the configured places hold now."""
    days = History(Path(config.history.path), config.zone).days()
    folder = snapshots_of(config)
    snapshots = list(folder.glob("*/day=*.json.gz")) if folder is not None else []
    return Contents(len(days), len(snapshots), count_rows(state))


def _require_same(config: Config, archive: Archive) -> None:
    """A day is bounded by its timezone, a finding known by its source, and keys are one organization's alone."""
    here = {
        "timezone": config.timezone,
        "organization": config.organization,
        "source.name": config.source.name,
    }
    for name, there in describe(archive.manifest).items():
        if here[name] != there:
            raise ConfigError(f"the backup was made with {name} {there!r}, the configuration says {here[name]!r}")
    if archive.within("snapshots") and snapshots_of(config) is None:
        raise ConfigError("the backup holds snapshots of running totals; source.kind must be http")


def _put_in_place(config: Config, state: State, archive: Archive) -> None:
    places = {"history": Path(config.history.path), "snapshots": snapshots_of(config)}
    with ExitStack() as written, ExitStack() as swaps:
        trees = {
            written.enter_context(_written_beside(archive, folder, place)): place
            for folder, place in places.items()
            if place is not None
        }
        tables = {
            member.name.removeprefix("state/").removesuffix(".ndjson"): archive.lines(member)
            for member in archive.within("state")
        }
        with replaced(state, archive.manifest.migrations, tables):
            for tree, place in trees.items():
                swaps.enter_context(_swapped(tree, place))


@contextmanager
def _written_beside(archive: Archive, folder: str, place: Path) -> Iterator[Path]:
    """The members of a folder, written next to where they belong; what is still there at the end goes."""
    make_folder(place.parent)
    with tempfile.TemporaryDirectory(
        dir=place.parent, prefix=f".{place.name}.", suffix=TEMPORARY_SUFFIX
    ) as scratch:
        tree = Path(scratch) / place.name
        make_folder(tree)
        for member in archive.within(folder):
            with whole_file(tree / member.name.removeprefix(f"{folder}/")) as file:
                for piece in archive.pieces(member):
                    file.write(piece)
        yield tree


@contextmanager
def _swapped(tree: Path, place: Path) -> Iterator[None]:
    """``tree`` in place of what stands at ``place``; where the block fails, the former stands there again."""
    former = None
    if place.exists():
        former = place.with_name(f"{place.name}.former-{os.getpid()}")
        place.rename(former)
    try:
        tree.rename(place)
        yield
    except BaseException:
        if place.exists():
            place.rename(tree)
        if former is not None:
            former.rename(place)
        raise
    if former is not None:
        shutil.rmtree(former)
