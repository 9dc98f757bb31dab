"""What machines get of a day: findings as flat JSON, safe to print, in portions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from detector.boundary.text import in_every_text, whole
from detector.config.channels import Routed
from detector.delivery import Origin
from detector.delivery.routing import routed, settled
from detector.model.finding import Finding, Status
from detector.model.report import RunReport
from detector.reports.exports.json import finding_record, plain, tool_version
from detector.state.messages import identity

PORTION = 500_000
"""Bytes of records in one message, unless a single record is larger."""


def findings_of(report: RunReport, settings: Routed) -> list[Finding]:
    """The findings for a channel: open ones as routed, and those that ended on the day."""
    open_ones = routed(report, settings.minimum_severity, settings.teams)
    return [*open_ones, *settled(report, Status.RESOLVED, settings.teams)]


def day_of(report: RunReport, origin: Origin) -> dict[str, Any]:
    """What a day's messages have in common: which day it was, and where the report lies."""
    url = origin.report_url
    return {
        "day": report.day.date.isoformat(),
        "timezone": report.day.timezone.key,
        "source": origin.source,
        "organization": origin.organization,
        "report_id": plain(report.run.get("run_id")),
        "report_url": url.replace("{day}", report.day.date.isoformat()) if url else None,
        "detector_version": tool_version(),
    }


def summary_of(report: RunReport) -> dict[str, Any]:
    """Verdict and counts over all findings of the day."""
    return {"complete": report.coverage.complete, **plain(report.summary)}


def record_of(report: RunReport, finding: Finding, origin: Origin) -> dict[str, Any]:
    """One finding with the day it belongs to; ``record_id`` is the same whenever it is sent again."""
    record_id = identity(origin.organization, origin.source, report.day.date.isoformat(), finding.finding_id)
    return {"record_id": record_id, **day_of(report, origin), **finding_record(finding)}


def compact(value: Mapping[str, Any]) -> bytes:
    """Strict JSON in one line of ASCII; half a surrogate pair, which JSON has no form for, becomes U+FFFD."""
    return json.dumps(in_every_text(value, whole), allow_nan=False, separators=(",", ":")).encode()


def portions(records: Sequence[bytes], most: int = PORTION) -> Iterator[list[bytes]]:
    """Records in portions of about so many bytes."""
    portion: list[bytes] = []
    for record in records:
        if portion and sum(map(len, portion)) + len(record) > most:
            yield portion
            portion = []
        portion.append(record)
    if portion:
        yield portion
