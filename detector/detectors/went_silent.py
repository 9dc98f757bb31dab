"""Keys that went silent: used on nearly every day, and now on none for three days or more."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.boundary.words import counted, long_day
from detector.config.sections import Detection
from detector.detectors import Description, judgement, owner_of
from detector.detectors.statistics.baseline import Flags
from detector.model.finding import Severity
from detector.model.panel import Panel, row_of

FEWEST_SILENT = 3
FEWEST_OBSERVED = 28
STEADY_SHARE = 0.95
"""A steady key was used on at least this share of the days; three of its silences in a row are no chance."""
FLEET_SHARE, FLEET_KEYS = 0.2, 3
"""So many of the steady keys, silent since the same days, are an outage or a holiday and not a key."""

Counts = NDArray[np.int64]


class WentSilent:
    """A steady key without requests for at least three observed days in a row, that day the last of them.

    Steady is a key used on 95 of 100 observed days or more, of at least 28 within the ``baseline_days``
    that end with its last use. It is named from the third silent day until the silence reaches
    ``dormant_after_days``: by then it is dormant. Days that nobody saw are neither silent nor in use.
    Where a fifth of the steady keys (at least three) fell silent within a day of each other, the fleet
    explains it; while that day's data are incomplete, nothing is called silent. Score: silent days over
    three, 0 for none.
    """

    kind: ClassVar[str] = "went_silent"
    needs_complete_data: ClassVar[bool] = True

    def __init__(self, settings: Detection) -> None:
        self.settings = settings

    def judge(self, panel: Panel) -> pd.DataFrame:
        """Score every active key by the days it has been silent, if it was steady before."""
        silent = silent_days(panel)
        before, used = self._before(panel)
        steady = (before >= FEWEST_OBSERVED) & (used >= STEADY_SHARE * before)
        gone = steady & (silent >= FEWEST_SILENT) & (silent <= self.settings.dormant_after_days)
        excuses = self._excuses(panel, before, gone & _fleet_silent(silent, gone, steady))
        score = np.where(gone, silent / FEWEST_SILENT, 0.0)
        score[excuses != None] = np.nan  # noqa: E711 - elementwise
        low, usual, high = _usual(panel)
        return judgement(
            panel,
            score,
            observed=panel.requests[:, -1].astype(float),
            expected=usual,
            low=low,
            high=high,
            not_judged=excuses,
        )

    def describe(self, panel: Panel, keys: list[str], judged: pd.DataFrame) -> dict[str, Description]:
        """Since when each key is silent, and how it was used before."""
        silent, (before, used) = silent_days(panel), self._before(panel)
        rows = panel.keys.get_indexer(pd.Index(keys))
        return {
            key: _describe(
                panel, int(row), row_of(judged, key), (int(silent[row]), int(used[row]), int(before[row]))
            )
            for key, row in zip(keys, rows, strict=True)
        }

    def _before(self, panel: Panel) -> tuple[Counts, Counts]:
        """Per key the observed days within the baseline that ends with its last use, and those in use."""
        last = _last_use(panel)
        first = np.maximum(last - self.settings.baseline_days, 0)
        rows, observed = np.arange(len(last)), panel.observed
        days = _running(observed)
        in_use = _running(observed & (panel.requests > 0))
        return days[rows, last] - days[rows, first], in_use[rows, last] - in_use[rows, first]

    def _excuses(self, panel: Panel, before: Counts, explained: Flags) -> NDArray[np.object_]:
        excuses = np.full(len(panel.keys), None, dtype=object)
        used = (panel.requests > 0).any(axis=1)
        excuses[used & (before < FEWEST_OBSERVED)] = (
            f"fewer than {FEWEST_OBSERVED} observed days before its last use"
        )
        excuses[explained] = "many steady keys fell silent at once: an outage or a holiday, not one key"
        if panel.missing[-1]:
            excuses[:] = "no data for the day"
        return excuses


def silent_days(panel: Panel) -> Counts:
    """Per key the observed days since its last use; all observed days where it was never used."""
    observed = _running(panel.observed)
    silent: Counts = observed[:, -1] - observed[np.arange(len(observed)), _last_use(panel)]
    return silent


def _last_use(panel: Panel) -> Counts:
    """Per key the number of days up to and including its last use; 0 for none."""
    used = (panel.requests > 0) & panel.observed
    last = panel.requests.shape[1] - used[:, ::-1].argmax(axis=1)
    return np.where(used.any(axis=1), last, 0)


def _running(flags: Flags) -> Counts:
    """How many flags are set in the first n days, for n from 0."""
    running = np.zeros((flags.shape[0], flags.shape[1] + 1), dtype=np.int64)
    flags.cumsum(axis=1, out=running[:, 1:])
    return running


def _fleet_silent(silent: Counts, gone: Flags, steady: Flags) -> Flags:
    """Whether the fleet explains a silence: many steady keys began theirs within a day of it."""
    lengths = np.bincount(silent[gone], minlength=int(silent.max(initial=0)) + 2)
    near = lengths + np.r_[0, lengths[:-1]] + np.r_[lengths[1:], 0]
    explained: Flags = near[silent] >= max(FLEET_KEYS, FLEET_SHARE * int(steady.sum()))
    return explained


def _usual(panel: Panel) -> tuple[NDArray[np.float64], ...]:
    """The lowest tenth, median and highest tenth of each key's requests on the observed days it was used."""
    used = np.sort(np.where(panel.observed[:, :-1], panel.requests[:, :-1], 0), axis=1)
    length = used.shape[1]
    silent = (used == 0).sum(axis=1)
    places = [
        np.minimum(silent + ((length - silent) * share).astype(int), length - 1) for share in (0.1, 0.5, 0.9)
    ]
    return tuple(used[np.arange(len(used)), place].astype(np.float64) for place in places)


def _describe(panel: Panel, row: int, judged: pd.Series[Any], days: tuple[int, int, int]) -> Description:
    silent, used, before = days
    record = panel.records.iloc[row]
    last = long_day(panel.days[int(_last_use(panel)[row]) - 1].item())
    return Description(
        title="Key went silent",
        reason=(
            f"No request for {counted(silent, 'day')} in a row; before, it was used on {used:,} of "
            f"{counted(before, 'day')}, usually {counted(judged['expected'], 'request')} "
            f"(range {judged['low']:,.0f} to {judged['high']:,.0f})."
        ),
        severity=Severity.LOW,
        severity_reasons=("silence harms nobody by itself, but a caller may be broken or gone",),
        confidence="high" if used == before else "medium",
        actions=(
            f"Ask {owner_of(record)} whether the service was switched off, moved to another key or is broken.",
            "If it was switched off, revoke the key before someone else finds it.",
        ),
        changes=(f"Last used on {last}.",),
    )
