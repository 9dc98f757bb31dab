"""Endpoint shifts: a key calls other endpoints than it usually does."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from detector.boundary.words import counted
from detector.detectors import Detector, techniques
from detector.detectors.description import LEVELS, Description, confidence_of, graded, owner_of
from detector.detectors.judgement import Excuses, Judgement, excuses, score_frame, young_or_revoked
from detector.detectors.statistics.baseline import Flags, Floats
from detector.detectors.statistics.calibration import CALIBRATION_DAYS
from detector.detectors.statistics.endpoint_distributions import LEAST_HISTORY, Distances, distances
from detector.detectors.statistics.fleet_levels import level_of, limited
from detector.model.finding import Severity, Technique
from detector.model.finding_type import FindingType
from detector.model.panel import DailyCounts, Panel, row_of
from detector.usage.aggregation import NO_ENDPOINT, OTHER, map_of

LEAST_REQUESTS = 10
LEAST_MOVED = 0.2
"""A key is reported only if at least this share of its requests went to other endpoints than usual."""
ENUMERATION = 5
MOSTLY_REFUSED = 0.5


class EndpointShift(Detector):
    """The deviance of a day's endpoint counts from the key's own usual mix.

    A key makes ``n`` requests on the evaluated day, and ``c`` of them go to an endpoint with the usual share
    ``q``. The deviance is

        D = 2 sum c log(c / nq)

    The sum runs over the key's own endpoints and one more, which stands for all endpoints that the key never
    used. The usual share of this one is the average over the key's days. A key with little history takes the
    average of the fleet.

    The mean and variance of D by chance are those of Poisson deviances, which hold for small counts where the
    chi-square does not (McCullagh 1986). Both are multiplied by ``1 + n scatter + n / N``. ``N`` is the number
    of requests in the key's history. ``scatter`` is how much the mix varies from day to day; it is a moment
    estimate that compares each of the key's days with all the others. The cube root turns the ratio of D to its
    mean into a normal quantile (Wilson and Hilferty 1931). This quantile is centred and scaled across the
    reference keys of the day, within the limit of past days. The score has no upper bound.

    McCullagh, P. (1986). The conditional distribution of goodness-of-fit statistics. JASA 81 (393).
    """

    kind = "endpoint_shift"
    is_rule = False
    types = (
        FindingType(
            kind,
            is_rule,
            title="Endpoint shift",
            tag="endpoints",
            singular="endpoint shift",
            plural="endpoint shifts",
            severities=LEVELS,
        ),
    )

    def judge(self, panel: Panel) -> Judgement:
        """Score the last day of every active key, and each day before it, against the mix of the other days."""
        counts = panel.endpoint_counts(min(self.settings.baseline_days + 1, len(panel.days)))
        days = _named_endpoints(counts, panel.missing[-len(counts.days) :])
        measured = distances(days, panel.reference)
        of_days = self._scores(panel, measured)
        requests = measured.requests[:, -1]
        moved = measured.moved[:, -1]
        usual, highest = _usual_moves(measured)
        scores = score_frame(
            panel,
            of_days[:, -1],
            observed=requests * moved,
            expected=requests * usual,
            low=0.0,
            high=requests * highest,
            not_raised=excuses(
                panel,
                (moved < usual, "no more of its requests than usual went to other endpoints"),
                (moved < LEAST_MOVED, f"fewer than {LEAST_MOVED:.0%} of its requests went to other endpoints"),
                (requests < LEAST_REQUESTS, f"fewer than {LEAST_REQUESTS} requests"),
            ),
            not_judged=self._excuses(panel, measured),
        )
        return Judgement(scores, partial(_describe_keys, panel, scores), _past_scores(panel, of_days, measured))

    def _scores(self, panel: Panel, measured: Distances) -> Floats:
        """Keys x days of scores, NaN for a key and day that cannot be evaluated."""
        spread = 2 / (9 * measured.freedom)
        z = (np.cbrt(measured.deviance / measured.chance) - (1 - spread)) / np.sqrt(spread)
        z = np.where(measured.requests > 0, z, 0.0)
        z[~self._judgeable(panel, measured)] = np.nan
        counted = panel.reference[:, None] & (measured.requests >= LEAST_REQUESTS)
        levels = [level_of(z[counted[:, day], day]) for day in range(z.shape[1])]
        present = np.flatnonzero(~panel.missing[-z.shape[1] : -1])[-CALIBRATION_DAYS:]
        levels[-1] = limited(levels[-1], [levels[day] for day in present])
        return np.column_stack([level.relative(z[:, day]) for day, level in enumerate(levels)])

    def _judgeable(self, panel: Panel, measured: Distances) -> Flags:
        days = slice(-measured.requests.shape[1], None)
        without_endpoints = (measured.requests == 0) & (panel.requests[:, days] > 0)
        short = (measured.requests > 0) & (measured.history < LEAST_HISTORY)
        keys = self._old_enough(panel, measured) & panel.records["active"].to_numpy()
        if not measured.requests.any():
            keys = np.zeros_like(keys)
        judgeable: Flags = keys[:, None] & panel.observed[:, days] & ~without_endpoints & ~short
        return judgeable

    def _old_enough(self, panel: Panel, measured: Distances) -> Flags:
        days = panel.observed[:, -measured.requests.shape[1] : -1].sum(axis=1)
        old: Flags = days >= self.settings.minimum_days
        return old

    def _excuses(self, panel: Panel, measured: Distances) -> Excuses:
        current = measured.requests[:, -1]
        short = (current > 0) & (measured.history[:, -1] < LEAST_HISTORY)
        without_endpoints = (current == 0) & (panel.requests[:, -1] > 0)
        young = ~self._old_enough(panel, measured)
        return excuses(
            panel,
            (short, "too few requests in its history"),
            (
                without_endpoints | (not measured.requests.any()),
                "the source does not say which endpoints were used",
            ),
            *young_or_revoked(panel, young, self.settings.minimum_days),
        )


def _past_scores(panel: Panel, of_days: Floats, measured: Distances) -> Floats:
    """The scores of reference keys with enough requests on the last days before the evaluated day."""
    earlier = slice(max(measured.requests.shape[1] - 1 - CALIBRATION_DAYS, 0), -1)
    enough = panel.reference[:, None] & (measured.requests[:, earlier] >= LEAST_REQUESTS)
    past: Floats = of_days[:, earlier][enough]
    return past[~np.isnan(past)]


def _describe_keys(panel: Panel, scores: pd.DataFrame, keys: list[str]) -> dict[str, Description]:
    """Describe which endpoints each key called, and which of them it never used before."""
    earlier = panel.maps("endpoint_distribution", keys)
    answers = {}
    for key in keys:
        used = {name for day in earlier for name in day.get(key, {})}
        answers[key] = _describe_key(row_of(scores, key), panel.record(key), used)
    return answers


def _named_endpoints(counts: DailyCounts, missing: Flags) -> list[csr_array]:
    """The mix of each day over the endpoints that the source names; days with missing data are empty."""
    named = np.flatnonzero(counts.names != NO_ENDPOINT)
    days = []
    for day, is_missing in zip(counts.days, missing, strict=True):
        mix = csr_array(day.shape, dtype=np.int64) if is_missing else day
        if len(named) < day.shape[1]:
            mix = mix[:, named]
        days.append(mix if mix.has_sorted_indices else mix.sorted_indices())
    return days


def _usual_moves(measured: Distances) -> tuple[Floats, Floats]:
    """Per key the mean and the 95th percentile of the share of requests off the mix, on earlier days in use."""
    used = (measured.requests[:, :-1] > 0) & (measured.history[:, :-1] >= LEAST_HISTORY)
    # Days without use sort to the end, so a percentile is a position among the first ``count`` values.
    moved = np.sort(np.where(used, measured.moved[:, :-1], np.inf), axis=1)
    count = used.sum(axis=1)
    place = np.minimum(np.ceil(0.95 * count).astype(int) - 1, moved.shape[1] - 1)
    weights = np.where(used, measured.requests[:, :-1], 0)
    mean = (weights * measured.moved[:, :-1]).sum(axis=1) / np.maximum(weights.sum(axis=1), 1)
    if not moved.shape[1]:
        return mean, mean
    highest = moved[np.arange(len(moved)), np.maximum(place, 0)]
    return mean, np.where(count > 0, highest, 0.0)


def _describe_key(judged: pd.Series[Any], record: pd.Series[Any], used: set[str]) -> Description:
    mix = map_of(record["endpoint_distribution"])
    requests = max(sum(count for name, count in mix.items() if name != NO_ENDPOINT), 1)
    new = {name: count for name, count in mix.items() if name not in used and name not in (OTHER, NO_ENDPOINT)}
    moved = judged["observed"] / requests
    share = sum(new.values()) / requests
    enumeration = len(new) >= ENUMERATION
    severity, reasons = _severity(len(new), share, moved, record["environment"])
    reason = (
        f"{judged['observed']:,.0f} of {counted(requests, 'request')} ({moved:.0%}) went to other endpoints than "
        f"usual; on an ordinary day that would be {judged['expected']:,.0f}"
    )
    new_endpoints = counted(len(new), "endpoint")
    if enumeration:
        reason += f". {new_endpoints} it never used before took {share:.0%}, as if tried one by one"
    elif new:
        reason += f". {new_endpoints} it never used before took {share:.0%}"
    return Description(
        title="Many new endpoints" if enumeration else "Endpoints shifted",
        reason=f"{reason}.",
        severity=severity,
        severity_reasons=reasons,
        confidence=confidence_of(judged["score"]),
        actions=(
            f"Ask {owner_of(record)} whether a release or a new job explains the other endpoints.",
            "Read this key's access log of the day: new addresses, refused requests on these endpoints.",
            "If nobody expected it, rotate the key; narrow what the new one may call. Find its callers first.",
        ),
        changes=(f"Enumeration: {new_endpoints} at once that it never used.",) if enumeration else (),
        techniques=_techniques(record, len(new)) if enumeration else (),
    )


def _techniques(record: pd.Series[Any], new: int) -> tuple[Technique, ...]:
    """The technique that many refused endpoints may show; none while most requests were answered."""
    refused = record["error_count"] / max(record["request_count"], 1)
    # A caller who guesses names is mostly refused. A caller who knows the endpoints is answered.
    if refused < MOSTLY_REFUSED:
        return ()
    tried = counted(new, "endpoint it never used was tried", "endpoints it never used were tried")
    why = f"{tried} at once, and {refused:.0%} of its requests failed"
    return (techniques.wordlist_scanning(why),)


def _severity(new: int, share: float, moved: float, environment: str) -> tuple[Severity, tuple[str, ...]]:
    level = 1
    reasons = [f"{moved:.0%} of the requests went elsewhere"]
    if new >= ENUMERATION and share >= 0.2:
        level += 1
        reasons.append("many endpoints never used before")
    elif not new:
        level -= 1
        reasons.append("only endpoints it used before")
    return graded(level, reasons, environment)
