"""Signed webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace

from detector.config.channels import WebhookDelivery
from detector.delivery import Origin
from detector.delivery.records import PORTION
from detector.delivery.webhook import WebhookChannel, signature
from tests.report_examples import clear_day, findings_day

KEY = bytes(range(32))
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
REPORT = findings_day()


def channel() -> WebhookChannel:
    """A channel that sends nothing here."""
    settings = WebhookDelivery.model_validate({"url": "https://siem.example/token", "secret": SECRET})
    return WebhookChannel(settings, Origin("main", "Acme"))


def test_the_signature_is_the_one_of_standard_webhooks() -> None:
    """HMAC-SHA256 over id, time and body."""
    expected = base64.b64encode(hmac.new(KEY, b"msg_1.1700000000.{}", hashlib.sha256).digest()).decode()
    assert signature(SECRET, "msg_1", "1700000000", b"{}") == f"v1,{expected}"


def test_a_clear_day_is_told_too() -> None:
    """The receiver sees that the job lives."""
    (message,) = channel().messages([clear_day()])
    event = json.loads(message.payload or b"")
    assert (event["type"], event["data"]["findings"]) == ("detector.day.judged", [])


def test_very_many_findings_take_several_parts() -> None:
    """Each says which one it is, and none is lost."""
    large = replace(REPORT.findings[0], reason="x" * (PORTION // 3))
    findings = tuple(replace(large, finding_id=f"{number:032}") for number in range(7))
    events = [
        json.loads(message.payload or b"") for message in channel().messages([replace(REPORT, findings=findings)])
    ]
    assert [event["data"]["part"] for event in events] == list(range(1, len(events) + 1))
    assert {event["data"]["parts"] for event in events} == {len(events)}
    told = [finding["finding_id"] for event in events for finding in event["data"]["findings"]]
    assert told == [finding.finding_id for finding in findings]


def test_the_path_of_the_address_is_not_shown() -> None:
    """It may hold a token."""
    assert channel().describe() == "https://siem.example, signed"
