"""Splunk, by its HTTP Event Collector: one event per finding, and one for the day.

https://docs.splunk.com/Documentation/Splunk/latest/Data/HECExamples (events one after the other in a body) and
.../Data/TroubleshootHTTPEventCollector (answers, ``invalid-event-number``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from detector.boundary.masking import host_of
from detector.boundary.words import counted
from detector.config.channels import SplunkDelivery
from detector.delivery import Origin
from detector.delivery.posting import ReceiverAnswer, post
from detector.delivery.records import compact, day_of, findings_of, portions, record_of, summary_of
from detector.model.errors import DeliveryError
from detector.model.report import RunReport
from detector.state.messages import Message, identity

PATH = "/services/collector/event"


class SplunkChannel:
    """Events in portions; each portion is a message, so that what was taken is not sent again."""

    def __init__(self, settings: SplunkDelivery, origin: Origin) -> None:
        self.name = f"splunk {settings.name}"
        self._settings = settings
        self._origin = origin
        has_path = urlsplit(settings.url).path.strip("/")
        self._url = settings.url if has_path else settings.url.rstrip("/") + PATH

    def describe(self) -> str:
        """The collector's host; the token is not shown."""
        return host_of(self._url)

    def messages(self, reports: Sequence[RunReport]) -> list[Message]:
        """The day and its findings, one line each."""
        return [message for report in reports for message in self._of(report)]

    def trial(self, now: datetime) -> list[Message]:
        """One event of the type detector:test."""
        event = self._event(now, "test", {"message": "A test. There is nothing to do."})
        number = identity(self.name, now.isoformat(), "trial")
        return [
            Message(number, now.astimezone(UTC).date(), self.name, self._settings.name, "test", event, "trial")
        ]

    def send(self, message: Message) -> None:
        """Post the lines. One that is refused is left out and reported, and those behind it are sent."""
        lines = (message.payload or b"").splitlines()
        refused = []
        while lines:
            answer = self._post(lines)
            if answer.accepted:
                break
            bad = _invalid_line(answer)
            if bad is None or bad >= len(lines):
                raise answer.error(host_of(self._url), rest=b"\n".join(lines))
            refused.append(lines[bad])
            lines = lines[bad + 1 :]
        if refused:
            events = counted(len(refused), "event was", "events were")
            raise DeliveryError(f"{host_of(self._url)}: {events} refused", permanent=True)

    def _post(self, lines: Sequence[bytes]) -> ReceiverAnswer:
        token = self._settings.token
        headers = {"authorization": f"Splunk {token.get_secret_value()}", "content-type": "application/json"}
        return post(self._url, b"\n".join(lines), headers, self._settings.timeout)

    def _of(self, report: RunReport) -> list[Message]:
        day = {**day_of(report, self._origin), "summary": summary_of(report)}
        lines = [self._event(report.day.end, "day", day)]
        for finding in findings_of(report, self._settings):
            lines.append(self._event(report.day.end, "finding", record_of(report, finding, self._origin)))
        return [self._message(report, group, f"{n:04}") for n, group in enumerate(portions(lines), start=1)]

    def _event(self, at: datetime, kind: str, event: dict[str, Any]) -> bytes:
        line = {
            "time": int(at.timestamp()),
            "source": "detector",
            "sourcetype": f"detector:{kind}",
            "event": event,
        }
        return compact(line if self._settings.index is None else {**line, "index": self._settings.index})

    def _message(self, report: RunReport, lines: Sequence[bytes], part: str) -> Message:
        day = report.day.date
        number = identity(self.name, day.isoformat(), part, self._origin.edition)
        subject = counted(len(lines), "event")
        return Message(number, day, self.name, self._settings.name, subject, b"\n".join(lines), part)


def _invalid_line(answer: ReceiverAnswer) -> int | None:
    """The number of the event that the collector could not take; those before it were taken."""
    try:
        number = json.loads(answer.body)["invalid-event-number"]
    except (ValueError, KeyError, TypeError):
        return None
    return number if answer.status == 400 and isinstance(number, int) and number >= 0 else None
