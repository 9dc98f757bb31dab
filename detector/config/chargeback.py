"""The configuration of chargeback: the prices of requests and the shared costs."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import combinations
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from detector.config.section import Section

Split = Literal["requests", "cost", "keys", "evenly"]
MONTH = r"(19[7-9]|2[0-9]{2})[0-9]-(0[1-9]|1[0-2])"
"""The pattern of a month, YYYY-MM, from 1970 on."""


def _month(text: str) -> str:
    if not re.fullmatch(MONTH, text):
        raise ValueError("not a month, such as 2026-11; put it in quotes")
    return text


def _currency(code: str) -> str:
    if not re.fullmatch("[A-Z]{3}", code):
        raise ValueError("not a currency, such as USD or EUR")
    return code


MonthText = Annotated[str, AfterValidator(_month)]
Pattern = Annotated[str, Field(min_length=1)]
PRICE_DECIMALS = 12
Amount = Annotated[Decimal, Field(allow_inf_nan=False, max_digits=18, decimal_places=PRICE_DECIMALS)]


class Charge(Section):
    """A price or a shared cost, for all months or for some."""

    name: str = Field(min_length=1, max_length=100, description="The name in statements.")
    since: MonthText | None = Field(
        None, description="The first month, as YYYY-MM; without it, all earlier months count."
    )
    until: MonthText | None = Field(None, description="The last month; without it, all later months count.")

    def holds_in(self, month: str) -> bool:
        """Whether the charge applies to a month, written as YYYY-MM."""
        return (self.since or month) <= month <= (self.until or month)

    @model_validator(mode="after")
    def _in_order(self) -> Charge:
        if self.since and self.until and self.since > self.until:
            raise ValueError(f"since {self.since} lies after until {self.until}")
        return self


class Price(Charge):
    """The price of some requests. A request has the first price that matches it."""

    price: Amount = Field(ge=0, description="The price in the currency, without rounding.")
    per: int = Field(1, ge=1, le=1_000_000_000, description="The number of requests that the price is for.")
    endpoint: Pattern | None = Field(None, description="Only for endpoints that match this shell-style pattern.")
    environment: Pattern | None = Field(
        None, description="Only for keys whose environment (live, test, unknown) matches this pattern."
    )
    team: Pattern | None = Field(None, description="Only for keys whose team matches this pattern.")
    application: Pattern | None = Field(None, description="Only for keys whose application matches this pattern.")


class Shared(Charge):
    """A monthly cost that the teams share. A negative amount is a credit."""

    amount: Amount = Field(description="The amount per month in the currency.")
    split: Split | dict[str, Annotated[int, Field(ge=0)]] = Field(
        "requests",
        description="In proportion to the teams' requests, their cost or their active keys, in equal parts, "
        "or by a map of team to share.",
    )

    @model_validator(mode="after")
    def _somebody_pays(self) -> Shared:
        if isinstance(self.split, dict) and not sum(self.split.values()):
            raise ValueError("split: the shares must not all be 0")
        return self


class ChargebackSettings(Section):
    """The prices and shared costs that statements split by team and key."""

    currency: Annotated[str, AfterValidator(_currency)] = Field("USD", description="ISO 4217 code.")
    prices: tuple[Price, ...] = Field(
        (), description="The prices of requests; the first price that matches a request applies. See below."
    )
    shared: tuple[Shared, ...] = Field((), description="Monthly costs that the teams share. See below.")

    @property
    def wanted(self) -> bool:
        """Whether any price or shared cost is configured."""
        return bool(self.prices or self.shared)

    def of(self, month: str) -> ChargebackSettings:
        """The prices and shared costs that apply to a month, written as YYYY-MM."""
        prices = tuple(price for price in self.prices if price.holds_in(month))
        shared = tuple(cost for cost in self.shared if cost.holds_in(month))
        return ChargebackSettings(currency=self.currency, prices=prices, shared=shared)

    @model_validator(mode="after")
    def _names_differ(self) -> ChargebackSettings:
        for kind, charges in (("prices", self.prices), ("shared", self.shared)):
            for one, other in combinations(charges, 2):
                if one.name == other.name and _meet(one, other):
                    raise ValueError(f"{kind}: two of the same months are named {one.name!r}")
        return self


def _meet(one: Charge, other: Charge) -> bool:
    """Whether both charges apply to a common month."""
    return (one.since or "") <= (other.until or "9999-99") and (other.since or "") <= (one.until or "9999-99")


SECTIONS: dict[str, type[Section]] = {"prices": Price, "shared": Shared}
"""The type of each list of sections by its key, for the configuration reference."""
