"""The shortfalls of an evaluation: what was not evaluated on a day though its data may be complete.

Each is a problem of the day, so that the day is not clear and every format tells it. The reasons in the data
themselves are in ``completeness``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import pandas as pd

from detector.boundary.words import counted
from detector.detectors.description import Description
from detector.judging.completeness import REPAIR, DataProblem, gap, remark
from detector.model.finding import Severity
from detector.model.finding_type import FindingType
from detector.model.panel import Panel

MEND = "Report the fault with the lines of the log, then run the day again."
READ_AGAIN = "Make the source readable, then run the day again."
NO_ACTION = "There is nothing to mend; days without history are not clear."
MOST_NAMED = 3
LARGEST_UNSCORED_SHARE = 0.2
"""New keys make at most this share of the requests on an ordinary day."""


def of_source(panel: Panel, unread: str | None) -> list[DataProblem]:
    """A problem if the source could not be read. The day may be known from an earlier run."""
    if unread is None:
        return []
    shortfall = "the source could not be read"
    if panel.missing[-1]:
        return [DataProblem(unread, Severity.HIGH, READ_AGAIN, shortfall=shortfall)]
    text = f"{unread} The day was evaluated with the data of an earlier run."
    return [gap(text, Severity.MEDIUM, READ_AGAIN, shortfall)]


def unchecked(failure: str) -> DataProblem:
    """The problem of data whose check failed."""
    return DataProblem(failure, Severity.HIGH, MEND, shortfall="the data could not be checked")


def of_evaluation(
    panel: Panel, failures: Sequence[str], failed: Sequence[str], *, all_failed: bool
) -> list[DataProblem]:
    """The parts of the evaluation that failed, and the past days that could not be read.

    ``failures`` are sentences on all failed parts, ``failed`` the names of those that evaluated nothing.
    ``all_failed`` says that no detector evaluated the day.
    """
    problems = []
    shortfall = "a part of the evaluation failed"
    if failed:
        shortfall = f"{', '.join(failed[:MOST_NAMED])} failed" if len(failed) <= MOST_NAMED else "detectors failed"
    if all_failed:
        shortfall = "every detector failed"
    severity = Severity.HIGH if failed else Severity.MEDIUM
    for failure in dict.fromkeys(failures):
        problems.append(gap(failure, severity, MEND, shortfall))
    past = [(day, reason) for day, reason in panel.unreadable().items() if day != panel.day.date]
    for _, reason in past[:MOST_NAMED]:
        problems.append(gap(reason, Severity.MEDIUM, REPAIR, "a past day cannot be read"))
    if len(past) > MOST_NAMED:
        rest = counted(len(past) - MOST_NAMED, "more stored day")
        problems.append(gap(f"{rest} cannot be read.", Severity.MEDIUM, REPAIR, "past days cannot be read"))
    return problems


def of_keys(
    panel: Panel, keys_judged: int, judged_before: Mapping[date, int], minimum_days: int
) -> list[DataProblem]:
    """A problem if no key was evaluated, or fewer than on each of the last complete days.

    ``keys_judged`` and ``judged_before`` are numbers of trusted keys, so that no stranger stands in for one.
    """
    active = panel.records["active"].to_numpy()
    if not active.any():
        return [gap("There is no active key.", Severity.INFO, NO_ACTION, "there is no active key")]
    if keys_judged:
        return _fewer(panel, keys_judged, judged_before) if judged_before else []
    if panel.missing[-1]:
        return []  # another problem says why
    observed = int(panel.observed[active].sum(axis=1).max())
    first = panel.day.date + timedelta(days=1 + max(minimum_days - observed, 0))
    if observed >= minimum_days:
        text = f"None of {counted(int(active.sum()), 'active key')} could be evaluated; the reasons are below."
        return [gap(text, Severity.MEDIUM, MEND, "no key could be evaluated")]
    text = (
        f"None of {counted(int(active.sum()), 'active key')} has enough history yet: a key is compared with its "
        f"own past from {counted(minimum_days, 'observed day')} on. If every day has data, keys are evaluated "
        f"from {first} on."
    )
    return [gap(text, Severity.INFO, NO_ACTION, "no key has enough history yet")]


def _fewer(panel: Panel, keys_judged: int, judged_before: Mapping[date, int]) -> list[DataProblem]:
    """A problem if fewer keys were evaluated than on the lowest of some days before."""
    day = min(judged_before, key=lambda past: (judged_before[past], past))
    lacking = judged_before[day] - keys_judged
    if lacking > 0:
        # Keys that were revoked or left the history since then need no evaluation.
        trusted = frozenset(panel.keys[panel.trusted])
        lacking -= len(panel.trusted_before(day) - trusted)
    if lacking <= 0:
        return []
    were = f"{counted(keys_judged, 'key was', 'keys were')} evaluated"
    text = f"{were}, fewer than the {judged_before[day]:,} of {day}, the lowest of the last days."
    action = "Look below at the keys that were not evaluated and why."
    return [gap(text, Severity.LOW, action, "fewer keys were evaluated than before")]


def of_requests(panel: Panel, volume: pd.DataFrame | None) -> list[DataProblem]:
    """A problem if a large part of the day's requests came from keys that were not evaluated.

    ``volume`` is the frame of the scores of volume.
    """
    total = int(panel.requests[:, -1].sum())
    if volume is None or not volume["score"].notna().any() or not total:
        return []
    unscored = panel.records["active"].to_numpy(dtype=bool) & volume["score"].isna().to_numpy()
    requests = int(panel.requests[unscored, -1].sum())
    if requests <= LARGEST_UNSCORED_SHARE * total:
        return []
    keys = counted(int((panel.requests[unscored, -1] > 0).sum()), "key")
    text = f"{requests / total:.0%} of the requests came from {keys} without enough history to be evaluated."
    action = "Find out whether these keys are new, or are other names of known ones."
    return [remark(text, Severity.LOW, action)]


def unexplained(named: FindingType) -> Description:
    """The description of a finding whose explanation failed."""
    return Description(
        title=named.title,
        reason="The key is above the threshold of this type. Its explanation failed.",
        severity=named.severities[-1],
        severity_reasons=("the explanation failed, so this is the highest severity of the type",),
        confidence="medium",
        actions=("Read `explain` and the access log of this key for the day.",),
    )
