"""Which rows of the state may be deleted, so that evaluating any kept day again gives the same result."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, Table, func

from detector.state.database import State
from detector.state.messages import COVERED, FAILED, SENT
from detector.state.rows import OwnRows
from detector.state.tables import outbox, run_stages, runs, sightings, stored_days


@dataclass(frozen=True)
class PrunedState:
    """The numbers of rows that were deleted, or would be."""

    runs: int
    messages: int
    sightings: int


def prune_state(state: State, before: date, started_before: datetime, *, pretend: bool = False) -> PrunedState:
    """Take away old runs, settled messages and sightings, and what is noted of days that are gone.

    The latest run stays. Of each finding the latest sighting before the bound stays too, so that a recurrence
    after years still knows its episode. Messages that wait, and failures that no report has named, stay; so do
    judged days, which are small and say since when a finding is closed.
    """
    count = _count if pretend else OwnRows.delete
    with state.transaction() as rows:
        run_ids = rows.query(runs, runs.c.run_id)
        latest_run = run_ids.order_by(runs.c.started_at.desc()).limit(1).scalar_subquery()
        old_runs = (runs.c.started_at < started_before) & (runs.c.run_id != latest_run)
        doomed = {
            run_stages: run_stages.c.run_id.in_(run_ids.where(old_runs)),
            runs: old_runs,
            outbox: (outbox.c.day < before) & _settled(),
            sightings: _superseded(rows, before),
            stored_days: stored_days.c.day < before,
        }
        gone = {table: count(rows, table, which) for table, which in doomed.items()}
    return PrunedState(gone[runs], gone[outbox], gone[sightings])


def _settled() -> ColumnElement[bool]:
    return outbox.c.status.in_([SENT, COVERED]) | ((outbox.c.status == FAILED) & outbox.c.told)


def _superseded(rows: OwnRows, before: date) -> ColumnElement[bool]:
    """The sightings before the bound for which the same finding has a later sighting, also before the bound."""
    later = sightings.alias("later")
    newest = rows.query(later, func.max(later.c.day)).where(
        later.c.finding_id == sightings.c.finding_id, later.c.day < before
    )
    return (sightings.c.day < before) & (sightings.c.day < newest.scalar_subquery())


def _count(rows: OwnRows, table: Table, which: ColumnElement[bool]) -> int:
    return int(rows.execute(rows.query(table, func.count()).where(which)).scalar_one())
