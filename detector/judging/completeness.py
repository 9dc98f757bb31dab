"""Whether the data of a day are all there. Silence means nothing until they are.

Several problems of the data are one finding: the identity of a finding has only its type, source, key and
organization. So one ``data_quality`` finding on the fleet tells all problems, the worst first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detector.boundary.words import counted
from detector.model.finding import Severity
from detector.model.finding_type import FindingType
from detector.model.panel import Panel
from detector.model.usage import MISSING_FILE, NO_KEY

LOOK_BACK = 28
FEWEST_DAYS = 7
SLACK = np.timedelta64(1, "h")
PARTIAL_SHARE = 0.5
DATA_QUALITY = FindingType(
    "data_quality",
    is_rule=True,
    title="Data quality",
    tag="data",
    singular="data quality finding",
    plural="data quality findings",
    severities=(Severity.INFO, Severity.LOW, Severity.MEDIUM, Severity.HIGH),
)


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the day's data; a ``withholding`` one makes silence and resolution unsafe."""

    text: str
    severity: Severity
    action: str = "Check the source and its export, then run the day again."
    withholding: bool = True


def assess(panel: Panel) -> list[Problem]:
    """Everything wrong with the judged day's data, the most severe first."""
    problems = [
        problem
        for check in (_empty, _late, _partial, _fileless, _unregistered, _unreadable)
        for problem in check(panel)
    ]
    return sorted(problems, key=lambda problem: -problem.severity.rank)


def is_complete(problems: list[Problem]) -> bool:
    """Whether the day's data are complete, so that what they do not show did not happen."""
    return not any(problem.withholding for problem in problems)


def _empty(panel: Panel) -> list[Problem]:
    if not panel.missing[-1]:
        return []
    earlier = panel.requests[:, :-1].any()
    text = "The source holds no request for this day" + (
        ", though it usually has some." if earlier else ", nor for any day before it."
    )
    return [Problem(text, Severity.HIGH)]


def _late(panel: Panel) -> list[Problem]:
    """The last request lies further from the day's end than on any recent day."""
    if panel.missing[-1]:
        return []
    end = panel.day.end
    if panel.pulled_at is not None and panel.pulled_at < end:
        return [Problem("The data were pulled before the day was over.", Severity.MEDIUM)]
    if panel.watermark is not None and panel.watermark >= end:
        return []
    ends = panel.days + np.timedelta64(1, "D")
    gaps = (ends - panel.last_uses.astype("datetime64[us]")) - (ends[-1] - np.datetime64(end.replace(tzinfo=None)))
    usual = gaps[:-1][~panel.missing[:-1] & ~np.isnat(panel.last_uses[:-1])][-LOOK_BACK:]
    if len(usual) < FEWEST_DAYS or gaps[-1] <= usual.max() + SLACK:
        return []
    hours = gaps[-1] / np.timedelta64(1, "h")
    usual_days = f"any of the last {counted(len(usual), 'day')}"
    text = f"The data end {hours:.1f} hours before the day does, earlier than on {usual_days}."
    return [Problem(text, Severity.MEDIUM)]


def _partial(panel: Panel) -> list[Problem]:
    """Requests and keys seen are both below half of the lowest comparable day."""
    if panel.missing[-1]:
        return []
    seen = ~panel.missing[:-1]
    same_weekday = seen & (panel.weekdays[:-1] == panel.weekdays[-1])
    chosen = np.flatnonzero(same_weekday)[-8:] if same_weekday.sum() >= 3 else np.flatnonzero(seen)[-LOOK_BACK:]
    if len(chosen) < 3:
        return []
    requests, keys = panel.requests.sum(axis=0), (panel.requests > 0).sum(axis=0)
    least_requests, least_keys = requests[:-1][chosen].min(), keys[:-1][chosen].min()
    if requests[-1] >= PARTIAL_SHARE * least_requests or keys[-1] >= PARTIAL_SHARE * least_keys:
        return []
    text = (
        f"Only {counted(requests[-1], 'request')} from {counted(keys[-1], 'key')}; the lowest of "
        f"{counted(len(chosen), 'comparable day')} had {least_requests:,} from {least_keys:,}. "
        "The data may be partial."
    )
    return [Problem(text, Severity.MEDIUM)]


def _unregistered(panel: Panel) -> list[Problem]:
    records = panel.records
    unknown = records[~records["registered"] & (records["request_count"] > 0)]
    if unknown.empty or not records["registered"].any():
        return []
    keys = counted(len(unknown), "key that is", "keys that are")
    text = f"Requests came from {keys} not in the key register: {_some(unknown['key_id'].tolist())}."
    action = "Find out who issued these keys; add them to the register, or revoke them."
    return [Problem(text, Severity.MEDIUM, action, withholding=False)]


def _fileless(panel: Panel) -> list[Problem]:
    """Files of the day that are not there: what they would hold is not known to be nothing."""
    return [
        Problem(f"{fault.count:,} of the day's files not found: {', '.join(fault.samples)}.", Severity.MEDIUM)
        for fault in panel.faults
        if fault.reason.startswith(MISSING_FILE)
    ]


def _unreadable(panel: Panel) -> list[Problem]:
    """Rows that could not be used. Requests that carry no key are a property of the log, not a defect."""
    action = "Look at the sampled rows below and mend their source."
    return [
        Problem(
            f"{counted(fault.count, 'row')} left out: {fault.reason}.",
            Severity.INFO if fault.reason.startswith(NO_KEY) else Severity.LOW,
            action,
            withholding=False,
        )
        for fault in panel.faults
        if not fault.reason.startswith(MISSING_FILE)
    ]


def _some(names: list[str], most: int = 5) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"
