"""One finding for many keys that rise far beyond their own history on the same day, and what these keys share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import pdtrc

from detector.boundary.words import counted
from detector.config.sections import DetectionSettings
from detector.detectors.description import Description
from detector.detectors.new_key_burst import crowd_of_young_keys
from detector.detectors.statistics.baseline import Flags, Floats, sampled
from detector.model.finding import Severity
from detector.model.finding_type import FindingType
from detector.model.panel import Panel
from detector.usage.aggregation import NO_ENDPOINT, OTHER

KEY_GROUP = FindingType(
    "key_group",
    is_rule=False,
    title="Group of keys",
    tag="group",
    singular="group of keys that rose together",
    plural="groups of keys that rose together",
    severities=(Severity.MEDIUM, Severity.HIGH),
)
TIMES = 3
"""A key rises far if it has this many times the requests of its second-highest recent day. On most days of five
real fleets at most one key in 100 did so."""
RATIO_FLOOR = 3
"""This number is added to both counts of a ratio, so that 8 requests after 1 are no threefold day."""
RECENT = 28
PAST_DAYS = 28
FEWEST_PAST = 7
SAMPLE = 5_000
PAST_QUANTILE = 0.9
CHANCE = 1e-3
"""The number of keys is unusual if it has at most this probability on a day like the busiest past ones."""
LEAST_RATE = 0.5
MUCH = 10
"""From this many times the usual requests on, the finding is high."""
MOST_NAMED = 10
LEAST_SHARED = 0.5
LEAST_LIFT = 1.5
MOST_SHARED = 3


@dataclass(frozen=True)
class _Shared:
    """A property that many of the risen keys have in common."""

    what: str
    keys: int
    lift: float
    """The share of the risen keys with this property, divided by the share of all reference keys with it."""


def key_group(panel: Panel, settings: DetectionSettings) -> tuple[Description, float] | None:
    """The description of a day on which more keys rose far than past days explain, and the ratio to that number.

    Only reference keys rise. Many young keys in heavy use at once are a group too. The result is None for an
    ordinary day and for a day with missing data.
    """
    if panel.missing[-1]:
        return None
    return _risen_together(panel, settings) or _young_together(panel, settings)


def _young_together(panel: Panel, settings: DetectionSettings) -> tuple[Description, float] | None:
    """The description of a day with too many young keys in heavy use to report each, and their number."""
    young = crowd_of_young_keys(panel, settings)
    if not len(young):
        return None
    requests = panel.requests[young, -1]
    most_first = young[np.argsort(-requests, kind="stable")]
    shared = [_sentence(each, len(young)) for each in _shared(panel, young, np.flatnonzero(panel.trusted))]
    return Description(
        title="Many new keys in heavy use",
        reason=(
            f"{counted(len(young), 'key')} of less than {counted(settings.minimum_days, 'day')} made "
            f"{counted(int(requests.sum()), 'request')}, each more than almost every key with a history."
        ),
        severity=Severity.MEDIUM,
        severity_reasons=("many keys were made at once",),
        confidence="medium",
        actions=(
            "Ask who made these keys, for what, and whether so many requests are planned.",
            "If nobody claims them, disable them and look who made them.",
        ),
        changes=(*shared, _names(panel, most_first)),
    ), float(len(young))


def _risen_together(panel: Panel, settings: DetectionSettings) -> tuple[Description, float] | None:
    """The description of a day on which more reference keys rose far than past days explain."""
    last = len(panel.days) - 1
    rows = np.flatnonzero(panel.reference)
    risen = rows[_risen(panel, rows, last, settings)]
    limit = _limit(panel, settings)
    if limit is None or len(risen) <= limit:
        return None
    requests = panel.requests[risen, -1]
    usual = _usual(panel, risen)
    times = float(np.median(requests / np.maximum(usual, 1)))
    most_first = risen[np.argsort(-requests, kind="stable")]
    shared = [_sentence(each, len(risen)) for each in _shared(panel, risen, rows)]
    return Description(
        title="Many keys rose at once",
        reason=(
            f"{counted(len(risen), 'key')} made at least {TIMES} times the requests of their highest recent days: "
            f"{requests.sum():,}, usually {usual.sum():,.0f}. "
            f"An ordinary day has at most {counted(limit, 'such key')}."
        ),
        severity=Severity.HIGH if times >= MUCH else Severity.MEDIUM,
        severity_reasons=(f"half of them at {times:,.1f} times their usual or more",),
        confidence="high",
        actions=(
            "Ask what these keys share: a release, a job, a client library, or somebody who holds all of them.",
            "If nobody expected it, rotate them together. Find their callers first.",
            "Read the access log of these keys for the day: new addresses, endpoints and errors.",
        ),
        changes=(*shared, _names(panel, most_first)),
    ), len(risen) / max(limit, 1)


def _risen(panel: Panel, rows: NDArray[np.int64], day: int, settings: DetectionSettings) -> Flags:
    """Whether each of some keys rose far on one day, by its own days before."""
    before = slice(max(day - RECENT, 0), day)
    observed = panel.observed[rows, before]
    counts = np.where(observed, panel.requests[rows, before], 0)
    if counts.shape[1] < settings.minimum_days:
        return np.zeros(len(rows), dtype=bool)
    high = np.partition(counts, -2, axis=1)[:, -2]
    current = panel.requests[rows, day]
    judged = (observed.sum(axis=1) >= settings.minimum_days) & counts.any(axis=1)
    far = current + RATIO_FLOOR >= TIMES * (high + RATIO_FLOOR)
    risen: Flags = judged & far & (current >= settings.minimum_requests)
    return risen


def _limit(panel: Panel, settings: DetectionSettings) -> int | None:
    """The largest number of keys that past days explain; None while there is too little past."""
    sample = sampled(panel.reference, SAMPLE)
    if not len(sample):
        return None
    days = [int(day) for day in np.flatnonzero(~panel.missing[:-1]) if day >= settings.minimum_days]
    if len(days) < FEWEST_PAST:
        return None
    past = [int(_risen(panel, sample, day, settings).sum()) for day in days[-PAST_DAYS:]]
    factor = int(panel.reference.sum()) / len(sample)
    rate = max(float(np.quantile(past, PAST_QUANTILE)), LEAST_RATE) * factor
    limit = int(rate)
    while pdtrc(limit, rate) > CHANCE:
        limit += 1
    return limit


def _usual(panel: Panel, rows: NDArray[np.int64]) -> Floats:
    """The mean requests a day of some keys over their recent observed days."""
    before = slice(-1 - RECENT, -1)
    observed = panel.observed[rows, before]
    totals = np.where(observed, panel.requests[rows, before], 0).sum(axis=1)
    usual: Floats = totals / np.maximum(observed.sum(axis=1), 1)
    return usual


def _names(panel: Panel, risen: NDArray[np.int64]) -> str:
    """The keys with most requests, and the number of the others."""
    named = [f"{panel.keys[row]} ({panel.requests[row, -1]:,})" for row in risen[:MOST_NAMED]]
    others = len(risen) - len(named)
    more = f" and {others:,} more" if others else ""
    return f"The keys, by requests: {', '.join(named)}{more}."


def _sentence(shared: _Shared, keys: int) -> str:
    who = "All" if shared.keys == keys else f"{shared.keys:,} of {keys:,}"
    return f"{who} {shared.what}; {shared.lift:,.1f} times the share of the fleet."


def _shared(panel: Panel, risen: NDArray[np.int64], rows: NDArray[np.int64]) -> list[_Shared]:
    """What at least half of the risen keys share and the fleet does not, the greatest lift first."""
    found = [
        _commonest(panel.records["team"], "are of team {}", risen, rows),
        _commonest(panel.records["application"], "are of application {}", risen, rows),
        _commonest(_creation_weeks(panel), "were created in the week of {}", risen, rows),
        _endpoint(panel, risen, rows),
    ]
    telling = [each for each in found if each is not None and each.lift >= LEAST_LIFT]
    return sorted(telling, key=lambda each: -each.lift)[:MOST_SHARED]


def _creation_weeks(panel: Panel) -> pd.Series:
    """The Monday of the week in which each key was created; None where the register does not tell."""
    created = pd.DatetimeIndex(panel.records["created_at"]).tz_localize(None).to_numpy().astype("datetime64[D]")
    days = created.astype(np.int64)
    mondays = created - ((days + 3) % 7).astype("timedelta64[D]")  # 1 January 1970 was a Thursday
    return pd.Series(mondays, index=panel.records.index).dt.strftime("%Y-%m-%d")


def _commonest(values: pd.Series, words: str, risen: NDArray[np.int64], rows: NDArray[np.int64]) -> _Shared | None:
    """The value that most of the risen keys share; None if less than half of them do."""
    counts = values.iloc[risen].value_counts()
    if counts.empty:
        return None
    value = min(counts.index[counts == counts.iloc[0]])
    in_fleet = int((values.iloc[rows] == value).sum())
    return _share(words.format(value), int(counts.iloc[0]), len(risen), in_fleet, len(rows))


def _endpoint(panel: Panel, risen: NDArray[np.int64], rows: NDArray[np.int64]) -> _Shared | None:
    """The endpoint that at least half of the risen keys called and the fleet called least."""
    counts = panel.endpoint_counts(1)
    callers = counts.days[-1] > 0
    called = np.asarray(callers[risen].sum(axis=0)).ravel()
    called_by_fleet = np.asarray(callers[rows].sum(axis=0)).ravel()
    named = ~np.isin(counts.names.to_numpy(dtype=object), [NO_ENDPOINT, OTHER])
    common = np.flatnonzero(named & (called >= LEAST_SHARED * len(risen)))
    if not len(common):
        return None
    best = common[np.argmax(called[common] / called_by_fleet[common])]
    words = f"called {counts.names[best]}"
    return _share(words, int(called[best]), len(risen), int(called_by_fleet[best]), len(rows))


def _share(what: str, keys: int, risen: int, in_fleet: int, fleet: int) -> _Shared | None:
    share = keys / risen
    return _Shared(what, keys, share / (in_fleet / fleet)) if share >= LEAST_SHARED else None
