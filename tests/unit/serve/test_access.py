"""Who may ask, and how often."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from detector.config.sections import ServeSettings
from detector.serve.access import FRESH_SECONDS, Buckets, Doorkeeper
from detector.serve.problems import ProblemError
from detector.state.database import State
from detector.state.tokens import ApiToken, add_token, hash_of
from tests.fakes import OWNER

NOW = datetime(2026, 3, 18, tzinfo=UTC)


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def doorkeeper(clock: Clock, *secrets: str, **limits: Any) -> Doorkeeper:
    """One who knows tokens for these secrets."""
    state = State("sqlite://", OWNER)
    for secret in secrets:
        add_token(state, ApiToken(f"name of {secret}", "acme", hash_of(secret), NOW))
    keeper = Doorkeeper(state, ServeSettings(**limits), lambda: NOW, clock)
    keeper.refresh()
    return keeper


def refused(keeper: Doorkeeper, secret: str | None, address: str = "192.0.2.1") -> ProblemError:
    """Why somebody is not admitted."""
    with pytest.raises(ProblemError) as error:
        keeper.admit(secret, address)
    return error.value


def test_a_bucket_gives_a_burst_and_then_fills_again() -> None:
    """Two at once, then one a second."""
    buckets = Buckets(per_second=1, burst=2)
    assert [buckets.take("a", 0.0) for _ in range(3)] == [0, 0, 1.0]
    assert buckets.take("a", 0.5) == 0.5
    assert buckets.take("a", 1.0) == 0
    assert buckets.take("b", 0.0) == 0


def test_a_known_secret_is_admitted() -> None:
    """The token behind it says whose keys are seen."""
    assert doorkeeper(Clock(), "dtk_a", "dtk_b").admit("dtk_b", "192.0.2.1").name == "name of dtk_b"


def test_an_unknown_secret_and_none_are_told_apart_only_by_the_challenge() -> None:
    """RFC 6750: who sent nothing is asked to, who sent something learns that it is not valid."""
    keeper = doorkeeper(Clock(), "dtk_a")
    wrong, none = refused(keeper, "dtk_x"), refused(keeper, None)
    assert (wrong.status, none.status) == (401, 401)
    assert wrong.headers["WWW-Authenticate"] == 'Bearer realm="detector", error="invalid_token"'
    assert none.headers["WWW-Authenticate"] == 'Bearer realm="detector"'


def test_who_asks_too_often_learns_when_to_come_back() -> None:
    """In whole seconds, at least one."""
    keeper = doorkeeper(Clock(), "dtk_a", requests_per_second=2, burst=1)
    keeper.admit("dtk_a", "192.0.2.1")
    error = refused(keeper, "dtk_a")
    assert (error.status, error.headers["Retry-After"], error.detail) == (429, "1", "Come back in 1 second.")


def test_guessing_at_an_address_slows_down_nobody_with_a_good_token() -> None:
    """The limit on refusals counts addresses, the limit on requests counts tokens."""
    keeper = doorkeeper(Clock(), "dtk_a", refusals_per_minute=1)
    refused(keeper, "dtk_x")
    assert refused(keeper, "dtk_x").status == 429
    assert refused(keeper, "dtk_x", "198.51.100.7").status == 401
    assert keeper.admit("dtk_a", "192.0.2.1")


def test_tokens_are_stale_after_some_seconds() -> None:
    """So that a revoked one is not accepted for longer."""
    clock = Clock()
    keeper = doorkeeper(clock)
    assert not keeper.is_stale
    clock.seconds += FRESH_SECONDS + 1
    assert keeper.is_stale
