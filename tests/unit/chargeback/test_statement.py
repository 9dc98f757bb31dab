"""Chargeback: the charges of a month by team and key; every format gives the same amounts."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jsonschema
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.chargeback.statement import NO_TEAM, Month, Statement, Usage, charge, days_of, measure, totals
from detector.config.chargeback import Chargeback, Price, Shared
from detector.config.plugins import STATEMENT_FORMATS
from detector.model.errors import ConfigError
from detector.model.usage import RECORD_COLUMNS
from detector.reports import statement as statement_formats
from detector.reports.exports.csv import text_of
from detector.reports.statement import statement_format
from detector.usage.aggregation import conform

UTC_ZONE = ZoneInfo("UTC")
FEBRUARY = Month(2026, 2)
AFTER = datetime(2026, 3, 10, tzinfo=UTC)
HOSTILE = ("=HYPERLINK(1)", "<script>alert(1)</script>", "\x1b[31mred", "\u202elive", "'; DROP--", 'a,b\n"c\\d')
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


def day(*keys: Mapping[str, Any]) -> pd.DataFrame:
    """The records of a day. Each key gives its id, and what differs from an active live key without requests."""
    rows = []
    for key in keys:
        paths = dict(key.get("paths", {}))
        base = {"name": key["key_id"], "environment": "live", "active": True, "registered": True, "team": None}
        used = {"request_count": sum(paths.values()), "error_count": 0, "longest_silence": 0}
        rows.append({**base, **used, **key, "endpoint_distribution": list(paths.items()), "deployments": []})
    return conform(pd.DataFrame(rows), RECORD_COLUMNS)


def statement(
    days: Sequence[pd.DataFrame],
    prices: Sequence[Price] = (),
    shared: Sequence[Shared] = (),
    *,
    currency: str = "EUR",
    before: Sequence[pd.DataFrame] | None = None,
    now: datetime = AFTER,
) -> Statement:
    """February's statement; ``days`` has the records of its first days, in order."""
    usage = measure(iter(days), prices)
    lines = charge(usage, prices, shared, currency)
    lines_before = None if before is None else charge(measure(iter(before), prices), prices, (), currency)
    stored = dict.fromkeys(FEBRUARY.days()[: len(days)], (now, True))
    return Statement(
        month=FEBRUARY,
        timezone=UTC_ZONE,
        organization=None,
        source="main",
        currency=currency,
        prices=tuple(prices),
        shared=tuple(shared),
        lines=lines,
        owners=usage.owners,
        teams=totals(lines, usage.owners, lines_before),
        days=days_of(FEBRUARY, UTC_ZONE, stored, 2, now),
        failures=(),
        generated_at=now,
    )


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


def test_a_tiny_price_is_written_out() -> None:
    """No format writes a price with an exponent."""
    result = statement([day({"key_id": "k", "paths": {"GET /": 10**6}})], [Price(name="All", price="1e-7")])
    assert result.total == 10
    assert json.loads(statement_format("json").render(result))["prices"][0]["price"] == "0.0000001"
    for format_name in ("json", "csv", "html"):
        assert "0.0000001" in statement_format(format_name).render(result)
    assert "E-" not in statement_format("focus").render(result)


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
    assert "new" in statement_format("text").render(result)
    assert "-100%" in statement_format("text").render(result)
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


def test_a_month_without_requests_is_not_final() -> None:
    """The source most likely delivered nothing. One day with requests makes the month final."""
    idle, used = day({"key_id": "k"}), day({"key_id": "k", "paths": {"GET /": 1}})
    result = statement([idle] * 28)
    silent = replace(result, days=replace(result.days, empty=result.days.stored))
    assert result.final
    assert not silent.final
    assert "No requests on 2026-02-01 to 2026-02-28" in statement_format("text").render(silent)
    assert replace(statement([used, *[idle] * 27]), days=replace(result.days, empty=result.days.stored[1:])).final


def test_a_statement_says_what_it_lacks() -> None:
    """Every format that people read names missing days, missing prices and missing teams before the amounts."""
    result = statement(
        [day({"key_id": "k", "paths": {"GET /": 1}})] * 20, now=datetime(2026, 2, 25, 12, tzinfo=UTC)
    )
    assert not result.final
    for format_name in ("text", "html", "json"):
        text = statement_format(format_name).render(result)
        assert "4 of 28 days are missing and not charged: 2026-02-21 to 2026-02-24" in text
        assert "4 of 28 days are to come" in text
        assert "No prices are configured" in text
        assert "no team in the register" in text


@pytest.fixture(scope="module")
def hostile() -> Statement:
    """A complete month whose names are formulas, markup or control characters."""
    keys = [
        {"key_id": name, "name": name, "team": name, "application": name, "paths": {f"GET /{name}": position + 1}}
        for position, name in enumerate(HOSTILE)
    ]
    prices = [Price(name="=1+1", price="0.07", endpoint="GET /=*"), Price(name="<b>all", price="0.013", per=3)]
    shared = [Shared(name="@SUM(A1)", amount="10.01"), Shared(name="<i>credit", amount="-3.33", split={"<x>": 1})]
    return statement([day(*keys)] * 28, prices, shared)


@pytest.mark.parametrize("format_name", ["csv", "focus"])
def test_no_cell_is_a_formula(hostile: Statement, format_name: str) -> None:
    """No name of a team or key becomes a formula, and ``text_of`` gives back the original name."""
    rows = list(csv.DictReader(io.StringIO(statement_format(format_name).render(hostile))))
    texts = [cell for row in rows for cell in row.values() if not re.fullmatch(r"-?[0-9.]*", cell)]
    assert texts
    assert not [text for text in texts if re.match(r"\s*[=+@\-|%]", text)]
    team = "team" if format_name == "csv" else "SubAccountName"
    assert {text_of(row[team]) for row in rows} >= set(HOSTILE)


def test_no_name_is_markup_or_control(hostile: Statement) -> None:
    """No name becomes a tag on the page or an escape sequence on the terminal."""
    assert not re.search(r"<(script>alert|b>all|i>credit|x>)", statement_format("html").render(hostile))
    assert "\x1b" not in statement_format("text").render(hostile)
    assert "\u202e" not in statement_format("text").render(hostile)


def test_every_format_gives_the_same_total(hostile: Statement) -> None:
    """Lines, teams and totals agree to the cent."""
    total = hostile.money(hostile.total)
    document = json.loads(statement_format("json").render(hostile))
    assert Decimal(document["total"]) == total
    assert sum(Decimal(team["total"]) for team in document["teams"]) == total
    assert sum(Decimal(each["amount"]) for each in document["charges"]) == total
    for format_name, column in (("csv", "amount"), ("focus", "BilledCost"), ("focus", "EffectiveCost")):
        rows = csv.DictReader(io.StringIO(statement_format(format_name).render(hostile)))
        assert sum(Decimal(row[column]) for row in rows) == total
    for format_name in ("text", "html"):
        assert f"{total:,}" in statement_format(format_name).render(hostile)


def test_the_json_follows_its_schema(hostile: Statement) -> None:
    """A full and an empty statement are valid, and so is the schema itself."""
    schema = json.loads((Path(statement_formats.__file__).parents[1] / "schema/statement-2.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    for result in (hostile, statement([]), statement([day({"key_id": "k"})], before=[day({"key_id": "k"})])):
        jsonschema.validate(json.loads(statement_format("json").render(result)), schema)


def test_focus_has_the_columns_that_version_1_2_requires(hostile: Statement) -> None:
    """The rows follow its rules: one currency, full instants, known categories, cost = unit price x quantity."""
    rows = list(csv.DictReader(io.StringIO(statement_format("focus").render(hostile))))
    mandatory = {
        *("BilledCost", "BillingAccountId", "BillingAccountName", "BillingAccountType", "BillingCurrency"),
        *("BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription"),
        *("ChargePeriodEnd", "ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceIssuerName"),
        *("ListCost", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "ServiceCategory"),
        "ServiceName",
    }
    assert mandatory <= set(rows[0])
    assert {row["BillingCurrency"] for row in rows} == {"EUR"}
    assert {row["BillingPeriodStart"] for row in rows} == {"2026-02-01T00:00:00Z"}
    assert {row["BillingPeriodEnd"] for row in rows} == {"2026-03-01T00:00:00Z"}
    assert {row["ChargeCategory"] for row in rows} == {"Usage", "Purchase", "Credit"}
    assert {json.loads(row["Tags"])["application"] for row in rows if row["ResourceId"]} == set(HOSTILE)
    for row in rows:
        exact = Decimal(row["ListUnitPrice"]) * Decimal(row["PricingQuantity"])
        assert abs(exact - Decimal(row["ListCost"])) < Decimal("1e-12")
        assert abs(exact - Decimal(row["BilledCost"])) < Decimal("0.01")


def test_a_statement_does_not_depend_on_the_order_of_keys(hostile: Statement) -> None:
    """Every format gives the same text for reversed rows."""
    again = statement([frame[::-1] for frame in [day({"key_id": "b", "paths": {"GET /": 3}}, {"key_id": "a"})]])
    first = statement([day({"key_id": "b", "paths": {"GET /": 3}}, {"key_id": "a"})])
    assert [statement_format(format_name).render(again) for format_name in STATEMENT_FORMATS] == [
        statement_format(format_name).render(first) for format_name in STATEMENT_FORMATS
    ]


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
    """Every format renders it."""
    result = statement([])
    assert isinstance(measure(iter([]), ()), Usage)
    assert result.total == 0
    assert all(statement_format(format_name).render(result) for format_name in STATEMENT_FORMATS)


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
    assert len(FEBRUARY.days()) == 28
    assert FEBRUARY.days()[-1] + timedelta(days=1) == date(2026, 3, 1)
    assert str(FEBRUARY) == "2026-02"


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"currency": "euro"}, "not a currency"),
        ({"prices": [{"name": "A", "price": -1}]}, "greater than or equal"),
        ({"prices": [{"name": "A", "price": "NaN"}]}, "finite"),
        ({"prices": [{"name": "A", "price": 1, "per": 0}]}, "greater than or equal"),
        ({"prices": [{"name": "A", "price": 1, "since": "2026-13"}]}, "not a month"),
        ({"prices": [{"name": "A", "price": 1, "since": "2026-03", "until": "2026-02"}]}, "lies after"),
        ({"prices": [{"name": "A", "price": 1}, {"name": "A", "price": 2}]}, "two of the same months"),
        ({"shared": [{"name": "A", "amount": 1, "split": {"a": 0}}]}, "must not all be 0"),
        ({"shared": [{"name": "A", "amount": 1, "split": {"a": -1}}]}, "greater than or equal"),
        ({"shared": [{"name": "A", "amount": 1, "split": "fairly"}]}, "requests"),
    ],
)
def test_a_section_that_makes_no_sense_is_refused(section: dict[str, Any], message: str) -> None:
    """The error names what is wrong."""
    with pytest.raises(ValueError, match=message):
        Chargeback.model_validate(section)


def test_a_price_may_follow_another_of_its_name() -> None:
    """Two prices may share a name if no month has both."""
    section = Chargeback.model_validate(
        {"prices": [{"name": "A", "price": 1, "until": "2026-01"}, {"name": "A", "price": 2, "since": "2026-02"}]}
    )
    assert [[str(p.price) for p in section.prices if p.holds_in(month)] for month in ("2026-01", "2026-02")] == [
        ["1"],
        ["2"],
    ]
