"""A statement in FOCUS, the FinOps Open Cost and Usage Specification, version 1.2 (focus.finops.org).

One row a charge. Shared costs are recurring purchases, and credits where they are negative. The columns that
version 1.0 asks for and that say nothing here stand empty at the end.
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
"""Columns that 1.0 asks for and that say nothing here."""


def render(statement: Statement) -> str:
    """A line of names and one line a charge."""
    common = {**dict.fromkeys(EMPTY), **_common(statement)}
    return table((*COLUMNS, *EMPTY), ({**common, **_own(statement, row)} for row in rows(statement)))


def _common(statement: Statement) -> dict[str, Any]:
    """What is the same of every charge."""
    month, issuer = statement.month, statement.organization or statement.source
    start, end = (
        plain(Day(day, statement.timezone).start) for day in (month.first, month.last + timedelta(days=1))
    )
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


def _own(statement: Statement, row: Mapping[str, Any]) -> dict[str, Any]:
    """What is a charge's own."""
    shared, amount = row["kind"] == SHARED, row["amount"]
    unit_price, quantity, unit = _priced(row)
    return {
        "BilledCost": amount,
        "ChargeCategory": "Usage" if not shared else "Credit" if amount < 0 else "Purchase",
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


def _priced(row: Mapping[str, Any]) -> tuple[Decimal, Decimal, str]:
    """Unit price, how many units, and the unit; their product is the exact cost."""
    if row["kind"] == SHARED:
        return row["amount"], Decimal(1), "Months"
    per = row["per"] or 1
    return (
        row["price"] or Decimal(0),
        Decimal(row["requests"]) / per,
        "Requests" if per == 1 else f"{per} Requests",
    )
