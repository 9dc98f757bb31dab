"""Error surges: far more of a key's requests fail than its own history predicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from detector.boundary.words import counted
from detector.config.sections import DetectionSettings
from detector.detectors import Detector
from detector.detectors.description import LEVELS, Description, confidence_of, graded, owner_of
from detector.detectors.judgement import Judgement, excuses, key_by_key, score_frame, young_or_revoked
from detector.detectors.statistics.baseline import Flags, Floats, Rows
from detector.detectors.statistics.calibration import CALIBRATION_DAYS, past_scores
from detector.detectors.statistics.error_rates import Rates, surprise, usual_rates, variance
from detector.detectors.statistics.fleet_levels import Level, level_of, limited
from detector.model.finding import Severity
from detector.model.finding_type import FindingType
from detector.model.panel import Panel

ALL_KEYS = slice(None)
LEAST_REQUESTS = 10
LEAST_ERRORS = 4
LEAST_RISE = 1.5
"""A key is reported only if it has at least this many times its expected errors."""


class ErrorSurge(Detector):
    """The upper tail of a beta-binomial count, as a normal quantile.

    A key's error rate varies from day to day around its mean. The mean and the scatter (the intra-class
    correlation) are moment estimates from the key's own baseline days, weighted as Kleinman (1973) does. For a
    key with little history they move towards the fleet's. A key whose rate always varies much therefore needs
    more errors than a steady one. One day in 28 at most is excluded from the baseline if it lies far above the
    others: otherwise the last surge would teach that surges are normal. Then

        z = -ndtri(P(more errors than observed) + P(as many) / 2)
        score = (z - centre) / scale

    The tail is computed on the logarithmic scale, so that a huge surge still gets a finite score. Centre and
    scale are those of the day across the reference keys, so that an incident of the platform does not report every
    key. Past days limit the scale.
    A key is reported only with at least 10 requests, 4 errors and 1.5 times its expected errors.
    """

    kind = "error_surge"
    is_rule = False
    types = (
        FindingType(
            kind,
            is_rule,
            title="Error surge",
            tag="errors",
            singular="error surge",
            plural="error surges",
            severities=LEVELS,
        ),
    )

    @classmethod
    def days_before(cls, settings: DetectionSettings) -> int:
        """The baseline of the evaluated day and of the days that calibrate the threshold."""
        return settings.baseline_days + CALIBRATION_DAYS

    def judge(self, panel: Panel) -> Judgement:
        """Score the last day of every active key."""
        last = panel.requests.shape[1] - 1
        requests, errors = _counts(panel, ALL_KEYS, last)
        past_levels: list[Level] = []
        past = past_scores(panel, lambda day, rows: self._score_past_day(panel, day, rows, past_levels))
        usual = self._rates(panel, last, ALL_KEYS)
        z = self._surprise(panel, last, ALL_KEYS, usual)
        level = limited(level_of(z[panel.reference & (requests >= LEAST_REQUESTS)]), past_levels)
        band = 2 * np.sqrt(variance(requests, usual))
        expected = requests * usual.mean
        young = ~self._old_enough(panel, last)
        scores = score_frame(
            panel,
            level.relative(z),
            observed=errors,
            expected=expected,
            low=np.maximum(expected - band, 0),
            high=np.minimum(expected + band, requests),
            not_raised=excuses(
                panel,
                (errors < LEAST_RISE * expected, f"fewer than {LEAST_RISE:g} times the errors to expect"),
                (errors < LEAST_ERRORS, f"fewer than {LEAST_ERRORS} errors"),
                (requests < LEAST_REQUESTS, f"fewer than {LEAST_REQUESTS} requests"),
            ),
            not_judged=excuses(panel, *young_or_revoked(panel, young, self.settings.minimum_days)),
        )
        return Judgement(scores, key_by_key(panel, scores, _describe_key), past)

    def _score_past_day(self, panel: Panel, day: int, rows: Rows, levels: list[Level]) -> Floats:
        """The scores of the reference keys with enough requests on a past day, whose level joins the levels."""
        z = self._surprise(panel, day, rows, self._rates(panel, day, rows))
        z = z[panel.requests[rows, day] >= LEAST_REQUESTS]
        levels.append(level_of(z))
        return levels[-1].relative(z)

    def _rates(self, panel: Panel, day: int, rows: Rows) -> Rates:
        window = slice(max(day - self.settings.baseline_days, 0), day)
        requests, errors = _counts(panel, rows, window)
        observed = panel.observed[rows, window]
        return usual_rates(np.where(observed, requests, 0), np.where(observed, errors, 0), panel.reference[rows])

    def _surprise(self, panel: Panel, day: int, rows: Rows, usual: Rates) -> Floats:
        """The surprise of one day (an index into the panel's days) by the days before it; NaN where not judged."""
        requests, errors = _counts(panel, rows, day)
        judged = self._old_enough(panel, day)[rows] & panel.observed[rows, day]
        judged &= panel.records["active"].to_numpy()[rows]
        return np.where(judged, surprise(errors, requests, usual), np.nan)

    def _old_enough(self, panel: Panel, day: int) -> Flags:
        window = slice(max(day - self.settings.baseline_days, 0), day)
        old: Flags = panel.observed[:, window].sum(axis=1) >= self.settings.minimum_days
        return old


def _counts(panel: Panel, rows: Rows, days: int | slice) -> tuple[Floats, Floats]:
    """Requests and errors of some keys and days, with at most as many errors as requests."""
    requests = panel.requests[rows, days].astype(np.float64)
    # A source may count more errors than requests; the binomial model needs no more than that.
    return requests, np.minimum(panel.errors[rows, days], requests)


def _describe_key(judged: pd.Series[Any], record: pd.Series[Any]) -> Description:
    requests = float(record["request_count"])
    rate = judged["observed"] / max(requests, 1.0)
    usual = judged["expected"] / max(requests, 1.0)
    severity, reasons = _severity(rate, judged["observed"], record["environment"])
    return Description(
        title="Error surge",
        reason=(
            f"{judged['observed']:,.0f} of {counted(requests, 'request')} failed ({rate:.0%}); usually "
            f"{usual:.1%} of this key's requests fail, which would be {judged['expected']:,.0f} "
            f"(range {judged['low']:,.0f} to {judged['high']:,.0f})."
        ),
        severity=severity,
        severity_reasons=reasons,
        confidence=confidence_of(judged["score"]),
        actions=(
            f"Ask {owner_of(record)} whether a release, a lost permission or a wrong address explains this.",
            "Read the status codes: refusals (401, 403, 404) suggest probing, failures (5xx) an outage.",
            "If nobody can explain refused requests, rotate the key; find its callers before revoking it.",
        ),
    )


def _severity(rate: float, errors: float, environment: str) -> tuple[Severity, tuple[str, ...]]:
    level = 1
    reasons = [f"{rate:.0%} of the requests failed"]
    if rate >= 0.5 and errors >= 100:
        level += 1
        reasons.append("at least 100 errors")
    elif rate < 0.1 or errors < 10:
        level -= 1
        reasons.append("fewer than one in ten" if rate < 0.1 else "fewer than ten errors")
    return graded(level, reasons, environment)
