"""Incidents for PagerDuty."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from detector.config.channels import PagerDutyDelivery
from detector.delivery import Origin
from detector.delivery.pagerduty import PagerDutyChannel, _detail
from detector.model.finding import Severity, Status
from detector.model.report import RunReport
from tests.report_examples import findings_day

REPORT = findings_day()
FIRST = replace(REPORT.findings[0], severity=Severity.HIGH, status=Status.NEW)


def events(report: RunReport, **settings: Any) -> list[dict[str, Any]]:
    """What is sent about a day."""
    made = PagerDutyDelivery.model_validate({"routing_key": "R" * 32, **settings})
    messages = PagerDutyChannel(made, Origin("main", "Acme")).messages([report])
    return [json.loads(message.payload or b"") for message in messages]


def test_a_new_finding_opens_an_incident_under_its_own_id() -> None:
    """So that the same finding never opens two."""
    (event,) = events(replace(REPORT, findings=(FIRST,)))
    assert (event["event_action"], event["dedup_key"]) == ("trigger", FIRST.finding_id)
    assert (event["payload"]["severity"], event["payload"]["class"]) == ("error", FIRST.type)


def test_a_finding_that_goes_on_opens_nothing() -> None:
    """Its incident is open already."""
    assert events(replace(REPORT, findings=(replace(FIRST, status=Status.ONGOING),))) == []


def test_an_incident_closes_whatever_the_severity_is_by_then() -> None:
    """It may have been opened when the finding was more severe."""
    over = replace(FIRST, severity=Severity.LOW, status=Status.RESOLVED)
    assert events(replace(REPORT, findings=(over,)))[0]["event_action"] == "resolve"


def test_the_routing_key_is_in_no_message() -> None:
    """Messages are stored; it is added when one is sent."""
    assert "R" * 32 not in json.dumps(events(replace(REPORT, findings=(FIRST,))))


def test_a_detail_cannot_make_an_event_too_large() -> None:
    """Texts are cut, lists have an end, numbers stay."""
    assert len(_detail("x" * 5000)) == 1000
    assert len(_detail(["x"] * 50)) == 10
    assert _detail(7) == 7
