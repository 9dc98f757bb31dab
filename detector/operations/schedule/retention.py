"""Retention: delete days, reports and rows of the state that are older than ``history.keep_days``."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from detector.config.config import Config
from detector.model.day import Day
from detector.pipeline import kept_from
from detector.reports.folders import day_folders
from detector.state.database import State
from detector.state.ledger import StateLedger
from detector.state.pruning import PrunedState, prune_state
from detector.state.runs import only_run
from detector.usage.history import History


@dataclass(frozen=True)
class Pruned:
    """What was taken away, or would be: days of the history, days with reports, rows of the state."""

    before: date
    days: tuple[date, ...]
    reports: tuple[date, ...]
    state: PrunedState


def remove_old(config: Config, now: datetime, *, pretend: bool = False) -> Pruned:
    """Take away what is older than ``history.keep_days`` before the last day, but never what judging reads.

    Verdicts and mutes stay, and the latest of what was seen of a finding. Raises LockedError while a run is at
    work.
    """
    with closing(State.of(config)) as state:
        history = History(Path(config.history.path), config.zone, StateLedger(state))
        before = _bound(config, history, now)
        started_before = Day(before, config.zone).start.astimezone(UTC)
        days = tuple(day for day in history.days() if day < before)
        reports = _reports(Path(config.report.directory), before)
        if pretend:
            rows = prune_state(state, before, started_before, pretend=True)
            return Pruned(before, days, tuple(reports), rows)
        with only_run(state):
            for day in days:
                history.remove(day)
            for folder in reports.values():
                shutil.rmtree(folder)
            rows = prune_state(state, before, started_before)
    return Pruned(before, days, tuple(reports), rows)


def _bound(config: Config, history: History, now: datetime) -> date:
    """The first day that is kept: by the clock, or by the newest day with requests where that is long ago,
    so that a clock that ran ahead takes no history away."""
    used = (day for day in reversed(history.days()) if history.notes(day).last_use is not None)
    newest = next(used, None)
    if newest is None:
        return kept_from(config, now)
    return min(kept_from(config, now), kept_from(config, Day(newest, config.zone).end))


def _reports(directory: Path, before: date) -> dict[date, Path]:
    """The folders of days before one. A link is left alone: what it leads to may belong to somebody else."""
    folders = day_folders(directory)
    return {day: folder for day, folder in folders.items() if day < before and not folder.is_symlink()}
