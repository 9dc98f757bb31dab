"""Events of CloudTrail in the forms in which AWS writes them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from detector.config.load import load
from detector.config.source import FilesSource
from detector.model.errors import SourceError
from detector.pipeline import Job, run_day
from detector.sources.files.reader import FilesReader
from detector.state.database import State
from detector.usage.aggregation import map_of
from detector.usage.history import History

DAY = date(2026, 1, 2)


def event(identity: str, key: str | None = "AKIDEXAMPLE", **changes: Any) -> dict[str, Any]:
    """One record in the form in which the service writes it."""
    user = {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}
    if key:
        user = {"type": "IAMUser", "accessKeyId": key}
    return {
        "eventVersion": "1.08",
        "userIdentity": user,
        "eventTime": "2026-01-02T10:00:00Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        "sourceIPAddress": "10.0.0.1",
        "eventID": identity,
        **changes,
    }


def deliver(folder: Path, name: str, *events: dict[str, Any]) -> None:
    """Write one delivered file."""
    (folder / name).write_bytes(gzip.compress(json.dumps({"Records": events}).encode()))


def trail(folder: Path, **options: Any) -> FilesReader:
    """A source over all deliveries in the folder."""
    usage = f"{folder}/*.json*"
    return FilesReader(FilesSource(usage=usage, preset="cloudtrail", **options), ZoneInfo("UTC"))


def test_an_event_becomes_a_request_of_its_access_key(tmp_path: Path) -> None:
    """Endpoint, error, client and time come from the fields that AWS documents."""
    failed = event("2", eventName="PutObject", errorCode="AccessDenied", eventTime="2026-01-02T11:00:00Z")
    deliver(tmp_path, "a.json.gz", event("1"), failed, event("3", key="AKIDOTHER", sourceIPAddress="10.0.0.2"))
    source = trail(tmp_path)
    ((_, frame),) = source.usage(DAY, DAY)
    assert frame["key_id"].tolist() == ["AKIDEXAMPLE", "AKIDOTHER"]
    assert frame["request_count"].tolist() == [2, 1]
    assert frame["error_count"].tolist() == [1, 0]
    assert frame["client_count"].tolist() == [1, 1]
    endpoints = map_of(frame["endpoint_distribution"][0])
    assert endpoints == {"s3.amazonaws.com:GetObject": 1, "s3.amazonaws.com:PutObject": 1}
    assert source.watermark() == datetime(2026, 1, 2, 11, tzinfo=UTC)
    assert source.faults(DAY) == ()


def test_an_event_delivered_twice_counts_once(tmp_path: Path) -> None:
    """Deliveries overlap, and copies of an event have the same id."""
    deliver(tmp_path, "a.json.gz", event("1"), event("2"))
    deliver(tmp_path, "b.json.gz", event("2"), event("3"))
    ((_, frame),) = trail(tmp_path).usage(DAY, DAY)
    assert frame["request_count"].tolist() == [3]


def test_events_of_services_are_a_fault_whose_sample_names_the_service(tmp_path: Path) -> None:
    """These events carry no access key, so they belong to no key."""
    deliver(tmp_path, "a.json.gz", event("1"), event("2", key=None), event("3", key=None))
    source = trail(tmp_path)
    list(source.usage(DAY, DAY))
    (fault,) = source.faults(DAY)
    assert (fault.reason, fault.count, fault.dated) == ("no key id, not attributable to a key", 2, True)
    assert fault.samples == ("a.json.gz: s3.amazonaws.com:GetObject by ec2.amazonaws.com",)


FOREIGN: list[tuple[str, bytes, dict[str, int], str]] = [
    ("cut off", b'{"Records": [{"eventID"', {"file is not valid JSON": 1}, '{"eventID"'),
    (
        "no JSON",
        b"2026-01-02 10:00:00 GET /a\n" * 300,
        {"file is not valid JSON": 1},
        "2026-01-02 10:00:00 GET /a",
    ),
    ("nothing", b"", {"file is not valid JSON": 1}, "b.json"),
    (
        "one object",
        b'{"fileVersion": "1.0", "configurationItems": []}',
        {"file has no records": 1},
        "configuration",
    ),
    ("many objects", b'{"level": "info"}\n' * 300, {"file has no records": 1}, "an object with level"),
    ("an array of numbers", b"[1, 2, 3]", {"file has no records": 1}, "a single value"),
    (
        "an event of the lookup that is cut",
        b'{"Events": [{"EventId": "9", "CloudTrailEvent": "{"}]}',
        {"missing time": 1},
        "",
    ),
    ("a digest", b'{"digestStartTime": "2026-01-02T10:00:00Z", "digestS3Object": "a"}', {}, ""),
    ("an insight", b'{"Records": [{"eventType": "AwsCloudTrailInsight", "eventID": "9"}]}', {}, ""),
    ("an insight by category", b'{"Records": [{"eventCategory": "Insight", "eventID": "9"}]}', {}, ""),
    ("no records", b'{\n "Records": [\n ]\n}', {}, ""),
    ("no lines", b"[]", {}, ""),
]
SHORT = {
    "missing or unreadable timestamp": "missing time",
    "file has no records of the preset": "file has no records",
}


@pytest.mark.parametrize(
    ("content", "expected", "shown"), [row[1:] for row in FOREIGN], ids=[row[0] for row in FOREIGN]
)
def test_a_foreign_file_among_the_deliveries_is_one_fault_that_says_what_it_holds(
    tmp_path: Path, content: bytes, expected: dict[str, int], shown: str
) -> None:
    """Whatever its length. Digests and Insights events are known and are no fault."""
    deliver(tmp_path, "a.json.gz", event("1"))
    (tmp_path / "b.json").write_bytes(content)
    source = trail(tmp_path)
    ((_, frame),) = source.usage(DAY, DAY)
    assert frame["request_count"].tolist() == [1]
    faults = source.faults(DAY)
    assert {SHORT.get(fault.reason, fault.reason): fault.count for fault in faults} == expected
    for fault in faults:
        assert fault.samples[0].startswith("b.json")
        assert shown in fault.samples[0]


@pytest.mark.parametrize(
    "name",
    [
        "AWSLogs/1/CloudTrail-Digest/eu-west-1/2026/a.json",
        "AWSLogs/1/CloudTrail-Insight/eu-west-1/2026/a.json",
        "1_CloudTrail-Digest_eu-west-1_trail_eu-west-1_20260102T100000Z.json",
        "1_CloudTrail-Insight_eu-west-1_20260102T1000Z_Ab12.json",
    ],
)
def test_digests_and_insights_are_known_by_their_names(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A glob over all of a bucket takes them too. They are not even opened."""
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("never read")
    deliver(tmp_path, "z.json.gz", event("1"))
    source = FilesReader(FilesSource(usage=f"{tmp_path}/**/*.json*", preset="cloudtrail"), ZoneInfo("UTC"))
    with caplog.at_level("INFO"):
        ((_, frame),) = source.usage(DAY, DAY)
    assert frame["request_count"].tolist() == [1]
    assert source.faults(DAY) == ()
    assert caplog.messages == ["1 file and 0 items passed over: known to hold no request"]


def lines(*events: dict[str, Any]) -> str:
    """One record a line."""
    return "".join(json.dumps(record) + "\n" for record in events)


def lookup(*events: dict[str, Any]) -> str:
    """The answer of lookup-events, which holds every record as text."""
    found = [{"EventId": record["eventID"], "CloudTrailEvent": json.dumps(record)} for record in events]
    return json.dumps({"NextToken": "x", "Events": found}, indent=1)


def flat(record: dict[str, Any], join: str = ".") -> dict[str, Any]:
    """A record as a query in CloudTrail Lake gives it: one level, times with a blank."""
    user = {f"userIdentity{join}{name}": value for name, value in record["userIdentity"].items()}
    others = {name: value for name, value in record.items() if name != "userIdentity"}
    return {**others, **user, "eventTime": "2026-01-02 10:00:00.000", "errorCode": None}


SHAPES: list[tuple[str, Callable[..., str]]] = [
    ("delivery", lambda *events: json.dumps({"Records": events})),
    ("pretty delivery", lambda *events: json.dumps({"Records": events}, indent=2)),
    ("delivery behind a mark", lambda *events: "\ufeff" + json.dumps({"Records": events})),
    ("deliveries one after another", lambda *events: lines(*({"Records": [record]} for record in events))),
    ("lines", lines),
    ("pretty objects", lambda *events: "\n".join(json.dumps(record, indent=2) for record in events)),
    ("array", lambda *events: json.dumps(events)),
    ("pretty array", lambda *events: json.dumps(events, indent=2)),
    ("lookup-events", lookup),
    ("events of lookup-events", lambda *events: json.dumps(json.loads(lookup(*events))["Events"])),
    ("flat array", lambda *events: json.dumps([flat(record) for record in events])),
    ("flat lines", lambda *events: lines(*(flat(record, "_") for record in events))),
    (
        "small letters",
        lambda *events: json.dumps([json.loads(json.dumps(flat(record)).lower()) for record in events]),
    ),
    ("text of an object", lambda *events: lines(*(_user_as_text(record) for record in events))),
    (
        "rows of a query",
        lambda *events: json.dumps(
            {
                "QueryStatus": "FINISHED",
                "QueryResultRows": [[{name: value} for name, value in flat(record).items()] for record in events],
            }
        ),
    ),
]


def _user_as_text(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "userIdentity": json.dumps(record["userIdentity"])}


@pytest.mark.parametrize("shape", [row[1] for row in SHAPES], ids=[row[0] for row in SHAPES])
def test_the_content_of_a_file_says_where_its_records_lie(tmp_path: Path, shape: Callable[..., str]) -> None:
    """Whatever its name."""
    content = shape(event("1", key="akid1"), event("2", key="akid1"), event("3", key="akid2"))
    for suffix in ("json", "jsonl"):
        folder = tmp_path / suffix
        folder.mkdir()
        (folder / f"a.{suffix}").write_text(content)
        source = trail(folder)
        ((_, frame),) = source.usage(DAY, DAY)
        assert dict(zip(frame["key_id"], frame["request_count"], strict=True)) == {"akid1": 2, "akid2": 1}
        assert source.faults(DAY) == ()


def test_a_damaged_line_is_one_fault_and_the_lines_around_it_count(tmp_path: Path) -> None:
    """Here the first line is cut and one is no JSON. A control character or a bad byte does no harm."""
    good = lines(event("1")).encode()
    odd = lines(event("2", eventName="A\tB")).encode().replace(b"\\t", b"\x01")
    bad_bytes = lines(event("3", errorMessage="xx")).encode().replace(b"xx", b"\xff\xfe")
    (tmp_path / "a.json").write_bytes(good[: len(good) // 2] + b"\n" + good + odd + b"not JSON\n" + bad_bytes)
    source = trail(tmp_path)
    ((_, frame),) = source.usage(DAY, DAY)
    assert frame["request_count"].tolist() == [3]
    assert {fault.reason: fault.count for fault in source.faults(DAY)} == {
        "not a JSON object": 2,
        "characters that are not text, replaced": 3,
    }


def test_what_stands_before_a_damaged_part_of_a_delivery_counts(tmp_path: Path) -> None:
    """The fault says that the rest of the file is not known."""
    text = json.dumps({"Records": [event("1"), event("2"), event("3")]})
    (tmp_path / "a.json").write_text(text.replace('"eventID": "3"', '"eventID": nonsense'))
    source = trail(tmp_path)
    ((_, frame),) = source.usage(DAY, DAY)
    assert frame["request_count"].tolist() == [2]
    assert {fault.reason: fault.count for fault in source.faults(DAY)} == {"file is not valid JSON": 1}


ROLE = "arn:aws:iam::111122223333:role/deploy"
SESSION = "arn:aws:sts::111122223333:assumed-role/deploy/"
USER = "arn:aws:iam::111122223333:user/alice"


def session(kind: str, number: int, **changes: Any) -> dict[str, Any]:
    """The identity of a session, with its own temporary key and its own name."""
    return {
        "type": kind,
        "principalId": f"AROAEXAMPLE:session-{number}",
        "arn": f"{SESSION}session-{number}",
        "accessKeyId": f"ASIAEXAMPLE{number}",
        **changes,
    }


IDENTITIES: list[tuple[str, Callable[[int], dict[str, Any]], str | None]] = [
    (
        "role",
        lambda number: session(
            "AssumedRole", number, sessionContext={"sessionIssuer": {"type": "Role", "arn": ROLE}}
        ),
        ROLE,
    ),
    (
        "role with a source identity",
        lambda number: session(
            "AssumedRole", number, sessionContext={"sourceIdentity": "alice", "sessionIssuer": {"arn": ROLE}}
        ),
        "alice",
    ),
    ("role without an issuer", lambda number: session("AssumedRole", number), SESSION[:-1]),
    ("role without an ARN", lambda number: session("AssumedRole", number, arn=None), "AROAEXAMPLE"),
    ("role with nothing but a key", lambda _: {"type": "AssumedRole", "accessKeyId": "ASIAONE"}, "ASIAONE"),
    (
        "federated user",
        lambda number: session(
            "FederatedUser", number, sessionContext={"sessionIssuer": {"type": "IAMUser", "arn": USER}}
        ),
        USER,
    ),
    (
        "federated user without an issuer",
        lambda _: session("FederatedUser", 1, arn="arn:aws:sts::111122223333:federated-user/bob"),
        "arn:aws:sts::111122223333:federated-user/bob",
    ),
    (
        "web identity",
        lambda _: {"type": "WebIdentityUser", "principalId": "accounts.google.com:app:user", "userName": "user"},
        "accounts.google.com:app:user",
    ),
    ("SAML", lambda _: {"type": "SAMLUser", "principalId": "SampleUk:bob", "userName": "bob"}, "SampleUk:bob"),
    (
        "Identity Center",
        lambda _: {"type": "IdentityCenterUser", "onBehalfOf": {"userId": "user-1"}, "credentialId": "c"},
        "user-1",
    ),
    ("user", lambda _: {"type": "IAMUser", "arn": USER, "accessKeyId": "AKIAEXAMPLE"}, "AKIAEXAMPLE"),
    ("root", lambda _: {"type": "Root", "arn": "arn:aws:iam::1:root", "accessKeyId": "AKIAROOT"}, "AKIAROOT"),
    (
        "session of a user",
        lambda number: {"type": "IAMUser", "arn": USER, "accessKeyId": f"ASIAEXAMPLE{number}"},
        USER,
    ),
    ("sign-in of a user", lambda _: {"type": "IAMUser", "arn": USER, "accessKeyId": ""}, USER),
    ("root without a key", lambda _: {"type": "Root", "arn": "arn:aws:iam::1:root"}, "arn:aws:iam::1:root"),
    ("unknown principal", lambda _: {"type": "Unknown", "principalId": "", "accountId": ""}, None),
    (
        "role in another partition",
        lambda number: session("AssumedRole", number, arn=f"arn:aws-us-gov:sts::1:assumed-role/deploy/{number}"),
        "arn:aws-us-gov:sts::1:assumed-role/deploy",
    ),
    ("service", lambda _: {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}, None),
    ("other account", lambda _: {"type": "AWSAccount", "accountId": "1", "principalId": "AIDAEXAMPLE"}, None),
]


@pytest.mark.parametrize(("identity", "key"), [row[1:] for row in IDENTITIES], ids=[row[0] for row in IDENTITIES])
def test_sessions_of_an_identity_are_one_key(
    tmp_path: Path, identity: Callable[[int], dict[str, Any]], key: str | None
) -> None:
    """A temporary key dies with its session, so it is not the key where anything lasting is known."""
    deliver(tmp_path, "a.json.gz", *(event(str(number), userIdentity=identity(number)) for number in range(3)))
    ((_, frame),) = trail(tmp_path).usage(DAY, DAY)
    assert dict(zip(frame["key_id"], frame["request_count"], strict=True)) == ({key: 3} if key else {})


def test_an_event_that_two_accounts_receive_counts_once(tmp_path: Path) -> None:
    """Each account has its own event id, and both have the shared one."""
    deliver(tmp_path, "a.json.gz", event("1", sharedEventID="s"), event("3"))
    deliver(tmp_path, "b.json.gz", event("2", sharedEventID="s"))
    ((_, frame),) = trail(tmp_path).usage(DAY, DAY)
    assert frame["request_count"].tolist() == [2]


def test_a_session_may_be_the_key_where_the_configuration_says_so(tmp_path: Path) -> None:
    """No salt is needed: a record of CloudTrail never holds a secret."""
    deliver(tmp_path, "a.json.gz", *(event(str(n), userIdentity=session("AssumedRole", n)) for n in range(2)))
    source = trail(tmp_path, columns={"key_id": "{/userIdentity/accessKeyId}"})
    ((_, frame),) = source.usage(DAY, DAY)
    assert frame["key_id"].tolist() == ["ASIAEXAMPLE0", "ASIAEXAMPLE1"]


def test_records_without_a_time_are_counted_as_faults(tmp_path: Path) -> None:
    """A record without a time belongs to no day."""
    deliver(tmp_path, "a.json.gz", event("1"), {"eventID": "2"}, event("3", eventTime="soon"))
    source = trail(tmp_path)
    list(source.usage(DAY, DAY))
    found = {fault.reason: fault.count for fault in source.faults(DAY)}
    assert found == {"missing or unreadable timestamp": 2}


def test_a_delivery_that_is_cut_off_is_an_error(tmp_path: Path) -> None:
    """A copy that is not finished must not look like a quiet day."""
    deliver(tmp_path, "a.json.gz", event("1"))
    (tmp_path / "b.json.gz").write_bytes((tmp_path / "a.json.gz").read_bytes()[:-10])
    with pytest.raises(SourceError, match=r"b\.json\.gz"):
        list(trail(tmp_path).usage(DAY, DAY))


def test_plain_columns_beside_a_preset_are_an_error(tmp_path: Path) -> None:
    """With a preset a column is a template: a plain name cannot say where in a record the value stands."""
    deliver(tmp_path, "a.json.gz", event("1"))
    with pytest.raises(SourceError, match=r"columns\.timestamp"):
        trail(tmp_path, columns={"timestamp": "when"}).watermark()


def role_events(day: date, role: int, calls: int, sessions: int = 8) -> list[dict[str, Any]]:
    """A day of a role: sessions with temporary keys of their own."""
    context = {"sessionIssuer": {"type": "Role", "arn": f"arn:aws:iam::111122223333:role/role{role}"}}
    found = []
    for number in range(calls):
        name = f"{day:%m%d}-{role}-{number % sessions}"
        user = {
            **session("AssumedRole", 0, sessionContext=context),
            "accessKeyId": f"ASIA{name}",
            "arn": SESSION + name,
        }
        identity = f"{name}-{number}"
        found.append(event(identity, userIdentity=user, eventTime=f"{day}T{number % 24:02d}:00:00Z"))
    return found


def test_a_role_that_calls_far_more_is_found_although_its_sessions_are_new(tmp_path: Path) -> None:
    """Every day has new temporary keys. The roles are evaluated, and a dead session counts as no key."""
    last = date(2026, 3, 1)
    for ago in range(41):
        day = last - timedelta(days=ago)
        events = []
        for role in range(20):
            calls = 20 + (day.toordinal() * 7 + role * 3) % 5
            events += role_events(day, role, calls * 100 if role == 3 and ago == 0 else calls)
        deliver(tmp_path, f"{day}.json.gz", *events)
    (tmp_path / "config.yaml").write_text(
        f"source: {{kind: files, preset: cloudtrail, usage: '{tmp_path}/*.json.gz', deployment: production}}\n"
        "history: {first_pull_days: 41}\n"
    )
    config = load(tmp_path / "config.yaml")
    source = FilesReader(config.source, config.zone)
    with closing(State.of(config)) as state:
        history = History(Path(config.history.path), config.zone)
        job = Job(config, source, history, state, datetime(2026, 3, 2, 2, 30, tzinfo=UTC))
        report = run_day(job, last).report
    assert [(found.type, found.key_id, found.severity.value) for found in report.findings] == [
        ("usage_spike", "arn:aws:iam::111122223333:role/role3", "high")
    ]
    assert (report.coverage.keys_active, report.coverage.keys_judged) == (20, 20)
