"""Days on which the fleet moves together: one finding on the fleet, not one per key."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.boundary.words import counted
from detector.config.sections import Detection
from detector.detectors import Description
from detector.detectors.statistics.baseline import anscombe, expectation
from detector.model.finding import Severity
from detector.model.panel import Panel

KIND = "fleet_shift"
FAR = 2.0
"""A key has moved when it lies so many SD from its own mean; in an ordinary fleet 1 key in 40 does, each way."""
LEAST_SHARE, MOST_SHARE = 0.2, 0.5
LEAST_KEYS = 10
SAMPLE = 20_000


def fleet_shift(panel: Panel, settings: Detection) -> tuple[Description, float] | None:
    """What to say of a day on which at least a fifth of the keys moved the same way, and that share.

    Told from at most ``SAMPLE`` keys at even steps. None for an ordinary day, for one that nobody saw
    and for a fleet too small to speak of.
    """
    z = _distances(panel, settings)
    if panel.missing[-1] or len(z) < LEAST_KEYS / LEAST_SHARE:
        return None
    up, down = float(np.mean(z > FAR)), float(np.mean(z < -FAR))
    share = max(up, down)
    if share < LEAST_SHARE or share * len(z) < LEAST_KEYS:
        return None
    rose = up >= down
    total, usual = (
        panel.requests[:, -1].sum(),
        np.median(panel.requests[:, -29:-1][:, ~panel.missing[-29:-1]].sum(axis=0)),
    )
    return Description(
        title="The fleet rose together" if rose else "The fleet fell together",
        reason=(
            f"{share:.0%} of {counted(len(z), 'judged key')} lie far {'above' if rose else 'below'} their own "
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


def _distances(panel: Panel, settings: Detection) -> NDArray[np.float64]:
    """How far each judged key lies from its own history that day, in SD."""
    step = slice(None, None, max(len(panel.keys) // SAMPLE, 1))
    window = slice(-1 - settings.baseline_days, -1)
    weekdays = (panel.days.astype(int) % 7).astype(np.int64)
    usual = expectation(
        panel.requests[step, window], panel.observed[step, window], weekdays[window], int(weekdays[-1])
    )
    in_use = (panel.requests[step, window] > 0).any(axis=1) & panel.records["active"].to_numpy()[step]
    enough = in_use & (usual.days >= settings.minimum_days)
    distances: NDArray[Any] = (anscombe(panel.requests[step, -1]) - usual.mean) / usual.spread
    return distances[enough]
