"""Unusual patterns: an isolation forest finds key-days that differ from others in several features at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from detector.boundary.words import counted
from detector.config.sections import DetectionSettings
from detector.detectors import Detector
from detector.detectors.description import Description, live_or_not, owner_of
from detector.detectors.judgement import Judgement, excuses, score_frame, young_or_revoked
from detector.detectors.statistics.baseline import Flags, Floats, Rows, anscombe, expect_day, sampled
from detector.detectors.statistics.fleet_levels import Level, level_of, limited
from detector.model.errors import ConfigError
from detector.model.finding import Severity
from detector.model.finding_type import FindingType
from detector.model.panel import DailyCounts, Panel, row_of

PAST_DAYS = 14
PAST_KEYS = 2_000
FEWEST_ROWS = 200
SEED = 0
TOP = 0.98
"""A feature is compared with this quantile of past key-days. The highest past key-days contain incidents, which
would otherwise hide new incidents of the same kind."""
FEATURES = {
    "volume": "requests against its own history",
    "week": "requests against the same weekday last week",
    "record": "requests against its own highest days",
    "rarity": "how seldom it is used",
    "errors": "share of errors",
    "mix": "which endpoints it used",
    "new endpoints": "endpoints it never used",
    "deployments": "in how many places it was seen",
}
"""The features of a key-day, and how a reader sees them named."""
TERMS = ("pattern", "beyond what was seen")
"""The names of the two terms that add up to a score."""
VOLUME_FEATURES = ("volume", "week", "record")
"""If one of these features stands out most, the finding is a usage spike."""


@dataclass(frozen=True)
class _Maps:
    """The endpoint and deployment counts that the features are computed from; ``total`` sums the past days."""

    endpoints: DailyCounts
    total: csr_array
    deployments: DailyCounts

    @classmethod
    def of(cls, panel: Panel, baseline_days: int) -> _Maps:
        """Read the maps of all days that the features need."""
        endpoints = panel.endpoint_counts(baseline_days + PAST_DAYS + 1)
        total = csr_array(endpoints.days[-1].shape, dtype=np.float64)
        for matrix in endpoints.days[:-1]:
            total = total + matrix
        return cls(endpoints, total, panel.deployment_counts(PAST_DAYS + 1))

    def mix(self, ago: int, rows: Rows) -> tuple[Floats, Floats]:
        """Per key two shares for the day ``ago`` days before the evaluated one.

        The first is the total variation distance between the day's endpoint mix and the mix of the other days.
        The second is the share of the key's requests to endpoints that it used on no other day.
        """
        day = self.endpoints.days[-1 - ago][rows].astype(np.float64)
        others = self.total[rows] - day if ago else self.total[rows]
        total = day.sum(axis=1)
        usual = others.sum(axis=1)
        apart = abs(_shares(day, total) - _shares(others, usual)).sum(axis=1) / 2
        new = 1 - day.multiply(others > 0).sum(axis=1) / np.maximum(total, 1)
        judged = (total > 0) & (usual > 0)
        return np.where(judged, apart, 0.0), np.where(judged, new, 0.0)


class UnusualPattern(Detector):
    """An outlier estimator over eight features of a key-day, fitted on the fleet's own past days.

    ``detection.estimator`` is the dotted path of any scikit-learn or PyOD outlier estimator; the default is
    ``IsolationForest`` (Liu, Ting and Zhou 2008) with a fixed seed. A finding is a usage spike if a feature of
    volume stands out most.

    Score: the estimator's score, centred and scaled on past key-days, plus the log distance by which features
    exceed the past. The second term is needed because a forest scores all values beyond the past alike.
    """

    kind = "unusual_pattern"
    is_rule = False
    names = (kind, "usage_spike")
    methods = ("isolation_forest", "both")
    types = (
        FindingType(
            kind,
            is_rule,
            title="Unusual pattern",
            tag="unusual",
            singular="unusual pattern",
            plural="unusual patterns",
            severities=(Severity.LOW, Severity.MEDIUM),
            counts_requests=True,
        ),
    )

    @classmethod
    def days_before(cls, settings: DetectionSettings) -> int:
        """The baseline of the evaluated day and of the days that the estimator is fitted on."""
        return settings.baseline_days + PAST_DAYS

    def judge(self, panel: Panel) -> Judgement:
        """Score the last day of every active key, and the past key-days that the estimator is fitted on."""
        maps = _Maps.of(panel, self.settings.baseline_days)
        past, levels = self._past(panel, maps)
        current, _ = self._features(panel, maps, 0, slice(None), levels)
        enough: Flags = ~np.isnan(current.sum(axis=1))
        count = panel.requests[:, -1].astype(float)
        least = self.settings.minimum_requests
        standing = np.zeros(current.shape)
        terms = {name: np.full(len(panel.keys), np.nan) for name in TERMS}
        past_scores = np.empty(0)
        if len(past) >= FEWEST_ROWS:
            fitted = _Fitted.on(past, self.settings.estimator)
            standing = _standing_out(past, current)
            past_scores = fitted.past_scores()
            if enough.any():
                for name, values in zip(TERMS, fitted.terms(current[enough]), strict=True):
                    terms[name][enough] = values
        leading = np.array(list(FEATURES))[standing.argmax(axis=1)]
        scores = score_frame(
            panel,
            sum(terms.values(), np.zeros(len(panel.keys))),
            observed=count,
            not_raised=excuses(panel, (count < least, f"fewer than {counted(least, 'request')}")),
            not_judged=excuses(
                panel,
                *young_or_revoked(panel, ~enough, self.settings.minimum_days),
                (len(past) < FEWEST_ROWS, f"fewer than {FEWEST_ROWS} past key-days to learn from"),
            ),
            terms=terms,
        )
        scores["type"] = np.where(np.isin(leading, VOLUME_FEATURES), "usage_spike", self.kind)
        return Judgement(scores, partial(_describe_keys, panel, scores, standing), past_scores)

    def _past(self, panel: Panel, maps: _Maps) -> tuple[Floats, list[Level]]:
        """Features of past key-days of reference keys (rows x features), and the volume levels of the days.

        There are at most ``PAST_DAYS`` days.
        """
        sample = sampled(panel.reference, PAST_KEYS)
        length = panel.requests.shape[1]
        ago = [back for back in range(1, length) if not panel.missing[-1 - back]][:PAST_DAYS]
        days = [self._features(panel, maps, back, sample) for back in ago]
        past: Floats = np.concatenate([np.empty((0, len(FEATURES))), *(features for features, _ in days)])
        judged: Floats = past[~np.isnan(past.sum(axis=1))]
        # A forest depends on the order of its training rows.
        return judged[np.lexsort(judged.T)], [level for _, level in days]

    def _features(
        self, panel: Panel, maps: _Maps, ago: int, rows: Rows, past: Sequence[Level] = ()
    ) -> tuple[Floats, Level]:
        """Keys x features for the day ``ago`` days before the evaluated one, and its level of volume.

        A key without a score has NaN. The ``past`` levels limit that of the day.
        """
        day = panel.requests.shape[1] - 1 - ago
        window = slice(max(day - self.settings.baseline_days, 0), day)
        counts = panel.requests[rows, window]
        observed = panel.observed[rows, window]
        usual = expect_day(panel, day, rows, self.settings.baseline_days)
        today = panel.requests[rows, day]
        errors = panel.errors[rows, day]
        volume = (anscombe(today) - usual.mean) / usual.spread
        level = limited(level_of(volume[panel.reference[rows]]), past)
        used = np.where(observed, counts > 0, False).sum(axis=1) / np.maximum(observed.sum(axis=1), 1)
        mix, new = maps.mix(ago, rows)
        last_week = panel.requests[rows, max(day - 7, 0)]
        features = np.column_stack(
            [
                np.maximum(level.relative(volume), 0),
                np.maximum(np.log((today + 3) / (last_week + 3)), 0),
                np.maximum(np.log((today + 3) / (usual.record + 3)), 0),
                np.where(today > 0, 1 - used, 0),
                _error_residual(today, errors, counts, panel.errors[rows, window]),
                mix * today / (today + 10),
                new * today / (today + 10),
                _entropy(maps.deployments.days[-1 - ago][rows]),
            ]
        )
        # Shares of few requests vary by chance, so the mix features grow with the number of requests.
        active = panel.records["active"].to_numpy()[rows] & panel.observed[rows, day]
        features[(usual.days < self.settings.minimum_days) | ~active] = np.nan
        return features, level


@dataclass(frozen=True)
class _Fitted:
    """An estimator fitted on past key-days (rows x features), with the estimator's raw scores of these."""

    estimator: Any
    past: Floats
    raw_past_scores: Floats

    @classmethod
    def on(cls, past: Floats, path: str) -> _Fitted:
        """Fit the estimator of a dotted path."""
        estimator = _estimator(path)
        estimator.fit(past)
        return cls(estimator, past, _raw_scores(estimator, past))

    def past_scores(self) -> Floats:
        """The scores of the past key-days that the estimator is fitted on."""
        total: Floats = np.sum(self._terms(self.past, self.raw_past_scores), axis=0)
        return total

    def terms(self, rows: Floats) -> tuple[Floats, Floats]:
        """The ``TERMS`` of key-days (rows x features) that the estimator is not fitted on."""
        return self._terms(rows, _raw_scores(self.estimator, rows))

    def _terms(self, rows: Floats, raw_scores: Floats) -> tuple[Floats, Floats]:
        """The raw scores, centred and scaled on the past, and the log distance of features beyond the past."""
        median, upper = np.quantile(self.raw_past_scores, [0.5, 0.9])
        middle = np.median(self.past, axis=0)
        top = np.quantile(self.past, TOP, axis=0)
        excess = np.maximum(rows - top, 0) / np.maximum(top - middle, 0.1)
        # The 90th percentile of a normal distribution lies 1.2816 SD above its median.
        pattern = (raw_scores - median) / max(float(upper - median) / 1.2816, 1e-9)
        return pattern, np.log1p(excess).sum(axis=1)


def _estimator(path: str) -> Any:
    """A new estimator of the class at a dotted path, with a fixed seed if the class takes one."""
    module, _, name = path.rpartition(".")
    try:
        kind = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"detection.estimator: there is no {path}: {error}") from None
    estimator = kind()
    if "random_state" in estimator.get_params():
        estimator.set_params(random_state=SEED)
    if not hasattr(estimator, "score_samples") and not hasattr(estimator, "decision_function"):
        raise ConfigError(f"detection.estimator: {path} scores nothing; name an outlier estimator")
    return estimator


def _raw_scores(estimator: Any, rows: Floats) -> Floats:
    """The estimator's own scores of key-days; a higher score means a stranger key-day."""
    # scikit-learn gives stranger rows a lower score, PyOD a higher one.
    if hasattr(estimator, "score_samples"):
        return -np.asarray(estimator.score_samples(rows), dtype=np.float64)
    return np.asarray(estimator.decision_function(rows), dtype=np.float64)


def _shares(counts: csr_array, totals: Any) -> csr_array:
    return csr_array(counts.multiply((1 / np.maximum(totals, 1))[:, None]))


def _entropy(places: csr_array) -> Floats:
    """The entropy of each key's deployments, in nats."""
    shares = _shares(places.astype(np.float64), places.sum(axis=1))
    shares.data = -shares.data * np.log(np.maximum(shares.data, 1e-12))
    return np.asarray(shares.sum(axis=1), dtype=np.float64)


def _error_residual(
    today: NDArray[np.int64], errors: NDArray[np.int64], counts: NDArray[np.int64], past: NDArray[np.int64]
) -> Floats:
    """How many standard deviations the errors lie above the key's own rate; never below 0."""
    rate = (past.sum(axis=1) + 0.5) / (counts.sum(axis=1) + 10)
    residual = (errors - rate * today) / np.sqrt(rate * (1 - np.minimum(rate, 0.99)) * today + 1)
    return np.asarray(np.maximum(residual, 0), dtype=np.float64)


def _standing_out(past: Floats, current: Floats) -> Floats:
    """Keys x features: how far each feature lies above the past median, in units of its usual upper range."""
    middle = np.median(past, axis=0)
    upper = np.quantile(past, 0.99, axis=0)
    return np.nan_to_num((current - middle) / np.maximum(upper - middle, 0.1))


def _describe_keys(
    panel: Panel, scores: pd.DataFrame, standing: Floats, keys: list[str]
) -> dict[str, Description]:
    """Describe the features that make each key stand out."""
    rows = panel.keys.get_indexer(pd.Index(keys))
    return {
        key: _describe_key(panel.record(key), standing[row], str(row_of(scores, key)["type"]))
        for key, row in zip(keys, rows, strict=True)
    }


def _describe_key(record: pd.Series[Any], standing: Floats, kind: str) -> Description:
    words = list(FEATURES.values())
    strongest = np.argsort(-standing)[:3]
    named = [words[index] for index in strongest if standing[index] > 1]
    if not named:
        named = ["a mix of small things"]
    live = record["environment"] == "live"
    return Description(
        title="Usage spike" if kind == "usage_spike" else "Unusual pattern",
        reason=f"{counted(record['request_count'], 'request')}, unlike past days in {', '.join(named)}.",
        severity=Severity.MEDIUM if live else Severity.LOW,
        severity_reasons=(live_or_not(record), "no single rule explains it"),
        confidence="medium" if standing.max() > 3 else "low",
        actions=(
            f"Ask {owner_of(record)} whether this day's use was meant.",
            "Read the access log of this key for the day.",
        ),
    )
