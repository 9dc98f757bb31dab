"""Locations: which files hold a source's usage, and which of them hold that of some days.

A pattern may hold ``{year}``, ``{month}`` and ``{day}``. Then only the files of the days asked for are
opened, and of one day before and after them: names are mostly in UTC and days are local, and a rotated
file often carries the date on which it was closed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta

from detector.model.errors import SourceError
from detector.sources.files.compression import damage
from detector.sources.files.storage import Storage, as_expression, storage_of

NEIGHBOURS = timedelta(days=1)
_DIGITS = {"year": 4, "month": 2, "day": 2}
_PLACEHOLDER = re.compile(r"\{(year|month|day)\}")
_NEWEST_DAYS = 2

PORTION = 1000
"""Files from an object store that are copied at once where all days are asked for."""


@dataclass(frozen=True)
class Located:
    """A file: its path within a storage."""

    path: str
    storage: Storage


@dataclass(frozen=True)
class Missing:
    """A day without a file of its own: the day, and what its files would be called."""

    day: date
    pattern: str


class Locations:
    """The files that some patterns name. A pattern without any file is an error."""

    def __init__(self, patterns: str | Iterable[str], source: str) -> None:
        self._source = source
        texts = [patterns] if isinstance(patterns, str) else patterns
        self._patterns = [_pattern(text, source) for text in texts]

    def everything(self) -> list[Located]:
        """All files, whatever their day."""
        return _sorted(located for pattern in self._patterns for located in self._all(pattern))

    def until(self, last: date) -> list[Located]:
        """The files of all days up to this one, and of the day after it, and those of no certain day."""
        days = [self._days(pattern) for pattern in self._patterns]
        return _sorted(
            one for found in days for one, day in found.items() if day is None or day <= last + NEIGHBOURS
        )

    def between(self, first: date, last: date) -> tuple[list[Located], list[Missing]]:
        """The files of the days from first to last and their neighbours, and the days that have none."""
        found: list[Located] = []
        missing: list[Missing] = []
        for pattern in self._patterns:
            if not pattern.dated:
                found += self._all(pattern)
                continue
            names = dict.fromkeys(pattern.on(day) for day in _days(first - NEIGHBOURS, last + NEIGHBOURS))
            files = {name: pattern.located(name) for name in names}
            if not any(files.values()):
                self._all(pattern)
            found += [one for there in files.values() for one in there]
            missing += [Missing(day, pattern.on(day)) for day in _days(first, last) if not files[pattern.on(day)]]
        return _sorted(found), missing

    def newest_first(self) -> Iterator[list[Located]]:
        """The files of the latest two days with those of no certain day, then those of the two days before."""
        days = {one: day for pattern in self._patterns for one, day in self._days(pattern).items()}
        dated = sorted({day for day in days.values() if day is not None}, reverse=True)
        undated = [one for one, day in days.items() if day is None]
        for start in range(0, max(len(dated), 1), _NEWEST_DAYS):
            newest = dated[start : start + _NEWEST_DAYS]
            yield _sorted([one for one, day in days.items() if day in newest] + (undated if start == 0 else []))

    def _all(self, pattern: _Pattern) -> list[Located]:
        found = pattern.located(pattern.any_day)
        if not found:
            raise SourceError(f"source {self._source}: no file matches {pattern.text}; check the path")
        return found

    def _days(self, pattern: _Pattern) -> dict[Located, date | None]:
        """Every file with the first day that its name says; names of days that are none are left out."""
        found = self._all(pattern)
        if not pattern.dated:
            return dict.fromkeys(found)
        days = {one: pattern.day_in(one.path) for one in found}
        return {one: day for one, day in days.items() if day is not None}


def portions(files: Sequence[Located]) -> Iterator[list[Located]]:
    """The files on disk all at once, those from elsewhere so many at a time that their copies find room."""
    here = [one for one in files if one.storage.on_disk]
    elsewhere = [one for one in files if not one.storage.on_disk]
    if here or not elsewhere:
        yield here
    for start in range(0, len(elsewhere), PORTION):
        yield elsewhere[start : start + PORTION]


def brought(files: Sequence[Located], folder: str, source: str) -> tuple[str, ...]:
    """The files on disk, known to be whole. DuckDB does not verify checksums of compressed files, and would
    stop short in silence."""
    places: dict[Located, str] = {}
    for storage in dict.fromkeys(one.storage for one in files):
        there = [one for one in files if one.storage == storage]
        places |= zip(there, storage.bring([one.path for one in there], folder), strict=True)
    with ThreadPoolExecutor() as pool:
        for one, problem in zip(places, pool.map(damage, places.values()), strict=True):
            if problem:
                raise SourceError(f"source {source}: cannot read {one.path}: {problem}; restore it or take it out")
    return tuple(places.values())


@dataclass(frozen=True)
class _Pattern:
    """A pattern within a storage, with or without placeholders for the day."""

    storage: Storage
    text: str

    @property
    def dated(self) -> bool:
        return _PLACEHOLDER.search(self.text) is not None

    @property
    def any_day(self) -> str:
        """With digits for every placeholder."""
        return _PLACEHOLDER.sub(lambda match: "[0-9]" * _DIGITS[match.group(1)], self.text)

    def on(self, day: date) -> str:
        """With the placeholders of a day."""
        values = {"year": f"{day:%Y}", "month": f"{day:%m}", "day": f"{day:%d}"}
        return _PLACEHOLDER.sub(lambda match: values[match.group(1)], self.text)

    def located(self, pattern: str) -> list[Located]:
        return [Located(path, self.storage) for path in self.storage.matches(pattern)]

    def day_in(self, path: str) -> date | None:
        """The day in a path, the first one where it says a month or a year."""
        found = self._expression.fullmatch(path)
        values = {name: int(value) for name, value in (found.groupdict() if found else {}).items()}
        try:
            return date(values["year"], values.get("month", 1), values.get("day", 1))
        except (KeyError, ValueError):
            return None

    @property
    def _expression(self) -> re.Pattern[str]:
        """The pattern with a group for each kind of placeholder; one that stands twice must agree."""
        pieces = _PLACEHOLDER.split(self.text)
        seen: set[str] = set()
        expression = ""
        for place, piece in enumerate(pieces):
            if place % 2 == 0:
                expression += as_expression(piece).pattern
            else:
                expression += f"(?P={piece})" if piece in seen else rf"(?P<{piece}>\d{{{_DIGITS[piece]}}})"
                seen.add(piece)
        return re.compile(expression)


def _pattern(text: str, source: str) -> _Pattern:
    named = _PLACEHOLDER.findall(text)
    for name, needed in (("month", "year"), ("day", "month")):
        if name in named and needed not in named:
            raise SourceError(f"source {source}: {text} says {{{name}}} without {{{needed}}}; name both")
    return _Pattern(*storage_of(text))


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _sorted(files: Iterable[Located]) -> list[Located]:
    """Each file once, in order."""
    return sorted(set(files), key=lambda one: (repr(one.storage), one.path))
