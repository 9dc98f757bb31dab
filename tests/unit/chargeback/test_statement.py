"""Chargeback: the charges of a month by team and key."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.chargeback.statement import NO_TEAM, Month, Statement, Usage, days_of, measure
from detector.config.chargeback import Price, Shared
from detector.model.errors import ConfigError
from tests.statements import AFTER, FEBRUARY, UTC_ZONE, day, statement

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


def amounts(result: Statement) -> dict[str, Decimal]:
    """The total of each team."""
    return {team.team: result.money(team.total) for team in result.teams}


def charges(result: Statement) -> set[tuple[str, str, str, int]]:
    """The lines as (team, key, charge, minor units)."""
    columns = (result.lines[name].tolist() for name in ("team", "key_id", "charge", "amount"))
    return set(zip(*columns, strict=True))


def test_the_first_price_that_matches_is_the_price() -> None:
    """A price matches by endpoint, environment, team and application; the statement counts unpriced requests."""
    prices = [
        Price(name="Test", price=0, environment="test"),
        Price(name="Search", price="0.10", endpoint="GET /search*"),
        Price(name="Own", price="0.01", team="a", application="shop"),
    ]
    result = statement(
        [
            day(
                {"key_id": "k1", "team": "a", "application": "shop", "paths": {"GET /search/x": 3, "GET /y": 5}},
                {"key_id": "k2", "team": "b", "paths": {"GET /search": 2, "GET /y": 7}},
                {"key_id": "k3", "team": "b", "environment": "test", "paths": {"GET /search": 9}},
            )
        ],
        prices,
    )
    assert charges(result) == {
        ("a", "k1", "Search", 30),
        ("a", "k1", "Own", 5),
        ("b", "k2", "Search", 20),
        ("b", "k2", "", 0),
        ("b", "k3", "Test", 0),
    }
    assert result.unpriced == 7
    assert result.requests == 26


def test_a_key_that_moves_is_paid_by_each_team_for_its_days() -> None:
    """A day's requests belong to the team that owns the key on that day."""
    price = Price(name="All", price=1)
    result = statement(
        [day({"key_id": "k", "team": team, "paths": {"GET /": 2}}) for team in ("a", "a", "b")], [price]
    )
    assert amounts(result) == {"a": Decimal("4.00"), "b": Decimal("2.00")}


def test_a_tiny_price_is_exact() -> None:
    """A million requests at a ten-millionth cost ten cents."""
    result = statement([day({"key_id": "k", "paths": {"GET /": 10**6}})], [Price(name="All", price="1e-7")])
    assert result.total == 10


def test_a_sum_is_rounded_once_not_per_key() -> None:
    """Ten keys with a third of a cent each cost three cents together."""
    price = Price(name="All", price="0.01", per=3)
    result = statement(
        [day(*({"key_id": f"k{n}", "team": "a", "paths": {"GET /": 1}} for n in range(10)))], [price]
    )
    assert result.total == 3
    assert sorted(result.lines["amount"]) == [0] * 7 + [1] * 3


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ("requests", {"a": 75, "b": 25, "c": 0}),
        ("cost", {"a": 60, "b": 40, "c": 0}),
        ("keys", {"a": 25, "b": 25, "c": 50}),
        ("evenly", {"a": 34, "b": 33, "c": 33}),
        ({"a": 1, "d": 3}, {"a": 25, "b": 0, "c": 0, "d": 75}),
    ],
)
def test_a_shared_cost_is_split_as_it_says(split: Any, expected: dict[str, int]) -> None:
    """A split follows requests, usage costs, active keys, teams or given shares; a team without keys pays too."""
    prices = [Price(name="A", price="0.02", team="a"), Price(name="B", price="0.04", team="b")]
    keys = [
        {"key_id": "k1", "team": "a", "paths": {"GET /": 30}},
        {"key_id": "k2", "team": "b", "paths": {"GET /": 10}},
        {"key_id": "k3", "team": "c"},
        {"key_id": "k4", "team": "c"},
    ]
    result = statement([day(*keys)], prices, [Shared(name="Gateway", amount=1, split=split)])
    assert {team.team: team.shared for team in result.teams} == expected
    assert ("d", "", "Gateway", 75) in charges(result) or "d" not in expected
    assert {team.team: team.keys for team in result.teams if team.team == "d"} in ({}, {"d": 0})
    assert result.lines["requests"].sum() == result.requests


def test_a_third_and_two_thirds_go_to_their_nearest_cents() -> None:
    """The larger remainder gets the cent that is left."""
    keys = [{"key_id": f"k{n}", "team": f"t{n}", "paths": {"GET /": n}} for n in (1, 2)]
    shared = [Shared(name="Gateway", amount=1, split="cost")]
    result = statement([day(*keys)], [Price(name="All", price=1)], shared)
    assert {team.team: team.shared for team in result.teams} == {"t1": 33, "t2": 67}


def test_a_split_by_cost_is_even_where_nothing_costs_anything() -> None:
    """Teams pay the same, however many keys they have."""
    keys = [("a", "k1"), ("a", "k2"), ("b", "k3")]
    frame = day(*({"key_id": key, "team": team, "paths": {"GET /": 5}} for team, key in keys))
    result = statement([frame], [Price(name="Free", price=0)], [Shared(name="Gateway", amount=1, split="cost")])
    assert {team.team: team.shared for team in result.teams} == {"a": 50, "b": 50}


def test_a_key_without_a_name_goes_by_its_id() -> None:
    """A key with a name keeps it."""
    frame = day({"key_id": "k1", "name": None}, {"key_id": "k2", "name": "shop"})
    owners = measure(iter([frame]), ()).owners
    assert owners["name"].tolist() == ["k1", "shop"]
    assert owners["application"].tolist() == ["", ""]


def test_a_credit_is_split_like_a_cost() -> None:
    """A negative amount is rounded and split by the same rule."""
    keys = [{"key_id": f"k{n}", "team": f"t{n}", "paths": {"GET /": 1}} for n in range(3)]
    result = statement([day(*keys)], (), [Shared(name="Credit", amount=-1)])
    assert sorted(team.shared for team in result.teams) == [-34, -33, -33]


def test_a_shared_cost_of_nobody_is_not_lost() -> None:
    """In a month without a request or an active key, the cost goes to no team."""
    result = statement([day({"key_id": "k", "active": False})], (), [Shared(name="Gateway", amount="9.99")])
    assert charges(result) == {(NO_TEAM, "", "Gateway", 999)}


def test_keys_that_are_revoked_and_unused_do_not_count() -> None:
    """A team does not count such keys. It counts a key that was used and revoked within the month."""
    used = {"key_id": "used", "team": "a", "paths": {"GET /": 1}}
    result = statement(
        [day(used, {"key_id": "idle", "team": "a"}), day({**used, "paths": {}, "active": False})],
        (),
        [Shared(name="Gateway", amount=1)],
    )
    assert [(team.team, team.keys) for team in result.teams] == [("a", 1)]


@pytest.mark.parametrize(("registered", "expected"), [(True, {"": 0, "a": 100}), (False, {"": 75, "a": 25})])
def test_an_invented_key_shares_no_cost(registered: bool, expected: dict[str, int]) -> None:
    """It pays for its requests alone. Without a register all keys are alike."""
    own = {"key_id": "own", "team": "a", "registered": registered}
    invented = [{"key_id": f"junk{index}", "registered": False, "paths": {"GET /": 1}} for index in range(3)]
    result = statement([day(own, *invented)], (), [Shared(name="Gateway", amount=1, split="keys")])
    assert {team.team: team.shared for team in result.teams} == expected


@pytest.mark.parametrize(("currency", "total"), [("JPY", "3"), ("KWD", "2.500"), ("EUR", "2.50")])
def test_amounts_have_the_decimals_of_their_currency(currency: str, total: str) -> None:
    """Amounts have no decimals in yen and three in dinars."""
    price = Price(name="All", price="0.5")
    result = statement([day({"key_id": "k", "team": "a", "paths": {"GET /": 5}})], [price], currency=currency)
    assert str(result.money(result.total)) == total


def test_the_change_is_against_a_month_that_is_known() -> None:
    """A team without earlier charges is new, and a team without current charges still shows its earlier amount."""
    price = Price(name="All", price=1)
    current = [day({"key_id": "k", "team": "a", "paths": {"GET /": 4}})]
    previous = [day({"key_id": "k", "team": "b", "paths": {"GET /": 4}})]
    result = statement(current, [price], before=previous)
    assert {team.team: team.before for team in result.teams} == {"a": 0, "b": 400}
    assert result.before == 400
    assert statement(current, [price]).before is None


def test_a_statement_with_incomplete_days_is_not_final() -> None:
    """A day is incomplete if it is not stored, not over, pulled too early, or may still get late rows."""
    days = FEBRUARY.days()
    whole = dict.fromkeys(days, (AFTER, True))

    def of(stored: dict[date, tuple[datetime, bool]], now: datetime = AFTER) -> Any:
        return days_of(FEBRUARY, UTC_ZONE, stored, 2, now)

    assert of(whole).missing == of(whole).ahead == of(whole).unsettled == ()
    assert of({day: whole[day] for day in days[1:]}).missing == (days[0],)
    assert of({}, datetime(2026, 2, 27, 12, tzinfo=UTC)).ahead == (days[26], days[27])
    assert of({**whole, days[3]: (datetime(2026, 2, 4, 12, tzinfo=UTC), True)}).unsettled == (days[3],)
    assert of(whole, datetime(2026, 3, 2, 12, tzinfo=UTC)).unsettled == (days[27],)
    assert of({**whole, days[5]: (AFTER, False)}).empty == (days[5],)


def test_a_day_is_over_at_its_end_and_settled_at_the_end_of_its_days_of_grace() -> None:
    """Both instants belong to the later state."""
    first = FEBRUARY.days()[0]
    end = datetime(2026, 2, 2, tzinfo=UTC)
    days = days_of(FEBRUARY, UTC_ZONE, {}, 2, end)
    assert days.missing == (first,)
    assert first not in days.ahead
    settled = end + timedelta(days=2)
    assert days_of(FEBRUARY, UTC_ZONE, {first: (end, True)}, 2, settled).unsettled == ()
    too_early = timedelta(microseconds=1)
    assert days_of(FEBRUARY, UTC_ZONE, {first: (end - too_early, True)}, 2, settled).unsettled == (first,)
    assert days_of(FEBRUARY, UTC_ZONE, {first: (end, True)}, 2, settled - too_early).unsettled == (first,)


def test_a_month_without_requests_is_not_final() -> None:
    """The source most likely delivered nothing. One day with requests makes the month final."""
    idle, used = day({"key_id": "k"}), day({"key_id": "k", "paths": {"GET /": 1}})
    result = statement([idle] * 28)
    silent = replace(result, days=replace(result.days, empty=result.days.stored))
    assert result.final
    assert not silent.final
    assert replace(statement([used, *[idle] * 27]), days=replace(result.days, empty=result.days.stored[1:])).final


@given(
    st.lists(st.tuples(NAMES, st.integers(0, 10**9)), min_size=1, max_size=6, unique_by=lambda pair: pair[0]),
    st.decimals(0, 1000, places=6),
    st.sampled_from(["requests", "cost", "keys", "evenly"]),
)
def test_no_team_pays_a_cent_more_or_less_than_is_exact(
    keys: list[tuple[str, int]], price: Decimal, split: Any
) -> None:
    """Each team's amount lies within one cent of the exact cost, and every column adds up."""
    frame = day(*({"key_id": name, "team": name, "paths": {"GET /": count}} for name, count in keys))
    result = statement(
        [frame], [Price(name="All", price=price, per=7)], [Shared(name="S", amount=100, split=split)]
    )
    assert result.total == sum(team.usage + team.shared for team in result.teams)
    assert sum(team.shared for team in result.teams) == 10_000
    for team in result.teams:
        exact = team.requests * price * 100 / 7
        assert abs(team.usage - exact) < 1


def test_a_month_without_days_is_a_statement_too() -> None:
    """It has no charges."""
    result = statement([])
    assert isinstance(measure(iter([]), ()), Usage)
    assert result.total == 0


@pytest.mark.parametrize(
    "text", ["2026-13", "2026-1", "26-01", "now", "2026-01-01", "0001-01", "1969-12", "", "２０２６-01"]
)
def test_a_text_that_is_no_month_is_refused(text: str) -> None:
    """The error shows how to write a month."""
    with pytest.raises(ConfigError, match="write it as YYYY-MM"):
        Month.parse(text)


def test_months_know_their_days() -> None:
    """A month knows its first and last day, the previous month, and leap years."""
    assert Month.parse("2024-02").last == date(2024, 2, 29)
    assert Month.parse("2026-01").before == Month(2025, 12)
    assert Month.parse("2026-11") == Month(2026, 11)
    assert len(FEBRUARY.days()) == 28
    assert FEBRUARY.days()[-1] + timedelta(days=1) == date(2026, 3, 1)
    assert str(FEBRUARY) == "2026-02"
