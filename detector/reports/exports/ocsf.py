"""The day's findings as OCSF Detection Findings (class 2004), one per line, for a SIEM that reads OCSF.

Names and numbers are those of https://schema.ocsf.io/1.8.0/classes/detection_finding. The events only use
attributes that version 1.4 has too, so the two versions differ only in ``metadata.version``. Times are
milliseconds since 1970. Fields without an OCSF attribute are in ``unmapped``, under their name in ``report.json``.
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
CREATE = (1, "Create")
UPDATE = (2, "Update")
CLOSE = (3, "Close")
NEW = (1, "New")
IN_PROGRESS = (2, "In Progress")
SUPPRESSED = (3, "Suppressed")
RESOLVED = (4, "Resolved")
SEVERITIES = {
    Severity.INFO: (1, "Informational"),
    Severity.LOW: (2, "Low"),
    Severity.MEDIUM: (3, "Medium"),
    Severity.HIGH: (4, "High"),
    Severity.CRITICAL: (5, "Critical"),
}
CONFIDENCES = {"low": (1, "Low"), "medium": (2, "Medium"), "high": (3, "High"), "certain": (3, "High")}
RULE = (1, "Rule")
STATISTICAL = (3, "Statistical")
RESOURCE_UID = (10, "Resource UID")
RESOURCE_NAME = (38, "Resource Details Object: name")
MAPPED = {
    "finding_id", "title", "severity", "key_id", "name", "team", "reason", "first_seen", "last_seen", "actions",
}  # fmt: skip
"""Fields of a finding that have an OCSF attribute; ``unmapped`` does not repeat them."""


class OcsfReporter(Reporter):
    """Writes ``report.ocsf.ndjson``, in the newest supported version of OCSF."""

    filename = "report.ocsf.ndjson"
    media_type = "application/x-ndjson"
    description = "for a SIEM or data lake: OCSF 1.8 Detection Findings, one per line"
    version: ClassVar[str] = "1.8.0"

    def render(self, report: RunReport) -> str:
        """Write one line per finding, including resolved and muted findings."""
        return "".join(f"{line(event(report, finding, self.version))}\n" for finding in report.findings)


class OlderOcsfReporter(OcsfReporter):
    """Writes ``report.ocsf-1.4.ndjson``, for programs that do not know newer versions."""

    filename = "report.ocsf-1.4.ndjson"
    description = "the same for receivers that know OCSF 1.4"
    version = "1.4.0"


def event(report: RunReport, finding: Finding, version: str) -> dict[str, Any]:
    """One finding on one day as an event. The ``time`` of the event is the end of the day."""
    activity = _activity(finding)
    day = report.day
    remediation = {"remediation": {"desc": " ".join(finding.actions)}} if finding.actions else {}
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
        **remediation,
        "unmapped": {name: value for name, value in finding_record(finding).items() if name not in MAPPED},
    }


def _named(attribute: str, value: tuple[int, str], text: str | None = None) -> dict[str, Any]:
    """The id and the text of an OCSF enumeration, as a pair of attributes."""
    return {f"{attribute}_id": value[0], text or attribute: value[1]}


def _activity(finding: Finding) -> tuple[int, str]:
    if finding.status is Status.RESOLVED:
        return CLOSE
    return CREATE if finding.status is Status.NEW else UPDATE


def _state(finding: Finding) -> tuple[int, str]:
    """The OCSF status, which says how far people have handled the finding."""
    if finding.status is Status.RESOLVED:
        return RESOLVED
    if finding.status is Status.MUTED:
        return SUPPRESSED
    return IN_PROGRESS if finding.acknowledged else NEW


def _metadata(report: RunReport, finding: Finding, version: str) -> dict[str, Any]:
    """The metadata. The ``uid`` of an event never changes, so that a SIEM can drop events that it already has."""
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
    """A technique as OCSF describes it. The name of a sub-technique has the form ``Technique: Sub-technique``."""
    parent, _, part = technique.id.partition(".")
    names = technique.name.split(": ", 1)
    page = f"https://attack.mitre.org/techniques/{parent}/"
    attack: dict[str, Any] = {
        "version": technique.catalogue.rsplit(" ", 1)[-1],
        "technique": {"uid": parent, "name": names[0], "src_url": page},
    }
    if part:
        attack["sub_technique"] = {"uid": technique.id, "name": names[-1], "src_url": f"{page}{part}/"}
    return attack


def _about_key(finding: Finding, key_id: str) -> dict[str, Any]:
    """The key as the affected resource and as observables for a search: the id and name, never the secret."""
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
