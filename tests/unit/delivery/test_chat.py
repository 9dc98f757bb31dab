"""A few lines for a chat service."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from detector.config.channels import ChatDelivery
from detector.delivery import Origin
from detector.delivery.chat import MOST, ChatChannel
from detector.model.report import RunReport
from detector.state.messages import Message
from tests.report_examples import clear_day, findings_day

REPORT = findings_day()
FIRST = REPORT.findings[0]


def messages(report: RunReport, **settings: Any) -> list[Message]:
    """What is sent about a day."""
    made = ChatDelivery.model_validate({"name": "ops", "url": "slack://a/b/c", **settings})
    return ChatChannel(made, Origin("main", "Acme", "https://reports.example.com/{day}")).messages([report])


def content(report: RunReport, **settings: Any) -> dict[str, str]:
    """Title and body of the one message."""
    (message,) = messages(report, **settings)
    made: dict[str, str] = json.loads(message.payload or b"")
    return made


def test_the_title_is_the_verdict_and_the_last_line_the_report() -> None:
    """A phone shows little more."""
    made = content(REPORT)
    assert REPORT.summary.verdict in made["title"]
    assert made["body"].splitlines()[-1] == f"https://reports.example.com/{REPORT.day.date}"


def test_many_findings_are_counted() -> None:
    """Nothing is left out in silence."""
    many = tuple(replace(FIRST, finding_id=f"{number:032}", name=f"key {number}") for number in range(MOST + 5))
    lines = content(replace(REPORT, findings=many))["body"].splitlines()
    assert lines[MOST] == "and 5 more in the report"


def test_a_name_does_nothing_in_a_chat() -> None:
    """It mentions nobody and links nowhere."""
    made = content(replace(REPORT, findings=(replace(FIRST, name="<!channel> [x](https://evil.example)"),)))
    assert "<!channel>" not in made["body"]
    assert "https://evil" not in made["body"]


def test_a_team_is_told_only_where_there_is_something_about_its_keys() -> None:
    """No news is no message."""
    assert messages(REPORT, teams=["nobody"]) == []
    assert messages(clear_day(), teams=["nobody"]) == []
    assert len(messages(clear_day())) == 1


def test_the_address_is_not_shown() -> None:
    """It holds a token."""
    made = ChatDelivery.model_validate({"name": "ops", "url": "slack://token-a/token-b"})
    assert ChatChannel(made, Origin("main", None)).describe() == "slack://***"
