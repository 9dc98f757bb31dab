"""Keys that went silent: used on nearly every day, and now on none for three days or more."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.boundary.words import counted, long_day
from detector.detectors import Detector
from detector.detectors.description import Description, owner_of
from detector.detectors.judgement import Judgement, excuses, score_frame
from detector.detectors.statistics.baseline import Flags
from detector.model.finding import Severity
from detector.model.finding_type import FindingType
from detector.model.panel import Panel, row_of

FEWEST_SILENT = 3
FEWEST_OBSERVED = 28
STEADY_SHARE = 0.95
"""A steady key was used on at least this share of the days; three of its silences in a row are no chance."""
FLEET_SHARE, FLEET_KEYS = 0.2, 3
"""So many of the steady keys, silent since the same days, are an outage or a holiday and not a key."""

Counts = NDArray[np.int64]


class WentSilent(Detector):
    """A steady key without requests for at least three observed days in a row, that day the last of them.

    Steady is a key used on 95 of 100 observed days or more, of at least 28 within the ``baseline_days``
    that end with its last use. It is named from the third silent day until the silence reaches
    ``dormant_after_days``: by then it is dormant. Days that nobody saw are neither silent nor in use.
    Where a fifth of the steady keys (at least three) fell silent within a day of each other, the fleet
    explains it; while that day's data are incomplete, nothing is called silent. Score: silent days over
    three, 0 for none.
    """

    kind = "went_silent"
    is_rule = True
    needs_complete_data = True
    types = (
        FindingType(
            kind,
            is_rule,
            title="Went silent",
            tag="silent",
            singular="key that went silent",
            plural="keys that went silent",
            severities=(Severity.LOW,),
            counts_requests=True,
        ),
    )

    def judge(self, panel: Panel) -> Judgement:
        """Score every active key by the days it has been silent, if it was steady before."""
        spans = _Spans.of(panel, self.settings.baseline_days)
        steady = (spans.before >= FEWEST_OBSERVED) & (spans.used >= STEADY_SHARE * spans.before)
        gone = steady & (spans.silent >= FEWEST_SILENT) & (spans.silent <= self.settings.dormant_after_days)
        ever_used = (panel.requests > 0).any(axis=1)
        low, usual, high = _usual(panel)
        scores = score_frame(
            panel,
            np.where(gone, spans.silent / FEWEST_SILENT, 0.0),
            observed=panel.requests[:, -1].astype(float),
            expected=usual,
            low=low,
            high=high,
            not_judged=excuses(
                panel,
                (
                    ever_used & (spans.before < FEWEST_OBSERVED),
                    f"fewer than {FEWEST_OBSERVED} observed days before its last use",
                ),
                (
                    gone & _fleet_silent(spans.silent, gone, steady),
                    "many steady keys fell silent at once: an outage or a holiday, not one key",
                ),
            ),
        )
        return Judgement(scores, partial(_describe_keys, panel, scores, spans))


@dataclass(frozen=True)
class _Spans:
    """Per key the days around its last use, as numbers of observed days."""

    last: Counts
    """The days of the panel up to and including the last use, observed or not; 0 for a key never used."""
    silent: Counts
    """Since the last use; all of them where the key was never used."""
    before: Counts
    """Within the baseline that ends with the last use."""
    used: Counts
    """Those of them on which the key was used."""

    @classmethod
    def of(cls, panel: Panel, baseline_days: int) -> _Spans:
        """Count them."""
        rows = np.arange(len(panel.keys))
        last = _last_use(panel)
        first = np.maximum(last - baseline_days, 0)
        observed = _running(panel.observed)
        in_use = _running(panel.observed & (panel.requests > 0))
        return cls(
            last=last,
            silent=observed[:, -1] - observed[rows, last],
            before=observed[rows, last] - observed[rows, first],
            used=in_use[rows, last] - in_use[rows, first],
        )


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


def _describe_keys(panel: Panel, scores: pd.DataFrame, spans: _Spans, keys: list[str]) -> dict[str, Description]:
    """Since when each key is silent, and how it was used before."""
    rows = panel.keys.get_indexer(pd.Index(keys))
    return {
        key: _describe_key(panel, int(row), row_of(scores, key), spans)
        for key, row in zip(keys, rows, strict=True)
    }


def _describe_key(panel: Panel, row: int, judged: pd.Series[Any], spans: _Spans) -> Description:
    silent = int(spans.silent[row])
    used = int(spans.used[row])
    before = int(spans.before[row])
    record = panel.records.iloc[row]
    last = long_day(panel.days[int(spans.last[row]) - 1].item())
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
