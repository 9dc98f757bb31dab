"""Revoked keys in use: requests of a key that should no longer work."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from detector.boundary.words import counted, long_day, singular_or_plural
from detector.detectors import Detector, techniques
from detector.detectors.description import LEVELS, Description, owner_of
from detector.detectors.judgement import Judgement, excuses, score_frame
from detector.detectors.statistics.baseline import Flags, anscombe
from detector.model.finding import Severity, Technique
from detector.model.finding_type import FindingType
from detector.model.panel import Panel


class RevokedKeyUse(Detector):
    """Any request of a key on a day after its revocation.

    On the day of the revocation itself, the count does not show which requests came after it. If the source
    gives the time of the last use, this time decides: a last use before the revocation is no finding, and a
    later one shows that the key still worked. If the source gives no time (a bare date reads as the first
    instant of the day), the key is reported with a lower severity and confidence.

    Score: the number of requests on the Anscombe scale, 0 for none.
    """

    kind = "revoked_key_use"
    is_rule = True
    types = (
        FindingType(
            kind,
            is_rule,
            title="Revoked key in use",
            tag="revoked",
            singular="revoked key in use",
            plural="revoked keys in use",
            severities=(*LEVELS, Severity.CRITICAL),
        ),
    )

    def judge(self, panel: Panel) -> Judgement:
        """Score every key that was revoked before the end of the evaluated day by its requests on that day."""
        requests = panel.requests[:, -1]
        against_revocation = _revoked(panel) & ~_used_before_only(panel)
        scores = score_frame(
            panel,
            np.where(against_revocation, anscombe(requests) - anscombe(np.zeros(1)), 0.0),
            observed=requests.astype(float),
            expected=0.0,
            low=0.0,
            high=0.0,
            not_judged=excuses(panel),
        )
        return Judgement(scores, partial(_describe_keys, panel))


def _describe_keys(panel: Panel, keys: list[str]) -> dict[str, Description]:
    """Describe each key's requests and the time since its revocation."""
    return {key: _describe_key(panel, key, panel.record(key)) for key in keys}


def _revoked(panel: Panel) -> Flags:
    """Whether each key was revoked before the day ended."""
    revoked: Flags = (panel.records["revoked_at"] < panel.day.end).fillna(False).to_numpy(dtype=bool)
    return revoked


def _used_before_only(panel: Panel) -> Flags:
    """Whether the last use of each key on the evaluated day came before its revocation, as far as known."""
    last = panel.records["last_used"]
    # A source that knows only the date gives the start of the day: this says nothing about the time.
    used_before = (last > panel.day.start) & (last < panel.records["revoked_at"])
    before: Flags = used_before.fillna(False).to_numpy(dtype=bool)
    return before


def _describe_key(panel: Panel, key: str, record: pd.Series[Any]) -> Description:
    requests = int(panel.requests[panel.keys.get_loc(key), -1])
    count = counted(requests, "request")
    revoked: datetime = record["revoked_at"].astimezone(panel.timezone)
    days = (panel.day.date - revoked.date()).days
    since, severity, confidence = _since(panel, record, days)
    if confidence != "certain":
        return Description(
            title="Key in use on the day it was revoked",
            reason=f"{count}; {since}.",
            severity=severity,
            severity_reasons=("the requests may lie before the revocation", f"{count} on this day"),
            confidence=confidence,
            actions=("Look again tomorrow: requests on the day after a revocation leave no doubt.",),
        )
    return Description(
        title="Revoked key in use",
        reason=f"{count}, where none should be possible: {since}.",
        severity=severity,
        severity_reasons=("a revoked key must not work", f"{count} on this day"),
        confidence=confidence,
        actions=(
            "Check that the gateway refuses this key: a cache or a replica may still accept it.",
            f"Ask {owner_of(record)} which service still sends it, and read where the requests came from.",
            "If they were all refused, somebody still holds the key: find the caller, and why it was revoked.",
        ),
        changes=_changes(panel, key, revoked, days),
        techniques=_techniques(record, requests),
    )


def _techniques(record: pd.Series[Any], requests: int) -> tuple[Technique, ...]:
    """The technique that accepted requests of a revoked key may show; none if all requests failed."""
    accepted = requests - int(record["error_count"])
    # A caller whose requests all fail may simply not know about the revocation.
    if not accepted:
        return ()
    were = singular_or_plural(accepted, "was", "were")
    why = f"{accepted:,} of {counted(requests, 'request')} with a revoked key {were} accepted"
    return (techniques.access_token(why),)


def _since(panel: Panel, record: pd.Series[Any], days: int) -> tuple[str, Severity, str]:
    """The time of the requests as far as it is known, the severity that follows, and the confidence."""
    live = record["environment"] != "test"
    if days > 0:
        day = long_day(record["revoked_at"].astimezone(panel.timezone).date())
        ago = "the day before" if days == 1 else f"{counted(days, 'day')} before"
        return f"it was revoked on {day}, {ago}", Severity.CRITICAL if live else Severity.HIGH, "certain"
    if not pd.isna(record["last_used"]) and record["last_used"] > record["revoked_at"]:
        used, revoked = (record[name].astimezone(panel.timezone) for name in ("last_used", "revoked_at"))
        text = f"it was revoked at {revoked:%H:%M} and last used at {used:%H:%M}"
        return text, Severity.HIGH if live else Severity.MEDIUM, "certain"
    return "it was revoked during the day, and the counts do not say which came first", Severity.LOW, "low"


def _changes(panel: Panel, key: str, revoked: datetime, days: int) -> tuple[str, ...]:
    """The number of days since its revocation on which the key was used, as a sentence."""
    if days < 2:
        return ()
    after = panel.days > np.datetime64(revoked.date())
    observed = after & ~panel.missing
    used = int((panel.requests[panel.keys.get_loc(key), observed] > 0).sum())
    return (f"Used on {used:,} of the {counted(int(observed.sum()), 'day')} seen since its revocation.",)
