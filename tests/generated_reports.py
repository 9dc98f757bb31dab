"""Reports over generated findings of any mix of types, severities and states, for laws of every day."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st

from detector.judging.finding_types import finding_type, finding_types
from detector.model.finding import Finding, Severity, Status
from detector.model.report import Outcome, RunReport
from tests import report_examples
from tests.report_examples import DAY, assemble, finding, ordinary_keys

KEYS = ordinary_keys()[:12]
LONGEST = 60


def reports() -> st.SearchStrategy[RunReport]:
    """Days with up to sixty findings on twelve keys and the fleet, in the order that a report has them."""
    return st.lists(_choices(), max_size=LONGEST).map(_report)


def _choices() -> st.SearchStrategy[tuple]:
    keys = st.none() | st.sampled_from(KEYS)
    words = st.text(max_size=20)
    return st.tuples(
        st.sampled_from(sorted(finding_types())), st.sampled_from(Severity), st.sampled_from(Status), keys, words
    )


def _report(choices: list[tuple]) -> RunReport:
    findings = [_finding(i, *choice) for i, choice in enumerate(choices)]
    order = {Status.MUTED: 1, Status.RESOLVED: 2}
    findings.sort(key=lambda f: (order.get(f.status, 0), -f.severity.rank, f.finding_id))
    opened = any(f.status not in order for f in findings)
    outcome, verdict = (Outcome.FINDINGS, "Keys need a look") if opened else (Outcome.CLEAR, "Nothing to look at")
    return assemble(KEYS, tuple(findings), outcome=outcome, verdict=verdict)


def _finding(
    number: int, kind: str, severity: Severity, status: Status, key: report_examples.Key | None, word: str
) -> Finding:
    made = finding(
        f"f-{number:04d}",
        kind,
        finding_type(kind).title,
        key and key.key_id,
        key and key.name + word,
        key and key.team,
    )
    since = DAY - timedelta(days=number % 5)
    return replace(made, severity=severity, status=status, reason=f"{word} was seen.", first_seen=since)
