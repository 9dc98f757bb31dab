"""Error surges: far more of a key's requests fail than its own history of failures leads us to expect."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.boundary.words import counted
from detector.config.sections import Detection
from detector.detectors import Description, judgement, owner_of
from detector.detectors.statistics.baseline import Flags, Floats, day_view
from detector.detectors.statistics.error_rates import Rates, surprise, usual_rates, variance
from detector.model.finding import Severity
from detector.model.panel import Panel, row_of

CALIBRATION_DAYS = 28
CALIBRATION_KEYS = 5_000
LEAST_REQUESTS = 10
LEAST_ERRORS = 4
LEAST_RISE = 1.5
"""A surge has at least this many times the errors that were to be expected."""


class ErrorSurge:
    """The upper tail of a beta-binomial count, as a normal quantile.

    A key's error rate moves from day to day around its mean; mean and scatter (the intra-class
    correlation) are moments of its own baseline days, weighted as Kleinman (1973) does and drawn towards
    the fleet's where the key has little history. A noisy key is therefore not always guilty. Up to one day
    in 28 far above the others is left out: else the last surge would teach that surges are normal. Then

        z = -ndtri(P(more errors than on that day) + P(as many) / 2)
        score = (z - centre) / scale

    with the tail on the logarithmic scale, so that no surge saturates it, and centre and scale of the day
    across the fleet: an incident of the platform does not name every key. Named are keys with at least 10
    requests, 4 errors and half as many again as expected.
    """

    kind: ClassVar[str] = "error_surge"

    def __init__(self, settings: Detection) -> None:
        self.settings = settings

    def judge(self, panel: Panel) -> pd.DataFrame:
        """Score the last day of every active key."""
        last = panel.requests.shape[1] - 1
        requests, errors = _counts(panel, slice(None), last)
        usual = self._rates(panel, last, slice(None))
        band = 2 * np.sqrt(variance(requests, usual))
        expected = requests * usual.mean
        return judgement(
            panel,
            self._day(panel, last, slice(None), usual),
            observed=errors,
            expected=expected,
            low=np.maximum(expected - band, 0),
            high=np.minimum(expected + band, requests),
            eligible=(requests >= LEAST_REQUESTS) & (errors >= LEAST_ERRORS) & (errors >= LEAST_RISE * expected),
            not_judged=self._excuses(panel),
        )

    def past_scores(self, panel: Panel) -> NDArray[np.float64]:
        """Scores of the seen days before with enough requests, for a fixed sample of keys."""
        step = slice(None, None, max(len(panel.keys) // CALIBRATION_KEYS, 1))
        days = [day for day in range(len(panel.days) - 1) if not panel.missing[day]]
        scores = [np.empty(0)]
        for day in days[-CALIBRATION_DAYS:]:
            score = self._day(panel, day, step, self._rates(panel, day, step))
            scores.append(score[panel.requests[step, day] >= LEAST_REQUESTS])
        past = np.concatenate(scores)
        return past[~np.isnan(past)]

    def describe(self, panel: Panel, keys: list[str], judged: pd.DataFrame) -> dict[str, Description]:
        """How many of each key's requests failed, and how many usually do."""
        return {key: _describe(row_of(judged, key), panel.record(key)) for key in keys}

    def _rates(self, panel: Panel, day: int, rows: slice) -> Rates:
        window = slice(max(day - self.settings.baseline_days, 0), day)
        requests, errors = _counts(panel, rows, window)
        observed = panel.observed[rows, window]
        return usual_rates(np.where(observed, requests, 0), np.where(observed, errors, 0))

    def _day(self, panel: Panel, day: int, rows: slice, usual: Rates) -> Floats:
        """Scores of one day (an index into the panel's days) against the days before it."""
        requests, errors = _counts(panel, rows, day)
        judged = self._old_enough(panel, day)[rows] & panel.observed[rows, day]
        judged &= panel.records["active"].to_numpy()[rows]
        z = np.where(judged, surprise(errors, requests, usual), np.nan)
        centre, scale = day_view(z[requests >= LEAST_REQUESTS])
        return (z - centre) / scale

    def _old_enough(self, panel: Panel, day: int) -> Flags:
        window = slice(max(day - self.settings.baseline_days, 0), day)
        old: Flags = panel.observed[:, window].sum(axis=1) >= self.settings.minimum_days
        return old

    def _excuses(self, panel: Panel) -> NDArray[np.object_]:
        excuses = np.full(len(panel.keys), None, dtype=object)
        excuses[~self._old_enough(panel, len(panel.days) - 1)] = (
            f"too young: fewer than {counted(self.settings.minimum_days, 'observed day')}"
        )
        excuses[~panel.records["active"].to_numpy()] = "revoked"
        if panel.missing[-1]:
            excuses[:] = "no data for the day"
        return excuses


def _counts(panel: Panel, rows: slice, days: int | slice) -> tuple[Floats, Floats]:
    """Requests and errors; never more errors than requests."""
    requests = panel.requests[rows, days].astype(np.float64)
    return requests, np.minimum(panel.errors[rows, days], requests)


def _describe(judged: pd.Series[Any], record: pd.Series[Any]) -> Description:
    requests = float(record["request_count"])
    rate, usual = judged["observed"] / max(requests, 1.0), judged["expected"] / max(requests, 1.0)
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
        confidence="high" if judged["score"] >= 8 else "medium",
        actions=(
            f"Ask {owner_of(record)} whether a release, a lost permission or a wrong address explains this.",
            "Read the status codes: refusals (401, 403, 404) suggest probing, failures (5xx) an outage.",
            "If nobody can explain refused requests, rotate the key; find its callers before revoking it.",
        ),
    )


def _severity(rate: float, errors: float, environment: str) -> tuple[Severity, tuple[str, ...]]:
    level, reasons = 1, [f"{rate:.0%} of the requests failed"]
    if rate >= 0.5 and errors >= 100:
        level += 1
        reasons.append("at least 100 errors")
    elif rate < 0.1 or errors < 10:
        level -= 1
        reasons.append("fewer than one in ten" if rate < 0.1 else "fewer than ten errors")
    if environment == "test":
        level -= 1
        reasons.append("a test key")
    elif environment == "live":
        reasons.append("a live key")
    return (Severity.LOW, Severity.MEDIUM, Severity.HIGH)[max(level, 0)], tuple(reasons)
