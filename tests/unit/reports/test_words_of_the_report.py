"""The words that page, terminal and mail share: counts, chance, and how to answer a finding."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detector.delivery.mail.page import Audience, page
from detector.delivery.mail.rendering import render
from detector.judging.finding_types import finding_types
from detector.model.finding import Severity
from detector.model.report import Budget, RunReport
from detector.reports import counts, reporter, verdicts
from detector.reports.terminal import text
from tests.report_examples import clear_day, findings_day
from tests.unit.reports.test_report_html import Page


def budget(raised: int, expected: float = 0.29, *, calibrated: bool = True) -> Budget:
    """An alert budget of one in 1,000 keys and its use."""
    return Budget(1.0, expected, raised, 3, 9, {}, calibrated)


def mail_text(report: RunReport) -> str:
    """The text of the mail to the security list."""
    return render(page([report], Audience(Severity.LOW), most=25, link=None), "example.com").text


@pytest.mark.parametrize(
    ("used", "sentence"),
    [
        (budget(7), "7 new findings rest on statistics; chance alone gives about 0.29 a day"),
        (budget(1, 2.0), "1 new finding rests on statistics; chance alone gives about 2 a day"),
        (budget(0), "No new finding rests on statistics; chance alone gives about 0.29 a day"),
        (
            budget(0, 0.0, calibrated=False),
            "No new finding rests on statistics; chance alone gives about 0 a day "
            "(by default limits, while the history is short)",
        ),
    ],
)
def test_the_budget_is_a_sentence(used: Budget, sentence: str) -> None:
    """That a stranger understands."""
    assert counts.statistical(used) == sentence


def test_findings_and_keys_are_counted_once_and_by_name() -> None:
    """Two findings are on one key."""
    assert counts.sentence(findings_day()) == "6 open on 5 keys: 2 high, 3 medium, 1 low. 1 resolved."
    assert counts.sentence(clear_day()).startswith("None open.")


def test_every_open_finding_tells_how_to_acknowledge_it() -> None:
    """On the card, in the terminal and in the mail, by the beginning of its id."""
    report = findings_day()
    whole_page = Page(reporter("html").render(report)).text
    for finding in report.findings:
        command = f"python -m detector triage ack --finding {finding.finding_id[:12]}"
        assert verdicts.acknowledgement(finding) == command
        is_open = finding.status not in ("resolved", "muted")
        assert (command in whole_page) == is_open
        assert (command in text.render(report)) == is_open
        assert (command in mail_text(report)) == is_open


def test_an_acknowledged_finding_needs_no_command() -> None:
    """Who acknowledged it is told in its place."""
    report = findings_day()
    first = replace(report.findings[0], acknowledged="Acknowledged by anna.")
    answered = replace(report, findings=(first, *report.findings[1:]))
    command = verdicts.acknowledgement(first)
    assert command not in Page(reporter("html").render(answered)).text
    assert command not in text.render(answered)
    assert command not in mail_text(answered)
    assert "Acknowledged by anna." in mail_text(answered)


def test_no_internal_name_of_a_type_is_shown() -> None:
    """Types have titles, in the terminal and in the mail."""
    report = findings_day()
    for kind in finding_types():
        assert kind not in text.render(report)
        assert kind not in mail_text(report)
    assert "Skipped     1 key for usage spike: fewer than 8 days of history" in text.render(report)


def test_a_mail_tells_in_one_line_how_many_keys_a_detector_could_not_evaluate() -> None:
    """Each key once, however many detectors could not evaluate it."""
    report = findings_day()
    groups = report.coverage.not_judged
    same = replace(groups[0], type="error_surge")
    coverage = replace(report.coverage, not_judged=(*groups, same))
    lines = [
        line for line in mail_text(replace(report, coverage=coverage)).splitlines() if "not evaluated for" in line
    ]
    assert lines == ["  - 3 keys were not evaluated for every type of finding; the report has the reasons."]
