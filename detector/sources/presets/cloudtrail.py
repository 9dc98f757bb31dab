"""Events of AWS CloudTrail: calls of the AWS API by identity.

A file may be a delivery of a trail (``{"Records": [...]}``), an answer of lookup-events (``{"Events": [...]}``),
the result of a query in CloudTrail Lake (an array of records, or ``{"QueryResultRows": [...]}``), or have one
record a line. Its content decides. Digests and Insights events hold no calls and are passed over.

Fields: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
Identity: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
Digests: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
Lookup: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from detector.sources.presets import Documents, Preset, UnknownItemError

Record = dict[str, Any]

_TEMPORARY = "ASIA"
"""The beginning of the ids of temporary access keys. Every session has a new one."""
_ROLE_SESSION = re.compile(r"(arn:[^:]*:sts:[^:]*:[^:]*:assumed-role/[^/]+)/.*", re.DOTALL)
_ROLE_ID_SESSION = re.compile(r"(AROA\w+):.*", re.DOTALL)

_MEMBERS = (
    "eventTime",
    "eventSource",
    "eventName",
    "errorCode",
    "sourceIPAddress",
    "eventID",
    "sharedEventID",
    "eventType",
    "eventCategory",
    "userIdentity.type",
    "userIdentity.principalId",
    "userIdentity.arn",
    "userIdentity.accessKeyId",
    "userIdentity.invokedBy",
    "userIdentity.onBehalfOf.userId",
    "userIdentity.sessionContext.sourceIdentity",
    "userIdentity.sessionContext.sessionIssuer.arn",
)
_BY_LETTERS = {re.sub(r"[\W_]", "", name).lower(): name for name in _MEMBERS}
_NAMES = {name.partition(".")[0] for name in _MEMBERS}


def record_of(item: Any) -> Record | None:
    """The record that an item of a file holds, with its ``identity``; None for a digest or an Insights event.

    Raises UnknownItemError for an item that is no record of CloudTrail.
    """
    record = _nested(_unwrapped(item))
    if "digestS3Object" in record or "digestStartTime" in record:
        return None
    if record.get("eventType") == "AwsCloudTrailInsight" or record.get("eventCategory") == "Insight":
        return None
    if _NAMES.isdisjoint(record):
        raise UnknownItemError
    identity = record.get("userIdentity")
    return {**record, "identity": identity_of(identity) if isinstance(identity, dict) else None}


def identity_of(user: Mapping[str, Any]) -> str | None:
    """Whose event it is: the text that stays the same over all sessions; None for a service of AWS.

    The first of these that the event has: the source identity of its session; the issuer of the session (the
    role, or the user who asked for a federated session); the lasting key of a user; the user of IAM Identity
    Center; the ARN or the principal without the name of the session; a temporary key.
    """
    session = _object(user.get("sessionContext"))
    key = _text(user.get("accessKeyId"))
    # The key of a session of an IAM user is as short-lived as that of a role.
    lasting_key = None if key and key.startswith(_TEMPORARY) else key
    candidates = [
        _text(session.get("sourceIdentity")),
        _text(_object(session.get("sessionIssuer")).get("arn")),
        lasting_key,
        _text(_object(user.get("onBehalfOf")).get("userId")),
    ]
    # Services of AWS and the principals of other accounts have no key here.
    if key or user.get("type") not in ("AWSService", "AWSAccount"):
        candidates += [_without_session(user.get("arn")), _without_session(user.get("principalId")), key]
    return next(filter(None, candidates), None)


def _unwrapped(item: Any) -> Record:
    """The record within an event of lookup-events or a row of a query in CloudTrail Lake."""
    if isinstance(item, list) and item and all(isinstance(column, dict) for column in item):
        # A row of a query is a list of objects with one column each.
        return {name: value for column in item for name, value in column.items()}
    if not isinstance(item, dict):
        raise UnknownItemError
    event = item.get("CloudTrailEvent")
    if isinstance(event, str):
        return _object(_parsed(event)) or {"eventID": item.get("EventId")}
    return item


def _nested(record: Record) -> Record:
    """The record with the documented names. A query makes them flat: userIdentity.arn, useridentity_arn."""
    if isinstance(record.get("userIdentity"), dict) and "eventTime" in record:
        return record
    nested: Record = {}
    for name, value in _flat(record):
        known = _BY_LETTERS.get(re.sub(r"[\W_]", "", name).lower(), name)
        _set(nested, known.split("."), value)
    return nested


def _flat(record: Record, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The members of a record and of the objects in it, by their names joined with a dot."""
    for name, value in record.items():
        inner = _parsed(value) if isinstance(value, str) and value.startswith("{") else value
        if isinstance(inner, dict):
            yield from _flat(inner, f"{prefix}{name}.")
        elif value not in (None, "", "null"):
            yield prefix + name, value


def _set(record: Record, path: Sequence[str], value: Any) -> None:
    """Set a member of a nested record. A member that stands there already stays."""
    for name in path[:-1]:
        inner = record.setdefault(name, {})
        if not isinstance(inner, dict):
            return
        record = inner
    record.setdefault(path[-1], value)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def _object(value: Any) -> Record:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _without_session(value: Any) -> str | None:
    """An ARN or the id of a principal without the name of a session of a role, which its caller chooses."""
    text = _text(value)
    if text is None:
        return None
    for pattern in (_ROLE_SESSION, _ROLE_ID_SESSION):
        match = pattern.fullmatch(text)
        if match:
            return match.group(1)
    return text


CLOUDTRAIL = Preset(
    documents=Documents(
        lists=("Records", "Events", "QueryResultRows"),
        record=record_of,
        passed_over=(
            "/CloudTrail-Digest/",
            "_CloudTrail-Digest_",
            "/CloudTrail-Insight/",
            "_CloudTrail-Insight_",
        ),
    ),
    columns={
        "timestamp": "{/eventTime}",
        "key_id": "{/identity}",
        "endpoint": "{/eventSource}:{/eventName}",
        "error": "{/errorCode}",
        "client": "{/sourceIPAddress}",
        # AWS makes both ids. Deliveries overlap, and two accounts may get the same event under a shared id.
        "event_id": "{/sharedEventID|/eventID}",
    },
    # A record names keys and identities, never a secret.
    clear_keys=False,
    description="{/eventSource}:{/eventName} by {/userIdentity/invokedBy|/userIdentity/type}",
)
