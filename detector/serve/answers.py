"""Answers of the by-key endpoint: prepared from the history once per question and version, and served in pages.

A question includes the organization that a token may see. A prepared answer holds every key as JSON, and a page
is a slice of it. The version of an answer follows from the file status of its days, so an ETag costs one ``stat``
per day. A cursor holds the version, so that a caller never gets pages of two versions. One thread prepares all
answers: expensive questions wait for each other and use only one core.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date
from threading import Lock
from typing import Any
from urllib.parse import urlencode

import pandas as pd
from cachetools import LRUCache

from detector.config.urls import BY_KEY_PATH
from detector.model.day import Day, each_day
from detector.serve.problems import ProblemError, invalid, too_busy
from detector.usage.aggregation import by_key_answer, format_instant, in_answer_order, map_of, period_records
from detector.usage.history import History

MEGABYTE = 1024 * 1024
MOST_WAITING = 16
WORTH_COMPRESSING = 1024
VERSION = 1
"""The version of the JSON of an answer. It is part of every ETag."""
TEXTS = ("team", "application", "organization")


@dataclass(frozen=True)
class Question:
    """The question of a request. ``organization`` restricts the answer to its keys; None allows all keys."""

    first: date
    last: date
    environment: str | None
    organization: str | None
    detail: bool

    def parameters(self) -> dict[str, str]:
        """The question as query parameters."""
        parameters = {"from": self.first.isoformat(), "to": self.last.isoformat()}
        if self.environment:
            parameters["environment"] = self.environment
        if self.detail:
            parameters["detail"] = "true"
        return parameters


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
    """Prepares one answer at a time in a thread of its own, and caches the latest ones up to a number of bytes."""

    def __init__(self, history: History, cache_mb: int) -> None:
        half = max(cache_mb * MEGABYTE // 2, 1)
        self._history = history
        self._prepared: LRUCache[str, Prepared] = LRUCache(half, getsizeof=lambda prepared: prepared.size)
        self._bodies: LRUCache[tuple[str, int, int], Body] = LRUCache(half, getsizeof=lambda body: body.size)
        self._pending: dict[str, Future[Prepared]] = {}
        self._lock = Lock()
        self._worker = ThreadPoolExecutor(1, "answers")

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

    def prepared(self, question: Question, version: str) -> Prepared | Future[Prepared]:
        """The answer, or a future of it. Raises ProblemError if too many answers are being prepared."""
        with self._lock:
            if (known := self._prepared.get(version)) is not None:
                return known
            if version not in self._pending:
                if len(self._pending) >= MOST_WAITING:
                    raise too_busy("Too many answers are being prepared.")
                self._pending[version] = self._worker.submit(self._prepare, question, version)
            return self._pending[version]

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

    def _prepare(self, question: Question, version: str) -> Prepared:
        try:
            prepared = Prepared(tuple(_encoded(self._records(question), question.detail)))
            # A day that is stored again during the preparation would mix two versions in one answer.
            if self.version(question) != version:
                raise too_busy("A day was stored again while the answer was prepared.")
            with self._lock:
                if prepared.size <= self._prepared.maxsize:
                    self._prepared[version] = prepared
            return prepared
        finally:
            with self._lock:
                self._pending.pop(version, None)

    def _records(self, question: Question) -> pd.DataFrame:
        """The records of the period, without the use of a key while it belonged to another organization."""
        days = [self._scoped(day, question) for day in each_day(question.first, question.last)]
        records = period_records(days, Day(question.last, self._history.timezone).end)
        if question.environment is None:
            return records
        return records[records["environment"] == question.environment]

    def _scoped(self, day: date, question: Question) -> pd.DataFrame:
        records = self._history.read(day)
        if question.organization is None:
            return records
        return records[(records["organization"] == question.organization).fillna(False).astype(bool)]


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


def _encoded(records: pd.DataFrame, detail: bool) -> Iterator[bytes]:
    """Every active key as JSON in plain ASCII, so that a terminal shows every name safely."""
    keys = by_key_answer(records)["keys"]
    details = _details(in_answer_order(records)) if detail else ({} for _ in keys)
    for key, more in zip(keys, details, strict=True):
        yield json.dumps({**key, **more}, allow_nan=False).encode()


def _details(active: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """The further known properties of each key."""
    texts = active[list(TEXTS)].astype("object").itertuples(index=False)
    others = active[["created_at", "deployments", "client_count"]].astype("object").itertuples(index=False)
    for named, (created, deployments, clients) in zip(texts, others, strict=True):
        known: dict[str, Any] = {}
        for name, text in zip(TEXTS, named, strict=True):
            if isinstance(text, str):
                known[name] = text
        if (instant := format_instant(created)) is not None:
            known["created_at"] = instant
        if not pd.isna(clients):
            known["client_count"] = int(clients)
        places = map_of(deployments)
        if places:
            known["deployments"] = places
        yield known
