"""When to ask an endpoint again, and after how long."""

from __future__ import annotations

import random
import ssl
from datetime import datetime
from email.utils import parsedate_to_datetime

import httpx

from detector.boundary.instants import in_utc

LONGEST_WAIT = 120.0
"""Seconds that a Retry-After may ask for; a server that wants more is asked again after these."""
FOR_NOW = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that may be others a little later."""


class AnsweredError(Exception):
    """An answer that is not the usage: its status, what it says, and when to come back."""

    def __init__(self, status: int, says: str, retry_after: str | None = None) -> None:
        super().__init__(f"HTTP {status}{f': {says}' if says else ''}")
        self.status = status
        self.retry_after = retry_after


class BrokenOffError(Exception):
    """A body that ends before it is complete, or whose packing is damaged."""


def waiting(error: Exception, now: datetime) -> bool | float:
    """Whether to try again: False, True (with growing pauses), or the seconds that were asked for."""
    if isinstance(error, AnsweredError):
        if error.status not in FOR_NOW:
            return False
        asked = seconds_asked(error.retry_after or "", now)
        return True if asked is None else min(asked, LONGEST_WAIT) + random.uniform(0, 1)  # noqa: S311
    if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError) or is_untrusted(error):
        return False
    return isinstance(error, httpx.TransportError | BrokenOffError)


def seconds_asked(retry_after: str, now: datetime) -> float | None:
    """A Retry-After, in seconds or as an HTTP date (RFC 9110, 10.2.3); None for anything else."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:10])
    try:
        then = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max((in_utc(then) - now).total_seconds(), 0.0)


def is_untrusted(error: BaseException | None) -> bool:
    """Whether a certificate is behind an error."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
