"""Every preset turns a line from the vendor's documentation into records by key."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from detector.config.source import FilesSource
from detector.model.errors import SourceError
from detector.sources.files.protection import ProtectedKeys
from detector.sources.files.reader import FilesReader
from detector.sources.presets import preset_named
from detector.usage.aggregation import map_of

AWS = {
    "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
    "extendedRequestId": "Mqb7yEXAMPLE=",
    "ip": "127.0.0.1",
    "caller": "-",
    "user": "-",
    "requestTime": "09/Aug/2026:12:38:12 +0000",
    "requestTimeEpoch": "1786279092000",
    "httpMethod": "GET",
    "resourcePath": "/pets/{petId}",
    "status": "404",
    "protocol": "HTTP/1.1",
    "responseLength": "57",
    "stage": "production",
    "apiKeyId": "a1b2c3d4e5",
}
KONG = {
    "response": {"size": 9982, "headers": {"connection": "close"}, "status": 200},
    "route": {"name": "example_route", "paths": ["/example-route"]},
    "workspace_name": "default",
    "client_ip": "192.168.65.1",
    "request": {
        "id": "2f6946328ffc4946b8c9120704a4a155",
        "headers": {"accept": "*/*", "host": "localhost:8000", "apikey": "sk-kong-4711-abcdefgh"},
        "uri": "/example-route?apikey=sk-kong-4711-abcdefgh",
        "size": 139,
        "method": "GET",
        "querystring": {},
    },
    "authenticated_entity": {"id": "eaa330c0-4cff-47f5-c79e-b2e4f355207e"},
    "consumer": {"id": "80f74eef-31b8-45d5-c525-ae532297ea8e", "username": "shop"},
    "started_at": 1726783839538,
}
ENVOY = {
    ":authority": "backend",
    "bytes_received": 0,
    "bytes_sent": 466,
    "downstream_remote_address": "10.244.0.12:34805",
    "duration": 1,
    "method": "GET",
    "protocol": "HTTP/1.1",
    "response_code": 200,
    "response_flags": "-",
    "start_time": "2025-04-09T11:44:45.639Z",
    "user-agent": "curl/7.88.1",
    "x-envoy-origin-path": "/orders/4711?page=2",
    "x-forwarded-for": "10.244.0.12",
    "x-request-id": "ab1e4da7-5f1d-45ea-bb4a-fa1ccd03b82b",
    "x-api-key": "sk-envoy-4711-abcdefgh",
}
CLOUDFLARE = {
    "ClientIP": "89.163.242.206",
    "ClientRequestHost": "www.example.com",
    "ClientRequestMethod": "GET",
    "ClientRequestURI": "/static/img/testimonial.png?key=x",
    "EdgeEndTimestamp": 1506702504461999900,
    "EdgeResponseBytes": 69045,
    "EdgeResponseStatus": 200,
    "EdgeStartTimestamp": 1506702504433000200,
    "RayID": "3a6050bcbe121a87",
    "RequestHeaders": {"x-api-key": "sk-cloud-4711-abcdefgh"},
}
TYK = {
    "level": "info",
    "msg": "",
    "time": "2022-11-16T03:01:55Z",
    "tyk-analytics-record": {
        "method": "GET",
        "host": "tyk.io",
        "path": "/foo/bar",
        "raw_path": "/foo/bar",
        "content_length": 10,
        "user_agent": "curl/7.86.0",
        "response_code": 200,
        "api_key": "sk-tyk-4711-abcdefghijk",
        "timestamp": "2022-11-16T03:01:54.648Z",
        "api_id": "727dad853a8a45f64ab981154d1ffdad",
        "ip_address": "172.18.0.1",
    },
}
GRAVITEE = {
    "timestamp": 1692359213844,
    "requestId": "076aea69-6024-4590-aaea-6960247590a0",
    "apiId": "5f67b38f-0700-4557-a7b3-8f0700855779",
    "planId": "8463511c-fbed-4ca9-a351-1cfbed9ca99d",
    "applicationId": "91f077b0-1204-49e4-b077-b0120419e4f6",
    "subscriptionId": "318e47e5-349c-4fa4-8e47-e5349c3fa444",
    "httpMethod": "GET",
    "remoteAddress": "127.0.0.1",
    "host": "localhost",
    "uri": "/test-v4",
    "status": 200,
}
GRAVITEE_LEGACY = {
    "timestamp": 1692357381941,
    "requestId": "13f5ae30-068b-4e2d-b5ae-30068bae2d2d",
    "application": "91f077b0-1204-49e4-b077-b0120419e4f6",
    "remoteAddress": "127.0.0.1",
    "httpMethod": "GET",
    "host": "localhost",
    "uri": "/test",
    "status": 200,
    "securityType": "API_KEY",
    "securityToken": "21b560b2-59b8-4a4b-921a-32b3731fdec4",
    "subscription": "04975880-f147-43bc-9758-80f147e3bcbb",
}
COMBINED = (
    '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif?size=2 HTTP/1.0" 200 2326 '
    '"http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)"'
)
WITH_KEY = f'{COMBINED} "sk-web-4711-abcdefgh"'
WITH_QUERY = WITH_KEY.replace("?size=2", "?api_key=junk")
DIGEST_KEY = "Digest username=a, realm=b, nonce=c"
DIGEST = f'{COMBINED} "{DIGEST_KEY}"'
KONG_KEY = KONG["authenticated_entity"]["id"]
ENVOY_KEY = ENVOY["x-api-key"]
TYK_KEY = TYK["tyk-analytics-record"]["api_key"]


def cloud(authorization: str, key: str) -> dict[str, Any]:
    """A request behind Cloudflare with these two headers."""
    return {**CLOUDFLARE, "RequestHeaders": {"authorization": authorization, "x-api-key": key}}


SAMPLES: list[tuple[str, Any, str, str, str | None, datetime]] = [
    (
        "aws_api_gateway",
        AWS,
        "a1b2c3d4e5",
        "GET /pets/{petId}",
        "production",
        datetime(2026, 8, 9, 12, 38, 12, tzinfo=UTC),
    ),
    (
        "kong",
        KONG,
        "eaa330c0-4cff-47f5-c79e-b2e4f355207e",
        "GET /example-route",
        None,
        datetime(2024, 9, 19, 22, 10, 39, 538000, tzinfo=UTC),
    ),
    (
        "envoy",
        ENVOY,
        "sk-envoy-4711-abcdefgh",
        "GET /orders/{id}",
        "backend",
        datetime(2025, 4, 9, 11, 44, 45, 639000, tzinfo=UTC),
    ),
    (
        "cloudflare",
        CLOUDFLARE,
        "sk-cloud-4711-abcdefgh",
        "GET /static/img/testimonial.png",
        "www.example.com",
        datetime(2017, 9, 29, 16, 28, 24, 433000, tzinfo=UTC),
    ),
    (
        "tyk",
        TYK,
        "sk-tyk-4711-abcdefghijk",
        "GET /foo/bar",
        "tyk.io",
        datetime(2022, 11, 16, 3, 1, 54, 648000, tzinfo=UTC),
    ),
    (
        "gravitee",
        GRAVITEE,
        "318e47e5-349c-4fa4-8e47-e5349c3fa444",
        "GET /test-v4",
        "localhost",
        datetime(2023, 8, 18, 11, 46, 53, 844000, tzinfo=UTC),
    ),
    (
        "gravitee",
        GRAVITEE_LEGACY,
        "04975880-f147-43bc-9758-80f147e3bcbb",
        "GET /test",
        "localhost",
        datetime(2023, 8, 18, 11, 16, 21, 941000, tzinfo=UTC),
    ),
    (
        "apache",
        WITH_KEY,
        "sk-web-4711-abcdefgh",
        "GET /apache_pb.gif",
        None,
        datetime(2000, 10, 10, 20, 55, 36, tzinfo=UTC),
    ),
    (
        "nginx",
        WITH_KEY,
        "sk-web-4711-abcdefgh",
        "GET /apache_pb.gif",
        None,
        datetime(2000, 10, 10, 20, 55, 36, tzinfo=UTC),
    ),
]


SALT = "a salt for tests alone"


def key_id(preset: str, key: str) -> str:
    """The id of a key of the preset."""
    if preset_named(preset).secret:
        return ProtectedKeys(SALT).protected(key)
    return key


def logged(folder: Path, preset: str, records: Sequence[Any], name: str = "a.log", **options: Any) -> FilesReader:
    """A source over one log with these records, JSON or text."""
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    text = "".join(f"{line}\n" for line in lines).encode()
    (folder / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return reader(folder, preset, **options)


def reader(folder: Path, preset: str, **options: Any) -> FilesReader:
    """A source over all logs of a folder."""
    config = FilesSource(usage=f"{folder}/*", preset=preset, key_salt=SALT, **options)
    return FilesReader(config, ZoneInfo("UTC"))


def found(source: FilesReader, day: date) -> dict[str, tuple[int, int]]:
    """Requests and errors by key on one day."""
    ((_, frame),) = source.usage(day, day)
    return {key: (requests, errors) for key, requests, errors in frame.iloc[:, :3].itertuples(index=False)}


def faults(source: FilesReader, day: date) -> dict[str, int]:
    """Faults of one day, which is pulled: reason to count."""
    list(source.usage(day, day))
    return {fault.reason: fault.count for fault in source.faults(day)}


@pytest.mark.parametrize(
    ("preset", "record", "key", "endpoint", "deployment", "time"), SAMPLES, ids=[row[0] for row in SAMPLES]
)
def test_a_line_of_the_vendor_becomes_a_request_of_its_key(
    tmp_path: Path, preset: str, record: Any, key: str, endpoint: str, deployment: str | None, time: datetime
) -> None:
    """Key, endpoint, deployment, time and client come from the documented fields; the query string is removed."""
    source = logged(tmp_path, preset, [record])
    ((_, frame),) = source.usage(time.date(), time.date())
    (row,) = frame.to_dict("records")
    assert row["key_id"] == key_id(preset, key)
    assert (row["request_count"], row["client_count"]) == (1, 1)
    assert map_of(row["endpoint_distribution"]) == {endpoint: 1}
    assert map_of(row["deployments"]) == ({deployment: 1} if deployment else {})
    assert abs(row["last_used"] - time) < timedelta(milliseconds=1)
    assert source.faults(time.date()) == ()


@pytest.mark.parametrize(
    ("preset", "record", "time"),
    [(row[0], row[1], row[5]) for row in SAMPLES],
    ids=[row[0] for row in SAMPLES],
)
def test_damaged_lines_are_counted_and_the_other_lines_are_read(
    tmp_path: Path, preset: str, record: Any, time: datetime
) -> None:
    """A line of another format, a line that is not UTF-8, and a last line that is still being written."""
    line = record if isinstance(record, str) else json.dumps(record)
    text = f"{line}\nnot of this format\n\n".encode() + b"\xff\n" + line[: len(line) // 3].encode()
    (tmp_path / "a.log").write_bytes(text)
    source = reader(tmp_path, preset)
    assert len(found(source, time.date())) == 1
    unreadable = "line is not in the format of the preset" if record is WITH_KEY else "not a JSON object"
    assert faults(source, time.date()) == {unreadable: 3, "characters that are not text, replaced": 1}


@pytest.mark.parametrize(
    ("preset", "record", "time"),
    [
        (row[0], row[1], row[5])
        for row in SAMPLES
        if row[0] in ("aws_api_gateway", "kong", "cloudflare", "gravitee")
    ],
)
def test_a_request_read_twice_counts_once_where_the_vendor_has_an_id(
    tmp_path: Path, preset: str, record: Any, time: datetime
) -> None:
    """Rotation copies files, and deliveries overlap."""
    logged(tmp_path, preset, [record], name="a.log.1.gz")
    assert [count for count, _ in found(logged(tmp_path, preset, [record]), time.date()).values()] == [1]


def test_an_id_that_callers_choose_does_not_hide_requests(tmp_path: Path) -> None:
    """API Gateway lets callers set the request id, but not the extended request id."""
    records = [{**AWS, "extendedRequestId": str(number)} for number in range(3)]
    source = logged(tmp_path, "aws_api_gateway", records)
    assert found(source, date(2026, 8, 9)) == {"a1b2c3d4e5": (3, 3)}


def test_a_dash_is_a_missing_key(tmp_path: Path) -> None:
    """Requests without a key are a fault; a dash is the id of no key."""
    source = logged(tmp_path, "aws_api_gateway", [{**AWS, "apiKeyId": "-"}, {**AWS, "extendedRequestId": "2"}])
    assert found(source, date(2026, 8, 9)) == {"a1b2c3d4e5": (1, 1)}
    assert faults(source, date(2026, 8, 9)) == {"no key id, not attributable to a key": 1}


def test_without_the_epoch_the_written_time_is_read(tmp_path: Path) -> None:
    """The time of the common log format carries its offset."""
    record = {**AWS, "requestTime": "10/Aug/2026:01:00:00 +0200"}
    del record["requestTimeEpoch"]
    assert list(found(logged(tmp_path, "aws_api_gateway", [record]), date(2026, 8, 9))) == ["a1b2c3d4e5"]


def test_kong_without_a_credential_names_the_consumer(tmp_path: Path) -> None:
    """Some authentication plugins log no credential."""
    record = {name: value for name, value in KONG.items() if name != "authenticated_entity"}
    assert list(found(logged(tmp_path, "kong", [record]), date(2024, 9, 19))) == [
        "80f74eef-31b8-45d5-c525-ae532297ea8e"
    ]


@pytest.mark.parametrize(
    ("request_line", "key"),
    [
        ("GET /a?api-key=k%2F1&x=2 HTTP/1.1", "k/1"),
        ("GET /a?x=2&api-key=k1#f HTTP/2.0", "k1"),
        ("GET /a?api-key=%zz%ff HTTP/1.1", "%zz%ff"),
        ("GET /a?my-api-key=k1 HTTP/1.1", None),
        ("GET /a?api-key= HTTP/1.1", None),
        ("-", None),
        (r"\x16\x03\x01 \"x\" [", None),
    ],
)
def test_the_key_may_stand_in_a_query_parameter(tmp_path: Path, request_line: str, key: str | None) -> None:
    """A template names the parameter. A request without it is a request without a key."""
    line = COMBINED.replace("GET /apache_pb.gif?size=2 HTTP/1.0", request_line)
    source = logged(tmp_path, "nginx", [line], columns={"key_id": "{/path?api-key}"})
    assert list(found(source, date(2000, 10, 10))) == ([key_id("nginx", key)] if key else [])
    assert sum(faults(source, date(2000, 10, 10)).values()) == int(key is None)


NOTE = "two different keys in one request, the first counts"

URLS: list[tuple[str, Any, str, date]] = [
    ("aws_api_gateway", AWS, "/path", date(2026, 8, 9)),
    ("kong", KONG, "/request/uri", date(2024, 9, 19)),
    ("envoy", ENVOY, "/x-envoy-origin-path", date(2025, 4, 9)),
    ("cloudflare", CLOUDFLARE, "/ClientRequestURI", date(2017, 9, 29)),
    ("tyk", TYK, "/tyk-analytics-record/path", date(2022, 11, 16)),
    ("gravitee", GRAVITEE, "/uri", date(2023, 8, 18)),
    ("nginx", WITH_KEY, "/path", date(2000, 10, 10)),
    ("apache", WITH_KEY, "/path", date(2000, 10, 10)),
]
"""Every preset: a record, its member with the URL, and its day."""


def with_url(preset: str, record: Any, member: str, url: str) -> Any:
    """The record of a request for another URL, as the vendor writes it."""
    if isinstance(record, str):
        quote = r"\x22" if preset == "nginx" else r"\""
        return record.replace("/apache_pb.gif?size=2", url.replace('"', quote))
    return changed(record, {member: url})


def changed(record: Any, members: dict[str, Any]) -> Any:
    """The record with some members changed, by their pointers; None removes a member."""
    copied = json.loads(json.dumps(record))
    for pointer, value in members.items():
        *outer, last = pointer.split("/")[1:]
        inner = copied
        for name in outer:
            inner = inner.setdefault(name, {})
        inner[last] = value
        if value is None:
            del inner[last]
    return copied


QUERIES: list[tuple[str, str, str | None, bool]] = [
    ("encoded name", "/a?api%5Fkey=real-key&x=1", "real-key", False),
    ("encoded value", "/a?api_key=real%2Dkey", "real-key", False),
    ("plus is a blank", "/a?api_key=real+key", "real key", False),
    ("wrong encoding", "/a?api_key=real%zzkey", "real%zzkey", False),
    ("repeated", "/a?api_key=junk&api_key=real-key", "junk", True),
    ("repeated and encoded", "/a?api%5fkey=junk&x=1&api_key=real-key", "junk", True),
    ("the same twice", "/a?api_key=real-key&api_key=real%2Dkey", "real-key", False),
    ("empty first", "/a?api_key=&api_key=real-key", "real-key", False),
    ("scheme", "/a?api_key=Bearer%20real-key", "real-key", False),
    ("a longer name", "/a?my_api_key=junk", None, False),
    ("no value", "/a?api_key", None, False),
    ("before the query", "/a&api_key=junk", None, False),
    ("in the fragment", "/a?x=1#&api_key=junk", None, False),
]


@pytest.mark.parametrize(("preset", "record", "member", "day"), URLS, ids=[row[0] for row in URLS])
def test_a_query_parameter_is_read_as_servers_read_it(
    tmp_path: Path, preset: str, record: Any, member: str, day: date
) -> None:
    """Names and values are decoded. The first value counts, and another one is told."""
    for name, url, key, is_noted in QUERIES:
        folder = tmp_path / name
        folder.mkdir()
        line = with_url(preset, record, member, url)
        source = logged(folder, preset, [line], columns={"key_id": f"{{{member}?api_key}}"})
        assert list(found(source, day)) == ([ProtectedKeys(SALT).protected(key)] if key else []), name
        expected = {NOTE: 1} if is_noted else {}
        if key is None:
            expected = {"no key id, not attributable to a key": 1}
        assert faults(source, day) == expected, name


@pytest.mark.parametrize(("preset", "record", "member", "day"), URLS, ids=[row[0] for row in URLS])
def test_a_quote_in_a_url_hides_nothing(tmp_path: Path, preset: str, record: Any, member: str, day: date) -> None:
    """The endpoint is known, and so is the key in the query."""
    if preset == "aws_api_gateway":
        record = changed(record, {"/resourcePath": None})
    line = with_url(preset, record, member, '/say/"hello"?q="x"&api_key=real-key')
    source = logged(tmp_path, preset, [line], columns={"key_id": f"{{{member}?api_key}}"})
    ((_, frame),) = source.usage(day, day)
    quote = {"nginx": r"\x22", "apache": r"\""}.get(preset, '"')
    assert frame["key_id"].tolist() == [ProtectedKeys(SALT).protected("real-key")]
    assert map_of(frame["endpoint_distribution"][0]) == {f"GET /say/{quote}hello{quote}": 1}
    assert source.faults(day) == ()


SENT: list[tuple[str, str, Any, str | None, str, bool]] = [
    # preset, case, record, configured key, key that counts, whether another key is told
    ("aws_api_gateway", "a sent key", {**AWS, "apiKey": "junk"}, None, "a1b2c3d4e5", False),
    ("kong", "sent keys", changed(KONG, {"/request/headers/authorization": "Bearer junk"}), None, KONG_KEY, False),
    (
        "kong",
        "a verified key before a sent one",
        KONG,
        "{/authenticated_entity/id|/request/headers/apikey}",
        KONG_KEY,
        False,
    ),
    (
        "kong",
        "a sent key where none is verified",
        changed(KONG, {"/authenticated_entity": None}),
        "{/authenticated_entity/id|/request/headers/apikey}",
        "sk-kong-4711-abcdefgh",
        False,
    ),
    (
        "kong",
        "a header twice",
        changed(KONG, {"/request/headers/apikey": ["junk", "real-key"]}),
        "{/request/headers/apikey}",
        "junk",
        True,
    ),
    ("envoy", "two members", changed(ENVOY, {"/api_key": "other-key"}), None, "other-key", True),
    ("envoy", "the same in both", changed(ENVOY, {"/api_key": "sk-envoy-4711-abcdefgh"}), None, ENVOY_KEY, False),
    ("cloudflare", "two headers", cloud("Bearer real-key", "junk"), None, "real-key", True),
    ("cloudflare", "the same in both", cloud("Bearer real-key", "real-key"), None, "real-key", False),
    ("cloudflare", "one header", cloud("", "real-key"), None, "real-key", False),
    (
        "cloudflare",
        "one is configured",
        cloud("Bearer junk", "real-key"),
        "{/RequestHeaders/x-api-key}",
        "real-key",
        False,
    ),
    ("cloudflare", "a header twice", cloud("", "junk, real-key"), None, "junk", True),
    ("tyk", "a sent key", changed(TYK, {"/tyk-analytics-record/raw_request": "junk"}), None, TYK_KEY, False),
    ("gravitee", "a security token", GRAVITEE_LEGACY, None, GRAVITEE_LEGACY["subscription"], False),
    ("nginx", "a header twice", f'{COMBINED} "junk, real-key"', None, "junk", True),
    ("nginx", "the same twice", f'{COMBINED} "real-key, Bearer real-key"', None, "real-key", False),
    ("nginx", "header and query", WITH_QUERY, "{/key|/path?api_key}", "sk-web-4711-abcdefgh", True),
    ("apache", "a header twice", f'{COMBINED} "junk, real-key"', None, "junk", True),
    ("apache", "joined without a blank", f'{COMBINED} "junk,real-key"', None, "junk", True),
    ("apache", "parameters of a scheme", DIGEST, None, DIGEST_KEY, False),
]


@pytest.mark.parametrize(
    ("preset", "record", "template", "key", "is_noted"),
    [(preset, *rest) for preset, _, *rest in SENT],
    ids=[f"{row[0]}: {row[1]}" for row in SENT],
)
def test_a_caller_cannot_choose_in_silence_who_is_counted(
    tmp_path: Path, preset: str, record: Any, template: str | None, key: str, is_noted: bool
) -> None:
    """What the gateway verified counts alone. Of keys that are only sent the first counts, with a note."""
    day = {row[0]: row[3] for row in URLS}[preset]
    if record is GRAVITEE_LEGACY:
        day = date(2023, 8, 18)
    source = logged(tmp_path, preset, [record], columns={"key_id": template} if template else {})
    expected = ProtectedKeys(SALT).protected(key) if template else key_id(preset, key)
    assert {key: requests for key, (requests, _) in found(source, day).items()} == {expected: 1}
    assert faults(source, day) == ({NOTE: 1} if is_noted else {})


def test_an_address_in_the_place_of_a_subscription_is_no_key(tmp_path: Path) -> None:
    """Gravitee writes it for plans without keys, and a caller may choose it."""
    keyless = {**GRAVITEE, "subscriptionId": "10.9.8.7", "remoteAddress": "10.9.8.7", "requestId": "2"}
    source = logged(tmp_path, "gravitee", [GRAVITEE, keyless])
    assert list(found(source, date(2023, 8, 18))) == [GRAVITEE["subscriptionId"]]
    assert faults(source, date(2023, 8, 18)) == {"no key id, not attributable to a key": 1}


def test_the_nil_token_of_tyk_is_no_key(tmp_path: Path) -> None:
    """Tyk writes it for open APIs and where it knew no key."""
    source = logged(tmp_path, "tyk", [TYK, changed(TYK, {"/tyk-analytics-record/api_key": "00000000"})])
    assert list(found(source, date(2022, 11, 16))) == [key_id("tyk", TYK_KEY)]
    assert faults(source, date(2022, 11, 16)) == {"no key id, not attributable to a key": 1}


HOSTS: list[tuple[str, Any, str, date]] = [
    ("aws_api_gateway", AWS, "/stage", date(2026, 8, 9)),
    ("envoy", ENVOY, "/:authority", date(2025, 4, 9)),
    ("cloudflare", CLOUDFLARE, "/ClientRequestHost", date(2017, 9, 29)),
    ("tyk", TYK, "/tyk-analytics-record/host", date(2022, 11, 16)),
    ("gravitee", GRAVITEE, "/host", date(2023, 8, 18)),
]


@pytest.mark.parametrize(("preset", "record", "member", "day"), HOSTS, ids=[row[0] for row in HOSTS])
@pytest.mark.parametrize("host", ["API.Example.COM", "api.example.com:443", "api.example.com.", "api.example.com"])
def test_a_host_is_one_deployment_however_a_caller_writes_it(
    tmp_path: Path, preset: str, record: Any, member: str, day: date, host: str
) -> None:
    """Otherwise a caller could leave the deployment that a rule is about."""
    source = logged(tmp_path, preset, [changed(record, {member: host})])
    ((_, frame),) = source.usage(day, day)
    assert map_of(frame["deployments"][0]) == {"api.example.com": 1}


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("Bearer real-key", "real-key"),
        ("bearer   real-key", "real-key"),
        ("BEARER real-key ", "real-key"),
        ("ApiKey real-key", "real-key"),
        ("Token real-key", "real-key"),
        ("Bearer Bearer real-key", "real-key"),
        ("tokens-are-no-scheme", "tokens-are-no-scheme"),
        ("bearer", None),
        ("Bearer ", None),
        ("-", None),
        ("basic  dXNlcjpzZWNyZXQ=", "Basic dXNlcjpzZWNyZXQ="),
        ("Basic dXNlcjpzZWNyZXQ=", "Basic dXNlcjpzZWNyZXQ="),
    ],
)
def test_an_authorization_scheme_is_no_part_of_a_key(tmp_path: Path, header: str, key: str | None) -> None:
    """In any case, behind any blanks. User and password of basic credentials are one key."""
    source = logged(tmp_path, "cloudflare", [cloud(header, "")])
    assert list(found(source, date(2017, 9, 29))) == ([ProtectedKeys(SALT).protected(key)] if key else [])


def test_the_id_of_basic_credentials_shows_nothing_of_the_password(tmp_path: Path) -> None:
    """The last characters of a key show its owner which one it is, but these would be those of a password."""
    (key,) = found(logged(tmp_path, "cloudflare", [cloud("Basic dXNlcjpzZWNyZXQ=", "")]), date(2017, 9, 29))
    assert len(key) == len("key_0123456789abcdef")


@pytest.mark.parametrize(
    ("request_line", "endpoint"),
    [
        ("GET /a HTTP/1.1", "GET /a"),
        ("GET /a", "GET /a"),
        ("GET  /a  HTTP/1.1", "GET /a"),
        ("GET /a b HTTP/1.1", "GET /a b"),
        ("GET", "GET"),
        ("M-SEARCH * HTTP/1.1", "M-SEARCH *"),
        ("CONNECT example.com:443 HTTP/1.1", "CONNECT example.com:443"),
        ("GET http://evil.example/a?x=1 HTTP/1.1", "GET /a"),
        (r"GET /a\x01\xff HTTP/1.1", r"GET /a\x01\xff"),
        (r"GET /a\"b\" HTTP/1.1", r"GET /a\"b\""),
        (r"GET /\" 200 5 \"x\" \"y\" \"junk\" HTTP/1.1", r"GET /\" {id} {id} \"x\" \"y\" \"junk\""),
        ('GET /a"b HTTP/1.1', 'GET /a"b'),
        (r"\x16\x03\x01\x02", None),
        ("-", None),
        ("", None),
    ],
)
def test_a_line_counts_whatever_its_request_looks_like(
    tmp_path: Path, request_line: str, endpoint: str | None
) -> None:
    """Key and time are known. What can be known of the endpoint is."""
    line = WITH_KEY.replace("GET /apache_pb.gif?size=2 HTTP/1.0", request_line)
    source = logged(tmp_path, "apache", [line])
    ((_, frame),) = source.usage(date(2000, 10, 10), date(2000, 10, 10))
    assert frame["key_id"].tolist() == [key_id("apache", "sk-web-4711-abcdefgh")]
    assert map_of(frame["endpoint_distribution"][0]) == {endpoint or "(unknown)": 1}
    assert source.faults(date(2000, 10, 10)) == ()


def test_the_key_field_is_the_last_of_the_line(tmp_path: Path) -> None:
    """Many sites log the forwarded addresses before the key, and an escaped quote does not end a value."""
    line = COMBINED.replace("Nav", r"N\"av") + ' "10.0.0.1, 10.0.0.2" rt=0.003 "Bearer sk-1"'
    assert list(found(logged(tmp_path, "apache", [line]), date(2000, 10, 10))) == [key_id("apache", "sk-1")]


@pytest.mark.parametrize("agent", ['curl "quoted" x', 'x" "junk', '"', r"x\" \"junk", "x [y] \x01"])
def test_the_key_is_the_last_quoted_value_also_where_a_log_escapes_nothing(tmp_path: Path, agent: str) -> None:
    """A caller who sends quotes neither hides a request nor chooses another key."""
    line = WITH_KEY.replace("Mozilla/4.08 [en] (Win98; I ;Nav)", agent)
    source = logged(tmp_path, "nginx", [line])
    assert found(source, date(2000, 10, 10)) == {key_id("nginx", "sk-web-4711-abcdefgh"): (1, 0)}
    replaced = {"characters that are not text, replaced": 1} if "\x01" in agent else {}
    assert faults(source, date(2000, 10, 10)) == replaced


def test_a_line_cut_within_its_key_is_a_fault(tmp_path: Path) -> None:
    """The part of the key that is written already must not count as another key."""
    (tmp_path / "access.log").write_text(f"{WITH_KEY}\n{WITH_KEY[:-4]}")
    source = reader(tmp_path, "nginx")
    assert found(source, date(2000, 10, 10)) == {key_id("nginx", "sk-web-4711-abcdefgh"): (1, 0)}
    assert faults(source, date(2000, 10, 10)) == {"line is not in the format of the preset": 1}
    (tmp_path / "access.log").write_text(f"{WITH_KEY}\n{WITH_KEY}\n")
    assert found(source, date(2000, 10, 10)) == {key_id("nginx", "sk-web-4711-abcdefgh"): (2, 0)}


def test_any_column_of_a_preset_may_come_from_elsewhere(tmp_path: Path) -> None:
    """Here the key comes from JWT metadata and the deployment from a field of the site's own log format."""
    record = {**ENVOY, "jwt": {"client_id": "shop"}, "cluster": "eu"}
    columns = {"key_id": "{/jwt/client_id}", "deployment": "prod-{/cluster}"}
    ((_, frame),) = logged(tmp_path, "envoy", [record], columns=columns).usage(date(2025, 4, 9), date(2025, 4, 9))
    assert frame["key_id"].tolist() == [key_id("envoy", "shop")]
    assert map_of(frame["deployments"][0]) == {"prod-eu": 1}


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/users/8731/orders/17", "GET /users/{id}/orders/{id}"),
        ("/1/2/3/4/", "GET /{id}/{id}/{id}/{id}/"),
        ("/v1/users/31b8ab5d-5cf1-4d2f-9e2a-9d0a7b1c2d3e?x=/9", "GET /v1/users/{id}"),
        ("/v1/4EC39HQLYJWDARJTT1ZDP7DC/items", "GET /v1/{id}/items"),
        ("/v2/7a/8#9", "GET /v2/7a/{id}"),
    ],
)
def test_ids_in_paths_are_folded(tmp_path: Path, path: str, endpoint: str) -> None:
    """The database folds common ids, and the aggregation folds all others."""
    line = WITH_KEY.replace("/apache_pb.gif?size=2", path)
    ((_, frame),) = logged(tmp_path, "nginx", [line]).usage(date(2000, 10, 10), date(2000, 10, 10))
    assert map_of(frame["endpoint_distribution"][0]) == {endpoint: 1}


@pytest.mark.parametrize("template", ["key", "{key}", "{/a", "{}", "{/a|b}", "{/a?}", "{/header}"])
def test_a_wrong_template_is_an_error(tmp_path: Path, template: str) -> None:
    """The error names the column, or the known members."""
    source = logged(tmp_path, "nginx", [WITH_KEY], columns={"client": template})
    with pytest.raises(SourceError, match=r"columns\.client|it has: /client, /user, /time"):
        source.watermark()


def test_a_preset_reads_events(tmp_path: Path) -> None:
    """A log holds events, never counts by day."""
    source = logged(tmp_path, "kong", [KONG], shape="daily")
    with pytest.raises(SourceError, match="shape: daily"):
        source.watermark()
