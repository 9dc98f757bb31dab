"""The evaluation of one day, from the panel to the findings.

The pipeline, the backtest and ``explain`` share this pure code. Every part of it fails alone: what a failed part
leaves out is a problem of the day, and the findings of the other parts stand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from types import MappingProxyType
from typing import TypeVar

import numpy as np
import pandas as pd

from detector.boundary.masking import without_secrets
from detector.boundary.words import counted
from detector.config.config import Config
from detector.detectors import Detector, all_detectors, detector_classes
from detector.detectors.description import Description
from detector.detectors.judgement import Judgement
from detector.judging import fleet, shortfalls
from detector.judging.budget import shares
from detector.judging.completeness import DATA_QUALITY, DataProblem, assess, is_complete
from detector.judging.explanation import NO_CHANGE, Change, changes
from detector.judging.finding_types import finding_type
from detector.judging.findings import EarlierFindings, Evidence, absent, build, order, resolved
from detector.judging.key_group import KEY_GROUP, key_group
from detector.judging.strangers import keys_to_tell
from detector.judging.thresholds import Threshold, calibrate
from detector.model.extent import Extent
from detector.model.finding import Finding, Sighting
from detector.model.panel import Panel, row_of
from detector.model.triage import Precision

Explanation = TypeVar("Explanation")

SILENCE = "silence"
RESOLUTION = "resolution"


@dataclass(frozen=True)
class Judged:
    """The result of the evaluation of one day; ``judgements`` and ``thresholds`` are by detector.

    ``problems`` are those of the data and of the evaluation, the most severe first. ``keys_judged`` is the number
    of active keys with a score of volume, and ``trusted_keys_judged`` that of the trusted ones among them.
    ``withheld`` names the conclusions that incomplete data or a failed detector did not allow: ``SILENCE``,
    ``RESOLUTION``.
    """

    panel: Panel
    problems: list[DataProblem]
    judgements: Mapping[str, pd.DataFrame]
    thresholds: Mapping[str, Threshold]
    findings: list[Finding]
    extent: Extent
    keys_judged: int
    trusted_keys_judged: int
    withheld: tuple[str, ...] = ()
    failures: list[str] = field(default_factory=list)


@dataclass
class _Evaluation:
    """What the detectors have said of a day until now, and what failed."""

    judgements: dict[str, pd.DataFrame] = field(default_factory=dict)
    thresholds: dict[str, Threshold] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    held_back: list[Finding] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """Sentences on the failed parts of the detectors."""
    other_failures: list[str] = field(default_factory=list)
    unjudged: set[str] = field(default_factory=set)
    """The types of finding about which the day says nothing."""
    failed: list[str] = field(default_factory=list)
    """The names of the parts that evaluated nothing."""

    def add(self, found: Sequence[Finding]) -> None:
        """Add findings. When several detectors report the same one, the first stays."""
        already = {finding.finding_id for finding in self.findings}
        self.findings += [finding for finding in found if finding.finding_id not in already]

    def fail(self, part: str, types: frozenset[str], error: Exception | SystemExit) -> None:
        """Record a part that could not evaluate the day."""
        self.failed.append(part)
        self.unjudged |= types
        self.failures.append(_sentence(part, error))


def judge(
    panel: Panel,
    config: Config,
    earlier: Mapping[str, Sighting],
    verdicts: Mapping[str, Precision] = MappingProxyType({}),
    *,
    judged_before: Mapping[date, int] = MappingProxyType({}),
    unread: str | None = None,
) -> Judged:
    """Score, decide and explain the panel's last day.

    ``earlier`` holds the latest sighting of every finding before that day by finding id. ``verdicts`` holds by
    type how many findings of earlier days people confirmed. ``judged_before`` holds the number of evaluated keys
    of the last complete days. ``unread`` is the reason why the source could not be read for this run, if so.
    """
    # The source that could not be read is the reason for all other problems, so it comes first.
    problems = shortfalls.of_source(panel, unread)
    evaluation = _Evaluation()
    problems += _assessed(evaluation, panel, config)
    complete = is_complete(problems)
    before = EarlierFindings(config.source.name, config.organization, earlier)
    detectors = all_detectors(config.detection)
    budgets = shares(detectors, config.detection, verdicts)
    for detector in detectors:
        _evaluate(evaluation, detector, panel, budgets.get(detector.kind), before, complete=complete)
    _evaluate_fleet(evaluation, panel, config, before)
    judged_keys = keys_judged(evaluation.judgements, panel)
    trusted_keys = keys_judged(evaluation.judgements, panel, trusted=True)
    problems += shortfalls.of_evaluation(
        panel, evaluation.failures, evaluation.failed, all_failed=not evaluation.judgements
    )
    problems += shortfalls.of_requests(panel, volume_judgement(evaluation.judgements))
    problems += shortfalls.of_keys(panel, trusted_keys, judged_before, config.detection.minimum_days)
    problems.sort(key=lambda problem: -problem.severity.rank)
    findings = _data_quality(panel, problems, before) + evaluation.findings
    extent = Extent(complete, frozenset(evaluation.unjudged))
    gone = absent(before, {finding.finding_id for finding in (*findings, *evaluation.held_back)})
    findings += resolved(gone, panel, extent)
    return Judged(
        panel=panel,
        problems=problems,
        judgements=evaluation.judgements,
        thresholds=evaluation.thresholds,
        findings=order(findings),
        extent=extent,
        keys_judged=judged_keys,
        trusted_keys_judged=trusted_keys,
        withheld=_withheld(evaluation.held_back, gone, extent),
        failures=list(dict.fromkeys((*evaluation.other_failures, *evaluation.failures))),
    )


def volume_judgement(judgements: Mapping[str, pd.DataFrame]) -> pd.DataFrame | None:
    """The scores of the first volume detector of the configured method; None if all of them failed.

    A key counts as evaluated if it has a score in this frame.
    """
    volume = [kind for kind, detector in detector_classes().items() if detector.methods]
    return next((judgements[kind] for kind in volume if kind in judgements), None)


def keys_judged(judgements: Mapping[str, pd.DataFrame], panel: Panel, *, trusted: bool = False) -> int:
    """The number of active keys with a score of volume, or of the trusted ones alone."""
    volume = volume_judgement(judgements)
    if volume is None:
        return 0
    scored = volume["score"].notna().to_numpy()
    chosen = panel.trusted if trusted else panel.records["active"].to_numpy(dtype=bool)
    return int((scored & chosen).sum())


def _assessed(evaluation: _Evaluation, panel: Panel, config: Config) -> list[DataProblem]:
    """The problems of the day's data. Data that could not be checked are not called complete."""
    try:
        return assess(panel, config.history.settle_days)
    except Exception as error:  # a fault of the check must not cost the findings
        failure = _sentence("the check of the data", error)
        evaluation.other_failures.append(failure)
        return [shortfalls.unchecked(failure)]


def _evaluate(
    evaluation: _Evaluation,
    detector: Detector,
    panel: Panel,
    budget: float | None,
    before: EarlierFindings,
    *,
    complete: bool,
) -> None:
    """Add what one detector says of the day."""
    try:
        judgement = detector.judge(panel)
        threshold = None
        if judgement.past is not None and budget is not None:
            threshold = calibrate(judgement.past, budget)
        keys = keys_to_tell(panel, judgement.scores, threshold.score if threshold else 0.0)
    except (Exception, SystemExit) as error:  # one failing detector must not silence the others, nor end the run
        evaluation.fail(detector.kind, detector.named_types(), error)
        return
    evaluation.judgements[detector.kind] = judgement.scores
    if threshold is not None:
        evaluation.thresholds[detector.kind] = threshold
    found = _findings(evaluation, detector.kind, panel, judgement, keys, before)
    if detector.needs_complete_data and not complete:
        judgement.scores["eligible"] = False
        evaluation.held_back += found
        return
    evaluation.add(found)


def _evaluate_fleet(evaluation: _Evaluation, panel: Panel, config: Config, before: EarlierFindings) -> None:
    """Add what is said of the fleet as a whole."""
    named = {finding.key_id for finding in evaluation.findings if finding.key_id is not None}
    parts: dict[str, Callable[[], tuple[Description, float] | None]] = {
        KEY_GROUP.kind: partial(key_group, panel, config.detection),
        fleet.FLEET_SHIFT.kind: partial(fleet.fleet_shift, panel, config.detection, named),
    }
    for kind, said in parts.items():
        try:
            answer = said()
        except Exception as error:  # the fleet must not silence the keys
            evaluation.fail(kind, frozenset({kind}), error)
            continue
        if answer is not None:
            description, score = answer
            evaluation.add([_on_fleet(panel, before, kind, description, score)])


def _sentence(part: str, error: Exception | SystemExit) -> str:
    """What failed and why, without the secrets that a library may quote."""
    return without_secrets(f"{part} failed: {type(error).__name__}: {error}")


def _withheld(held_back: Sequence[Finding], gone: Sequence[Sighting], extent: Extent) -> tuple[str, ...]:
    """The conclusions that incomplete data or a failed detector did not allow."""
    withheld = []
    if held_back:
        withheld.append(SILENCE)
    if not all(extent.ends(sighting.type) for sighting in gone):
        withheld.append(RESOLUTION)
    return tuple(withheld)


def _findings(
    evaluation: _Evaluation,
    detector: str,
    panel: Panel,
    judgement: Judgement,
    keys: list[str],
    earlier: EarlierFindings,
) -> list[Finding]:
    """The findings of a detector on some keys. They survive a failure of their explanation."""
    if not keys:
        return []
    scores = judgement.scores
    threshold = evaluation.thresholds.get(detector)
    kinds = {key: str(row_of(scores, key).get("type", detector)) for key in keys}

    def described() -> Mapping[str, Description]:
        return judgement.describe(keys)

    def changed() -> Mapping[str, Change]:
        return changes(panel, keys)

    without_description = {key: shortfalls.unexplained(finding_type(kind)) for key, kind in kinds.items()}
    descriptions = _or_else(evaluation, f"the explanation of {detector}", described, without_description)
    changes_of = _or_else(evaluation, "the comparison of endpoints", changed, dict.fromkeys(keys, NO_CHANGE))
    # What strangers are named for says nothing about how rare a finding on a key of the register is.
    fleet_keys = panel.keys[panel.trusted]
    found = []
    for key in keys:
        row = row_of(scores, key)
        others = int(fleet_keys.isin(keys).sum()) - (key in fleet_keys)
        prevalence = _prevalence(others, len(fleet_keys), threshold, float(row["score"]))
        evidence = Evidence(row, changes_of[key], prevalence)
        found.append(build(panel, earlier, kinds[key], key, descriptions[key], evidence))
    return found


def _or_else(
    evaluation: _Evaluation,
    part: str,
    explain: Callable[[], Mapping[str, Explanation]],
    otherwise: Mapping[str, Explanation],
) -> Mapping[str, Explanation]:
    """The explanations of keys, or others in their place where a fault keeps them from being made."""
    try:
        explanations = explain()
        return {key: explanations[key] for key in otherwise}
    except Exception as error:  # a finding must survive the failure of its explanation
        evaluation.failures.append(_sentence(part, error))
        return otherwise


def _prevalence(others: int, keys: int, threshold: Threshold | None, score: float) -> str:
    also = f"{others + 1:,} of {counted(keys, 'key')}" if others else "no other key"
    if threshold is None or not threshold.calibrated:
        return f"{also} on this day"
    days = 1 / max(threshold.rate(score), 1 / threshold.past)
    rounded = round(days, 1 - int(np.floor(np.log10(days))))
    words = "rarer than once in" if days >= threshold.past else "about once in"
    return f"{words} {counted(rounded, 'key-day')}; {also} on this day"


def _data_quality(panel: Panel, problems: list[DataProblem], earlier: EarlierFindings) -> list[Finding]:
    """One finding on the fleet for all problems of the day's data; none for complete data."""
    if not problems:
        return []
    worst, *others = problems
    description = Description(
        title=_title(problems),
        reason=worst.text,
        severity=worst.severity,
        severity_reasons=("a key cannot be evaluated without its data",) if worst.withholding else (),
        confidence="certain",
        actions=(worst.action,),
        changes=tuple(problem.text for problem in others),
    )
    return [_on_fleet(panel, earlier, DATA_QUALITY.kind, description)]


def _title(problems: list[DataProblem]) -> str:
    if not is_complete(problems):
        return "Data incomplete"
    return "Evaluation incomplete" if any(problem.shortfall for problem in problems) else "Data quality"


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
