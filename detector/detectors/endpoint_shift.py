"""Endpoint shifts: a key's requests go elsewhere than they usually do."""

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
from detector.detectors.statistics.baseline import Flags, Floats, centre_and_scale
from detector.detectors.statistics.calibration import CALIBRATION_DAYS
from detector.detectors.statistics.endpoint_distributions import LEAST_HISTORY, Distances, distances
from detector.model.finding import Severity, Technique
from detector.model.finding_type import FindingType
from detector.model.panel import DailyCounts, Panel, row_of
from detector.usage.aggregation import NO_ENDPOINT, OTHER, map_of

LEAST_REQUESTS = 10
LEAST_MOVED = 0.2
"""A shift moves at least this share of the day's requests."""
ENUMERATION = 5
MOSTLY_REFUSED = 0.5


class EndpointShift(Detector):
    """The deviance of that day's endpoint counts from the key's own usual mix.

    With ``n`` requests that day, ``c`` of them on an endpoint whose usual share is ``q``,

        D = 2 sum c log(c / nq)

    over the key's own endpoints and one more that stands for all it never used, whose share is what the
    key's (and, where it has little history, the fleet's) days had on average. The mean and variance of D by
    chance are those of Poisson deviances, which hold for small counts where the chi-square does not
    (McCullagh 1986); both are inflated by ``1 + n scatter + n / N``, with the scatter of the mix from day
    to day by moments of the key's own days, each against all others, and N the requests of its history.
    The ratio becomes a normal quantile by the cube root (Wilson and Hilferty 1931), is centred and scaled
    across the fleet of the day, and grows without bound.

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
        """Score the last day of every active key, and the days before it, each against the mix of the others."""
        counts = panel.endpoint_counts(min(self.settings.baseline_days + 1, len(panel.days)))
        seen = distances(_placed(counts, panel.missing[-len(counts.days) :]))
        of_days = self._scores(panel, seen)
        requests = seen.requests[:, -1]
        moved = seen.moved[:, -1]
        usual, highest = _usual_moves(seen)
        scores = score_frame(
            panel,
            of_days[:, -1],
            observed=requests * moved,
            expected=requests * usual,
            low=0.0,
            high=requests * highest,
            eligible=(requests >= LEAST_REQUESTS) & (moved >= np.maximum(usual, LEAST_MOVED)),
            not_judged=self._excuses(panel, seen),
        )
        return Judgement(scores, partial(_describe_keys, panel, scores), _past_scores(of_days, seen))

    def _scores(self, panel: Panel, seen: Distances) -> Floats:
        """Keys x days of scores, NaN where a key cannot be judged."""
        spread = 2 / (9 * seen.freedom)
        z = (np.cbrt(seen.deviance / seen.chance) - (1 - spread)) / np.sqrt(spread)
        z = np.where(seen.requests > 0, z, 0.0)
        z[~self._judgeable(panel, seen)] = np.nan
        for day in range(z.shape[1]):
            centre, scale = centre_and_scale(z[seen.requests[:, day] >= LEAST_REQUESTS, day])
            z[:, day] = (z[:, day] - centre) / scale
        return z

    def _judgeable(self, panel: Panel, seen: Distances) -> Flags:
        days = slice(-seen.requests.shape[1], None)
        without = (seen.requests == 0) & (panel.requests[:, days] > 0)
        short = (seen.requests > 0) & (seen.history < LEAST_HISTORY)
        keys = self._old_enough(panel, seen) & panel.records["active"].to_numpy() & bool(seen.requests.any())
        judgeable: Flags = keys[:, None] & panel.observed[:, days] & ~without & ~short
        return judgeable

    def _old_enough(self, panel: Panel, seen: Distances) -> Flags:
        days = panel.observed[:, -seen.requests.shape[1] : -1].sum(axis=1)
        old: Flags = days >= self.settings.minimum_days
        return old

    def _excuses(self, panel: Panel, seen: Distances) -> Excuses:
        current = seen.requests[:, -1]
        short = (current > 0) & (seen.history[:, -1] < LEAST_HISTORY)
        unsaid = (current == 0) & (panel.requests[:, -1] > 0)
        young = ~self._old_enough(panel, seen)
        return excuses(
            panel,
            (short, "too few requests in its history"),
            (unsaid | (not seen.requests.any()), "the source does not say which endpoints were used"),
            *young_or_revoked(panel, young, self.settings.minimum_days),
        )


def _past_scores(of_days: Floats, seen: Distances) -> Floats:
    """The scores of the last days before the judged one on which keys had enough requests."""
    earlier = slice(max(seen.requests.shape[1] - 1 - CALIBRATION_DAYS, 0), -1)
    enough = seen.requests[:, earlier] >= LEAST_REQUESTS
    past: Floats = of_days[:, earlier][enough]
    return past[~np.isnan(past)]


def _describe_keys(panel: Panel, scores: pd.DataFrame, keys: list[str]) -> dict[str, Description]:
    """Where each key's requests went, and which endpoints it never used before."""
    earlier = panel.maps("endpoint_distribution", keys)
    answers = {}
    for key in keys:
        used = {name for day in earlier for name in day.get(key, {})}
        answers[key] = _describe_key(row_of(scores, key), panel.record(key), used)
    return answers


def _placed(counts: DailyCounts, missing: Flags) -> list[csr_array]:
    """The days without the requests whose endpoint the source does not say, unseen days empty."""
    kept = np.flatnonzero(counts.names != NO_ENDPOINT)
    days = []
    for day, unseen in zip(counts.days, missing, strict=True):
        placed = csr_array(day.shape, dtype=np.int64) if unseen else day
        placed = placed if len(kept) == day.shape[1] else placed[:, kept]
        days.append(placed if placed.has_sorted_indices else placed.sorted_indices())
    return days


def _usual_moves(seen: Distances) -> tuple[Floats, Floats]:
    """The usual and the 95th percentile share of requests off the mix, on each key's earlier days in use."""
    used = (seen.requests[:, :-1] > 0) & (seen.history[:, :-1] >= LEAST_HISTORY)
    moved = np.sort(np.where(used, seen.moved[:, :-1], np.inf), axis=1)
    count = used.sum(axis=1)
    place = np.minimum(np.ceil(0.95 * count).astype(int) - 1, moved.shape[1] - 1)
    heavy = np.where(used, seen.requests[:, :-1], 0)
    mean = (heavy * seen.moved[:, :-1]).sum(axis=1) / np.maximum(heavy.sum(axis=1), 1)
    if not moved.shape[1]:
        return mean, mean
    return mean, np.where(count > 0, moved[np.arange(len(moved)), np.maximum(place, 0)], 0.0)


def _describe_key(judged: pd.Series[Any], record: pd.Series[Any], used: set[str]) -> Description:
    mix = map_of(record["endpoint_distribution"])
    requests = max(sum(count for name, count in mix.items() if name != NO_ENDPOINT), 1)
    new = {name: count for name, count in mix.items() if name not in used and name not in (OTHER, NO_ENDPOINT)}
    moved, share = judged["observed"] / requests, sum(new.values()) / requests
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
    """Guessing shows in refusals; a caller who knows the endpoints is answered."""
    refused = record["error_count"] / max(record["request_count"], 1)
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
