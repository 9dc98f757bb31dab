"""The charges of a month of usage, by team and key, exact to the last cent.

Prices, shared costs and the sums over them are exact fractions. Amounts are rounded once, at the end. The
rounded amounts of each column add up to its rounded total, and each differs from its exact amount by less than
one minor unit.

Rounding every line by itself would give columns that do not add up. Rounding by price as well would need
controlled rounding in two directions, which is not always possible; so a statement shows the exact amount of
each price. A month is added up day by day, so that memory does not grow with its length.
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

from detector.chargeback.apportionment import nearest, positions_by_group, round_in_groups, round_shares
from detector.config.chargeback import MONTH, Price, Shared
from detector.model.day import Day
from detector.model.errors import ConfigError
from detector.model.usage import TEXT
from detector.usage.aggregation import empty, explode

NO_TEAM = ""
"""The team of keys to which the register gives no team."""
UNPRICED = ""
"""The charge of requests that match no price. No price has this name, because the name of a price is not empty."""
USAGE = "usage"
SHARED = "shared"
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
"""Decimal places of the currencies that do not have two (ISO 4217)."""


@dataclass(frozen=True, order=True)
class Month:
    """A month of local days, written as YYYY-MM."""

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Month:
        """Read YYYY-MM. Any other text raises ConfigError."""
        if not re.fullmatch(MONTH, text):
            raise ConfigError(f"{text!r} is not a month; write it as YYYY-MM")
        return cls(int(text[:4]), int(text[5:]))

    @classmethod
    def of(cls, day: date) -> Month:
        """The month of a day."""
        return cls(day.year, day.month)

    @property
    def first(self) -> date:
        """The first day of the month."""
        return date(self.year, self.number, 1)

    @property
    def last(self) -> date:
        """The last day of the month."""
        return date(self.year, self.number, calendar.monthrange(self.year, self.number)[1])

    @property
    def before(self) -> Month:
        """The previous month."""
        return Month.of(self.first - timedelta(days=1))

    def days(self) -> list[date]:
        """The days of the month in order."""
        return [self.first + timedelta(days=number) for number in range(self.last.day)]

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"


@dataclass(frozen=True)
class Usage:
    """The requests of a month.

    ``counts`` has the columns team, key_id, price (the position in the list of prices, -1 for none) and requests.
    ``owners`` has one row for each team and key: ``OWNER_COLUMNS``, ``requests``, and ``active`` (whether the key
    is active at the end of the month, and in the register where there is one).
    """

    counts: pd.DataFrame
    owners: pd.DataFrame


@dataclass(frozen=True)
class Days:
    """The days of the month, by the state of their data."""

    stored: tuple[date, ...]
    missing: tuple[date, ...]
    """Days that are over and not stored."""
    ahead: tuple[date, ...]
    """Days that are not over and not stored."""
    empty: tuple[date, ...]
    """Stored days without any request."""
    unsettled: tuple[date, ...]
    """Stored days whose counts may still change."""


@dataclass(frozen=True)
class TeamTotal:
    """The charges of one team, in minor units of the currency.

    ``before`` is the team's total of the previous month; None if days of that month are missing.
    """

    team: str
    keys: int
    requests: int
    usage: int
    shared: int
    before: int | None

    @property
    def total(self) -> int:
        """The sum of usage and shared costs."""
        return self.usage + self.shared


@dataclass(frozen=True)
class Statement:
    """The charges of a month.

    ``lines`` has ``LINE_COLUMNS``, sorted by team and key, with the amount in minor units. The key_id is empty for
    a cost that no key of the team causes. ``owners`` has one row for each team and key, as in ``Usage``.
    """

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
        """The sum of all charges, in minor units."""
        return sum(team.total for team in self.teams)

    @property
    def before(self) -> int | None:
        """The sum of all charges of the previous month; None if days of that month are missing."""
        amounts = [team.before for team in self.teams]
        if not amounts or None in amounts:
            return None
        return sum(filter(None, amounts))

    @property
    def requests(self) -> int:
        """The number of all requests."""
        return sum(team.requests for team in self.teams)

    @property
    def unpriced(self) -> int:
        """The number of requests that match no price."""
        return int(self.lines.loc[self.lines["charge"] == UNPRICED, "requests"].sum())

    @property
    def final(self) -> bool:
        """Whether all days of the month are stored, no day can still change, and some day has requests."""
        days = self.days
        # A month without any request more likely means that the source delivered nothing.
        silent = len(days.empty) == len(days.stored)
        return not (days.missing or days.ahead or days.unsettled or silent)

    def money(self, minor: int) -> Decimal:
        """Convert minor units to an amount with the decimal places of the currency."""
        return Decimal(int(minor)).scaleb(-minor_digits(self.currency))


def minor_digits(currency: str) -> int:
    """The number of decimal places of a currency."""
    return _MINOR_DIGITS.get(currency, 2)


def measure(days: Iterator[pd.DataFrame], prices: Sequence[Price]) -> Usage:
    """Count a month's requests by team, key and price.

    ``days`` gives the records of each day, in order. A request belongs to the team that owns its key on that day.
    Requests of revoked keys count too.
    """
    pricing = _Pricing(prices)
    counts = empty(_COUNTS)
    owners = empty(_OWNERS)
    for records in days:
        keys = records[["key_id", "name", "environment", "team", "application"]].fillna({"team": NO_TEAM})
        used = explode(records[records["request_count"] > 0], "endpoint_distribution")
        rows = pricing.assign(used.merge(keys.fillna({"application": "", "environment": ""}), on="key_id"))
        counts = _add_counts(counts, rows.rename(columns={"request_count": "requests"}))
        # Anybody can invent a key, and an invented one must not get a share of what the keys share.
        is_own = records["registered"] | (not records["registered"].any())
        current = keys.assign(requests=records["request_count"], active=records["active"] & is_own)
        # Only the last day decides whether a key is active, so the earlier days lose their flag.
        owners = _update_owners(owners.assign(active=False), current)
    owners = _fill_texts(owners[(owners["requests"] > 0) | owners["active"]])
    names = owners["name"].where(owners["name"] != "", owners["key_id"])
    return Usage(_fill_texts(counts), owners.assign(name=names))


def charge(usage: Usage, prices: Sequence[Price], shared: Sequence[Shared], currency: str) -> pd.DataFrame:
    """Compute the charge lines of a month: ``LINE_COLUMNS``, amounts in minor units, sorted by team and key."""
    numerators, denominator = _exact_costs(usage, prices, currency)
    total = nearest(sum(numerators), denominator)
    amounts = round_in_groups(total, usage.counts["team"].tolist(), numerators, denominator)
    names = [*(price.name for price in prices), UNPRICED]
    lines: list[tuple[str, str, str, str, int, int]] = []
    costs: dict[tuple[str, str], int] = {}
    counts = usage.counts[list(_COUNTS)].itertuples(index=False, name=None)
    for (team, key, price, requests), numerator, amount in zip(counts, numerators, amounts, strict=True):
        # Position -1 (no price) selects the last name, UNPRICED.
        lines.append((team, key, names[price], USAGE, requests, amount))
        costs[team, key] = costs.get((team, key), 0) + numerator
    for cost in shared:
        minor = nearest(*(cost.amount * 10 ** minor_digits(currency)).as_integer_ratio())
        for team, key, amount in _split(cost, minor, usage.owners, costs):
            lines.append((team, key, cost.name, SHARED, 0, amount))
    frame = pd.DataFrame(lines, columns=list(LINE_COLUMNS))
    return frame.sort_values(["team", "key_id"], kind="stable", ignore_index=True)


def totals(lines: pd.DataFrame, owners: pd.DataFrame, before: pd.DataFrame | None) -> tuple[TeamTotal, ...]:
    """Sum up the charges of each team, highest total first.

    ``before`` has the charge lines of the previous month; None if days of that month are missing.
    """
    earlier = None
    if before is not None:
        earlier = before.groupby("team")["amount"].sum().to_dict()
    teams = {*lines["team"], *owners["team"], *(earlier or {})}
    keys = owners.groupby("team").size().to_dict()
    sums = lines.groupby(["team", "kind"])[["requests", "amount"]].sum().to_dict("index")
    nothing = {"requests": 0, "amount": 0}
    team_totals = [
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
    return tuple(sorted(team_totals, key=lambda total: (-total.total, -total.requests, total.team)))


def days_of(
    month: Month,
    timezone: ZoneInfo,
    stored: Mapping[date, tuple[datetime, bool]],
    settle_days: int,
    now: datetime,
) -> Days:
    """Sort a month's days by the state of their data.

    ``stored`` gives, for each stored day, the time of its pull and whether the day has requests. A stored day may
    still change if it was pulled before its end, and while late rows are pulled (``settle_days`` after its end).
    """
    ends = {day: Day(day, timezone).end for day in month.days()}
    present = [day for day in month.days() if day in stored]
    absent = [day for day in month.days() if day not in stored]
    unsettled = []
    for day in present:
        pulled_at, _ = stored[day]
        if pulled_at < ends[day] or now < ends[day] + timedelta(days=settle_days):
            unsettled.append(day)
    return Days(
        stored=tuple(present),
        missing=tuple(day for day in absent if ends[day] <= now),
        ahead=tuple(day for day in absent if ends[day] > now),
        empty=tuple(day for day in present if not stored[day][1]),
        unsettled=tuple(unsettled),
    )


class _Pricing:
    """Matches requests with prices, and caches the match of each combination of properties."""

    def __init__(self, prices: Sequence[Price]) -> None:
        self._prices = prices
        self._matches: dict[tuple[str, ...], int] = {}

    def assign(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Add the column ``price``: the position of the first price that matches, -1 if none does."""
        columns = ["endpoint_distribution", "environment", "team", "application"]
        # Rows repeat few combinations of properties, so the patterns are only matched once for each.
        combinations = rows[columns].drop_duplicates()
        positions = [self._match(properties) for properties in combinations.itertuples(index=False, name=None)]
        combinations["price"] = np.array(positions, np.int64)
        return rows.merge(combinations, on=columns)

    def _match(self, properties: tuple[str, ...]) -> int:
        if properties not in self._matches:
            self._matches[properties] = self._first_match(properties)
        return self._matches[properties]

    def _first_match(self, properties: tuple[str, ...]) -> int:
        for position, price in enumerate(self._prices):
            if _price_matches(price, properties):
                return position
        return -1


def _price_matches(price: Price, properties: tuple[str, ...]) -> bool:
    patterns = (price.endpoint, price.environment, price.team, price.application)
    pairs = zip(patterns, properties, strict=True)
    return all(pattern is None or fnmatchcase(text, pattern) for pattern, text in pairs)


def _add_counts(counts: pd.DataFrame, current: pd.DataFrame) -> pd.DataFrame:
    """Add the counts of one more day."""
    both = pd.concat([counts, current[list(_COUNTS)]], ignore_index=True)
    return both.groupby(["team", "key_id", "price"], as_index=False).agg({"requests": "sum"})


def _update_owners(owners: pd.DataFrame, current: pd.DataFrame) -> pd.DataFrame:
    """Add the keys of one more day: the latest name, environment and application, and the sum of requests."""
    both = pd.concat([owners, current], ignore_index=True).groupby(["team", "key_id"], as_index=False)
    latest = dict.fromkeys(("name", "environment", "application"), "last")
    return both.agg({**latest, "requests": "sum", "active": "max"})


def _fill_texts(frame: pd.DataFrame) -> pd.DataFrame:
    """Make the text columns plain strings; a missing text becomes empty."""
    texts = [name for name in frame.columns if name in OWNER_COLUMNS]
    filled = frame.assign(**{name: frame[name].fillna("").to_numpy(dtype=object) for name in texts})
    return filled.reset_index(drop=True)


def _exact_costs(usage: Usage, prices: Sequence[Price], currency: str) -> tuple[list[int], int]:
    """The cost of each row of ``counts`` in minor units, as numerators of one denominator."""
    units = [Fraction(price.price) * 10 ** minor_digits(currency) / price.per for price in prices]
    denominator = lcm(*(unit.denominator for unit in units))
    unit_numerators = [int(unit * denominator) for unit in units]
    unit_numerators.append(0)  # position -1 means no price, and selects the last entry
    rows = zip(usage.counts["requests"].tolist(), usage.counts["price"].tolist(), strict=True)
    return [requests * unit_numerators[price] for requests, price in rows], denominator


def _split(
    cost: Shared, minor: int, owners: pd.DataFrame, costs: Mapping[tuple[str, str], int]
) -> Iterator[tuple[str, str, int]]:
    """Split a shared cost of ``minor`` units into (team, key, amount).

    Each team's part is split among its keys by their weights, or evenly if all weights are zero. The part of a
    team without keys gets an empty key. If there are no teams at all, the whole cost goes to ``NO_TEAM``.
    """
    keys = owners["key_id"].tolist()
    weights = _weights(cost, owners, costs)
    positions = positions_by_group(owners["team"])
    shares = _team_shares(cost, positions, weights)
    denominator = sum(shares.values())
    parts = round_shares(minor, [minor * share for share in shares.values()], denominator)
    for (team, share), part in zip(shares.items(), parts, strict=True):
        members = positions.get(team, [])
        if not members:
            yield team, "", part
            continue
        member_weights = [weights[position] for position in members]
        if not any(member_weights):
            # A team that a map names pays its share, even if none of its keys has requests.
            member_weights = [1] * len(members)
        numerators = [minor * share * weight for weight in member_weights]
        amounts = round_shares(part, numerators, denominator * sum(member_weights))
        for position, amount in zip(members, amounts, strict=True):
            if amount:
                yield team, keys[position], amount


def _weights(cost: Shared, owners: pd.DataFrame, costs: Mapping[tuple[str, str], int]) -> list[int]:
    """The weight of each row of ``owners`` in the split of a cost; requests unless the cost says otherwise."""
    if cost.split == "cost":
        return [costs.get(owner, 0) for owner in zip(owners["team"], owners["key_id"], strict=True)]
    if cost.split == "keys":
        return [int(active) for active in owners["active"]]
    requests: list[int] = owners["requests"].tolist()
    return requests


def _team_shares(cost: Shared, positions: Mapping[str, Sequence[int]], weights: Sequence[int]) -> dict[str, int]:
    """Each team's share of a cost; all teams share equally if no share is above zero."""
    if isinstance(cost.split, dict):
        shares = dict(cost.split)
    elif cost.split == "evenly":
        shares = dict.fromkeys(positions, 1)
    else:
        shares = {}
        for team, members in positions.items():
            shares[team] = sum(weights[position] for position in members)
    # A team without a share gets no line, and not a line of zero.
    shares = {team: share for team, share in shares.items() if share}
    return shares or dict.fromkeys(positions, 1) or {NO_TEAM: 1}
