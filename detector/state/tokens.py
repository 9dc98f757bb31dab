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
from typing import Any

from sqlalchemy import insert, select, update

from detector.boundary.instants import in_utc
from detector.state.database import State
from detector.state.tables import api_tokens

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


def all_tokens(state: State) -> list[ApiToken]:
    """Every token of the by-key endpoint that was ever made, oldest first."""
    chosen = select(api_tokens).order_by(api_tokens.c.created_at, api_tokens.c.name)
    with state.reading() as connection:
        rows = connection.execute(chosen).mappings().all()
    return [_token(row) for row in rows]


def add_token(state: State, token: ApiToken) -> None:
    """Store a new token; its secret is not in it."""
    row = {name: getattr(token, name) for name in ApiToken.__dataclass_fields__}
    with state.transaction() as connection:
        connection.execute(insert(api_tokens).values(row))


def revoke_tokens(state: State, name: str, revoked_at: datetime) -> int:
    """Revoke the tokens of a name that are not yet; how many there were."""
    chosen = (api_tokens.c.name == name) & api_tokens.c.revoked_at.is_(None)
    with state.transaction() as connection:
        return connection.execute(update(api_tokens).where(chosen).values(revoked_at=in_utc(revoked_at))).rowcount


def find(tokens: Iterable[ApiToken], secret: str, now: datetime) -> ApiToken | None:
    """The valid token that a secret belongs to. Every token is compared, each in constant time.

    A caller cannot tell an unknown secret from an expired or a revoked one.
    """
    presented, found = hash_of(secret), None
    for token in tokens:
        if hmac.compare_digest(token.hash, presented):
            found = token
    return found if found is not None and found.is_valid(now) else None


def _token(row: Any) -> ApiToken:
    times = {name: row[name] and in_utc(row[name]) for name in ("created_at", "expires_at", "revoked_at")}
    return ApiToken(**{**row, **times})
