"""Checks that a day's data are complete. While they are not, a key without requests may still have been used.

The identity of a finding has only its type, source, key and organization. Therefore one ``data_quality`` finding
on the fleet lists all problems of a day's data, the worst first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from detector.boundary.words import counted, singular_or_plural
from detector.judging.missing_parts import missing_parts
from detector.judging.unseen import holes, is_usual, jumps
from detector.model.finding import Severity
from detector.model.finding_type import FindingType
from detector.model.panel import Panel
from detector.model.usage import MISSING_FILE, WHOLE_FILE, Accounting, Fault

NOT_PULLED = "The day was not read from the source, so nothing is known of it."
REPAIR = "Run `doctor --repair`, which pulls the day anew, then run this day again."
STATUS_ACTION = "Check source.columns.status or source.success."
FEWEST_ERRORS = 100
"""A day with more requests hardly has errors alone."""

FEWEST_UNUSABLE = 20
"""So many records of a day without a usable one are no stray lines: waiting for more does not help."""

LOST_SHARE = 0.1
"""The register may lose this share of its keys within a week."""
FEWEST_LOST = 3
FEWEST_COPIED = 10
"""Fewer keys may have the counts of an earlier day by chance."""
MOST_EQUAL = 2
LOOK_BACK = 28
LAST_HOUR = 23
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
class DataProblem:
    """One problem of the day's data, or of their evaluation.

    A ``withholding`` problem makes the data incomplete, so that no key is called silent and no finding ends.
    ``shortfall`` says in a few words that the problem left something unseen or not evaluated, for "partly
    judged, because ..."; it is empty for a problem that left nothing out.
    """

    text: str
    severity: Severity
    action: str = "Check the source and its export, then run the day again."
    withholding: bool = True
    shortfall: str = "the data are incomplete"


def assess(panel: Panel, settle_days: int) -> list[DataProblem]:
    """All problems of the evaluated day's data, the most severe first.

    ``settle_days`` is the number of days before the evaluated one for which late rows are usual.
    """
    late = _late(panel)
    problems = [
        *_empty(panel),
        *late,
        *_holes(panel, is_late=bool(late)),
        *_unseen(panel),
        *_missing_parts(panel),
        *_grown(panel, settle_days),
        *_partial(panel),
        *_copied(panel),
        *_missing_files(panel),
        *_unregistered(panel),
        *_lost_register(panel),
        *_errors_alone(panel),
        *_unreadable(panel),
    ]
    return sorted(problems, key=lambda problem: -problem.severity.rank)


def busiest(records: pd.DataFrame) -> list[str]:
    """The key ids of records, most requests first, ties by key id."""
    ranked = records.reset_index(drop=True).sort_values(["request_count", "key_id"], ascending=[False, True])
    return [str(key) for key in ranked["key_id"]]


def remark(text: str, severity: Severity, action: str) -> DataProblem:
    """A problem that left nothing out."""
    return DataProblem(text, severity, action, withholding=False, shortfall="")


def gap(text: str, severity: Severity, action: str, shortfall: str) -> DataProblem:
    """A problem that left something not evaluated though the day's data are complete."""
    return DataProblem(text, severity, action, withholding=False, shortfall=shortfall)


def is_complete(problems: list[DataProblem]) -> bool:
    """Whether the day's data are complete, so that a key without requests was really not used."""
    return not any(problem.withholding for problem in problems)


def is_unusable(panel: Panel) -> bool:
    """Whether many records of the day were read and none could be used, so that its data have come."""
    accounting = panel.accounting
    return accounting is not None and not accounting.counted and accounting.read >= FEWEST_UNUSABLE


def errors_alone(requests: int, errors: int) -> str | None:
    """A sentence about a day whose many requests are all errors, most likely because their status is read wrongly;
    None for any other day."""
    if requests <= FEWEST_ERRORS or errors < requests:
        return None
    return f"All {requests:,} requests count as errors."


def none_usable(accounting: Accounting, faults: Iterable[Fault]) -> str:
    """A sentence about records none of which could be used: why, and what such a record looks like."""
    amounts = {reason: amount.records for reason, amount in accounting.unusable.items()}
    if accounting.keyless:
        amounts["no key id"] = accounting.keyless
    reasons = sorted(amounts, key=lambda reason: (-amounts[reason], reason))
    told = reasons[0] if len(reasons) == 1 else ", ".join(f"{amounts[reason]:,} {reason}" for reason in reasons)
    text = f"None of the {counted(accounting.read, 'record')} could be used: {told}."
    if accounting.read == 1:
        text = f"The only record could not be used: {told}."
    left_out = [fault for fault in faults if fault.kind in ("unusable", "keyless") and fault.samples]
    if not left_out:
        return text
    typical = max(left_out, key=lambda fault: fault.count)
    return f"{text} A record looks like: {typical.samples[0]}"


def _empty(panel: Panel) -> list[DataProblem]:
    if not panel.missing[-1]:
        return []
    if panel.pulled_at is None:
        return [_unread(panel)]
    accounting = panel.accounting
    if accounting is not None and accounting.read and not accounting.counted:
        action = "Compare the sampled records below with the settings of the source, then run the day again."
        text = none_usable(accounting, panel.faults)
        return [DataProblem(text, Severity.HIGH, action, shortfall="no record could be used")]
    text = "The source holds no request for this day"
    if panel.requests[:, :-1].any():
        text = f"{text}, though it usually has some."
    else:
        read = sum(accounting is not None for accounting in panel.accountings[:-1])
        were = singular_or_plural(read, "was", "were")
        text = f"{text}, nor for the {counted(read, 'day')} before it that {were} read." if read else f"{text}."
    return [DataProblem(text, Severity.HIGH, shortfall="the source holds no request")]


def _unread(panel: Panel) -> DataProblem:
    """The problem of a day of which nothing is known."""
    damage = panel.unreadable().get(panel.day.date)
    if damage is None:
        return DataProblem(NOT_PULLED, Severity.HIGH, shortfall="the source was not read")
    return DataProblem(damage, Severity.HIGH, REPAIR, shortfall="the stored day cannot be read")


def _late(panel: Panel) -> list[DataProblem]:
    """A problem if the last request is further from the end of the day than on any recent day."""
    if panel.missing[-1]:
        return []
    end = panel.day.end
    if panel.pulled_at is not None and panel.pulled_at < end:
        text = "The data were pulled before the day was over."
        return [DataProblem(text, Severity.MEDIUM, shortfall="the day was not over")]
    if panel.watermark is not None and panel.watermark >= end:
        return []
    # The last uses are in UTC and the days in local time. The offset between the two is that of the last day.
    ends = panel.days + np.timedelta64(1, "D")
    gaps = (ends - panel.last_uses.astype("datetime64[us]")) - (ends[-1] - np.datetime64(end.replace(tzinfo=None)))
    usual = gaps[:-1][~panel.missing[:-1] & ~np.isnat(panel.last_uses[:-1])][-LOOK_BACK:]
    if len(usual) < FEWEST_DAYS or gaps[-1] <= usual.max() + SLACK:
        return []
    hours = gaps[-1] / np.timedelta64(1, "h")
    usual_days = f"any of the last {counted(len(usual), 'day')}"
    text = f"The data end {hours:.1f} hours before the day does, earlier than on {usual_days}."
    return [DataProblem(text, Severity.MEDIUM, shortfall="the data end early")]


def _holes(panel: Panel, *, is_late: bool) -> list[DataProblem]:
    """One problem per run of hours with hardly any record, but for the end of a day that is late anyway."""
    if panel.missing[-1]:
        return []
    found = [hole for hole in holes(panel) if not (is_late and hole.last == LAST_HOUR)]
    return [DataProblem(hole.text, Severity.MEDIUM, shortfall="hours are missing") for hole in found]


def _unseen(panel: Panel) -> list[DataProblem]:
    """One problem per share of records that nobody saw and that has jumped. The day is partly unseen."""
    action = "Look at the sampled records below, mend their source, and run the day again."
    problems = []
    for jump in jumps(panel):
        text = f"Partly unseen: {jump.text}"
        problems.append(DataProblem(text, Severity.MEDIUM, action, shortfall="many records were not counted"))
    return problems


def _missing_parts(panel: Panel) -> list[DataProblem]:
    """One problem per part of the fleet without requests. If they are gone, its keys may have been used."""
    action = "Check whether this part was switched off, or whether its records are missing from the source."
    problems = []
    for part in missing_parts(panel):
        if part.lost:
            shortfall = "a part of the fleet is missing"
            problems.append(DataProblem(part.text, Severity.MEDIUM, action, shortfall=shortfall))
        else:
            problems.append(remark(part.text, Severity.LOW, action))
    return problems


def _grown(panel: Panel, settle_days: int) -> list[DataProblem]:
    """One problem per settled day that got more requests. It was judged without them."""
    action = "Find out why these records came so late, and judge that day again: run --day."
    problems = []
    for revision in panel.revisions:
        grown = revision.requests_after - revision.requests_before
        is_settled = (panel.day.date - revision.day).days > settle_days
        if is_settled and grown > 0:
            text = f"{counted(grown, 'request')} came for {revision.day}, which was judged without them."
            problems.append(remark(text, Severity.MEDIUM, action))
    return problems


def _partial(panel: Panel) -> list[DataProblem]:
    """A problem if both the requests and the keys in use are below half of the lowest comparable day."""
    if panel.missing[-1]:
        return []
    present = ~panel.missing[:-1]
    same_weekday = present & (panel.weekdays[:-1] == panel.weekdays[-1])
    chosen = np.flatnonzero(same_weekday)[-8:]
    if len(chosen) < 3:
        chosen = np.flatnonzero(present)[-LOOK_BACK:]
    if len(chosen) < 3:
        return []
    # Strangers must not fill the gap that missing keys leave.
    trusted = panel.requests[panel.trusted]
    requests = trusted.sum(axis=0)
    keys = (trusted > 0).sum(axis=0)
    least_requests = requests[:-1][chosen].min()
    least_keys = keys[:-1][chosen].min()
    if requests[-1] >= PARTIAL_SHARE * least_requests or keys[-1] >= PARTIAL_SHARE * least_keys:
        return []
    text = (
        f"Only {counted(requests[-1], 'request')} from {counted(keys[-1], 'key')}; the lowest of "
        f"{counted(len(chosen), 'comparable day')} had {least_requests:,} from {least_keys:,}. "
        "The data may be partial."
    )
    return [DataProblem(text, Severity.MEDIUM, shortfall="the data may be partial")]


def _copied(panel: Panel) -> list[DataProblem]:
    """A problem if every count of the day is that of an earlier day, as where a file came twice."""
    used = panel.requests[panel.requests[:, -1] > 0]
    past = np.flatnonzero(~panel.missing[:-1])[-LOOK_BACK:]
    if panel.missing[-1] or len(used) < FEWEST_COPIED or len(past) < FEWEST_DAYS:
        return []
    totals = panel.requests.sum(axis=0)
    equal = past[(panel.requests[:, past] == panel.requests[:, -1:]).all(axis=0) & (totals[past] == totals[-1])]
    # A fleet whose keys make the same requests on most days repeats itself without a fault.
    if not len(equal) or len(equal) > MOST_EQUAL:
        return []
    text = (
        f"Every key has as many requests as on {panel.days[equal[-1]].item()}: the day may be a copy of that one."
    )
    return [DataProblem(text, Severity.MEDIUM, shortfall="the day may be a copy of another")]


def _unregistered(panel: Panel) -> list[DataProblem]:
    """A problem if keys outside the register have requests, or more keys than are kept are new."""
    records = panel.records
    together = panel.strangers
    if not records["registered"].any():
        if not together.keys:
            return []
        requests = counted(together.requests, "request")
        text = (
            f"{counted(together.keys, 'new key')} with {requests} count together: the day has more new keys than "
            "are kept, and no finding is about one of these."
        )
        action = "Find out who makes so many keys. With a register, detector knows which keys are yours."
        return [remark(text, Severity.MEDIUM, action)]
    unknown = records[~records["registered"] & (records["request_count"] > 0)]
    number = len(unknown) + together.keys
    if not number:
        return []
    keys = counted(number, "key that is", "keys that are")
    requests = counted(int(unknown["request_count"].sum()) + together.requests, "request")
    text = f"{requests} came from {keys} not in the key register: {_some(busiest(unknown), number)}."
    action = "Find out who issued these keys; add them to the register, or revoke them."
    return [remark(text, Severity.MEDIUM, action)]


def _lost_register(panel: Panel) -> list[DataProblem]:
    """A problem if the register is empty and was not, or if it lost many keys at once."""
    lost = panel.lost_keys
    action = "Check source.keys and the export of the register. Revoked keys belong in it, with revoked_at."
    if lost.keys and not panel.records["registered"].any():
        text = f"The key register is empty. It held {counted(lost.of, 'key')} lately."
        return [DataProblem(text, Severity.HIGH, action, shortfall="the key register is empty")]
    if lost.keys < FEWEST_LOST or lost.keys <= LOST_SHARE * lost.of:
        return []
    text = (
        f"{counted(lost.keys, 'key')} of {lost.of:,} left the key register within a week, and it does not call "
        "them revoked."
    )
    return [remark(text, Severity.MEDIUM, action)]


def _errors_alone(panel: Panel) -> list[DataProblem]:
    """A problem if all of many requests are errors."""
    text = errors_alone(int(panel.requests[:, -1].sum()), int(panel.errors[:, -1].sum()))
    return [] if text is None else [remark(text, Severity.LOW, STATUS_ACTION)]


def _missing_files(panel: Panel) -> list[DataProblem]:
    """One problem per fault about missing files of the day. The missing files may hold requests."""
    problems = []
    for fault in panel.faults:
        if fault.reason.startswith(MISSING_FILE):
            text = f"{fault.count:,} of the day's files not found: {', '.join(fault.samples)}."
            problems.append(DataProblem(text, Severity.MEDIUM, shortfall="files are missing"))
    return problems


def _unreadable(panel: Panel) -> list[DataProblem]:
    """One problem per fault about records or files that could not be used, or not as they stand."""
    problems = []
    for fault in panel.faults:
        if fault.reason.startswith(MISSING_FILE):
            continue
        # Most logs also hold requests without a key and repeats, so these are no defect.
        is_ordinary = fault.kind in ("keyless", "repeated") or is_usual(panel, fault)
        severity = Severity.INFO if is_ordinary else Severity.LOW
        unit = "file" if fault.reason.startswith(WHOLE_FILE) else "record"
        became = "with a defect" if fault.kind == "note" else "left out"
        text = f"{counted(fault.count, unit)} {became}: {fault.reason}."
        action = f"Look at the sampled {unit}s below and mend their source."
        problems.append(remark(text, severity, action))
    return problems


def _some(names: list[str], number: int, most: int = 5) -> str:
    """The first of a number of names, and how many more there are."""
    shown = ", ".join(names[:most])
    return shown if number <= most else f"{shown} and {number - most:,} more"
