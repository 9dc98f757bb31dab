"""Answers from the history: prepared once per question and version of the days, served in pages.

Every key is encoded once per question, scope and version of the days; pages are slices of that. What a token may
see is part of the question. The version is made of the file status of the days, so an ETag costs one ``stat``
per day, and a cursor that carries the version cannot mix two versions. One thread prepares the answers: a burst
of expensive questions waits in line and costs the other clients only that one core.
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
WORTH_PACKING = 1024
VERSION = 1
"""Part of every ETag: an answer whose shape changes is another one."""
TEXTS = ("team", "application", "organization")


@dataclass(frozen=True)
class Question:
    """What is asked, and whose keys alone may be in the answer (None: everyone's)."""

    first: date
    last: date
    environment: str | None
    organization: str | None
    detail: bool

    def parameters(self) -> dict[str, str]:
        """The question as query parameters."""
        asked = {"from": self.first.isoformat(), "to": self.last.isoformat()}
        asked |= {"environment": self.environment} if self.environment else {}
        return asked | ({"detail": "true"} if self.detail else {})


@dataclass(frozen=True)
class Prepared:
    """An answer: every key as JSON, in order."""

    keys: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return sum(map(len, self.keys)) + 50 * len(self.keys) + 100


@dataclass(frozen=True)
class Body:
    """A page as it is sent, plain and, where that is worth it, packed."""

    plain: bytes
    packed: bytes | None

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return len(self.plain) + len(self.packed or b"") + 100


class Answers:
    """Prepares one answer at a time in a thread of its own and keeps the latest, bounded by bytes."""

    def __init__(self, history: History, cache_mb: int) -> None:
        half = max(cache_mb * MEGABYTE // 2, 1)
        self._history = history
        self._prepared: LRUCache[str, Prepared] = LRUCache(half, getsizeof=lambda prepared: prepared.size)
        self._bodies: LRUCache[tuple[str, int, int], Body] = LRUCache(half, getsizeof=lambda body: body.size)
        self._pending: dict[str, Future[Prepared]] = {}
        self._lock = Lock()
        self._worker = ThreadPoolExecutor(1, "answers")

    def version(self, question: Question) -> str:
        """A text that differs for every other question, scope and version of the days; costs a stat a day.

        Raises ProblemError where a day is not stored: it is unknown, not zero.
        """
        days = list(each_day(question.first, question.last))
        versions = [self._history.version(day) for day in days]
        if lacking := [day for day, version in zip(days, versions, strict=True) if version is None]:
            shown = ", ".join(map(str, lacking[:5])) + (f" and {len(lacking) - 5} more" if lacking[5:] else "")
            detail = f"The history does not hold {shown}. A day that is not stored is unknown, not zero."
            raise ProblemError(404, "day-not-stored", "A day is not stored", detail)
        document = json.dumps([VERSION, asdict(question), versions], default=str)
        return hashlib.sha256(document.encode()).hexdigest()[:32]

    def prepared(self, question: Question, version: str) -> Prepared | Future[Prepared]:
        """The answer, or the promise of it. Raises ProblemError when too many are waited for."""
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
        body = Body(plain, gzip.compress(plain, 5, mtime=0) if len(plain) >= WORTH_PACKING else None)
        with self._lock:
            if body.size <= self._bodies.maxsize:
                self._bodies[place] = body
        return body

    def _prepare(self, question: Question, version: str) -> Prepared:
        try:
            prepared = Prepared(tuple(_encoded(self._records(question), question.detail)))
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
        """The records of the period. Use of a key while it belonged to another organization is not in them."""
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
    """Where a page begins, bound to the version of the answer."""
    return base64.urlsafe_b64encode(f"{version}.{offset}".encode()).decode().rstrip("=")


def offset_of(text: str, version: str) -> int:
    """Where the page behind a cursor begins; ProblemError where it is none, or one of another answer."""
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
    """Every active key as JSON in plain ASCII, so that no name can do anything to whoever prints it."""
    keys = by_key_answer(records)["keys"]
    further = _further(in_answer_order(records)) if detail else ({} for _ in keys)
    for key, more in zip(keys, further, strict=True):
        yield json.dumps({**key, **more}, allow_nan=False).encode()


def _further(active: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """What else is known of each key, as far as it is."""
    texts = active[list(TEXTS)].astype("object").itertuples(index=False)
    others = active[["created_at", "deployments", "client_count"]].astype("object").itertuples(index=False)
    for named, (created, deployments, clients) in zip(texts, others, strict=True):
        known: dict[str, Any] = {
            name: text for name, text in zip(TEXTS, named, strict=True) if isinstance(text, str)
        }
        if (instant := format_instant(created)) is not None:
            known["created_at"] = instant
        if not pd.isna(clients):
            known["client_count"] = int(clients)
        places = map_of(deployments)
        yield known | ({"deployments": places} if places else {})
