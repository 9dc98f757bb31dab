"""Test keys in live deployments and live keys in test ones: requests in the wrong environment."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.boundary.words import counted, long_day
from detector.detectors import Detector
from detector.detectors.description import LEVELS, Description, owner_of
from detector.detectors.judgement import Judgement, excuses, score_frame
from detector.detectors.statistics.baseline import anscombe
from detector.model.finding import Severity
from detector.model.finding_type import FindingType
from detector.model.panel import Panel, row_of
from detector.usage.aggregation import ENVIRONMENTS, OTHER, explode

MOST_NAMED = 3
"""So many deployments are named in a sentence."""


class EnvironmentMismatch(Detector):
    """Any request of a test key in a live deployment, or of a live key in a test one.

    ``deployments`` in the configuration gives the environment of a deployment, by name or shell-style pattern.
    An exact name wins over a pattern, and an earlier pattern over a later one. Requests in deployments that
    the configuration does not name are not evaluated, nor are keys of unknown environment. A *stray* request
    is one in a deployment of the other environment.

    Score: the number of stray requests on the Anscombe scale, 0 for none.
    """

    kind = "environment_mismatch"
    is_rule = True
    types = (
        FindingType(
            kind,
            is_rule,
            title="Environment mismatch",
            tag="mismatch",
            singular="environment mismatch",
            plural="environment mismatches",
            severities=LEVELS,
        ),
    )

    def judge(self, panel: Panel) -> Judgement:
        """Score every key by its requests in deployments of the other environment."""
        rows = self._requests_by_deployment(panel)
        strays = _sum_by_key(rows[rows["stray"]], panel.keys)
        unplaced = panel.requests[:, -1] - _sum_by_key(rows[rows["belongs"].notna()], panel.keys)
        without_stray = (panel.requests[:, -1] > 0) & (strays == 0)
        unknown = ~panel.records["environment"].isin(ENVIRONMENTS).to_numpy()
        scores = score_frame(
            panel,
            anscombe(strays) - anscombe(np.zeros(1)),
            observed=strays.astype(float),
            expected=0.0,
            low=0.0,
            high=0.0,
            not_judged=excuses(
                panel,
                (
                    without_stray & (unplaced > 0),
                    "requests in deployments that the policy does not name, or in none",
                ),
                (without_stray & unknown, "environment of the key unknown"),
            ),
        )
        return Judgement(scores, partial(self._describe_keys, panel, scores, rows))

    def _describe_keys(
        self, panel: Panel, scores: pd.DataFrame, rows: pd.DataFrame, keys: list[str]
    ) -> dict[str, Description]:
        """Describe in which deployments each key was used, how often, and since when."""
        earlier = panel.maps("deployments", keys)
        answers = {}
        for key in keys:
            strays = rows[rows["stray"] & (rows["key_id"] == key)]
            places = strays.sort_values("request_count", ascending=False)["deployments"].tolist()
            used_before = []
            for day, maps in zip(panel.days[:-1], earlier, strict=True):
                counts = maps.get(key, {})
                if any(counts.get(place, 0) for place in places):
                    used_before.append(day.item())
            stray_count = int(row_of(scores, key)["observed"])
            record = panel.record(key)
            homes = self._homes(rows, record["environment"])
            answers[key] = _describe_key(record, places, homes, stray_count, used_before)
        return answers

    def _homes(self, rows: pd.DataFrame, environment: str) -> list[str]:
        """The deployments for the keys of an environment.

        Those in use on the day, the busiest first, or else those that the policy names.
        """
        used = rows[rows["belongs"] == environment].groupby("deployments")["request_count"].sum()
        if len(used):
            return used.sort_index().sort_values(ascending=False, kind="stable").index.tolist()
        return [name for name, kind in self.settings.deployments.items() if kind == environment]

    def _requests_by_deployment(self, panel: Panel) -> pd.DataFrame:
        """The evaluated day's requests as rows of key_id, deployments, request_count, belongs, stray."""
        rows = explode(panel.records, "deployments")
        named = [name for name in rows["deployments"].unique() if name != OTHER]
        homes = {name: self.settings.environment_of(name) for name in named}
        belongs = rows["deployments"].map(homes).astype("object")
        environment = rows["key_id"].map(panel.records["environment"]).astype("object")
        judged = belongs.notna() & environment.isin(ENVIRONMENTS)
        return rows.assign(belongs=belongs, stray=judged & (belongs != environment))


def _describe_key(
    record: pd.Series[Any], places: list[str], homes: list[str], strays: int, used_before: list[date]
) -> Description:
    total = int(record["request_count"])
    environment = record["environment"]
    share = strays / max(total, 1)
    severity, reasons = _severity(environment, strays, share, first=not used_before)
    where = " and ".join(places[:MOST_NAMED])
    other = "live" if environment == "test" else "test"
    if used_before:
        change = f"First seen in {where} on {long_day(used_before[0])}."
    else:
        change = f"Never seen in {where} before."
    return Description(
        title="Test key in production" if environment == "test" else "Live key outside production",
        reason=f"{strays:,} of {counted(total, 'request')} came through {where}; this is a {environment} key.",
        severity=severity,
        severity_reasons=reasons,
        confidence="certain",
        changes=(change,),
        actions=(
            f"Ask {owner_of(record)} which service sends this key to {where}.",
            f"Give that service a {other} key of its own; {_belongs(homes)}.",
        ),
    )


def _belongs(homes: list[str]) -> str:
    if not homes:
        return "the policy has no deployment for this one"
    return f"this one belongs in {' or '.join(homes[:MOST_NAMED])} only"


def _severity(environment: str, strays: int, share: float, first: bool) -> tuple[Severity, tuple[str, ...]]:
    level = 1
    reasons = ["a test key in a live deployment" if environment == "test" else "a live key in a test deployment"]
    if share >= 0.5 and strays >= 100:
        level += 1
        reasons.append("most of its requests, and at least 100")
    elif strays < 3:
        level -= 1
        reasons.append("only one or two requests")
    if first:
        reasons.append("for the first time")
    return LEVELS[level], tuple(reasons)


def _sum_by_key(rows: pd.DataFrame, keys: pd.Index) -> NDArray[np.int64]:
    totals = rows.groupby("key_id")["request_count"].sum()
    counts: NDArray[np.int64] = totals.reindex(keys).fillna(0).to_numpy(dtype=np.int64)
    return counts
