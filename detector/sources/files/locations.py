"""Locations: the files that hold a source's usage, and those that hold the usage of given days.

A pattern may hold ``{year}``, ``{month}`` and ``{day}``. Then the reader opens only the files of the days
that are read, and those of one day before and one day after.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from detector.model.errors import MisconfiguredSourceError
from detector.sources.files.storage import Storage, as_expression, storage_of

# Names of files are mostly in UTC and days are local; and a rotated file often has the date of its rotation.
# So the rows of a day may lie in a file that is named after the day before or after it.
MARGIN = timedelta(days=1)

_DIGITS = {"year": 4, "month": 2, "day": 2}
_PLACEHOLDER = re.compile(r"\{(year|month|day)\}")

# The files of the latest day may still be empty, so the watermark is searched in two days at a time.
_DAYS_AT_ONCE = 2

DOWNLOAD_BATCH = 1000
"""The number of files that are downloaded at once where the files of all days are read."""


@dataclass(frozen=True)
class SourceFile:
    """A file: its path within a storage."""

    path: str
    storage: Storage


@dataclass(frozen=True)
class MissingDay:
    """A day without a file of its own: the day, and the name that its files have."""

    day: date
    pattern: str


class Locations:
    """The files that some patterns name. A pattern that matches no file is a MisconfiguredSourceError."""

    def __init__(self, patterns: str | Iterable[str], source: str) -> None:
        self._source = source
        texts = [patterns] if isinstance(patterns, str) else patterns
        self._patterns = [_pattern(text, source) for text in texts]

    def all_files(self) -> list[SourceFile]:
        """All files of all days."""
        found: list[SourceFile] = []
        for pattern in self._patterns:
            found += self._files(pattern)
        return _sorted(found)

    def until(self, last: date) -> list[SourceFile]:
        """The files of all days up to one, of the day after it, and the files whose names hold no day."""
        wanted = []
        for pattern in self._patterns:
            for file, day in self._first_days(pattern).items():
                if day is None or day <= last + MARGIN:
                    wanted.append(file)
        return _sorted(wanted)

    def between(self, first: date, last: date) -> tuple[list[SourceFile], list[MissingDay]]:
        """The files of the days from first to last, with one day's margin, and the days that have no file."""
        found: list[SourceFile] = []
        missing: list[MissingDay] = []
        for pattern in self._patterns:
            if not pattern.is_dated:
                found += self._files(pattern)
                continue
            # A pattern without {day} has the same name for all days of a month.
            names = dict.fromkeys(pattern.on(day) for day in _days(first - MARGIN, last + MARGIN))
            files = {name: pattern.find(name) for name in names}
            if not any(files.values()):
                # These days may have no files. A pattern that no file at all matches is misspelt: an error.
                self._files(pattern)
            for matches in files.values():
                found += matches
            for day in _days(first, last):
                if not files[pattern.on(day)]:
                    missing.append(MissingDay(day, pattern.on(day)))
        return _sorted(found), missing

    @property
    def are_dated(self) -> bool:
        """Whether every pattern names a day, so that the files of a day can be told."""
        return all("{day}" in pattern.text for pattern in self._patterns)

    def day_of(self, file: SourceFile) -> date | None:
        """The day that the name of a file means; None where the patterns name no day."""
        days = [pattern.day_in(file.path) for pattern in self._patterns if "{day}" in pattern.text]
        return next((day for day in days if day is not None), None)

    def newest_first(self) -> Iterator[list[SourceFile]]:
        """The files of the latest two days and those without a day, then the files of the two days before, ..."""
        first_days: dict[SourceFile, date | None] = {}
        for pattern in self._patterns:
            first_days |= self._first_days(pattern)
        days = sorted({day for day in first_days.values() if day is not None}, reverse=True)
        undated = [file for file, day in first_days.items() if day is None]
        for start in range(0, max(len(days), 1), _DAYS_AT_ONCE):
            newest = days[start : start + _DAYS_AT_ONCE]
            files = [file for file, day in first_days.items() if day in newest]
            if start == 0:
                files += undated
            yield _sorted(files)

    def _files(self, pattern: _Pattern) -> list[SourceFile]:
        found = pattern.find(pattern.any_day)
        if not found:
            problem = f"no file matches {pattern.text}; check the path"
            if pattern.storage.is_local and os.path.isdir(pattern.text):
                problem = (
                    f"{pattern.text} is a folder; name the files in it, as in {pattern.text.rstrip('/')}/*.jsonl"
                )
            raise MisconfiguredSourceError(f"source {self._source}: {problem}")
        return found

    def _first_days(self, pattern: _Pattern) -> dict[SourceFile, date | None]:
        """Every file and the first day that its name means; a name with an impossible day is left out."""
        found = self._files(pattern)
        if not pattern.is_dated:
            return dict.fromkeys(found)
        days: dict[SourceFile, date | None] = {}
        for file in found:
            day = pattern.day_in(file.path)
            if day is not None:
                days[file] = day
        return days


def download_batches(files: Sequence[SourceFile]) -> Iterator[list[SourceFile]]:
    """All local files at once, then the others in batches whose copies fit on the disk."""
    local = [file for file in files if file.storage.is_local]
    remote = [file for file in files if not file.storage.is_local]
    if local or not remote:
        yield local
    for start in range(0, len(remote), DOWNLOAD_BATCH):
        yield remote[start : start + DOWNLOAD_BATCH]


def local_paths(files: Sequence[SourceFile], folder: str) -> dict[SourceFile, str]:
    """The paths of the files on disk; remote files are downloaded to the folder."""
    paths: dict[SourceFile, str] = {}
    for storage in dict.fromkeys(file.storage for file in files):
        group = [file for file in files if file.storage == storage]
        paths |= zip(group, storage.download([file.path for file in group], folder), strict=True)
    return paths


@dataclass(frozen=True)
class _Pattern:
    """A pattern within a storage, with or without placeholders for the day."""

    storage: Storage
    text: str

    @property
    def is_dated(self) -> bool:
        return _PLACEHOLDER.search(self.text) is not None

    @property
    def any_day(self) -> str:
        """The pattern that matches the files of all days."""
        return _PLACEHOLDER.sub(lambda match: "[0-9]" * _DIGITS[match.group(1)], self.text)

    def on(self, day: date) -> str:
        """The pattern that matches the files of one day."""
        values = {"year": f"{day:%Y}", "month": f"{day:%m}", "day": f"{day:%d}"}
        return _PLACEHOLDER.sub(lambda match: values[match.group(1)], self.text)

    def find(self, pattern: str) -> list[SourceFile]:
        return [SourceFile(path, self.storage) for path in self.storage.find(pattern)]

    def day_in(self, path: str) -> date | None:
        """The first day of the day, month or year in a path; None where the path holds no possible day."""
        match = self._expression.fullmatch(path)
        if match is None:
            return None
        values = {name: int(value) for name, value in match.groupdict().items()}
        try:
            return date(values["year"], values.get("month", 1), values.get("day", 1))
        except (KeyError, ValueError):
            return None

    @property
    def _expression(self) -> re.Pattern[str]:
        """The pattern as a regular expression with one group for each kind of placeholder."""
        # Split at its placeholders, the pattern is text, placeholder, text, placeholder, ...
        pieces = _PLACEHOLDER.split(self.text)
        named: set[str] = set()
        expression = ""
        for position, piece in enumerate(pieces):
            if position % 2 == 0:
                expression += as_expression(piece).pattern
            elif piece in named:
                # The same placeholder again must have the same value.
                expression += f"(?P={piece})"
            else:
                expression += rf"(?P<{piece}>\d{{{_DIGITS[piece]}}})"
                named.add(piece)
        return re.compile(expression)


def _pattern(text: str, source: str) -> _Pattern:
    placeholders = _PLACEHOLDER.findall(text)
    for name, needed in (("month", "year"), ("day", "month")):
        if name in placeholders and needed not in placeholders:
            raise MisconfiguredSourceError(
                f"source {source}: {text} has {{{name}}} without {{{needed}}}; write both"
            )
    return _Pattern(*storage_of(text))


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _sorted(files: Iterable[SourceFile]) -> list[SourceFile]:
    """Each file once, in order, also a file that several names lead to: a link would count its records twice."""
    places: dict[tuple[Storage, str], SourceFile] = {}
    for file in sorted(set(files), key=lambda file: (repr(file.storage), file.path)):
        place = os.path.realpath(file.path) if file.storage.is_local else file.path
        places.setdefault((file.storage, place), file)
    return list(places.values())
