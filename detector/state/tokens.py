"""Bearer tokens of the by-key endpoint: made once, shown once, stored as a hash.

A plain SHA-256 is enough, because a token is 256 random bits.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

PREFIX = "dtk_"
"""How a token begins, so that a scanner for leaked secrets can find one."""
RANDOM_BYTES = 32


@dataclass(frozen=True)
class ApiToken:
    """What is stored of a token. ``organization`` is whose keys alone it sees; None, said so when made, is all."""

    name: str
    organization: str | None
    hash: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Whether the token is neither revoked nor past its end."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def new_secret() -> str:
    """A token of 256 random bits."""
    return PREFIX + secrets.token_urlsafe(RANDOM_BYTES)


def hash_of(secret: str) -> str:
    """SHA-256, in hex. A fast hash is enough for 256 random bits, which nobody can guess through."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def find(tokens: Iterable[ApiToken], secret: str, now: datetime) -> ApiToken | None:
    """The valid token that a secret belongs to. Every token is compared, each in constant time.

    A caller cannot tell an unknown secret from an expired or a revoked one.
    """
    presented, found = hash_of(secret), None
    for token in tokens:
        if hmac.compare_digest(token.hash, presented):
            found = token
    return found if found is not None and found.is_valid(now) else None
