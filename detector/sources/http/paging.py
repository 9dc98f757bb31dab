"""The pages of a by-key endpoint: fetched with patience, within limits, and from no host but the named one."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from detector.boundary.http import (
    FOR_NOW,
    SENTENCES,
    Answer,
    AnsweredError,
    Client,
    CompressionError,
    NoAnswerError,
    TooLargeError,
    waiting,
)
from detector.boundary.masking import mask_tokens, without
from detector.boundary.retries import attempts
from detector.boundary.words import counted
from detector.config.source import HttpSource
from detector.model.errors import SourceError

PATIENCE = 10
"""A page may take this many timeouts in all, so that an answer that trickles ends too."""
MOST_REDIRECTS = 5
NOT_HELD = frozenset({404, 409, 410})
SHOWN = 200
LONGEST_REFUSAL = 64 * 1024
"""Bytes; an error document that is longer is not read."""
MEGABYTE = 1024 * 1024

_LOG = logging.getLogger(__name__)


class NotHeldError(Exception):
    """The endpoint answers, but holds nothing for what was asked (404, 409, 410, or no key at all)."""


class Page(BaseModel):
    """One page as it comes; its keys are looked at one by one later."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    keys: list[Any]
    total_keys: int | None = Field(None, ge=0)
    next: str | None = None
    next_cursor: str | int | None = None
    cursor: str | int | None = None


@dataclass
class Endpoint:
    """One by-key endpoint; as a context manager it keeps its connection between answers.

    ``monotonic`` tells seconds, ``now`` the time of day that a Retry-After is counted from.
    """

    config: HttpSource
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    _client: Client = field(init=False)

    def __enter__(self) -> Self:
        headers = {"Authorization": f"Bearer {self.config.token}", "Accept": "application/json"}
        self._client = Client(self.config.timeout, headers, self.monotonic)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.__exit__(kind, error, trace)

    def pages(self, parameters: Mapping[str, str]) -> Iterator[Page]:
        """Every page of the answer to one question, the first one first.

        Raises NotHeldError where the first page says that there is nothing, SourceError for all else.
        """
        asked = {**self.config.parameters, **parameters}
        url: httpx.URL | None = httpx.URL(self.config.url, params=asked)
        seen: set[str] = set()
        left = self.config.largest_answer_mb * MEGABYTE
        while url is not None:
            if str(url) in seen:
                raise self.error(f"page {len(seen) + 1} leads back to a page that was read already")
            if len(seen) == self.config.most_pages:
                pages = counted(len(seen), "page")
                raise self.error(f"more than {pages}", "if it is so large, raise source.most_pages")
            seen.add(str(url))
            body = self._body(url, left, first=len(seen) == 1)
            left -= len(body)
            page = self._page(body, len(seen))
            yield page
            url = self._next(url, page, asked)

    def error(self, problem: str, advice: str = "ask who runs the endpoint") -> SourceError:
        """What is wrong, where, and what to do; the token is in none of it."""
        text = f"source {self.config.name}: {self.config.url}: {problem}; {advice}"
        return SourceError(without(text, self.config.token))

    def _body(self, url: httpx.URL, most: int, first: bool) -> bytes:
        try:
            for attempt in attempts(self._wait, self.config.attempts, first_pause=0.5, longest_pause=30):
                with attempt:
                    return self._fetch(url, most)
        except AnsweredError as error:
            if first and error.status in NOT_HELD:
                raise NotHeldError(str(error)) from None
            raise self._refused(error) from None
        except NoAnswerError as error:
            raise self._failed(error) from None
        raise AssertionError("the last attempt returns or raises")

    def _wait(self, error: Exception) -> bool | float:
        wait = waiting(error, self.now())
        if wait is not False:
            _LOG.warning("source %s: %s; trying again", self.config.name, mask_tokens(str(error)))
        return wait

    def _fetch(self, url: httpx.URL, most: int) -> bytes:
        for _ in range(MOST_REDIRECTS):
            with self._client.request("GET", url) as answer:
                if answer.location is not None:
                    url = self._followed(url, answer.location, "redirects")
                    continue
                if answer.status == httpx.codes.OK:
                    return self._read(answer, most)
                raise AnsweredError(answer.status, _says(answer), answer.retry_after)
        raise self.error(f"more than {MOST_REDIRECTS} redirects")

    def _read(self, answer: Answer, most: int) -> bytes:
        try:
            return answer.read(most, PATIENCE * self.config.timeout)
        except CompressionError as error:
            raise self.error(str(error)) from None
        except TooLargeError:
            limit = f"more than {self.config.largest_answer_mb} MB"
            raise self.error(
                f"the answer has {limit}", "if it is so large, raise source.largest_answer_mb"
            ) from None

    def _page(self, body: bytes, number: int) -> Page:
        try:
            return Page.model_validate(json.loads(body))
        except ValidationError as error:
            first = error.errors()[0]
            path = ".".join(str(part) for part in first["loc"])
            what = "no JSON object" if not path else f"$.{path}: {first['msg'][0].lower()}{first['msg'][1:]}"
            raise self.error(f"page {number} is not a by-key answer: {what}") from None
        except (ValueError, RecursionError) as error:
            where = f" ({error.msg} at byte {error.pos:,})" if isinstance(error, json.JSONDecodeError) else ""
            raise self.error(f"page {number} is not JSON{where}") from None

    def _next(self, url: httpx.URL, page: Page, asked: Mapping[str, str]) -> httpx.URL | None:
        """Where the next page is: behind a link, or the same question with the cursor; None after the last."""
        if page.next:
            return self._followed(url, page.next, "leads to a next page")
        cursor = page.next_cursor if page.next_cursor is not None else page.cursor
        if cursor is None or cursor == "":
            return None
        return httpx.URL(self.config.url, params={**asked, "cursor": str(cursor)})

    def _followed(self, url: httpx.URL, link: str, how: str) -> httpx.URL:
        """The address behind a link, which must be on the same host and no less protected."""
        try:
            target = url.join(link).copy_with(fragment=None)
        except (httpx.InvalidURL, ValueError):
            raise self.error(f"it {how} at an address that is none") from None
        safer = url.scheme == "http" and target.scheme == "https"
        same = (target.scheme, target.port) == (url.scheme, url.port) or (safer and target.port is None)
        if target.host != url.host or not same or target.userinfo:
            place = mask_tokens(f"{target.scheme}://{target.netloc.decode('ascii', 'replace').rpartition('@')[2]}")
            raise self.error(
                f"it {how} at {place[:SHOWN]}, and the token is sent nowhere but to the host in source.url",
                "if that is where the endpoint is, name it in source.url",
            )
        return target

    def _refused(self, error: AnsweredError) -> SourceError:
        if error.status in ADVICE:
            return self.error(str(error), ADVICE[error.status])
        if error.status in FOR_NOW:
            return self.error(f"{error}, {counted(self.config.attempts, 'time')}", "run again later")
        advice = "check source.from_parameter, to_parameter, range and parameters"
        return self.error(str(error), f"{advice}, and history.first_pull_days where it does not reach back so far")

    def _failed(self, error: NoAnswerError) -> SourceError:
        problem = mask_tokens(str(error))[:SHOWN]
        if error.cause == "certificate":
            return self.error(
                f"{SENTENCES[error.cause]}: {problem}",
                "check the host in source.url, or name your authority's certificates in SSL_CERT_FILE",
            )
        kind = "no connection" if error.cause == "connection" else "broken off"
        return self.error(f"{kind}: {problem}", "check source.url and the network, or run again later")


ADVICE = {
    401: "the token is not accepted: check source.token, it may have expired or been revoked",
    403: "the token may not read this: ask for one that may read the usage of the organization",
    404: "check the path in source.url",
    409: "the answer changed while it was read: run again",
    410: "the answer changed while it was read: run again",
}
"""What to do about a status that trying again does not help."""


def _says(answer: Answer) -> str:
    """The title or detail of an error document, without anything that looks like a secret."""
    try:
        document = json.loads(answer.beginning(LONGEST_REFUSAL))
    except (ValueError, RecursionError):
        return ""
    if not isinstance(document, dict):
        return ""
    texts = [document.get(name) for name in ("detail", "title", "message", "error")]
    return mask_tokens(next((text for text in texts if isinstance(text, str) and text), ""))[:SHOWN]
