"""Retention: nights, reports and rows of the state older than they are to be kept are taken away."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from detector import state_pruning
from detector.config import Config
from detector.history import History
from detector.ledger import StateLedger
from detector.model import Night
from detector.pipeline import kept_from
from detector.state import State
from detector.state_pruning import PrunedState


@dataclass(frozen=True)
class Pruned:
    """What was taken away, or would be: nights of the history, nights with reports, rows of the state."""

    before: date
    nights: tuple[date, ...]
    reports: tuple[date, ...]
    state: PrunedState


def prune(config: Config, now: datetime, *, pretend: bool = False) -> Pruned:
    """Take away what is older than ``history.keep_nights`` before the last night, but never what judging reads.

    Verdicts and mutes stay, and the latest of what was seen of a finding. Raises LockedError while a run is at
    work.
    """
    before = kept_from(config, now)
    started_before = Night(before, config.zone).start.astimezone(UTC)
    with closing(State(config.state.url)) as state:
        history = History(Path(config.history.path), config.zone, StateLedger(state))
        nights = tuple(night for night in history.nights() if night < before)
        reports = _reports(Path(config.report.directory), before)
        if pretend:
            with state.transaction() as connection:
                rows = state_pruning.prune(connection, before, started_before, pretend=True)
            return Pruned(before, nights, tuple(reports), rows)
        with state.only_run():
            for night in nights:
                history.remove(night)
            for folder in reports.values():
                shutil.rmtree(folder)
            with state.transaction() as connection:
                rows = state_pruning.prune(connection, before, started_before)
    return Pruned(before, nights, tuple(reports), rows)


def _reports(directory: Path, before: date) -> dict[date, Path]:
    """The folders of nights before one, by night; whatever else lies there is none of ours."""
    found = {}
    for folder in sorted(directory.glob("????-??-??")):
        try:
            night = date.fromisoformat(folder.name)
        except ValueError:
            continue
        if night < before and folder.is_dir() and not folder.is_symlink():
            found[night] = folder
    return found
