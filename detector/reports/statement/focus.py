"""A statement in FOCUS, the FinOps Open Cost and Usage Specification, version 1.2 (focus.finops.org).

Each charge is one row. A shared cost is a recurring purchase, or a credit if it is negative. The last columns are
empty: version 1.0 requires them, and a statement has no data for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from detector.chargeback.statement import SHARED, Statement
from detector.model.day import Day
from detector.reports.exports.csv import table
from detector.reports.exports.json import plain
from detector.reports.statement import StatementFormat
from detector.reports.statement.rows import rows

COLUMNS = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingAccountType", "BillingCurrency",
    "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription",
    "ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart", "ConsumedQuantity", "ConsumedUnit",
    "ContractedCost", "ContractedUnitPrice", "EffectiveCost", "InvoiceIssuerName", "ListCost", "ListUnitPrice",
    "PricingCategory", "PricingCurrency", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName",
    "ResourceId", "ResourceName", "ResourceType", "ServiceCategory", "ServiceName", "ServiceSubcategory", "SkuId",
    "SkuPriceId", "SubAccountId", "SubAccountName", "SubAccountType", "Tags",
)  # fmt: skip
EMPTY = (
    "AvailabilityZone", "CommitmentDiscountCategory", "CommitmentDiscountId", "CommitmentDiscountName",
    "CommitmentDiscountStatus", "CommitmentDiscountType", "RegionId", "RegionName",
)  # fmt: skip
"""Columns that version 1.0 requires and for which a statement has no data."""


class FocusStatement(StatementFormat):
    """Writes ``focus.csv``: one row per charge, in the columns of FOCUS."""

    filename = "focus.csv"

    def render(self, statement: Statement) -> str:
        """Write the column names and one row per charge."""
        common = {**dict.fromkeys(EMPTY), **_common_fields(statement)}
        records = ({**common, **_charge_fields(statement, row)} for row in rows(statement))
        return table((*COLUMNS, *EMPTY), records)


def _common_fields(statement: Statement) -> dict[str, Any]:
    """The fields that are the same for every charge."""
    issuer = statement.organization or statement.source
    start = plain(Day(statement.month.first, statement.timezone).start)
    # FOCUS periods exclude their end, so the period ends where the next month begins.
    end = plain(Day(statement.month.last + timedelta(days=1), statement.timezone).start)
    return {
        "BillingAccountId": issuer,
        "BillingAccountName": issuer,
        "BillingAccountType": "Organization",
        "BillingCurrency": statement.currency,
        "BillingPeriodStart": start,
        "BillingPeriodEnd": end,
        "ChargeClass": None,
        "ChargePeriodStart": start,
        "ChargePeriodEnd": end,
        "InvoiceIssuerName": issuer,
        "PricingCategory": "Standard",
        "PricingCurrency": statement.currency,
        "ProviderName": issuer,
        "PublisherName": issuer,
        "ServiceCategory": "Integration",
        "ServiceName": "API",
        "ServiceSubcategory": "API Management",
    }


def _charge_fields(statement: Statement, row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of one charge."""
    shared = row["kind"] == SHARED
    amount = row["amount"]
    unit_price, quantity, unit = _pricing(row)
    return {
        "BilledCost": amount,
        "ChargeCategory": _category(row),
        "ChargeDescription": f"{row['charge']}, {statement.month.first:%B %Y}",
        "ChargeFrequency": "Recurring" if shared else "Usage-Based",
        "ConsumedQuantity": row["requests"],
        "ConsumedUnit": None if shared else "Requests",
        "ContractedCost": unit_price * quantity,
        "ContractedUnitPrice": unit_price,
        "EffectiveCost": amount,
        "ListCost": unit_price * quantity,
        "ListUnitPrice": unit_price,
        "PricingQuantity": quantity,
        "PricingUnit": unit,
        "ResourceId": row["key_id"],
        "ResourceName": row["name"],
        "ResourceType": row["key_id"] and "API key",
        "SkuId": row["charge"],
        "SkuPriceId": f"{row['charge']} {statement.month}",
        "SubAccountId": row["team"],
        "SubAccountName": row["team"],
        "SubAccountType": row["team"] and "Team",
        "Tags": {name: row[name] for name in ("application", "environment") if row[name]},
    }


def _category(row: Mapping[str, Any]) -> str:
    if row["kind"] != SHARED:
        return "Usage"
    return "Credit" if row["amount"] < 0 else "Purchase"


def _pricing(row: Mapping[str, Any]) -> tuple[Decimal, Decimal, str]:
    """Unit price, quantity and unit of a charge. Unit price times quantity is the exact cost."""
    if row["kind"] == SHARED:
        return row["amount"], Decimal(1), "Months"
    per = row["per"] or 1
    unit_price = row["price"] or Decimal(0)
    quantity = Decimal(row["requests"]) / per
    return unit_price, quantity, "Requests" if per == 1 else f"{per} Requests"
