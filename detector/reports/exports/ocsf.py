"""The day's findings as OCSF Detection Findings (class 2004), one a line, for a SIEM that speaks OCSF.

Names and numbers are those of https://schema.ocsf.io/1.8.0/classes/detection_finding; only attributes that 1.4 has
too are used, so that the two versions differ in ``metadata.version`` alone. Times are milliseconds since 1970.
What OCSF has no place for is kept under ``unmapped`` by its name in ``report.json``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, ClassVar

from detector.judging.finding_types import finding_type
from detector.model.day import Day
from detector.model.finding import Finding, Severity, Status, Technique
from detector.model.report import RunReport
from detector.reports import Reporter
from detector.reports.exports.json import finding_record, line, tool_version

CLASS = 2004
CREATE, UPDATE, CLOSE = (1, "Create"), (2, "Update"), (3, "Close")
NEW, IN_PROGRESS, SUPPRESSED, RESOLVED = (1, "New"), (2, "In Progress"), (3, "Suppressed"), (4, "Resolved")
SEVERITIES = {
    Severity.INFO: (1, "Informational"),
    Severity.LOW: (2, "Low"),
    Severity.MEDIUM: (3, "Medium"),
    Severity.HIGH: (4, "High"),
    Severity.CRITICAL: (5, "Critical"),
}
CONFIDENCES = {"low": (1, "Low"), "medium": (2, "Medium"), "high": (3, "High"), "certain": (3, "High")}
RULE, STATISTICAL = (1, "Rule"), (3, "Statistical")
RESOURCE_UID, RESOURCE_NAME = (10, "Resource UID"), (38, "Resource Details Object: name")
MAPPED = {
    "finding_id", "title", "severity", "key_id", "name", "team", "reason", "first_seen", "last_seen", "actions",
}  # fmt: skip
"""Fields of a finding that have a place of their own and are not repeated under ``unmapped``."""


class OcsfReporter(Reporter):
    """Writes ``report.ocsf.ndjson``, in the newest version of OCSF that is known here."""

    filename = "report.ocsf.ndjson"
    media_type = "application/x-ndjson"
    description = "for a SIEM or data lake: OCSF 1.8 Detection Findings, one per line"
    version: ClassVar[str] = "1.8.0"

    def render(self, report: RunReport) -> str:
        """As many lines as there are findings, resolved and muted ones included."""
        return "".join(f"{line(event(report, finding, self.version))}\n" for finding in report.findings)


class OlderOcsfReporter(OcsfReporter):
    """Writes ``report.ocsf-1.4.ndjson``, for intakes that do not know newer versions."""

    filename = "report.ocsf-1.4.ndjson"
    description = "the same for receivers that know OCSF 1.4"
    version = "1.4.0"


def event(report: RunReport, finding: Finding, version: str) -> dict[str, Any]:
    """One finding on one day as an event; its ``time`` is the end of the day."""
    activity, day = _activity(finding), report.day
    about_key = {} if finding.key_id is None else _about_key(finding, finding.key_id)
    return {
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": CLASS,
        "class_name": "Detection Finding",
        "type_uid": CLASS * 100 + activity[0],
        "type_name": f"Detection Finding: {activity[1]}",
        **_named("activity", activity, text="activity_name"),
        "time": _milliseconds(day.end),
        "start_time": _milliseconds(day.start),
        "end_time": _milliseconds(day.end),
        **_named("severity", SEVERITIES[finding.severity]),
        **_named("status", _state(finding)),
        "status_detail": str(finding.status),
        **_named("confidence", CONFIDENCES.get(finding.confidence, (99, finding.confidence))),
        "is_alert": finding.status.raised and finding.severity is not Severity.INFO,
        "message": finding.reason,
        "metadata": _metadata(report, finding, version),
        "finding_info": _finding_info(report, finding),
        **about_key,
        "evidences": [{"data": _evidence(finding)}],
        **({"remediation": {"desc": " ".join(finding.actions)}} if finding.actions else {}),
        "unmapped": {name: v for name, v in finding_record(finding).items() if name not in MAPPED},
    }


def _named(attribute: str, value: tuple[int, str], text: str | None = None) -> dict[str, Any]:
    """A number of a list and beside it the word for it, as OCSF pairs them."""
    return {f"{attribute}_id": value[0], text or attribute: value[1]}


def _activity(finding: Finding) -> tuple[int, str]:
    if finding.status is Status.RESOLVED:
        return CLOSE
    return CREATE if finding.status is Status.NEW else UPDATE


def _state(finding: Finding) -> tuple[int, str]:
    """Where people stand with it: nobody has said anything of a finding that is New."""
    if finding.status is Status.RESOLVED:
        return RESOLVED
    if finding.status is Status.MUTED:
        return SUPPRESSED
    return IN_PROGRESS if finding.acknowledged else NEW


def _metadata(report: RunReport, finding: Finding, version: str) -> dict[str, Any]:
    """``uid`` is the same whenever the day is told again, so that an intake can drop what it has."""
    return {
        "version": version,
        "product": {"name": "detector", "vendor_name": "detector", "version": tool_version()},
        "uid": f"{finding.finding_id}:{report.day.date}",
        "event_code": finding.type,
        "log_name": "findings",
        "logged_time": _milliseconds(report.generated_at),
        **({"tenant_uid": report.organization} if report.organization else {}),
    }


def _finding_info(report: RunReport, finding: Finding) -> dict[str, Any]:
    method = _named("type", RULE if finding_type(finding.type).is_rule else STATISTICAL)
    attacks = [_attack(technique) for technique in finding.techniques]
    return {
        "uid": finding.finding_id,
        "title": finding.title,
        "desc": finding.reason,
        "types": [finding.type],
        "analytic": {"uid": finding.type, "name": finding.title, **method},
        "first_seen_time": _start(finding.first_seen, report.day),
        "last_seen_time": _start(finding.last_seen, report.day),
        "data_sources": [source.name for source in report.sources],
        **({"attacks": attacks} if attacks else {}),
    }


def _attack(technique: Technique) -> dict[str, Any]:
    """A technique as OCSF has it; the name of a part of one comes as ``Whole: Part``."""
    whole, _, part = technique.id.partition(".")
    names = technique.name.split(": ", 1)
    page = f"https://attack.mitre.org/techniques/{whole}/"
    attack: dict[str, Any] = {
        "version": technique.catalogue.rsplit(" ", 1)[-1],
        "technique": {"uid": whole, "name": names[0], "src_url": page},
    }
    if part:
        attack["sub_technique"] = {"uid": technique.id, "name": names[-1], "src_url": f"{page}{part}/"}
    return attack


def _about_key(finding: Finding, key_id: str) -> dict[str, Any]:
    """The key as the affected resource, and as observables to search by: its id and name, never its secret."""
    owner = {"group": {"name": finding.team}} if finding.team else {}
    named = {"name": finding.name} if finding.name else {}
    return {
        "resources": [{"uid": key_id, "type": "API key", **named, **owner}],
        "observables": list(_observables(finding, key_id)),
    }


def _observables(finding: Finding, key_id: str) -> Iterator[dict[str, Any]]:
    yield {"name": "resources.uid", "value": key_id, **_named("type", RESOURCE_UID)}
    if finding.name:
        yield {"name": "resources.name", "value": finding.name, **_named("type", RESOURCE_NAME)}


def _evidence(finding: Finding) -> dict[str, Any]:
    record = finding_record(finding)
    return {name: record[name] for name in ("observed", "expected", "low", "high", "score", "changes")}


def _start(on: date, day: Day) -> int:
    return _milliseconds(Day(on, day.timezone).start)


def _milliseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
