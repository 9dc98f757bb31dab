"""The configuration of chargeback: what requests cost, and which costs are shared."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import combinations
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from detector.config.section import Section

Split = Literal["requests", "cost", "keys", "evenly"]
MONTH = r"(19[7-9]|2[0-9]{2})[0-9]-(0[1-9]|1[0-2])"
"""A month as it is written; there were no keys before 1970."""


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
    """What is charged, perhaps in some months only."""

    name: str = Field(min_length=1, max_length=100, description="What statements call it.")
    since: MonthText | None = Field(
        None, description="The first month it is true of, as YYYY-MM; else all before too."
    )
    until: MonthText | None = Field(None, description="The last month it is true of; else all that follow.")

    def holds_in(self, month: str) -> bool:
        """Whether it is true of a month, written as YYYY-MM."""
        return (self.since or month) <= month <= (self.until or month)

    @model_validator(mode="after")
    def _in_order(self) -> Charge:
        if self.since and self.until and self.since > self.until:
            raise ValueError(f"since {self.since} lies after until {self.until}")
        return self


class Price(Charge):
    """What some requests cost. The first price that fits a request is its price."""

    price: Amount = Field(ge=0, description="In the currency, exact: 0.40 is 0.40.")
    per: int = Field(1, ge=1, le=1_000_000_000, description="For so many requests.")
    endpoint: Pattern | None = Field(None, description="Only for endpoints that fit this shell-style pattern.")
    environment: Pattern | None = Field(
        None, description="Only for keys of such an environment: live, test, unknown."
    )
    team: Pattern | None = Field(None, description="Only for keys of such teams.")
    application: Pattern | None = Field(None, description="Only for keys of such applications.")


class Shared(Charge):
    """A monthly cost that nobody causes alone; a negative one is a credit."""

    amount: Amount = Field(description="A month, in the currency.")
    split: Split | dict[str, Annotated[int, Field(ge=0)]] = Field(
        "requests",
        description="By teams' requests, what these cost, active keys, evenly, or a map of team to share.",
    )

    @model_validator(mode="after")
    def _somebody_pays(self) -> Shared:
        if isinstance(self.split, dict) and not sum(self.split.values()):
            raise ValueError("split: the shares must not all be 0")
        return self


class ChargebackSettings(Section):
    """What usage costs, by team and key."""

    currency: Annotated[str, AfterValidator(_currency)] = Field("USD", description="ISO 4217 code.")
    prices: tuple[Price, ...] = Field(
        (), description="What requests cost; the first one that fits holds. See below."
    )
    shared: tuple[Shared, ...] = Field((), description="Monthly costs to split. See below.")

    @property
    def wanted(self) -> bool:
        """Whether there is anything to charge."""
        return bool(self.prices or self.shared)

    def of(self, month: str) -> ChargebackSettings:
        """What of it is true of a month, written as YYYY-MM."""
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
    """Whether there is a month of which both are true."""
    return (one.since or "") <= (other.until or "9999-99") and (other.since or "") <= (one.until or "9999-99")


SECTIONS: dict[str, type[Section]] = {"prices": Price, "shared": Shared}
"""Key of a list of sections to their type, for the reference."""
