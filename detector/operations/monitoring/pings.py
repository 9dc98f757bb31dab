"""The dead-man's switch: an outside service that hears how each run ends, and raises an alarm if it hears nothing.

Protocol: https://healthchecks.io/docs/http_api/ and https://healthchecks.io/docs/signaling_failures/

A ping that fails is one warning and changes nothing else. The address is a secret: a warning has only its host and
the kind of the error, never the text of an error, which might hold the address.
"""

from __future__ import annotations

import logging
import uuid
from urllib.parse import urlsplit, urlunsplit

from detector.boundary.http import FOR_NOW, Client, NoAnswerError, status_in_words
from detector.boundary.masking import host_of
from detector.boundary.retries import attempts
from detector.config.monitoring import MonitoringSettings
from detector.model.errors import TRY_LATER

ATTEMPTS = 3
"""For the end of a run. Its start is told once: a run is not held up for it."""

log = logging.getLogger("detector.pings")


class PingError(Exception):
    """A ping that did not arrive: why, without the address, and whether it may a little later."""

    def __init__(self, reason: str, *, for_now: bool) -> None:
        super().__init__(reason)
        self.for_now = for_now


class Pings:
    """The pings of one run. Without an address there are none."""

    def __init__(self, settings: MonitoringSettings) -> None:
        self._url = settings.ping_url.get_secret_value() if settings.ping_url else None
        self._plain = settings.ping_style == "plain"
        self._timeout = settings.ping_timeout
        self._run = str(uuid.uuid4())

    def start(self) -> None:
        """A run begins."""
        if not self._plain:
            self._tell("start", b"", most=1)

    def end(self, exit_code: int, text: str = "") -> None:
        """A run has ended; ``text`` goes along where the style has room for it."""
        if self._plain and exit_code != 0:
            return
        # a run that did nothing yet is neither a success nor a failure
        step = "log" if exit_code == TRY_LATER else str(exit_code or "")
        self._tell(step, b"" if self._plain else text.encode(), most=ATTEMPTS)

    def _tell(self, step: str, body: bytes, most: int) -> None:
        if self._url is None:
            return
        try:
            for attempt in attempts(_may_arrive_later, most, first_pause=1, longest_pause=5):
                with attempt:
                    self._attempt(self._url, step, body)
        except PingError as error:
            log.warning("the ping to %s failed: %s", host_of(self._url), error)

    def _attempt(self, url: str, step: str, body: bytes) -> None:
        method = "GET" if self._plain else "POST"
        address = url if self._plain else address_of(url, step, self._run)
        try:
            with Client(self._timeout) as client:
                answer = client.request(method, address, body or None, most=0)
        except NoAnswerError as error:
            raise PingError(error.reason, for_now=error.for_now) from None
        if not answer.accepted:
            raise PingError(status_in_words(answer.status), for_now=answer.status in FOR_NOW)


def address_of(url: str, step: str, run: str) -> str:
    """Where a step of a run is told: a part of the path, before a query that the address may have."""
    parts = urlsplit(url)
    path = f"{parts.path.rstrip('/')}/{step}" if step else parts.path
    query = "&".join(part for part in (parts.query, f"rid={run}") if part)
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))


def _may_arrive_later(error: Exception) -> bool:
    return isinstance(error, PingError) and error.for_now
