"""Tokens: random, kept as hashes, compared in constant time."""

from __future__ import annotations

import hmac
import re
from datetime import UTC, datetime, timedelta

import pytest

from detector.state import tokens
from detector.state.tokens import ApiToken, find, hash_of, new_secret

NOW = datetime(2026, 3, 18, tzinfo=UTC)
HOUR = timedelta(hours=1)


def token(secret: str, **facts: datetime) -> ApiToken:
    """A stored token."""
    return ApiToken("name", "acme", hash_of(secret), NOW, **facts)


def test_a_secret_has_256_random_bits_and_says_what_it_is() -> None:
    """So that a scanner finds a leaked one."""
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(re.fullmatch(r"dtk_[A-Za-z0-9_-]{43}", secret) for secret in secrets)


def test_only_the_hash_is_stored() -> None:
    """The secret is in no field."""
    assert "dtk_x" not in repr(token("dtk_x"))
    assert re.fullmatch("[0-9a-f]{64}", hash_of("\ud800"))


def test_a_secret_finds_its_token_while_it_is_valid() -> None:
    """And none when it has ended, is revoked, or never was."""
    stored = [token("a"), token("b", expires_at=NOW + HOUR), token("c", revoked_at=NOW - HOUR)]
    assert find(stored, "a", NOW) == stored[0]
    assert find(stored, "b", NOW) == stored[1]
    assert find(stored, "b", NOW + HOUR) is None
    assert find(stored, "c", NOW) is None
    assert find(stored, "d", NOW) is None
    assert find(stored, hash_of("a"), NOW) is None


def test_every_token_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The found one does not end the search, so its place cannot be told by the clock."""
    compared: list[tuple[str, str]] = []

    def compare(stored: str, presented: str) -> bool:
        compared.append((stored, presented))
        return hmac.compare_digest(stored, presented)

    class Counting:
        compare_digest = staticmethod(compare)

    monkeypatch.setattr(tokens, "hmac", Counting)
    find([token("a"), token("b"), token("c")], "a", NOW)
    assert compared == [(hash_of(stored), hash_of("a")) for stored in "abc"]
