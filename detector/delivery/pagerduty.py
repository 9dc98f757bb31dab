"""PagerDuty, by its Events API v2: a finding opens an incident, and its resolution closes the incident.

https://developer.pagerduty.com/docs/events-api-v2/overview/

The ``dedup_key`` is the finding's id, so that a duplicate event changes nothing and a reopened finding opens its
incident again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from detector.boundary.masking import host_of
from detector.boundary.text import header_text, in_every_text
from detector.config.channels import PagerDutyDelivery
from detector.delivery import Origin
from detector.delivery.posting import post
from detector.delivery.records import compact, day_of
from detector.delivery.routing import routed, settled
from detector.model.finding import Finding, Severity, Status
from detector.model.report import RunReport
from detector.reports.exports.json import plain
from detector.state.messages import Message, identity

LONGEST_SUMMARY = 1024
LONGEST_TEXT = 1000
MOST_ITEMS = 10
SEVERITIES = {
    Severity.CRITICAL: "critical",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "info",
    Severity.INFO: "info",
}


class PagerDutyChannel:
    """Events for new, reopened and escalated findings, and for those that are resolved.

    A resolution is sent whatever the severity was, since that may have fallen below the routed one after the
    incident was opened; PagerDuty takes no notice of one that it has no incident for.
    """

    def __init__(self, settings: PagerDutyDelivery, origin: Origin) -> None:
        self.name = f"pagerduty {settings.name}"
        self._settings = settings
        self._origin = origin

    def describe(self) -> str:
        """The API's host; the key is not shown."""
        return f"{host_of(self._settings.url)}, from {self._settings.minimum_severity} on"

    def messages(self, reports: Sequence[RunReport]) -> list[Message]:
        """One event a finding, so that each is retried by itself; nothing on a day that changes nothing."""
        return [message for report in reports for message in self._of(report)]

    def trial(self, now: datetime) -> list[Message]:
        """A resolution that no incident waits for: it is accepted, and nobody is woken."""
        day = now.astimezone(UTC).date()
        event = {"event_action": "resolve", "dedup_key": "detector-test"}
        number = identity(self.name, now.isoformat(), "trial")
        return [Message(number, day, self.name, self._settings.name, "test", compact(event), "trial")]

    def send(self, message: Message) -> None:
        """Add the routing key, which is never stored, and post."""
        key = self._settings.routing_key
        event = {"routing_key": key.get_secret_value(), **json.loads(message.payload or b"{}")}
        headers = {"content-type": "application/json"}
        answer = post(self._settings.url, compact(event), headers, self._settings.timeout)
        if not answer.accepted:
            raise answer.error(host_of(self._settings.url))

    def _of(self, report: RunReport) -> list[Message]:
        teams = self._settings.teams
        raised = [each for each in routed(report, self._settings.minimum_severity, teams) if each.status.raised]
        triggers = [self._message(report, finding, self._trigger(report, finding)) for finding in raised]
        resolved = settled(report, Status.RESOLVED, teams)
        return triggers + [self._message(report, finding, _resolve(finding)) for finding in resolved]

    def _trigger(self, report: RunReport, finding: Finding) -> dict[str, Any]:
        day = day_of(report, self._origin)
        facts = ("type", "key_id", "name", "environment", "team", "reason", "changes", "actions", "confidence")
        details = {name: _detail(plain(getattr(finding, name))) for name in facts}
        event = {
            "event_action": "trigger",
            "dedup_key": finding.finding_id,
            "client": "detector",
            "payload": {
                "summary": header_text(f"{finding.title}: {finding.subject}. {finding.reason}", LONGEST_SUMMARY),
                "source": self._origin.source,
                "severity": SEVERITIES[finding.severity],
                "timestamp": plain(report.generated_at),
                "component": _detail(finding.key_id),
                "group": _detail(finding.team),
                "class": finding.type,
                "custom_details": {**details, "day": day["day"], "organization": day["organization"]},
            },
        }
        return event if day["report_url"] is None else {**event, "client_url": day["report_url"]}

    def _message(self, report: RunReport, finding: Finding, event: dict[str, Any]) -> Message:
        day = report.day.date
        part = f"{event['event_action']} {finding.finding_id}"
        number = identity(self.name, day.isoformat(), part, self._origin.edition)
        subject = header_text(f"{event['event_action']}: {finding.title}")
        return Message(number, day, self.name, self._settings.name, subject, compact(event), part)


def _resolve(finding: Finding) -> dict[str, Any]:
    return {"event_action": "resolve", "dedup_key": finding.finding_id}


def _detail(value: Any) -> Any:
    """A detail that cannot make an event too large."""
    items = value[:MOST_ITEMS] if isinstance(value, list) else value
    return in_every_text(items, lambda text: header_text(text, LONGEST_TEXT))
