"""Rows whose time a database cannot read without doubt: their day is found here, from the text of the time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import date, datetime

import pandas as pd

from detector.model.day import Day
from detector.model.usage import INSTANT
from detector.sources.faults import NO_DAY, NO_TIME, SAMPLES, Observation, sample
from detector.sources.instants import day_of, from_micros, micros_of
from detector.sources.reading import each
from detector.sources.values import ValueRules, count_of, text_of
from detector.sources.windows import Window

_AMOUNTS = {"lines": "sum", "repeats": "sum", "last_used": "max"}


class UnreadRows:
    """The rows of a window whose time the database cannot read, by day, and those that have no usable time.

    ``events`` says whether ``written`` is the text of an instant, otherwise it is that of a day.
    """

    def __init__(self, rules: ValueRules, window: Window, *, events: bool) -> None:
        self._rules = rules
        self._window = window
        self._events = events
        self._starts = [day.start for day in window.days]
        self._groups: dict[date, pd.DataFrame] = {}
        self._clients: dict[tuple[date, str], set[str]] = {}
        self._undated = 0
        self._samples: set[str] = set()

    def add(self, rows: pd.DataFrame) -> None:
        """Add rows of ``statements.counts`` that have no day."""
        rows = rows.drop(columns=["on_day", "last_used"], errors="ignore")
        if self._events:
            instants = _instants(rows["written"], self._rules)
            rows["last_used"] = instants.astype(INSTANT)
            days = instants.map(self._day_of)
        else:
            days = _dates(rows["written"], self._rules)
        self._note(rows[days.isna()])
        inside = {day.date for day in self._window.days}
        for day, group in rows.groupby(days.where(days.isin(inside)), sort=False):
            self._keep(day, group)

    def with_those_of(self, day: Day, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows of a day, with the added rows of the day among them."""
        unread = self._groups.pop(day.date, None)
        return rows if unread is None else pd.concat([rows, unread], ignore_index=True)

    def clients_of(self, day: Day, counted: pd.DataFrame | None) -> pd.DataFrame | None:
        """key_id and client_count of a day. The larger number counts where rows of a key were added.

        Nobody knows how many of the added clients the database has counted too.
        """
        added = [(key, len(clients)) for (date, key), clients in self._clients.items() if date == day.date]
        if counted is None and not added:
            return None
        parts = [pd.DataFrame(added, columns=["key_id", "client_count"])]
        if counted is not None:
            keys = each(counted["key_id"], self._rules.key_of)
            parts.append(counted.assign(key_id=keys)[["key_id", "client_count"]])
        both = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
        return both.groupby("key_id")["client_count"].max().reset_index()

    def observations(self) -> Iterator[Observation]:
        """The rows that have no usable time."""
        reason = NO_TIME if self._events else NO_DAY
        count = self._undated
        for text in sorted(self._samples)[:SAMPLES]:
            yield Observation(None, reason, count, sample(text))
            # Another sample of the same rows, which are counted already.
            count = 0

    def _day_of(self, instant: datetime | None) -> date | None:
        """The day of an instant within the window, and some other day for an instant outside it."""
        if instant is None:
            return None
        if not self._window.start <= instant < self._window.end:
            return date.min
        return self._window.days[bisect_right(self._starts, instant) - 1].date

    def _keep(self, day: date, rows: pd.DataFrame) -> None:
        if "unread_client" in rows:
            for key, client in zip(rows["key_id"], rows["unread_client"], strict=True):
                owner = self._rules.key_of(key)
                if owner is not None and text_of(client) is not None:
                    self._clients.setdefault((day, owner), set()).add(str(text_of(client)))
        rows = rows.drop(columns=["written", "unread_client"], errors="ignore")
        parts = [rows] if day not in self._groups else [self._groups[day], rows]
        joined = pd.concat(parts, ignore_index=True)
        amounts = {name: how for name, how in _AMOUNTS.items() if name in joined}
        texts = [name for name in joined.columns if name not in amounts]
        self._groups[day] = joined.groupby(texts, dropna=False, sort=False).agg(amounts).reset_index()

    def _note(self, rows: pd.DataFrame) -> None:
        if rows.empty:
            return
        self._undated += int(rows["lines"].sum())
        name = "timestamp" if self._events else "day"
        written = rows["written"].map(lambda text: text_of(text) or "is empty")
        owners = rows["key_id"].map(lambda key: text_of(key) or "unknown")
        found = {f"{name} {text}, key {key}" for text, key in zip(written, owners, strict=True)}
        self._samples = set(sorted(self._samples | found)[:SAMPLES])


def instant_of(text: str | None, rules: ValueRules) -> datetime | None:
    """The instant that a text states; None where it is not usable."""
    micros = micros_of(text, rules.date_order)
    return None if micros is None else from_micros(micros)


def date_of(text: str | None, rules: ValueRules) -> date | None:
    """The day that a text states; None where it is not usable."""
    return None if text is None else day_of(text, rules.zone, rules.date_order)


def activity_of_instants(texts: pd.DataFrame, bound: Day, rules: ValueRules) -> pd.DataFrame:
    """``USED`` before a day from the key and the written instant of requests."""
    used = _instants(texts["written"], rules)
    rows = texts[["key_id"]].assign(first_day=None, last_day=None, first_used=used, last_used=used)
    return rows[used.map(lambda instant: instant is not None and instant < bound.start)]


def activity_of_written_days(texts: pd.DataFrame, bound: Day, rules: ValueRules) -> pd.DataFrame:
    """``USED`` before a day from the key, the written day and the count of daily rows."""
    days = _dates(texts["written"], rules)
    rows = texts[["key_id"]].assign(first_day=days, last_day=days, first_used=None, last_used=None)
    is_before = days.map(lambda day: day is not None and day < bound.date)
    if "request_count" in texts:
        is_before &= each(texts["request_count"], count_of).map(bool)
    return rows[is_before]


def _instants(written: pd.Series, rules: ValueRules) -> pd.Series:
    return each(written, lambda text: instant_of(text, rules))


def _dates(written: pd.Series, rules: ValueRules) -> pd.Series:
    return each(written, lambda text: date_of(text, rules))
