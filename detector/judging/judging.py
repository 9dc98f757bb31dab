"""The evaluation of one day, from the panel to the findings.

The pipeline, the backtest and ``explain`` share this pure code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pandas as pd

from detector.boundary.words import counted
from detector.config.config import Config
from detector.detectors import all_detectors
from detector.detectors.description import Description
from detector.detectors.judgement import Judgement
from detector.judging import fleet
from detector.judging.budget import shares
from detector.judging.completeness import DATA_QUALITY, DataProblem, assess, is_complete
from detector.judging.explanation import changes
from detector.judging.findings import EarlierFindings, Evidence, absent, build, order, resolved
from detector.judging.thresholds import Threshold, calibrate, keys_above
from detector.model.extent import Extent
from detector.model.finding import Finding, Sighting
from detector.model.panel import Panel, row_of
from detector.model.triage import Precision

SILENCE = "silence"
RESOLUTION = "resolution"


@dataclass(frozen=True)
class Judged:
    """The result of the evaluation of one day; ``judgements`` and ``thresholds`` are by detector.

    ``withheld`` names the conclusions that incomplete data or a failed detector did not allow: ``SILENCE``,
    ``RESOLUTION``.
    """

    panel: Panel
    problems: list[DataProblem]
    judgements: Mapping[str, pd.DataFrame]
    thresholds: Mapping[str, Threshold]
    findings: list[Finding]
    extent: Extent
    withheld: tuple[str, ...] = ()
    failures: list[str] = field(default_factory=list)


def judge(
    panel: Panel,
    config: Config,
    earlier: Mapping[str, Sighting],
    verdicts: Mapping[str, Precision] = MappingProxyType({}),
) -> Judged:
    """Score, decide and explain the panel's last day.

    ``earlier`` holds the latest sighting of every finding before that day by finding id. ``verdicts`` holds by
    type how many findings of earlier days people confirmed. A detector that fails is recorded in ``failures``,
    and the other detectors still run.
    """
    problems = assess(panel, config.history.settle_days)
    complete = is_complete(problems)
    judgements: dict[str, pd.DataFrame] = {}
    thresholds: dict[str, Threshold] = {}
    before = EarlierFindings(config.source.name, config.organization, earlier)
    findings = _data_quality(panel, problems, before) + _fleet_shift(panel, config, before)
    failures: list[str] = []
    unjudged: set[str] = set()
    held_back: list[Finding] = []
    detectors = all_detectors(config.detection)
    budgets = shares(detectors, config.detection, verdicts)
    for detector in detectors:
        try:
            judgement = detector.judge(panel)
            judgements[detector.kind] = judgement.scores
            if judgement.past is not None:
                thresholds[detector.kind] = calibrate(judgement.past, budgets[detector.kind])
            found = _findings(detector.kind, panel, judgement, thresholds.get(detector.kind), before)
            if detector.needs_complete_data and not complete:
                judgement.scores["eligible"] = False
                held_back += found
                continue
            already = {finding.finding_id for finding in findings}
            findings += [finding for finding in found if finding.finding_id not in already]
        except Exception as error:  # one failing detector must not silence the others
            failures.append(f"{detector.kind} failed: {type(error).__name__}: {error}")
            unjudged |= detector.named_types()
    extent = Extent(complete, frozenset(unjudged))
    gone = absent(before, {finding.finding_id for finding in (*findings, *held_back)})
    findings += resolved(gone, panel, extent)
    return Judged(
        panel=panel,
        problems=problems,
        judgements=judgements,
        thresholds=thresholds,
        findings=order(findings),
        extent=extent,
        withheld=_withheld(held_back, gone, extent),
        failures=failures,
    )


def _withheld(held_back: Sequence[Finding], gone: Sequence[Sighting], extent: Extent) -> tuple[str, ...]:
    """The conclusions that incomplete data or a failed detector did not allow."""
    withheld = []
    if held_back:
        withheld.append(SILENCE)
    if not all(extent.ends(sighting.type) for sighting in gone):
        withheld.append(RESOLUTION)
    return tuple(withheld)


def _findings(
    detector: str,
    panel: Panel,
    judgement: Judgement,
    threshold: Threshold | None,
    earlier: EarlierFindings,
) -> list[Finding]:
    scores = judgement.scores
    keys = keys_above(scores, threshold.score if threshold else 0.0)
    if not keys:
        return []
    descriptions = judgement.describe(keys)
    changed = changes(panel, keys)
    found = []
    for key in keys:
        row = row_of(scores, key)
        kind = str(row.get("type", detector))
        prevalence = _prevalence(len(keys), len(scores), threshold, float(row["score"]))
        evidence = Evidence(row, changed[key], prevalence)
        found.append(build(panel, earlier, kind, key, descriptions[key], evidence))
    return found


def _prevalence(count: int, keys: int, threshold: Threshold | None, score: float) -> str:
    others = "no other key" if count == 1 else f"{count:,} of {counted(keys, 'key')}"
    if threshold is None or not threshold.calibrated:
        return f"{others} on this day"
    days = 1 / max(threshold.rate(score), 1 / threshold.past)
    rounded = round(days, 1 - int(np.floor(np.log10(days))))
    words = "rarer than once in" if days >= threshold.past else "about once in"
    return f"{words} {counted(rounded, 'key-day')}; {others} on this day"


def _data_quality(panel: Panel, problems: list[DataProblem], earlier: EarlierFindings) -> list[Finding]:
    """One finding on the fleet for all problems of the day's data; none for complete data."""
    if not problems:
        return []
    worst, *others = problems
    description = Description(
        title="Data incomplete" if not is_complete(problems) else "Data quality",
        reason=worst.text,
        severity=worst.severity,
        severity_reasons=("a key cannot be evaluated without its data",) if worst.withholding else (),
        confidence="certain",
        actions=(worst.action,),
        changes=tuple(problem.text for problem in others),
    )
    return [_on_fleet(panel, earlier, DATA_QUALITY.kind, description)]


def _fleet_shift(panel: Panel, config: Config, earlier: EarlierFindings) -> list[Finding]:
    """One finding on the fleet for a day on which many keys moved the same way."""
    shift = fleet.fleet_shift(panel, config.detection)
    if shift is None:
        return []
    description, share = shift
    return [_on_fleet(panel, earlier, fleet.FLEET_SHIFT.kind, description, share)]


def _on_fleet(
    panel: Panel,
    earlier: EarlierFindings,
    kind: str,
    description: Description,
    score: float | None = None,
) -> Finding:
    """A finding that is about the fleet and no single key."""
    observed = pd.Series({"observed": float(panel.requests[:, -1].sum()), "score": score}, dtype=float)
    return build(panel, earlier, kind, None, description, Evidence(observed))
