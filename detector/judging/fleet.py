"""The fleet as a whole: its total, and one finding for a day on which many keys rise or fall together."""

from __future__ import annotations

import numpy as np

from detector.boundary.words import counted
from detector.config.sections import DetectionSettings
from detector.detectors.description import Description
from detector.detectors.statistics.baseline import Floats, anscombe, baseline, counts_of, expect_day, sampled
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
SAMPLE = 20_000
TOTAL_BAND = 2.0
"""The usual range of the total, in SD on either side of its mean."""
FEWEST_SAME_WEEKDAY = 4


def fleet_shift(panel: Panel, settings: DetectionSettings) -> tuple[Description, float] | None:
    """The description of a day on which at least a fifth of the keys moved the same way, and that share.

    The share is that of at most ``SAMPLE`` keys at even steps. The result is None for an ordinary day, for a day
    with missing data and for a small fleet.
    """
    z = _distances(panel, settings)
    if panel.missing[-1] or len(z) < LEAST_KEYS / LEAST_SHARE:
        return None
    up = float(np.mean(z > FAR))
    down = float(np.mean(z < -FAR))
    share = max(up, down)
    if share < LEAST_SHARE or share * len(z) < LEAST_KEYS:
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


def _distances(panel: Panel, settings: DetectionSettings) -> Floats:
    """The distance of each reference key from the mean of its own history, in SD."""
    sample = sampled(panel.reference, SAMPLE)
    window = slice(-1 - settings.baseline_days, -1)
    usual = expect_day(panel, len(panel.days) - 1, sample, settings.baseline_days)
    in_use = (panel.requests[sample, window] > 0).any(axis=1)
    enough = in_use & (usual.days >= settings.minimum_days)
    distances: Floats = (anscombe(panel.requests[sample, -1]) - usual.mean) / usual.spread
    return distances[enough]


def fleet_total(panel: Panel) -> Fleet:
    """The requests of all active keys, and the usual range on the same weekday.

    While the panel has data of fewer than ``FEWEST_SAME_WEEKDAY`` such days, the range is that of all days.
    """
    active = panel.records["active"].to_numpy()
    requests = panel.requests[active].sum(axis=0)
    errors = panel.errors[active].sum(axis=0)
    present = ~panel.missing[:-1]
    same_weekday = present & (panel.weekdays[:-1] == panel.weekdays[-1])
    chosen = same_weekday if same_weekday.sum() >= FEWEST_SAME_WEEKDAY else present
    usual = baseline(requests[None, :-1], chosen[None, :])
    return Fleet(
        requests=int(requests[-1]),
        errors=int(errors[-1]),
        expected=_count(usual.mean),
        low=_count(usual.mean - TOTAL_BAND * usual.spread),
        high=_count(usual.mean + TOTAL_BAND * usual.spread),
    )


def _count(value: Floats) -> float | None:
    """The number of requests for a value on the scale of the baseline; None without a history."""
    if np.isnan(value[0]):
        return None
    return round(float(counts_of(value)[0]), 1)
