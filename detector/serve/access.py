"""Access to the server: tokens and rate limits.

The server reads the (few) tokens from the state every five seconds and compares a presented token with each of
them in constant time.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from cachetools import LRUCache

from detector.boundary.words import counted
from detector.config.sections import ServeSettings
from detector.serve.problems import ProblemError
from detector.state.database import State
from detector.state.tokens import ApiToken, all_tokens, find

REMEMBERED = 10_000
"""The server counts the requests of this many tokens and addresses, the ones with the latest requests."""
FRESH_SECONDS = 5.0
"""The server reads the tokens again after this time, so it accepts a revoked token no longer than this."""


class Buckets:
    """A token bucket a caller: ``burst`` requests at once, and ``per_second`` in the long run."""

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self._buckets: LRUCache[str, tuple[float, float]] = LRUCache(REMEMBERED)

    def take(self, caller: str, now: float) -> float:
        """Take one request and return 0, or return the seconds until there is one."""
        left, since = self._buckets.get(caller, (float(self._burst), now))
        left = min(left + (now - since) * self._per_second, float(self._burst))
        wait = 0.0 if left >= 1 else (1 - left) / self._per_second
        self._buckets[caller] = (left if wait else left - 1, now)
        return wait


class Turns:
    """Keeps the requests of one token from filling the event loop: each token does one thing at a time."""

    def __init__(self) -> None:
        self._locks: LRUCache[str, asyncio.Lock] = LRUCache(REMEMBERED)

    @asynccontextmanager
    async def of(self, token: ApiToken) -> AsyncIterator[None]:
        """A turn of a token. Other tokens come before its next one."""
        async with self._locks.setdefault(token.hash, asyncio.Lock()):
            await asyncio.sleep(0)
            yield


class Doorkeeper:
    """Knows the tokens of the state database. ``clock`` tells the time of day, ``monotonic`` seconds."""

    def __init__(
        self, state: State, limits: ServeSettings, clock: Callable[[], datetime], monotonic: Callable[[], float]
    ) -> None:
        self._state = state
        self._clock = clock
        self._monotonic = monotonic
        self._tokens: list[ApiToken] = []
        self._read_at = -math.inf
        self._requests = Buckets(limits.requests_per_second, limits.burst)
        self._refusals = Buckets(limits.refusals_per_minute / 60, limits.refusals_per_minute)

    @property
    def is_stale(self) -> bool:
        """Whether the tokens were read so long ago that one may have been revoked since."""
        return self._monotonic() - self._read_at > FRESH_SECONDS

    def refresh(self) -> None:
        """Read the tokens again."""
        self._tokens = all_tokens(self._state)
        self._read_at = self._monotonic()

    def admit(self, secret: str | None, address: str) -> ApiToken:
        """The token behind a secret; ProblemError 401 or 429 where there is none or it asks too often.

        A good token is never refused for what others at its address do.
        """
        token = None if secret is None else find(self._tokens, secret, self._clock())
        if token is None:
            wait = self._refusals.take(address, self._monotonic())
            raise _too_many(wait) if wait else _unknown(secret is not None)
        if wait := self._requests.take(token.hash, self._monotonic()):
            raise _too_many(wait)
        return token


def _unknown(presented: bool) -> ProblemError:
    """One answer for unknown, expired and revoked, so that nobody learns which (RFC 6750, 3)."""
    challenge = 'Bearer realm="detector"' + (', error="invalid_token"' if presented else "")
    detail = "Send a token that is accepted, as Authorization: Bearer TOKEN."
    return ProblemError(401, "unauthorized", "No accepted token", detail, {"WWW-Authenticate": challenge})


def _too_many(wait: float) -> ProblemError:
    seconds = math.ceil(wait)
    detail = f"Come back in {counted(seconds, 'second')}."
    return ProblemError(429, "too-many-requests", "Too many requests", detail, {"Retry-After": str(seconds)})
