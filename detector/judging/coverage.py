"""The coverage of a day: which keys and days were evaluated, and which were not."""

from __future__ import annotations

from typing import Any

import numpy as np

from detector.config.config import Config
from detector.judging.completeness import busiest
from detector.judging.judging import Judged
from detector.model.panel import Panel
from detector.model.report import Coverage, NotJudged


def coverage(judged: Judged, config: Config, failures: tuple[str, ...]) -> Coverage:
    """The coverage of an evaluated day; ``failures`` names all failed parts of the run, detectors included."""
    panel = judged.panel
    records = judged.panel.records
    window = slice(-1 - config.detection.baseline_days, -1)
    has_register = bool(records["registered"].any())
    unregistered = records[~records["registered"] & (records["request_count"] > 0) & has_register]
    revoked = records[~records["active"] & (records["request_count"] > 0)]
    return Coverage(
        complete=judged.extent.complete,
        problems=tuple(problem.text for problem in judged.problems),
        keys_active=int(records["active"].sum()),
        keys_judged=judged.keys_judged,
        not_judged=tuple(_not_judged(judged)),
        baseline_days=int((~panel.missing[window]).sum()),
        missing_days=tuple(day.item() for day in _gaps(panel, window)),
        unregistered_keys=tuple(busiest(unregistered)),
        revoked_keys_in_use=tuple(revoked["key_id"]),
        withheld=judged.withheld,
        failures=failures,
        revisions=panel.revisions,
        shortfalls=tuple(problem.text for problem in judged.problems if problem.shortfall),
    )


def _gaps(panel: Panel, window: slice) -> np.ndarray[Any, np.dtype[np.datetime64]]:
    """The days of the baseline with missing data, without those before the first day with data."""
    first_present = len(panel.missing) if panel.missing.all() else int(np.argmin(panel.missing))
    gaps = panel.missing & (np.arange(len(panel.missing)) >= first_present)
    days: np.ndarray[Any, np.dtype[np.datetime64]] = panel.days[window][gaps[window]]
    return days


def _not_judged(judged: Judged) -> list[NotJudged]:
    """The active keys without a score, grouped by detector and reason."""
    active = judged.panel.records["active"].to_numpy()
    groups = []
    for kind, frame in judged.judgements.items():
        unscored = frame[frame["score"].isna() & active]
        for reason, rows in unscored.groupby("not_judged", sort=True, dropna=False):
            groups.append(NotJudged(kind, str(reason), len(rows), tuple(rows.index)))
    return groups
