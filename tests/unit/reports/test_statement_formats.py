"""The formats of a statement: each gives the same amounts, and no name can act in any of them."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest

from detector.chargeback.statement import Statement
from detector.config.chargeback import Price, Shared
from detector.config.plugins import STATEMENT_FORMATS
from detector.reports import statement as statement_formats
from detector.reports.exports.csv import text_of
from detector.reports.statement import statement_format
from tests.statements import HOSTILE, day, statement


def test_a_tiny_price_is_written_out() -> None:
    """No format writes a price with an exponent."""
    result = statement([day({"key_id": "k", "paths": {"GET /": 10**6}})], [Price(name="All", price="1e-7")])
    assert json.loads(statement_format("json").render(result))["prices"][0]["price"] == "0.0000001"
    for format_name in ("json", "csv", "html"):
        assert "0.0000001" in statement_format(format_name).render(result)
    assert "E-" not in statement_format("focus").render(result)


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


def test_the_change_against_the_month_before_is_shown() -> None:
    """A team without earlier charges is new; one without current charges still has its line."""
    price = Price(name="All", price=1)
    current = [day({"key_id": "k", "team": "a", "paths": {"GET /": 4}})]
    previous = [day({"key_id": "k", "team": "b", "paths": {"GET /": 4}})]
    text = statement_format("text").render(statement(current, [price], before=previous))
    assert "new" in text
    assert "-100%" in text


def test_a_month_without_requests_is_named() -> None:
    """The source most likely delivered nothing."""
    result = statement([day({"key_id": "k"})] * 28)
    silent = replace(result, days=replace(result.days, empty=result.days.stored))
    assert "No requests on 2026-02-01 to 2026-02-28" in statement_format("text").render(silent)


def test_every_format_renders_a_month_without_days() -> None:
    """The first run of a new installation may ask for one."""
    assert all(statement_format(format_name).render(statement([])) for format_name in STATEMENT_FORMATS)
