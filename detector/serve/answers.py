"""Answers of the by-key endpoint: prepared from the history once per question and version, and served in pages.

A question includes the organization that a token may see. A prepared answer holds every key as JSON, and a page
is a slice of it. The version of an answer follows from the file status of its days, so an ETag costs one ``stat``
per day. A cursor holds the version, so that a caller never gets pages of two versions.

Small and large questions are prepared apart, one of each at a time, so that a question of a day never waits for
one of a quarter. Among themselves the callers take turns.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import json
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from threading import Lock
from typing import Any
from urllib.parse import urlencode

import pyarrow.compute as pc
from cachetools import LRUCache

from detector.config.urls import BY_KEY_PATH
from detector.model.day import each_day
from detector.serve.lanes import Lane
from detector.serve.preparation import Preparation, Question
from detector.serve.problems import ProblemError, invalid, too_busy
from detector.usage.history import History

MEGABYTE = 1024 * 1024
MOST_DAYS = 1000
"""The organizations of so many days are remembered."""
SMALL_DAYS = 3
"""The most days of a small question."""
WORTH_COMPRESSING = 1024
VERSION = 1
"""The version of the JSON of an answer. It is part of every ETag."""


@dataclass(frozen=True)
class Prepared:
    """An answer: every key as JSON, in order."""

    keys: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """The approximate size of the answer in memory, in bytes."""
        return sum(map(len, self.keys)) + 50 * len(self.keys) + 100


@dataclass(frozen=True)
class Body:
    """The body of a page, plain and, for a page that is large enough, compressed with gzip."""

    plain: bytes
    compressed: bytes | None

    @property
    def size(self) -> int:
        """The approximate size of the body in memory, in bytes."""
        return len(self.plain) + len(self.compressed or b"") + 100


class Answers:
    """Has answers prepared, and caches the latest ones up to a number of bytes.

    ``small`` and ``large`` prepare the small and the large questions.
    """

    def __init__(self, history: History, cache_mb: int, small: Preparation, large: Preparation) -> None:
        half = max(cache_mb * MEGABYTE // 2, 1)
        self._history = history
        self._prepared: LRUCache[str, Prepared] = LRUCache(half, getsizeof=lambda prepared: prepared.size)
        self._bodies: LRUCache[tuple[str, int, int], Body] = LRUCache(half, getsizeof=lambda body: body.size)
        self._organizations: LRUCache[tuple[date, str | None], frozenset[str]] = LRUCache(MOST_DAYS)
        self._lock = Lock()
        self._small = small
        self._large = large
        self._small_lane: Lane[Prepared] = Lane()
        self._large_lane: Lane[Prepared] = Lane()

    def version(self, question: Question) -> str:
        """The version of the answer to a question: 32 hex digits that change with the question and its days.

        Raises ProblemError if a day is not stored, because its usage is unknown and not zero.
        """
        days = list(each_day(question.first, question.last))
        versions = [self._history.version(day) for day in days]
        lacking = [day for day, version in zip(days, versions, strict=True) if version is None]
        if lacking:
            shown = ", ".join(map(str, lacking[:5]))
            if len(lacking) > 5:
                shown += f" and {len(lacking) - 5} more"
            detail = f"The history does not hold {shown}. A day that is not stored is unknown, not zero."
            raise ProblemError(404, "day-not-stored", "A day is not stored", detail)
        document = json.dumps([VERSION, asdict(question), versions], default=str)
        return hashlib.sha256(document.encode()).hexdigest()[:32]

    def prepared(self, caller: str, question: Question, version: str) -> Prepared | Future[Prepared]:
        """The answer, or a future of it. Raises ProblemError if too many answers are prepared for the caller."""
        known = self._known(version)
        if known is not None:
            return known
        if not self._sees_keys(question):
            return Prepared(())
        if question.days <= SMALL_DAYS:
            work = partial(self._prepare, self._small, question, version)
            return self._small_lane.submit(caller, question.days, work)
        work = partial(self._prepare, self._large, question, version)
        return self._large_lane.submit(caller, question.days, work)

    def page(self, question: Question, version: str, prepared: Prepared, offset: int, limit: int) -> Body:
        """One page of a prepared answer."""
        place = (version, offset, limit)
        with self._lock:
            if (known := self._bodies.get(place)) is not None:
                return known
        plain = _page(question, version, prepared, offset, limit)
        compressed = gzip.compress(plain, 5, mtime=0) if len(plain) >= WORTH_COMPRESSING else None
        body = Body(plain, compressed)
        with self._lock:
            if body.size <= self._bodies.maxsize:
                self._bodies[place] = body
        return body

    def _known(self, version: str) -> Prepared | None:
        with self._lock:
            return self._prepared.get(version)

    def _sees_keys(self, question: Question) -> bool:
        """Whether the organization of a question has a key. An answer has the keys of its last day only."""
        if question.organization is None:
            return True
        day = (question.last, self._history.version(question.last))
        if day not in self._organizations:
            # The job may have stored the day again, so nothing that was read before may count.
            fresh = History(self._history.root, self._history.timezone)
            column = fresh.column(question.last, "organization")
            self._organizations[day] = frozenset(pc.unique(column).to_pylist())
        return question.organization in self._organizations[day]

    def _prepare(self, prepare: Preparation, question: Question, version: str) -> Prepared:
        # Another caller may have asked the same question before.
        known = self._known(version)
        if known is not None:
            return known
        prepared = Prepared(prepare(question))
        # A day that is stored again during the preparation would mix two versions in one answer.
        if self.version(question) != version:
            raise too_busy("A day was stored again while the answer was prepared.")
        with self._lock:
            if prepared.size <= self._prepared.maxsize:
                self._prepared[version] = prepared
        return prepared


def cursor(version: str, offset: int) -> str:
    """The cursor of a page: the version of the answer and the position of the page's first key."""
    return base64.urlsafe_b64encode(f"{version}.{offset}".encode()).decode().rstrip("=")


def offset_of(text: str, version: str) -> int:
    """The position in a cursor; ProblemError for an invalid cursor or one of another version."""
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
        given, _, offset = plain.partition(".")
        number = int(offset)
    except (ValueError, binascii.Error):
        raise invalid("cursor: not one that this endpoint gave") from None
    if given != version or number < 0:
        detail = "The cursor is of another question, or the days were stored again. Start with the first page."
        raise ProblemError(409, "answer-changed", "The answer changed", detail)
    return number


def _page(question: Question, version: str, prepared: Prepared, offset: int, limit: int) -> bytes:
    body = b'{"keys": [\n' + b",\n".join(prepared.keys[offset : offset + limit]) + b"\n], "
    rest: dict[str, Any] = {"total_keys": len(prepared.keys)}
    if offset + limit < len(prepared.keys):
        following = cursor(version, offset + limit)
        query = urlencode({**question.parameters(), "limit": limit, "cursor": following})
        rest |= {"next_cursor": following, "next": f"{BY_KEY_PATH}?{query}"}
    return body + json.dumps(rest)[1:].encode() + b"\n"
