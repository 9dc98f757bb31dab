"""A statement in FOCUS, the FinOps Open Cost and Usage Specification, version 1.2 (focus.finops.org).

One row a charge. Shared costs are recurring purchases, and credits where they are negative. The columns that
version 1.0 asks for and that say nothing here stand empty at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from detector.chargeback import SHARED, Statement
from detector.model import Night
from detector.reports.csv import table
from detector.reports.json import plain
from detector.reports.statement.rows import rows

COLUMNS = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingAccountType", "BillingCurrency",
    "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription",
    "ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart", "ConsumedQuantity", "ConsumedUnit",
    "ContractedCost", "ContractedUnitPrice", "EffectiveCost", "InvoiceIssuerName", "ListCost", "ListUnitPrice",
    "PricingCategory",
    "PricingCurrency", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "ResourceId",
    "ResourceName", "ResourceType", "ServiceCategory", "ServiceName", "ServiceSubcategory", "SkuId", "SkuPriceId",
    "SubAccountId", "SubAccountName", "SubAccountType", "Tags",
)  # fmt: skip
EMPTY = (
    "AvailabilityZone", "CommitmentDiscountCategory", "CommitmentDiscountId", "CommitmentDiscountName",
    "CommitmentDiscountStatus", "CommitmentDiscountType", "RegionId", "RegionName",
)  # fmt: skip
"""Columns that 1.0 asks for and that say nothing here."""


def render(statement: Statement) -> str:
    """A line of names and one line a charge."""
    nothing = dict.fromkeys(EMPTY)
    return table((*COLUMNS, *EMPTY), ({**_focus(statement, row), **nothing} for row in rows(statement)))


def _focus(statement: Statement, row: Mapping[str, Any]) -> dict[str, Any]:
    month, issuer = statement.month, statement.organization or statement.source
    period = [plain(Night(day, statement.timezone).start) for day in (month.first, month.last + timedelta(days=1))]
    shared, amount = row["kind"] == SHARED, row["amount"]
    unit_price, quantity, unit = _priced(statement, row)
    category = "Usage" if not shared else "Credit" if amount < 0 else "Purchase"
    tags = {name: row[name] for name in ("application", "environment") if row[name]}
    return {
        "BilledCost": amount,
        "BillingAccountId": issuer,
        "BillingAccountName": issuer,
        "BillingAccountType": "Organization",
        "BillingCurrency": statement.currency,
        "BillingPeriodStart": period[0],
        "BillingPeriodEnd": period[1],
        "ChargeCategory": category,
        "ChargeClass": None,
        "ChargeDescription": f"{row['charge']}, {month.first:%B %Y}",
        "ChargeFrequency": "Recurring" if shared else "Usage-Based",
        "ChargePeriodStart": period[0],
        "ChargePeriodEnd": period[1],
        "ConsumedQuantity": row["requests"],
        "ConsumedUnit": None if shared else "Requests",
        "ContractedCost": unit_price * quantity,
        "ContractedUnitPrice": unit_price,
        "EffectiveCost": amount,
        "InvoiceIssuerName": issuer,
        "ListCost": unit_price * quantity,
        "ListUnitPrice": unit_price,
        "PricingCategory": "Standard",
        "PricingCurrency": statement.currency,
        "PricingQuantity": quantity,
        "PricingUnit": unit,
        "ProviderName": issuer,
        "PublisherName": issuer,
        "ResourceId": row["key_id"],
        "ResourceName": row["name"],
        "ResourceType": row["key_id"] and "API key",
        "ServiceCategory": "Integration",
        "ServiceName": "API",
        "ServiceSubcategory": "API Management",
        "SkuId": row["charge"],
        "SkuPriceId": f"{row['charge']} {month}",
        "SubAccountId": row["team"],
        "SubAccountName": row["team"],
        "SubAccountType": row["team"] and "Team",
        "Tags": tags,
    }


def _priced(statement: Statement, row: Mapping[str, Any]) -> tuple[Decimal, Decimal, str]:
    """Unit price, how many units, and the unit; their product is the exact cost."""
    if row["kind"] == SHARED:
        return row["amount"], Decimal(1), "Months"
    per = row["per"] or 1
    return (
        row["price"] or Decimal(0),
        Decimal(row["requests"]) / per,
        "Requests" if per == 1 else f"{per} Requests",
    )
