"""Webhooks, signed as Standard Webhooks describes: https://www.standardwebhooks.com (version 1.0.0)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from detector.boundary.masking import host_of
from detector.config.channels import WebhookDelivery
from detector.delivery import Origin
from detector.delivery.posting import post
from detector.delivery.records import compact, day_of, findings_of, portions, summary_of
from detector.model.report import RunReport
from detector.reports.exports.json import finding_record, plain
from detector.state.messages import Message, identity


class WebhookChannel:
    """Sends one POST per day with the summary and the findings, or several for a day with very many findings.

    The receiver verifies the signature with the secret, and ignores an id that it already has.
    """

    def __init__(self, settings: WebhookDelivery, origin: Origin, clock: Callable[[], float] = time.time) -> None:
        self.name = f"webhook {settings.name}"
        self._settings = settings
        self._origin = origin
        self._clock = clock

    def describe(self) -> str:
        """The host of the receiver."""
        return f"{host_of(self._settings.url.get_secret_value())}, signed"

    def messages(self, reports: Sequence[RunReport]) -> list[Message]:
        """One message or more for every day. A day without findings has one too: it shows that the job runs."""
        return [message for report in reports for message in self._of(report)]

    def trial(self, now: datetime) -> list[Message]:
        """An event of the type detector.test."""
        return [
            self._message("detector.test", now, {"message": "A test. There is nothing to do."}, now.isoformat())
        ]

    def send(self, message: Message) -> None:
        """Post a message with the current timestamp and its signature; any answer but 2xx is an error."""
        payload = message.payload or b""
        secret = self._settings.secret
        sent_at = str(int(self._clock()))
        headers = {
            "content-type": "application/json",
            "webhook-id": message.message_id,
            "webhook-timestamp": sent_at,
            "webhook-signature": signature(secret.get_secret_value(), message.message_id, sent_at, payload),
        }
        url = self._settings.url
        answer = post(url.get_secret_value(), payload, headers, self._settings.timeout)
        if not answer.accepted:
            raise answer.error(host_of(url.get_secret_value()))

    def _of(self, report: RunReport) -> list[Message]:
        records = [finding_record(finding) for finding in findings_of(report, self._settings)]
        groups = list(portions([compact(record) for record in records])) or [[]]
        messages = []
        start = 0
        for number, group in enumerate(groups, start=1):
            data = {
                **day_of(report, self._origin),
                "part": number,
                "parts": len(groups),
                "summary": summary_of(report),
                "findings": records[start : start + len(group)],
            }
            messages.append(
                self._message("detector.day.judged", report.generated_at, data, f"{number:04}", report)
            )
            start += len(group)
        return messages

    def _message(
        self, kind: str, when: datetime, data: dict[str, object], part: str, report: RunReport | None = None
    ) -> Message:
        day = report.day.date if report else when.astimezone(UTC).date()
        origin = self._origin
        number = identity(
            self.name, day.isoformat(), part, origin.organization, origin.source, origin.edition, kind
        )
        payload = compact({"type": kind, "timestamp": plain(when), "data": data})
        return Message(f"msg_{number}", day, self.name, self._settings.name, kind, payload, part)


def signature(secret: str, message_id: str, sent_at: str, payload: bytes) -> str:
    """``v1,`` and the base64 HMAC-SHA256 of id, timestamp and payload joined by full stops."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join((message_id.encode(), sent_at.encode(), payload))
    return f"v1,{base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()}"
