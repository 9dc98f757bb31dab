"""What a month of usage costs, by team and key, exact to the last cent.

Prices and shared costs are exact numbers, and so is what each line and team comes to. Only then it is rounded, up
or down as makes every column add up to its rounded total: nothing is a cent or more beside what is exact.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from fractions import Fraction
from math import lcm
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from detector.chargeback.apportionment import nearest, places_of, round_in_groups, round_shares
from detector.config.chargeback import MONTH, Price, Shared
from detector.model.day import Day
from detector.model.errors import ConfigError
from detector.model.usage import TEXT
from detector.usage.aggregation import empty, explode

NO_TEAM = ""
"""Keys that the register gives to no team."""
UNPRICED = ""
"""The charge of requests that no price fits; a price has a name."""
USAGE, SHARED = "usage", "shared"
LINE_COLUMNS = ("team", "key_id", "charge", "kind", "requests", "amount")
OWNER_COLUMNS = ("team", "key_id", "name", "environment", "application")
_COUNTS = {"team": TEXT, "key_id": TEXT, "price": "int64", "requests": "int64"}
_OWNERS = {**dict.fromkeys(OWNER_COLUMNS, TEXT), "requests": "int64", "active": "bool"}
_MINOR_DIGITS = {
    **dict.fromkeys(
        ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV"), 0
    ),
    **dict.fromkeys(("XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
"""Decimals of an amount where they are not two (ISO 4217)."""


@dataclass(frozen=True, order=True)
class Month:
    """A month of local days, written as YYYY-MM."""

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Month:
        """Read YYYY-MM; ConfigError for anything else."""
        if not re.fullmatch(MONTH, text):
            raise ConfigError(f"{text!r} is not a month; write it as YYYY-MM")
        return cls(int(text[:4]), int(text[5:]))

    @classmethod
    def of(cls, day: date) -> Month:
        """The month that a day lies in."""
        return cls(day.year, day.month)

    @property
    def first(self) -> date:
        """Its first day."""
        return date(self.year, self.number, 1)

    @property
    def last(self) -> date:
        """Its last day."""
        return date(self.year, self.number, calendar.monthrange(self.year, self.number)[1])

    @property
    def before(self) -> Month:
        """The month before it."""
        return Month.of(self.first - timedelta(days=1))

    def days(self) -> list[date]:
        """Its days in order."""
        return [self.first + timedelta(days=number) for number in range(self.last.day)]

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"


@dataclass(frozen=True)
class Usage:
    """The requests of a month. ``counts`` has team, key_id, price (position among the prices, -1 for none) and
    requests; ``owners`` has ``OWNER_COLUMNS`` of every team and key, with its ``requests`` and whether it is
    ``active`` at the end."""

    counts: pd.DataFrame
    owners: pd.DataFrame


@dataclass(frozen=True)
class Days:
    """What a statement rests on: days of the month that are stored, those that are not, those that are not over
    yet, those without any request, and those whose late rows may still come."""

    stored: tuple[date, ...]
    missing: tuple[date, ...]
    ahead: tuple[date, ...]
    empty: tuple[date, ...]
    unsettled: tuple[date, ...]


@dataclass(frozen=True)
class TeamTotal:
    """What a team pays. Amounts are in minor units of the currency; ``before`` is the month before, None where
    that is not known whole."""

    team: str
    keys: int
    requests: int
    usage: int
    shared: int
    before: int | None

    @property
    def total(self) -> int:
        """Usage and shared costs."""
        return self.usage + self.shared


@dataclass(frozen=True)
class Statement:
    """A month's charges. ``lines`` has ``LINE_COLUMNS`` with the amount in minor units, by team, then key (empty
    for what no key of the team causes); ``owners`` says what is known of each team's keys."""

    month: Month
    timezone: ZoneInfo
    organization: str | None
    source: str
    currency: str
    prices: tuple[Price, ...]
    shared: tuple[Shared, ...]
    lines: pd.DataFrame
    owners: pd.DataFrame
    teams: tuple[TeamTotal, ...]
    days: Days
    failures: tuple[str, ...]
    generated_at: datetime

    @property
    def total(self) -> int:
        """All charges, in minor units."""
        return sum(team.total for team in self.teams)

    @property
    def before(self) -> int | None:
        """All charges of the month before; None where that is not known whole."""
        known = [team.before for team in self.teams]
        return None if None in known or not known else sum(filter(None, known))

    @property
    def requests(self) -> int:
        """All requests."""
        return sum(team.requests for team in self.teams)

    @property
    def unpriced(self) -> int:
        """Requests that no price fits."""
        return int(self.lines.loc[self.lines["charge"] == UNPRICED, "requests"].sum())

    @property
    def final(self) -> bool:
        """Whether every day of the month is there, not all without requests, and none can change by itself."""
        days = self.days
        silent = len(days.empty) == len(days.stored)
        return not (days.missing or days.ahead or days.unsettled or silent)

    def money(self, minor: int) -> Decimal:
        """An amount in the currency, with as many decimals as it has."""
        return Decimal(int(minor)).scaleb(-minor_digits(self.currency))


def minor_digits(currency: str) -> int:
    """How many decimals an amount of a currency has."""
    return _MINOR_DIGITS.get(currency, 2)


def measure(days: Iterator[pd.DataFrame], prices: Sequence[Price]) -> Usage:
    """Count a month's requests by team, key and price, from the records of its days in order.

    A request belongs to the team that had its key on that day. Revoked keys that are used count too.
    """
    priced, counts, owners = _Pricing(prices), empty(_COUNTS), empty(_OWNERS)
    for records in days:
        known = records[["key_id", "name", "environment", "team", "application"]].fillna({"team": NO_TEAM})
        used = explode(records[records["request_count"] > 0], "endpoint_distribution")
        rows = priced(used.merge(known.fillna({"application": "", "environment": ""}), on="key_id"))
        current = known.assign(requests=records["request_count"], active=records["active"])
        counts = _added(counts, rows.rename(columns={"request_count": "requests"}))
        owners = _latest(owners.assign(active=False), current)
    owners = _plain(owners[(owners["requests"] > 0) | owners["active"]])
    return Usage(_plain(counts), owners.assign(name=owners["name"].where(owners["name"] != "", owners["key_id"])))


def charge(usage: Usage, prices: Sequence[Price], shared: Sequence[Shared], currency: str) -> pd.DataFrame:
    """All charges of a month as ``LINE_COLUMNS``, amounts in minor units, by team, key and charge."""
    numerators, denominator = _exact_costs(usage, prices, currency)
    amounts = round_in_groups(
        nearest(sum(numerators), denominator), usage.counts["team"].tolist(), numerators, denominator
    )
    names = [*(price.name for price in prices), UNPRICED]
    counted = zip(*(usage.counts[name].tolist() for name in _COUNTS), amounts, strict=True)
    lines = [(team, key, names[price], USAGE, requests, amount) for team, key, price, requests, amount in counted]
    costs: dict[tuple[str, str], int] = {}
    for (team, key, *_), numerator in zip(lines, numerators, strict=True):
        costs[team, key] = costs.get((team, key), 0) + numerator
    for cost in shared:
        minor = nearest(*(cost.amount * 10 ** minor_digits(currency)).as_integer_ratio())
        parts = _split(cost, minor, usage.owners, costs)
        lines += [(team, key, cost.name, SHARED, 0, amount) for team, key, amount in parts]
    frame = pd.DataFrame(lines, columns=list(LINE_COLUMNS))
    return frame.sort_values(["team", "key_id"], kind="stable", ignore_index=True)


def totals(lines: pd.DataFrame, owners: pd.DataFrame, before: pd.DataFrame | None) -> tuple[TeamTotal, ...]:
    """What each team pays, the most first; ``before`` are the lines of the month before, where known whole."""
    earlier = None if before is None else before.groupby("team")["amount"].sum().to_dict()
    teams = {*lines["team"], *owners["team"], *(earlier or {})}
    keys = owners.groupby("team").size().to_dict()
    sums = lines.groupby(["team", "kind"])[["requests", "amount"]].sum().to_dict("index")
    nothing = {"requests": 0, "amount": 0}
    made = [
        TeamTotal(
            team=team,
            keys=int(keys.get(team, 0)),
            requests=int(sums.get((team, USAGE), nothing)["requests"]),
            usage=int(sums.get((team, USAGE), nothing)["amount"]),
            shared=int(sums.get((team, SHARED), nothing)["amount"]),
            before=None if earlier is None else int(earlier.get(team, 0)),
        )
        for team in teams
    ]
    return tuple(sorted(made, key=lambda total: (-total.total, -total.requests, total.team)))


def days_of(
    month: Month,
    timezone: ZoneInfo,
    stored: Mapping[date, tuple[datetime, bool]],
    settle_days: int,
    now: datetime,
) -> Days:
    """What is known of a month's days; ``stored`` says when each was pulled and whether it has requests.

    A day may change while late rows are pulled for it, and where it was pulled before it was over.
    """
    there = [day for day in month.days() if day in stored]
    lacking = [day for day in month.days() if day not in stored]
    ends = {day: Day(day, timezone).end for day in month.days()}
    return Days(
        stored=tuple(there),
        missing=tuple(day for day in lacking if ends[day] <= now),
        ahead=tuple(day for day in lacking if ends[day] > now),
        empty=tuple(day for day in there if not stored[day][1]),
        unsettled=tuple(
            day for day in there if stored[day][0] < ends[day] or now < ends[day] + timedelta(days=settle_days)
        ),
    )


class _Pricing:
    """The price of requests by what they are; what was seen once is not matched again."""

    def __init__(self, prices: Sequence[Price]) -> None:
        self._prices = prices
        self._known: dict[tuple[str, ...], int] = {}

    def __call__(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows with the position of each one's price, -1 where none fits."""
        columns = ["endpoint_distribution", "environment", "team", "application"]
        kinds = rows[columns].drop_duplicates()
        kinds["price"] = np.array(
            [self._price(kind) for kind in kinds.itertuples(index=False, name=None)], np.int64
        )
        return rows.merge(kinds, on=columns)

    def _price(self, kind: tuple[str, ...]) -> int:
        found = self._known.get(kind)
        if found is None:
            fits = (place for place, price in enumerate(self._prices) if _fits(price, kind))
            found = self._known[kind] = next(fits, -1)
        return found


def _fits(price: Price, kind: tuple[str, ...]) -> bool:
    patterns = (price.endpoint, price.environment, price.team, price.application)
    return all(pattern is None or fnmatchcase(text, pattern) for pattern, text in zip(patterns, kind, strict=True))


def _added(counts: pd.DataFrame, current: pd.DataFrame) -> pd.DataFrame:
    """The counts with those of another day."""
    both = pd.concat([counts, current[list(_COUNTS)]], ignore_index=True)
    return both.groupby(["team", "key_id", "price"], as_index=False).agg({"requests": "sum"})


def _latest(owners: pd.DataFrame, current: pd.DataFrame) -> pd.DataFrame:
    """Every team and key as it was known last, with all its requests, and whether it is active that day."""
    both = pd.concat([owners, current], ignore_index=True).groupby(["team", "key_id"], as_index=False)
    told = dict.fromkeys(("name", "environment", "application"), "last")
    return both.agg({**told, "requests": "sum", "active": "max"})


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Texts as plain strings, empty where there is none."""
    texts = [name for name in frame.columns if name in OWNER_COLUMNS]
    made = frame.assign(**{name: frame[name].fillna("").to_numpy(dtype=object) for name in texts})
    return made.reset_index(drop=True)


def _exact_costs(usage: Usage, prices: Sequence[Price], currency: str) -> tuple[list[int], int]:
    """What each line of ``counts`` costs in minor units, as numerators of one denominator."""
    units = [Fraction(price.price) * 10 ** minor_digits(currency) / price.per for price in prices]
    denominator = lcm(*(unit.denominator for unit in units))
    each = [*(int(unit * denominator) for unit in units), 0]  # position -1 is the last one: no price
    counted = zip(usage.counts["requests"].tolist(), usage.counts["price"].tolist(), strict=True)
    return [requests * each[price] for requests, price in counted], denominator


def _split(
    cost: Shared, minor: int, owners: pd.DataFrame, costs: Mapping[tuple[str, str], int]
) -> Iterator[tuple[str, str, int]]:
    """A shared cost by team and key. Within a team it follows what it follows between teams, or the keys'
    requests, and falls to all alike where there are none. A team without keys, or nobody, has it without a key."""
    keys = list(zip(owners["team"], owners["key_id"], strict=True))
    places, requests = places_of(owners["team"]), owners["requests"].tolist()
    weights = {
        "cost": [costs.get(key, 0) for key in keys],
        "keys": [int(active) for active in owners["active"]],
    }.get(str(cost.split), requests)
    if isinstance(cost.split, dict):
        shares = {team: share for team, share in cost.split.items() if share}
    elif cost.split == "evenly":
        shares = dict.fromkeys(places, 1)
    else:
        sums = ((team, sum(weights[place] for place in own)) for team, own in places.items())
        shares = {team: whole for team, whole in sums if whole}
    shares = shares or dict.fromkeys(places, 1) or {NO_TEAM: 1}
    whole = sum(shares.values())
    parts = round_shares(minor, [minor * share for share in shares.values()], whole)
    for (team, share), part in zip(shares.items(), parts, strict=True):
        own = places.get(team, [])
        if not own:
            yield team, "", part
            continue
        inside = [weights[place] for place in own]
        inside = inside if any(inside) else [1] * len(own)
        amounts = round_shares(part, [minor * share * weight for weight in inside], whole * sum(inside))
        for place, amount in zip(own, amounts, strict=True):
            if amount:
                yield team, keys[place][1], amount
