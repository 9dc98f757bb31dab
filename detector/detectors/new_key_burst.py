"""New key bursts: a young key that already makes more requests than almost all other keys."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.boundary.words import counted
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
"""The detector needs at least this many grown keys in use to compare a young key with."""
LARGEST_YOUNG_SHARE = 0.5
"""If a larger share of the keys in use is young, no young key is reported: the installation is new, or many keys
were created at once."""
USUAL_DAYS = 28


class NewKeyBurst(Detector):
    """A key younger than ``minimum_days`` with more requests than all but one in twenty of the fleet.

    A young key has no history of its own, so the detector compares it with the grown keys in use, in two ways:
    with the 95th percentile of their requests on the evaluated day, and with the 95th percentile of their usual
    requests (each key's median over those of the last 28 days on which it was used). The key must exceed both
    and have at least ``minimum_requests``. The detector evaluates no key while fewer than 20 grown keys are in
    use, or while more than half of the keys in use are young.

    Score: the number of requests divided by the larger of the two percentiles; 0 for a key that is not reported.
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
        ages = panel.observed[:, :-1].sum(axis=1)
        active = panel.records["active"].to_numpy() & panel.known[:, -1]
        young = active & (ages < self.settings.minimum_days)
        heavy, incomparable = self._heavy(panel, young, active)
        much = current >= self.settings.minimum_requests
        burst = young & (current > heavy) & much
        not_judged = excuses(panel, (young & much, incomparable)) if incomparable else excuses(panel)
        scores = score_frame(
            panel,
            np.where(burst, current / max(heavy, 1.0), 0.0),
            observed=current,
            low=0.0,
            high=heavy,
            not_judged=not_judged,
        )
        return Judgement(scores, partial(_describe_keys, panel, scores, ages))

    def _heavy(self, panel: Panel, young: Flags, active: Flags) -> tuple[float, str | None]:
        """The number of requests that only heavy keys exceed, and the reason if it cannot be computed."""
        used = active & (panel.requests[:, -1] > 0)
        grown = used & ~young
        if grown.sum() < FEWEST_KEYS:
            return np.inf, f"fewer than {FEWEST_KEYS} keys with a history to compare a young key with"
        if young[used].mean() > LARGEST_YOUNG_SHARE:
            return np.inf, "most keys in use are young: a new installation, or many keys made at once"
        current = np.quantile(panel.requests[grown, -1], HEAVY)
        return float(max(current, np.quantile(_usual(panel, grown), HEAVY))), None


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
        heavier = int((current > current[row]).sum())
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
            f"19 of 20 keys with a history make at most {judged['high']:,.0f}."
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
    return graded(2 if times >= 10 else 1, [f"{times:,.1f} times what 19 of 20 keys stay below"], environment)
