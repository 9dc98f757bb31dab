"""Elasticsearch and OpenSearch, through ``_bulk``: one document per finding.

https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk

The id of a document follows from day and finding, and a document is only ever created. A document that is sent
twice is therefore stored once, in data streams too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from detector.boundary.masking import host_of, mask_secrets
from detector.boundary.words import counted
from detector.config.channels import ElasticsearchDelivery
from detector.delivery import Origin
from detector.delivery.posting import post
from detector.delivery.records import compact, day_of, findings_of, portions, record_of, summary_of
from detector.model.errors import DeliveryError
from detector.model.report import RunReport
from detector.reports.exports.json import plain
from detector.state.messages import Message, identity

ALREADY_THERE = 409
BUSY = (429, 500, 502, 503, 504)


class ElasticsearchChannel:
    """Documents in portions: the day's summary and its findings."""

    def __init__(self, settings: ElasticsearchDelivery, origin: Origin) -> None:
        self.name = f"elasticsearch {settings.name}"
        self._settings = settings
        self._origin = origin
        self._url = f"{settings.url.rstrip('/')}/_bulk?filter_path=errors,items.*.status,items.*.error"

    def describe(self) -> str:
        """The cluster's host and the index."""
        return f"{host_of(self._url)}, index {self._settings.index}"

    def messages(self, reports: Sequence[RunReport]) -> list[Message]:
        """The day and its findings, two lines each."""
        return [message for report in reports for message in self._of(report)]

    def trial(self, now: datetime) -> list[Message]:
        """One document of the kind test."""
        number = identity(self.name, now.isoformat(), "trial")
        payload = self._pair(number, now, "test", {"message": "A test. There is nothing to do."})
        return [
            Message(number, now.astimezone(UTC).date(), self.name, self._settings.name, "test", payload, "trial")
        ]

    def send(self, message: Message) -> None:
        """Post the documents. Those the cluster has no room for are sent again, refused ones are reported."""
        lines = (message.payload or b"").splitlines(keepends=True)
        pairs = [b"".join(lines[i : i + 2]) for i in range(0, len(lines), 2)]
        secret = self._settings.authorization
        headers = {"content-type": "application/x-ndjson"}
        if secret:
            headers["authorization"] = secret.get_secret_value()
        answer = post(self._url, b"".join(pairs), headers, self._settings.timeout)
        if not answer.accepted:
            raise answer.error(host_of(self._url))
        self._check(pairs, _results(answer.body))

    def _check(self, pairs: Sequence[bytes], results: Sequence[tuple[int, str]] | None) -> None:
        """Accept, or say what is left (for now) or was refused (for good)."""
        where = host_of(self._url)
        if results is None or len(results) not in (0, len(pairs)):
            raise DeliveryError(f"{where}: the answer is not one of _bulk", permanent=False)
        bad = [(pair, *result) for pair, result in zip(pairs, results, strict=False) if _failed(result[0])]
        busy = [pair for pair, status, _ in bad if status in BUSY]
        if not bad:
            return
        says = mask_secrets(bad[0][2])
        if busy:
            rest = b"".join(pair for pair, _, _ in bad)
            raise DeliveryError(
                f"{where}: {counted(len(busy), 'document')} not taken yet: {says}", permanent=False, rest=rest
            )
        refused = f"{len(bad):,} of {counted(len(pairs), 'document')} refused"
        raise DeliveryError(f"{where}: {refused}: {says}", permanent=True)

    def _of(self, report: RunReport) -> list[Message]:
        day = {**day_of(report, self._origin), "summary": summary_of(report)}
        number = identity(self._origin.organization, self._origin.source, report.day.date.isoformat())
        pairs = [self._pair(number, report.day.end, "day", day)]
        for finding in findings_of(report, self._settings):
            record = record_of(report, finding, self._origin)
            pairs.append(self._pair(record["record_id"], report.day.end, "finding", record))
        return [self._message(report, group, f"{n:04}") for n, group in enumerate(portions(pairs), start=1)]

    def _pair(self, number: str, at: datetime, kind: str, document: dict[str, Any]) -> bytes:
        action = {"create": {"_index": self._settings.index, "_id": number}}
        body = {"@timestamp": plain(at), "event": {"kind": kind, "provider": "detector"}, **document}
        return compact(action) + b"\n" + compact(body) + b"\n"

    def _message(self, report: RunReport, pairs: Sequence[bytes], part: str) -> Message:
        day = report.day.date
        number = identity(self.name, day.isoformat(), part, self._origin.edition)
        subject = counted(len(pairs), "document")
        return Message(number, day, self.name, self._settings.name, subject, b"".join(pairs), part)


def _failed(status: int) -> bool:
    return status >= 300 and status != ALREADY_THERE


def _results(body: bytes) -> list[tuple[int, str]] | None:
    """Status and error of every document; empty where all were taken, None for an answer of another kind."""
    try:
        answer = json.loads(body)
        if answer["errors"] is False:
            return []
        items = [next(iter(item.values())) for item in answer["items"]]
        return [(int(item["status"]), json.dumps(item.get("error", ""))) for item in items]
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration):
        return None
