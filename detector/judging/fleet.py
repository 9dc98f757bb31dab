"""The fleet as a whole: its total, and one finding for a day on which many keys, or the total, rise or fall."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from detector.boundary.words import counted
from detector.config.sections import DetectionSettings
from detector.detectors.description import Description
from detector.detectors.statistics.baseline import (
    Flags,
    Floats,
    anscombe,
    baseline,
    counts_of,
    expect_day,
    sampled,
)
from detector.model.finding import Severity
from detector.model.finding_type import FindingType
from detector.model.panel import Panel
from detector.model.report import Fleet

FLEET_SHIFT = FindingType(
    "fleet_shift",
    is_rule=False,
    title="Fleet shift",
    tag="fleet",
    singular="fleet shift",
    plural="fleet shifts",
    severities=(Severity.LOW, Severity.MEDIUM),
)
FAR = 2.0
"""A key has moved if it lies this many SD from its own mean. On an ordinary day 1 key in 40 does so in each
direction."""
LEAST_SHARE = 0.2
MOST_SHARE = 0.5
LEAST_KEYS = 10
LEAST_KEYS_OF_SMALL = 5
FAR_OF_SMALL = 5.0
"""In a fleet of fewer than ``LEAST_KEYS / LEAST_SHARE`` keys at least so many, and half of all, move so far. On an
ordinary day the keys of a small organization have much in common."""
SAMPLE = 20_000
TOTAL_BAND = 2.0
"""The usual range of the total, in SD on either side of its mean."""
FEWEST_SAME_WEEKDAY = 4
RECENT = 28
FEWEST_DAYS = 14
FEWEST_RECENT = 7
TAIL_FROM = 0.7
TAIL_TO = 0.9
RARE = 1e-3
TAIL_MARGIN = 1.3
RECORD_MARGIN = 1.2
LEAST_DEVIATION = 0.1
"""The total of a large fleet may always deviate by a tenth."""
POISSON_DEVIATION = 4.0
"""The total of a small fleet may always deviate by this many SD of a Poisson count."""


def fleet_shift(
    panel: Panel, settings: DetectionSettings, named: Collection[str] = ()
) -> tuple[Description, float] | None:
    """The description of a day on which the fleet moved, and how far; ``named`` are the keys with a finding.

    The fleet moved if at least a fifth of the reference keys, and ten of them, lie far from their own history on
    the same side (in a small fleet half of them, five, and further), or if the total leaves a range that an
    ordinary day leaves once in 1,000. The result is None for an ordinary day, for a day with missing data, and
    where the named keys alone explain a high total.
    """
    if panel.missing[-1]:
        return None
    return _moved_together(panel, settings) or _unusual_total(panel, named)


def _moved_together(panel: Panel, settings: DetectionSettings) -> tuple[Description, float] | None:
    """The description of a day on which many keys moved the same way, and their share."""
    z = _distances(panel, settings)
    if not len(z):
        return None
    is_small = len(z) < LEAST_KEYS / LEAST_SHARE
    least_share, least_keys = (MOST_SHARE, LEAST_KEYS_OF_SMALL) if is_small else (LEAST_SHARE, LEAST_KEYS)
    far = FAR_OF_SMALL if is_small else FAR
    up = float(np.mean(z > far))
    down = float(np.mean(z < -far))
    share = max(up, down)
    if share < least_share or share * len(z) < least_keys:
        return None
    rose = up >= down
    total = panel.requests[:, -1].sum()
    usual = np.median(panel.requests[:, -29:-1][:, ~panel.missing[-29:-1]].sum(axis=0))
    return Description(
        title="The fleet rose together" if rose else "The fleet fell together",
        reason=(
            f"{share:.0%} of {counted(len(z), 'evaluated key')} lie far {'above' if rose else 'below'} their own "
            f"history; {counted(total, 'request')} in all, usually {usual:,.0f}."
        ),
        severity=Severity.MEDIUM if share >= MOST_SHARE else Severity.LOW,
        severity_reasons=(f"{share:.0%} of the keys moved",),
        confidence="high",
        actions=(
            "Look for what all of them share: a release, an outage upstream, a retry storm, a change in counting.",
            "Keys that moved far beyond the fleet are named on their own; the others are not.",
        ),
    ), share


def _unusual_total(panel: Panel, named: Collection[str]) -> tuple[Description, float] | None:
    """The description of a total that an ordinary day hardly ever has, and its ratio to the expected one.

    The total of the trusted keys comes first: what strangers add must not hide what is missing.
    """
    for rows in (panel.trusted, panel.records["active"].to_numpy(dtype=bool)):
        usual = total_range(panel, rows)
        if usual is None:
            continue
        total = int(panel.requests[rows, -1].sum())
        rest = total - _excess(panel, rows & panel.keys.isin(named))
        if total < usual.lowest or rest > usual.highest:
            return _describe_total(panel, total, usual), max(total, 1) / max(usual.expected, 1)
    return None


def _excess(panel: Panel, rows: Flags) -> int:
    """The requests of some keys beyond their usual ones, the median of the last four weeks."""
    recent = panel.requests[rows, -1 - RECENT : -1]
    if not recent.size:
        return 0
    return int(np.maximum(panel.requests[rows, -1] - np.median(recent, axis=1), 0).sum())


def _describe_total(panel: Panel, total: int, usual: TotalRange) -> Description:
    fell = total < usual.lowest
    action = (
        "Look for keys, hours or files that are missing from the data, and run the day again once they are there."
    )
    if not fell:
        action = (
            "Look for the keys with most requests: a new customer, a retry storm, an attack, rows that came twice."
        )
    return Description(
        title="Far fewer requests than usual" if fell else "Far more requests than usual",
        reason=(
            f"{counted(total, 'request')} in all; an ordinary day like this has {usual.expected:,.0f} "
            f"(once in 1,000 days fewer than {usual.lowest:,.0f} or more than {usual.highest:,.0f})."
        ),
        severity=Severity.MEDIUM if fell else Severity.LOW,
        severity_reasons=("data may be missing",) if fell else ("no key with a finding explains it",),
        confidence="medium",
        actions=(action,),
    )


def _distances(panel: Panel, settings: DetectionSettings) -> Floats:
    """The distance of each reference key from the mean of its own history, in SD."""
    sample = sampled(panel.reference, SAMPLE)
    window = slice(-1 - settings.baseline_days, -1)
    usual = expect_day(panel, len(panel.days) - 1, sample, settings.baseline_days)
    in_use = (panel.requests[sample, window] > 0).any(axis=1)
    enough = in_use & (usual.days >= settings.minimum_days)
    distances: Floats = (anscombe(panel.requests[sample, -1]) - usual.mean) / usual.spread
    return distances[enough]


@dataclass(frozen=True)
class TotalRange:
    """The expected total of some keys on a day, and the range that an ordinary day leaves once in 1,000."""

    expected: float
    lowest: float
    highest: float


def total_range(panel: Panel, rows: Flags) -> TotalRange | None:
    """The range of the total of some keys on the evaluated day; None with too little past.

    Each past day deviates from the median of the four weeks before it, by the weekday and by chance. The range is
    an exponential tail through the 70th and 90th percentile of the rests, on the logarithmic scale, and beyond all
    past days but the strangest one. So neither a holiday nor a past attack decides.
    """
    totals = np.log1p(panel.requests[rows].sum(axis=0))
    past = np.flatnonzero(~panel.missing[:-1])
    recent = [past[(past >= day - RECENT) & (past < day)] for day in past]
    judged = np.array([len(days) >= FEWEST_RECENT for days in recent], dtype=bool)
    latest = past[past >= len(totals) - 1 - RECENT]
    if judged.sum() < FEWEST_DAYS or len(latest) < FEWEST_RECENT:
        return None
    levels = np.array([np.median(totals[days]) for days in recent if len(days) >= FEWEST_RECENT])
    deviations = totals[past[judged]] - levels
    effects = np.zeros(7)
    weekdays = panel.weekdays[past[judged]]
    for weekday in range(7):
        same = deviations[weekdays == weekday]
        if len(same) >= FEWEST_SAME_WEEKDAY:
            effects[weekday] = np.median(same)
    rests = np.sort(abs(deviations - effects[weekdays]))
    low, high = np.quantile(rests, [TAIL_FROM, TAIL_TO])
    slope = (high - low) / np.log((1 - TAIL_FROM) / (1 - TAIL_TO))
    tail = high + slope * np.log((1 - TAIL_TO) / RARE)
    level = np.median(totals[latest]) + effects[panel.weekdays[-1]]
    expected = float(np.expm1(level))
    chance = POISSON_DEVIATION / np.sqrt(expected + 1)
    deviation = max(TAIL_MARGIN * tail, RECORD_MARGIN * rests[-2], LEAST_DEVIATION, chance)
    return TotalRange(
        expected=expected,
        lowest=max(float(np.expm1(level - deviation)), 0.0),
        highest=float(np.expm1(level + deviation)),
    )


def fleet_total(panel: Panel) -> Fleet:
    """The requests of all active keys, and the usual range on the same weekday.

    While the panel has data of fewer than ``FEWEST_SAME_WEEKDAY`` such days, the range is that of all days.
    """
    active = panel.records["active"].to_numpy(dtype=bool)
    requests = panel.requests[active].sum(axis=0)
    errors = panel.errors[active].sum(axis=0)
    present = ~panel.missing[:-1]
    same_weekday = present & (panel.weekdays[:-1] == panel.weekdays[-1])
    chosen = same_weekday if same_weekday.sum() >= FEWEST_SAME_WEEKDAY else present
    usual = baseline(requests[None, :-1], chosen[None, :])
    rare = total_range(panel, active)
    return Fleet(
        requests=int(requests[-1]),
        errors=int(errors[-1]),
        expected=_count(usual.mean),
        low=_count(usual.mean - TOTAL_BAND * usual.spread),
        high=_count(usual.mean + TOTAL_BAND * usual.spread),
        lowest=None if rare is None else round(rare.lowest, 1),
        highest=None if rare is None else round(rare.highest, 1),
    )


def _count(value: Floats) -> float | None:
    """The number of requests for a value on the scale of the baseline; None without a history."""
    if np.isnan(value[0]):
        return None
    return round(float(counts_of(value)[0]), 1)
