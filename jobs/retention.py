"""Retention: nights and reports older than they are to be kept are taken away."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from detector.config import Config
from detector.history import History
from detector.model import Night
from detector.pipeline import panel_depth
from detector.state import State


@dataclass(frozen=True)
class Pruned:
    """What was taken away, or would be: the nights of the history and those with reports, before ``before``."""

    before: date
    nights: tuple[date, ...]
    reports: tuple[date, ...]


def prune(config: Config, now: datetime, *, pretend: bool = False) -> Pruned:
    """Take away what is older than ``history.keep_nights`` before the last night, but never what judging reads.

    Findings, verdicts and mutes stay. Raises LockedError while a run is at work.
    """
    kept = max(config.history.keep_nights, config.history.first_pull_nights, panel_depth(config) + 1)
    before = Night.last_complete(now, config.zone).day - timedelta(days=kept)
    history = History(Path(config.history.path), config.zone)
    reports = _reports(Path(config.report.directory), before)
    old = Pruned(before, tuple(night for night in history.nights() if night < before), tuple(reports))
    if pretend:
        return old
    with closing(State(config.state.url)) as state, state.only_run():
        for night in old.nights:
            history.remove(night)
        for folder in reports.values():
            shutil.rmtree(folder)
    return old


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
