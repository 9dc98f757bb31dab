"""The pages of a by-key endpoint: read with repeated attempts, within limits, and only from the configured host.

The token goes with every request. So a link or a redirect to another host, or from https to http, is an error.
"""

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
from detector.boundary.masking import mask_tokens
from detector.boundary.retries import attempts
from detector.boundary.words import counted
from detector.config.source import HttpSource
from detector.model.errors import MisconfiguredSourceError, SourceError

MOST_REDIRECTS = 5
LARGEST_TOTAL = 10**12
"""A larger number is an overflow or a mistake, be it a count of keys or one of requests since a key was made."""
NOT_HELD = frozenset({404, 409, 410})
SHOWN = 200
"""Characters of a foreign text that an error shows."""
LONGEST_REFUSAL = 64 * 1024
"""Bytes. A longer error document is not explained."""
MEGABYTE = 1024 * 1024

_LOG = logging.getLogger(__name__)


class NotHeldError(Exception):
    """The endpoint holds no usage for the question: it answers with 404, 409, 410, or without any key.

    ``status`` is None where it answers without any key.
    """

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class Page(BaseModel):
    """One page of an answer. Its keys are not checked yet."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    keys: list[Any]
    total_keys: int | None = Field(None, ge=0, le=LARGEST_TOTAL)
    next: str | None = None
    next_cursor: str | int | None = None
    cursor: str | int | None = None


@dataclass
class Endpoint:
    """One by-key endpoint. As a context manager it uses one connection for all answers.

    ``now`` is the time from which a date in Retry-After is counted.
    """

    config: HttpSource
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _client: Client = field(init=False)

    def __enter__(self) -> Self:
        headers = {"Authorization": f"Bearer {self.config.token}", "Accept": "application/json"}
        self._client = Client(self.config.timeout, headers)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.__exit__(kind, error, trace)

    def pages(self, parameters: Mapping[str, str]) -> Iterator[Page]:
        """Every page of the answer to one question, in order.

        Raises NotHeldError where the endpoint holds no usage for the question, and SourceError for other faults.
        """
        query = {**self.config.parameters, **parameters}
        url: httpx.URL | None = httpx.URL(self.config.url, params=query)
        visited: set[str] = set()
        remaining_bytes = self.config.largest_answer_mb * MEGABYTE
        while url is not None:
            if str(url) in visited:
                raise self.error(f"page {len(visited) + 1} is a page that was read already")
            if len(visited) == self.config.most_pages:
                pages = counted(len(visited), "page")
                raise self.error(f"the answer has more than {pages}", "raise source.most_pages if this is correct")
            visited.add(str(url))
            body = self._body(url, remaining_bytes, is_first=len(visited) == 1)
            remaining_bytes -= len(body)
            page = self._page(body, len(visited))
            yield page
            url = self._next(url, page, query)

    def error(self, problem: str, advice: str = "ask the operator of the endpoint") -> SourceError:
        """The error with the source, the URL, the problem and the advice."""
        text = f"source {self.config.name}: {self.config.url}: {problem}; {advice}"
        return SourceError(text)

    def wrong(self, problem: str, advice: str) -> SourceError:
        """The same error where the configuration is wrong, so that another attempt does not help."""
        return MisconfiguredSourceError(str(self.error(problem, advice)))

    def _body(self, url: httpx.URL, most: int, is_first: bool) -> bytes:
        try:
            for attempt in attempts(self._wait, self.config.attempts, first_pause=0.5, longest_pause=30):
                with attempt:
                    return self._fetch(url, most)
        except AnsweredError as error:
            # On a later page these statuses mean that the answer changed while it was read.
            if is_first and error.status in NOT_HELD:
                raise NotHeldError(str(error), error.status) from None
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
        # A server that redirects slowly has no more time than one that does not.
        deadline = time.monotonic() + self.config.timeout
        for _ in range(MOST_REDIRECTS):
            left = max(deadline - time.monotonic(), 0.0)
            answer = self._client.request("GET", url, most=most, seconds=left)
            if answer.location is not None:
                url = self._same_host(url, answer.location, "its redirect is")
            elif answer.status == httpx.codes.OK:
                return self._whole(answer)
            else:
                raise AnsweredError(answer.status, _explanation(answer), answer.retry_after)
        raise self.error(f"more than {MOST_REDIRECTS} redirects")

    def _whole(self, answer: Answer) -> bytes:
        try:
            return answer.whole()
        except CompressionError as error:
            raise self.error(str(error)) from None
        except TooLargeError:
            raise self.error(
                f"the answer has more than {self.config.largest_answer_mb} MB",
                "raise source.largest_answer_mb if this is correct",
            ) from None

    def _page(self, body: bytes, number: int) -> Page:
        try:
            return Page.model_validate(json.loads(body))
        except ValidationError as error:
            first = error.errors()[0]
            path = ".".join(str(part) for part in first["loc"])
            problem = "no JSON object"
            if path:
                problem = f"$.{path}: {first['msg'][0].lower()}{first['msg'][1:]}"
            raise self.error(f"page {number} is not a by-key answer: {problem}") from None
        except json.JSONDecodeError as error:
            position = f"{error.msg} at byte {error.pos:,}"
            raise self.error(f"page {number} is not JSON ({position})") from None
        except (ValueError, RecursionError):
            # Text that is not UTF-8, or that is nested too deeply.
            raise self.error(f"page {number} is not JSON") from None

    def _next(self, url: httpx.URL, page: Page, query: Mapping[str, str]) -> httpx.URL | None:
        """The address of the next page, from the page's link or its cursor; None after the last page."""
        if page.next:
            return self._same_host(url, page.next, "its next page is")
        cursor = page.next_cursor if page.next_cursor is not None else page.cursor
        if cursor is None or cursor == "":
            return None
        return httpx.URL(self.config.url, params={**query, "cursor": str(cursor)})

    def _same_host(self, url: httpx.URL, link: str, subject: str) -> httpx.URL:
        """The address of a link. Raises SourceError unless it is on the same host, and as safe as the URL."""
        try:
            target = url.join(link).copy_with(fragment=None)
        except (httpx.InvalidURL, ValueError):
            raise self.error(f"{subject} at an address that is not valid") from None
        is_same = (target.scheme, target.port) == (url.scheme, url.port)
        is_upgrade = url.scheme == "http" and target.scheme == "https" and target.port is None
        if target.host != url.host or not (is_same or is_upgrade) or target.userinfo:
            host = target.netloc.decode("ascii", "replace").rpartition("@")[2]
            address = mask_tokens(f"{target.scheme}://{host}")[:SHOWN]
            raise self.wrong(
                f"{subject} at {address}, but the token is sent only to the host in source.url",
                "set source.url to that address if the endpoint is there",
            )
        return target

    def _refused(self, error: AnsweredError) -> SourceError:
        if error.status in WRONG:
            return self.wrong(str(error), WRONG[error.status])
        if error.status in CHANGED:
            return self.error(str(error), "the answer changed while it was read: run again")
        if error.status in FOR_NOW:
            return self.error(f"{error}, {counted(self.config.attempts, 'time')}", "run again later")
        if error.status >= httpx.codes.INTERNAL_SERVER_ERROR:
            return self.error(str(error), "run again later")
        advice = "check source.from_parameter, to_parameter, range and parameters"
        return self.wrong(str(error), f"{advice}, and history.first_pull_days if the endpoint has no older days")

    def _failed(self, error: NoAnswerError) -> SourceError:
        problem = mask_tokens(str(error))[:SHOWN]
        if error.cause == "certificate":
            return self.wrong(
                f"{SENTENCES[error.cause]}: {problem}",
                "check the host in source.url, or set SSL_CERT_FILE to the certificates of your authority",
            )
        if error.cause == "address":
            return self.wrong(f"{SENTENCES[error.cause]}: {problem}", "correct source.url")
        kind = "no connection" if error.cause == "connection" else "broken off"
        return self.error(f"{kind}: {problem}", "check source.url and the network, or run again later")


WRONG = {
    401: "the token is not accepted: check source.token; the token may have expired, or may be revoked",
    403: "the token may not read this: use a token that may read the usage of the organization",
    404: "check the path in source.url",
}
"""The advice for statuses that only a change of the configuration can mend."""

CHANGED = frozenset({409, 410})
"""Statuses of a later page whose answer is gone. The same statuses of a first page are in ``NOT_HELD``."""


def _explanation(answer: Answer) -> str:
    """The masked detail, title or message of an error document; empty where it has none."""
    try:
        document = json.loads(answer.body[:LONGEST_REFUSAL])
    except (ValueError, RecursionError):
        return ""
    if not isinstance(document, dict):
        return ""
    for name in ("detail", "title", "message", "error"):
        text = document.get(name)
        if isinstance(text, str) and text:
            return mask_tokens(text)[:SHOWN]
    return ""
