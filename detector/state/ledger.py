"""The ledger of stored nights: what every file of the history is to be, kept in the state beside it.

A night is noted before its file takes its place. A process killed between the two leaves the file that was
there before, which the ledger still knows as the former one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import delete, insert, select

from detector.state.database import State
from detector.state.tables import stored_nights
from detector.usage.history import Stored


@dataclass(frozen=True)
class Entry:
    """A night as it was noted last, and the checksum of the file that it took the place of."""

    stored: Stored
    former: str | None


class StateLedger:
    """The ledger that a history writes, in the state."""

    def __init__(self, state: State) -> None:
        self._state = state

    def note(self, night: date, stored: Stored, replaced: str | None) -> None:
        """Note a night that is about to be put in place of the file with the checksum ``replaced``.

        That one is remembered only where it was known: a damaged file must not pass for a sound one.
        """
        row = {"night": night, **vars(stored)}
        with self._state.transaction() as connection:
            known = (
                connection.execute(select(stored_nights).where(stored_nights.c.night == night)).mappings().first()
            )
            sound = known is not None and replaced in (known["checksum"], known["former"])
            connection.execute(delete(stored_nights).where(stored_nights.c.night == night))
            connection.execute(insert(stored_nights).values(row | {"former": replaced if sound else None}))

    def forget(self, night: date) -> None:
        """A night was taken away on purpose."""
        with self._state.transaction() as connection:
            connection.execute(delete(stored_nights).where(stored_nights.c.night == night))

    def entries(self) -> dict[date, Entry]:
        """Every noted night, oldest first."""
        with self._state.transaction() as connection:
            rows = connection.execute(select(stored_nights).order_by(stored_nights.c.night)).mappings().all()
        return {row["night"]: _entry(dict(row)) for row in rows}


def _entry(row: Mapping[str, Any]) -> Entry:
    return Entry(Stored(row["checksum"], row["keys"], row["requests"]), row["former"])
