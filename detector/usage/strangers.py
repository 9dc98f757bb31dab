"""Strangers: names of keys that anybody can invent, and how many of them a day holds.

A request may carry any text as its key, and a source counts it. So what a name can do to the history is bounded:

- **With a register** a stranger is a key that the register does not hold and did not hold lately. The
  ``MOST_STRANGERS`` with most requests have a record of their own. A stranger without requests on a day has none.
- **Without a register** every key is seen for the first time once. A *new* name was first used within the last
  ``NEW_DAYS``. A day holds at most as many of them as there are older ones, and ``FEWEST_NEW`` at least. The
  first ``NEW_DAYS`` of a source have no bound, because all its names are new.

All other strangers with requests count together in one record, whose key id is ``OTHER_KEYS``. So no request is
missing from a total. A name that nobody has seen for ``KEPT_DAYS`` leaves the history.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.model.day import Day

OTHER_KEYS = "(other keys)"
"""The key id of the record in which strangers count together. No source can hold a key of this name."""
MOST_STRANGERS = 100
FEWEST_NEW = 10_000
NEW_DAYS = 28
KEPT_DAYS = 400


def counted_together(
    measured: pd.DataFrame, register: pd.DataFrame, known: pd.DataFrame, day: Day
) -> NDArray[np.bool_]:
    """Whether each key with requests on a day counts under ``OTHER_KEYS``.

    ``register`` holds the keys that exist by the end of the day. The busiest strangers stand for themselves, ties
    by key id.
    """
    if register.empty:
        is_stranger = ~measured["key_id"].isin(known.loc[~_is_new(known, day), "key_id"])
        most = _most_new(known, day)
    else:
        was_registered = known.loc[_was_registered(known, day), "key_id"]
        is_stranger = ~measured["key_id"].isin(register["key_id"]) & ~measured["key_id"].isin(was_registered)
        most = MOST_STRANGERS
    together = np.zeros(len(measured), dtype=np.bool_)
    strangers = np.flatnonzero(is_stranger)
    if most is None or len(strangers) <= most:
        return together
    ranked = measured.iloc[strangers].assign(place=strangers)
    ranked = ranked.sort_values(["request_count", "key_id"], ascending=[False, True])
    together[ranked["place"].to_numpy()[most:]] = True
    return together


def remembered(known: pd.DataFrame, register: pd.DataFrame, measured: pd.DataFrame, day: Day) -> pd.DataFrame:
    """The rows of ``known`` whose keys have a record on a day also where they have no request."""
    was_registered = _was_registered(known, day)
    if not register.empty:
        return known[was_registered]
    is_new = _is_new(known, day)
    lasting = was_registered | (_seen_lately(known, day) & ~is_new)
    most = _most_new(known, day)
    new = known[is_new & _seen_lately(known, day)]
    if most is not None:
        used = measured["key_id"]
        free = max(most - int((~used.isin(known.loc[~is_new, "key_id"])).sum()), 0)
        silent = new[~new["key_id"].isin(used)]
        new = silent.sort_values(["last_seen", "key_id"], ascending=[False, True]).head(free)
    return pd.concat([known[lasting], new])


def _most_new(known: pd.DataFrame, day: Day) -> int | None:
    """How many new names a day without a register holds; None where all names are new."""
    older = int((~_is_new(known, day) & _seen_lately(known, day)).sum())
    return max(older, FEWEST_NEW) if older else None


def _is_new(known: pd.DataFrame, day: Day) -> pd.Series[bool]:
    """Whether each known key was first used lately and was in no register."""
    is_older = known["first_seen"] <= day.date - timedelta(days=NEW_DAYS)
    return ~is_older.fillna(False).astype(bool) & ~_was_registered(known, day)


def _was_registered(known: pd.DataFrame, day: Day) -> pd.Series[bool]:
    since = known["last_registered"] >= day.date - timedelta(days=KEPT_DAYS)
    return since.fillna(False).astype(bool)


def _seen_lately(known: pd.DataFrame, day: Day) -> pd.Series[bool]:
    last = known["last_seen"] >= day.start - timedelta(days=KEPT_DAYS)
    # A source may not tell the instant of the last use.
    first = known["first_seen"] >= day.date - timedelta(days=KEPT_DAYS)
    return (last.fillna(False) | first.fillna(False)).astype(bool)
