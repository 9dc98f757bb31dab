"""Keys that went silent: keys in use on nearly every day, and now without requests for three days or more."""

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
"""A steady key was used on at least this share of the days. Chance rarely leaves it three days without use."""
FLEET_SHARE = 0.2
FLEET_KEYS = 3
"""If this share and this number of the steady keys fell silent on the same days, the cause is an outage or a
holiday and no key is reported."""

Counts = NDArray[np.int64]


class WentSilent(Detector):
    """A steady key without requests on at least three observed days in a row, up to the evaluated day.

    A key is steady if it was used on 95 of 100 observed days, of at least 28 within the ``baseline_days`` that
    end with its last use. It is reported from the third silent day until the silence reaches
    ``dormant_after_days``; from then on the key is dormant. Days with missing data are neither silent nor in
    use. If a fifth of the steady trusted keys (at least three) fell silent within a day of each other, the fleet
    explains their silence and none of them is reported. While the evaluated day's data are incomplete, no key
    is reported.

    Score: the number of silent days divided by three, 0 for none.
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
        """Score every active key that was steady by the number of its silent days."""
        spans = _Spans.of(panel, self.settings.baseline_days)
        steady = (spans.before >= FEWEST_OBSERVED) & (spans.used >= STEADY_SHARE * spans.before)
        silent = (spans.silent >= FEWEST_SILENT) & (spans.silent <= self.settings.dormant_after_days)
        gone = steady & silent
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
                    gone & _fleet_silent(panel, spans.silent, gone, steady),
                    "many steady keys fell silent at once: an outage or a holiday, not one key",
                ),
            ),
        )
        return Judgement(scores, partial(_describe_keys, panel, scores, spans))


@dataclass(frozen=True)
class _Spans:
    """Per key the numbers of days before and after its last use."""

    last: Counts
    """The days of the panel up to and including the last use, observed or not; 0 for a key without use."""
    silent: Counts
    """The observed days since the last use; all observed days for a key without use."""
    before: Counts
    """The observed days of the baseline that ends with the last use."""
    used: Counts
    """The days of ``before`` on which the key was used."""

    @classmethod
    def of(cls, panel: Panel, baseline_days: int) -> _Spans:
        """Count the days of every key of a panel."""
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
    """Per key the number of days up to and including its last use; 0 for a key without use."""
    used = (panel.requests > 0) & panel.observed
    last = panel.requests.shape[1] - used[:, ::-1].argmax(axis=1)
    return np.where(used.any(axis=1), last, 0)


def _running(flags: Flags) -> Counts:
    """Per key the number of flags that are set in the first n days, for n from 0 to all days."""
    running = np.zeros((flags.shape[0], flags.shape[1] + 1), dtype=np.int64)
    flags.cumsum(axis=1, out=running[:, 1:])
    return running


def _fleet_silent(panel: Panel, silent: Counts, gone: Flags, steady: Flags) -> Flags:
    """Whether the fleet explains a key's silence, because many steady keys fell silent within a day of it."""
    lengths = np.bincount(silent[gone & panel.trusted], minlength=int(silent.max(initial=0)) + 2)
    near = lengths + np.r_[0, lengths[:-1]] + np.r_[lengths[1:], 0]
    explained: Flags = near[silent] >= max(FLEET_KEYS, FLEET_SHARE * int((steady & panel.trusted).sum()))
    return explained


def _usual(panel: Panel) -> tuple[NDArray[np.float64], ...]:
    """Per key the 10th, 50th and 90th percentile of its requests, over the observed days on which it was used."""
    # Days without use sort to the front, so a percentile is a position after them.
    used = np.sort(np.where(panel.observed[:, :-1], panel.requests[:, :-1], 0), axis=1)
    length = used.shape[1]
    silent = (used == 0).sum(axis=1)
    percentiles = []
    for share in (0.1, 0.5, 0.9):
        place = np.minimum(silent + ((length - silent) * share).astype(int), length - 1)
        percentiles.append(used[np.arange(len(used)), place].astype(np.float64))
    return tuple(percentiles)


def _describe_keys(panel: Panel, scores: pd.DataFrame, spans: _Spans, keys: list[str]) -> dict[str, Description]:
    """Describe the beginning of each key's silence, and its use before."""
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
