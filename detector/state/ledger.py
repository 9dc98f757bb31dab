"""The ledger of stored days: checksum and counts of every file of the history, kept in the state.

The history does not know the state. It first records the new file's checksum and counts in a ledger, and then
replaces the file. After a crash between these two steps the history still has the earlier file, and the ledger
still has its checksum as the former one. The ledger never records a damaged file as the former one. A file with a
wrong checksum is not parsed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from detector.state.database import State
from detector.state.tables import stored_days
from detector.usage.history import StoredDay


@dataclass(frozen=True)
class NotedDay:
    """The latest record of a day, and the checksum of the file that the day's file replaced."""

    stored: StoredDay
    former: str | None


class StateLedger:
    """A ledger of a history in the state."""

    def __init__(self, state: State) -> None:
        self._state = state

    def note(self, day: date, stored: StoredDay, replaced: str | None) -> None:
        """Record a day before its file replaces the one with the checksum ``replaced``.

        That one is remembered only where it was known: a damaged file must not pass for a sound one.
        """
        row = {"day": day, **vars(stored)}
        with self._state.transaction() as rows:
            known = rows.execute(rows.query(stored_days).where(stored_days.c.day == day)).mappings().first()
            sound = known is not None and replaced in (known["checksum"], known["former"])
            rows.delete(stored_days, stored_days.c.day == day)
            rows.insert(stored_days, [row | {"former": replaced if sound else None}])

    def forget(self, day: date) -> None:
        """Delete the record of a day that was removed on purpose."""
        with self._state.transaction() as rows:
            rows.delete(stored_days, stored_days.c.day == day)

    def noted(self) -> dict[date, NotedDay]:
        """Every recorded day, oldest first."""
        with self._state.reading() as rows:
            found = rows.execute(rows.query(stored_days).order_by(stored_days.c.day)).mappings().all()
        return {row["day"]: _noted(row) for row in found}


def _noted(row: Any) -> NotedDay:
    return NotedDay(StoredDay(row["checksum"], row["keys"], row["requests"]), row["former"])
