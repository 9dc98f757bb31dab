"""Bearer tokens of the by-key endpoint. A token is shown once, and only its hash is stored.

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

from detector.boundary.instants import in_utc
from detector.state.database import State
from detector.state.tables import api_tokens

PREFIX = "dtk_"
"""The beginning of every token, by which a scanner for leaked secrets recognizes one."""
RANDOM_BYTES = 32
COLUMNS = {"organization": "sees"}
"""Fields of a token whose column has another name: a row's ``organization`` is the one it belongs to."""


@dataclass(frozen=True)
class ApiToken:
    """A stored token. It gives access to the keys of ``organization`` only; None gives access to all keys."""

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
    """The SHA-256 of a token in hexadecimal digits."""
    # A fast hash is enough, because nobody can guess 256 random bits.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def all_tokens(state: State) -> list[ApiToken]:
    """Every token of the by-key endpoint, revoked and expired ones included, oldest first."""
    with state.reading() as rows:
        chosen = rows.query(api_tokens).order_by(api_tokens.c.created_at, api_tokens.c.name)
        return [_token(row) for row in rows.execute(chosen).mappings()]


def add_token(state: State, token: ApiToken) -> None:
    """Store a new token, which does not contain its secret."""
    row = {COLUMNS.get(name, name): getattr(token, name) for name in ApiToken.__dataclass_fields__}
    with state.transaction() as rows:
        rows.insert(api_tokens, [row])


def revoke_tokens(state: State, name: str, revoked_at: datetime) -> int:
    """Revoke all tokens of a name, and return the number of those that were not revoked before."""
    chosen = (api_tokens.c.name == name) & api_tokens.c.revoked_at.is_(None)
    with state.transaction() as rows:
        return rows.update(api_tokens, chosen, {"revoked_at": in_utc(revoked_at)})


def find(tokens: Iterable[ApiToken], secret: str, now: datetime) -> ApiToken | None:
    """The valid token that a secret belongs to. Every token is compared, each in constant time.

    A caller cannot tell an unknown secret from an expired or a revoked one.
    """
    presented = hash_of(secret)
    found = None
    for token in tokens:
        if hmac.compare_digest(token.hash, presented):
            found = token
    return found if found is not None and found.is_valid(now) else None


def _token(row: Any) -> ApiToken:
    facts = {name: row[COLUMNS.get(name, name)] for name in ApiToken.__dataclass_fields__}
    times = {name: facts[name] and in_utc(facts[name]) for name in ("created_at", "expires_at", "revoked_at")}
    return ApiToken(**{**facts, **times})
