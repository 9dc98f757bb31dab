"""New key bursts: a young key that already makes more requests than almost all other keys."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.boundary.words import counted
from detector.config.sections import DetectionSettings
from detector.detectors import Detector, techniques
from detector.detectors.description import LEVELS, Description, graded, owner_of
from detector.detectors.judgement import Judgement, excuses, score_frame
from detector.detectors.statistics.baseline import Flags, Floats
from detector.model.finding import Severity, Technique
from detector.model.finding_type import FindingType
from detector.model.panel import Panel, row_of

HEAVY = 0.95
"""A heavy key makes more requests than this share of the keys."""
FEWEST_KEYS = 20
"""With fewer grown keys in use, a heavy key makes more requests than any of them ever did on a day."""
LARGEST_GROUP = 20
"""So many young keys in heavy use are each reported, and more of them while the fleet has as many grown keys in
use. A larger number is one event: many keys were created at once."""
USUAL_DAYS = 28


class NewKeyBurst(Detector):
    """A key younger than ``minimum_days`` with more requests than all but one in twenty of the fleet.

    A young key has no history of its own, so the detector compares it with the grown keys in use, in two ways:
    with the 95th percentile of their requests on the evaluated day, and with the 95th percentile of their usual
    requests (each key's median over those of the last 28 days on which it was used). The key must exceed both
    and have at least ``minimum_requests``. While fewer than 20 grown keys are in use, the key must exceed the
    highest day of every grown key. A grown key is a reference key with ``minimum_days`` observed days. Without any
    grown key, no key is evaluated. If more than 20 young keys, and more than the grown keys in use, exceed their
    limit, none of them is reported by name; keys of the register and other keys count apart.

    Score: the number of requests divided by the limit; 0 for a key that is not reported.
    """

    kind = "new_key_burst"
    is_rule = True
    types = (
        FindingType(
            kind,
            is_rule,
            title="Young key, heavy use",
            tag="young",
            singular="young key in heavy use",
            plural="young keys in heavy use",
            severities=LEVELS,
            counts_requests=True,
        ),
    )

    def judge(self, panel: Panel) -> Judgement:
        """Score every active key that is too young to have a history."""
        current = panel.requests[:, -1].astype(np.float64)
        bursts = _Bursts.of(panel, self.settings)
        scores = score_frame(
            panel,
            np.where(bursts.heavy_use, current / max(bursts.limit, 1.0), 0.0),
            observed=current,
            low=0.0,
            high=bursts.limit,
            not_judged=excuses(
                panel,
                (bursts.much & np.isinf(bursts.limit), "no key with a history to compare a young key with"),
                (
                    bursts.crowded,
                    "many young keys in heavy use at once: many keys made at once, and not one of them",
                ),
            ),
        )
        return Judgement(scores, partial(_describe_keys, panel, scores, bursts.ages))


def crowd_of_young_keys(panel: Panel, settings: DetectionSettings) -> NDArray[np.int64]:
    """The positions of trusted young keys in heavy use of which there are too many to report each."""
    return np.flatnonzero(_Bursts.of(panel, settings).crowded & panel.trusted)


@dataclass(frozen=True)
class _Bursts:
    """Per key its observed days, and whether it is young with many requests, in heavy use, one of too many."""

    ages: NDArray[np.int64]
    much: Flags
    heavy_use: Flags
    crowded: Flags
    limit: float
    """The number of requests that only heavy keys exceed; infinite without a grown key."""

    @classmethod
    def of(cls, panel: Panel, settings: DetectionSettings) -> _Bursts:
        """Compare the young keys of the evaluated day with the grown ones."""
        current = panel.requests[:, -1]
        ages = panel.observed[:, :-1].sum(axis=1)
        old = ages >= settings.minimum_days
        young = panel.records["active"].to_numpy() & panel.known[:, -1] & ~old
        grown = panel.reference & old
        limit = _heavy(panel, grown)
        much = young & (current >= settings.minimum_requests)
        heavy_use = much & (current > limit)
        return cls(ages, much, heavy_use, _crowded(panel, heavy_use, grown), limit)


def _heavy(panel: Panel, grown: Flags) -> float:
    """The number of requests that only heavy keys exceed; infinite without a grown key."""
    if not grown.any():
        return np.inf
    used = grown & (panel.requests[:, -1] > 0)
    if used.sum() < FEWEST_KEYS:
        return float(np.where(panel.observed[grown, :-1], panel.requests[grown, :-1], 0).max())
    current = np.quantile(panel.requests[used, -1], HEAVY)
    return float(max(current, np.quantile(_usual(panel, used), HEAVY)))


def _crowded(panel: Panel, burst: Flags, grown: Flags) -> Flags:
    """The young keys in heavy use of which there are too many to report each."""
    most = max(LARGEST_GROUP, int((grown & (panel.requests[:, -1] > 0)).sum()))
    crowded = np.zeros(len(burst), dtype=bool)
    # Names that anybody can invent must not hide a key of the register.
    for group in (burst & panel.trusted, burst & ~panel.trusted):
        if group.sum() > most:
            crowded |= group
    return crowded


def _usual(panel: Panel, rows: Flags) -> Floats:
    """Per key the median of its requests over the recent days on which it was used; 0 for a key without use."""
    recent = slice(-1 - USUAL_DAYS, -1)
    counts = np.where(panel.observed[rows, recent], panel.requests[rows, recent], 0)
    # Days without use sort to the front, so the median of the rest is a position after them.
    counts = np.sort(counts, axis=1)
    silent = (counts == 0).sum(axis=1)
    middle = np.minimum((silent + counts.shape[1]) // 2, counts.shape[1] - 1)
    usual: Floats = counts[np.arange(len(counts)), middle].astype(np.float64)
    return usual


def _describe_keys(
    panel: Panel, scores: pd.DataFrame, ages: NDArray[np.int64], keys: list[str]
) -> dict[str, Description]:
    """Describe each key's requests and its age."""
    current = panel.requests[:, -1]
    answers = {}
    for key, row in zip(keys, panel.keys.get_indexer(pd.Index(keys)), strict=True):
        heavier = int((panel.trusted & (current > current[row])).sum())
        answers[key] = _describe_key(row_of(scores, key), panel.record(key), int(ages[row]), heavier)
    return answers


def _describe_key(judged: pd.Series[Any], record: pd.Series[Any], age: int, heavier: int) -> Description:
    days = f"after {counted(age, 'day')}" if age else "on its first day"
    rank = f"{counted(heavier, 'key')} made more" if heavier else "no key made more"
    severity, reasons = _severity(judged["score"], record["environment"])
    return Description(
        title="New key among the heaviest",
        reason=(
            f"{counted(judged['observed'], 'request')} {days}, and {rank}; "
            f"hardly a key with a history makes more than {judged['high']:,.0f}."
        ),
        severity=severity,
        severity_reasons=(f"a young key, {days}", *reasons),
        confidence="medium",
        actions=(
            f"Ask {owner_of(record)} who made this key, for what, and whether so many requests are planned.",
            "If it moves traffic from an older key, revoke that one once it is silent.",
            "If nobody claims it, disable it and look who made it: stolen access likes to make keys of its own.",
        ),
        techniques=_techniques(record, days),
    )


def _techniques(record: pd.Series[Any], days: str) -> tuple[Technique, ...]:
    """The technique that a new key in heavy use may show; none if the register gives no creation date."""
    # A key that appears in the usage for the first time may be old.
    if pd.isna(record["created_at"]):
        return ()
    why = f"a key that the register calls new was among the heaviest {days}"
    return (techniques.added_credentials(why),)


def _severity(times: float, environment: str) -> tuple[Severity, tuple[str, ...]]:
    return graded(2 if times >= 10 else 1, [f"{times:,.1f} times what hardly a key exceeds"], environment)
