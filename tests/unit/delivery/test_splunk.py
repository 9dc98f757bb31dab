"""Events for Splunk, and what its collector answers."""

from __future__ import annotations

import json

import pytest

from detector.config.channels import SplunkDelivery
from detector.delivery import Origin
from detector.delivery.posting import ReceiverAnswer
from detector.delivery.splunk import SplunkChannel, _invalid_line
from tests.report_examples import findings_day

REPORT = findings_day()


def test_a_day_and_its_findings_are_one_event_each() -> None:
    """At the end of the day, in the index that is configured."""
    settings = SplunkDelivery.model_validate({"url": "https://splunk.example", "token": "t", "index": "security"})
    (message,) = SplunkChannel(settings, Origin("main", "Acme")).messages([REPORT])
    events = [json.loads(line) for line in (message.payload or b"").splitlines()]
    assert [event["sourcetype"] for event in events] == ["detector:day"] + ["detector:finding"] * (len(events) - 1)
    assert {event["index"] for event in events} == {"security"}
    assert {event["time"] for event in events} == {int(REPORT.day.end.timestamp())}
    assert message.subject == f"{len(events)} events"


@pytest.mark.parametrize(
    ("status", "body", "line"),
    [
        (400, b'{"text": "Invalid data format", "code": 6, "invalid-event-number": 2}', 2),
        (400, b'{"code": 6}', None),
        (400, b'{"invalid-event-number": -1}', None),
        (403, b'{"invalid-event-number": 2}', None),
        (400, b"<html>", None),
    ],
)
def test_the_collector_names_the_event_that_it_cannot_take(status: int, body: bytes, line: int | None) -> None:
    """Those before it were taken; any other answer says nothing of the kind."""
    assert _invalid_line(ReceiverAnswer(status, body, None)) == line
