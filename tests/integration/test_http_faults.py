"""An endpoint that misbehaves in any way gives a clear error, a counted fault, or another attempt."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Event
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import stamina
import trustme

from detector.boundary.http import AnsweredError, seconds_asked, waiting
from detector.config.source import HttpSource
from detector.model.errors import SourceError
from detector.sources.http.paging import Endpoint, NotHeldError
from detector.sources.http.reader import HttpReader
from tests.endpoint_server import TOKEN, Behaviour, Request, Response, answer, endpoint, key, page
from tests.receiver import dripping

DAY = date(2026, 3, 17)
NOW = datetime(2026, 3, 18, 2, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_pauses() -> Iterator[None]:
    """Up to three attempts, without pauses between them."""
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


def config(url: str, **options: Any) -> HttpSource:
    """The configuration of a source at an address."""
    return HttpSource.model_validate({"url": url, "token": TOKEN, **options})


def requests(url: str, **options: Any) -> dict[str, int]:
    """Requests by key on the day."""
    reader = HttpReader(config(url, **options), ZoneInfo("UTC"), lambda: NOW)
    ((_, frame),) = reader.usage(DAY, DAY)
    return dict(frame[["key_id", "request_count"]].itertuples(index=False))


def faults(behaviour: Behaviour) -> dict[str, int]:
    """The faults of the day: reason to count."""
    with endpoint(behaviour) as served:
        reader = HttpReader(config(served.url), ZoneInfo("UTC"), lambda: NOW)
        list(reader.usage(DAY, DAY))
        return {fault.reason: fault.count for fault in reader.faults(DAY)}


def failure(behaviour: Behaviour, **options: Any) -> str:
    """The error with which the day ends. The token is never in it."""
    with endpoint(behaviour) as served, pytest.raises(SourceError) as raised:
        requests(served.url, **options)
    text = str(raised.value)
    assert text.startswith(f"source main: {served.url}: ")
    assert TOKEN not in text
    return text.removeprefix(f"source main: {served.url}: ")


def first(*responses: Response) -> Behaviour:
    """These responses in turn, then the last one for ever."""
    return lambda request: responses[min(request.number, len(responses)) - 1]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_page_refused_for_now_is_asked_for_again(status: int) -> None:
    """A busy server does not fail the day."""
    with endpoint(first(answer({}, status), page(key("a", 7)))) as served:
        assert requests(served.url) == {"a": 7}
    assert len(served.asked) == 2


def test_another_attempt_is_one_warning_and_nothing_on_stdout(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Results go to stdout, and a library must not add to them."""
    with endpoint(first(answer({}, 503), page(key("a", 7)))) as served:
        requests(served.url)
    assert caplog.messages == ["source main: HTTP 503; trying again"]
    assert capsys.readouterr() == ("", "")


def test_attempts_are_limited() -> None:
    """A server that fails ``attempts`` times is an error."""
    with endpoint(first(answer({"title": "out of order"}, 503))) as served, pytest.raises(SourceError) as raised:
        requests(served.url, attempts=2)
    assert len(served.asked) == 2
    assert "HTTP 503: out of order, 2 times; run again later" in str(raised.value)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("17", 17),
        ("0", 0),
        ("Wed, 18 Mar 2026 02:30:20 GMT", 20),
        ("Wed, 18 Mar 2026 02:00:00 GMT", 0),
        ("soon", None),
        ("-3", None),
        ("", None),
        ("9" * 5000, 9999999999),
    ],
)
def test_retry_after_holds_seconds_or_a_date(header: str, seconds: float | None) -> None:
    """Any other value is ignored."""
    assert seconds_asked(header, NOW) == seconds


def test_retry_after_is_honoured_within_bounds() -> None:
    """A server that asks for a pause of a day is asked again after two minutes."""
    assert 17 <= waiting(AnsweredError(429, "", "17"), NOW) <= 18
    assert 120 <= waiting(AnsweredError(503, "", "86400"), NOW) <= 121
    assert waiting(AnsweredError(429, "", None), NOW) is True
    assert waiting(AnsweredError(401, "", "17"), NOW) is False


def test_a_body_that_breaks_off_is_asked_for_again() -> None:
    """A part of an answer is no answer."""
    whole = page(key("a", 7))
    with endpoint(first(Response(whole.body[:40], length=len(whole.body)), whole)) as served:
        assert requests(served.url) == {"a": 7}


def test_a_body_that_always_breaks_off_is_an_error() -> None:
    """The error says that the answer broke off."""
    body = page(key("a", 7)).body
    assert "broken off: " in failure(first(Response(body[:40], length=len(body))))


def test_a_compressed_body_that_breaks_off_is_no_answer() -> None:
    """Its length may be right and only its compression cut."""
    compressed = gzip.compress(page(key("a", 7)).body)
    cut = Response(compressed[:-9], headers={"Content-Encoding": "gzip"})
    assert "the compressed answer breaks off" in failure(first(cut))
    damaged = Response(b"no gzip at all", headers={"Content-Encoding": "gzip"})
    assert "the compressed answer is damaged" in failure(first(damaged))


def test_a_compressed_answer_is_read() -> None:
    """The reader asks for gzip and decompresses it."""
    compressed = Response(gzip.compress(page(key("a", 7)).body), headers={"Content-Encoding": "gzip"})
    with endpoint(first(compressed)) as served:
        assert requests(served.url) == {"a": 7}
    assert served.asked[0].headers["Accept-Encoding"] == "gzip"


def test_a_small_body_does_not_decompress_into_a_large_one() -> None:
    """The reader stops at the limit."""
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < 100_000
    text = failure(first(Response(bomb, headers={"Content-Encoding": "gzip"})), largest_answer_mb=1)
    assert text == "the answer has more than 1 MB; raise source.largest_answer_mb if this is correct"


def test_compression_within_compression_is_refused() -> None:
    """The reader decompresses gzip once and nothing else."""
    twice = Response(gzip.compress(gzip.compress(b"{}")), headers={"Content-Encoding": "gzip, gzip"})
    assert "compressed as gzip, gzip" in failure(first(twice))


def test_the_limit_is_that_of_the_whole_answer() -> None:
    """All pages together count."""

    def behaviour(request: Request) -> Response:
        return page(key(f"k{request.number}", name="x" * 600_000), total=9, next_cursor=str(request.number))

    assert "more than 1 MB" in failure(behaviour, largest_answer_mb=1)


@pytest.mark.parametrize(
    "beginning", [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"]
)
def test_an_answer_that_drips_is_an_error(beginning: bytes) -> None:
    """The timeout bounds the whole attempt, headers and body."""
    with (
        dripping(beginning) as server,
        pytest.raises(SourceError, match=r"broken off: no whole answer within 0\.2"),
    ):
        requests(server.url, timeout=0.2, attempts=2)


def test_redirects_share_the_time_of_their_attempt() -> None:
    """A server that redirects slowly, again and again, does not get the timeout for each of them."""
    never = Event()

    def behaviour(request: Request) -> Response:
        never.wait(0.2)
        return Response(status=302, headers={"Location": f"/v1/{request.number}"})

    assert "no whole answer within 0.5 s" in failure(behaviour, timeout=0.5, attempts=1)


def test_a_server_that_never_answers_is_an_error() -> None:
    """The timeout ends the attempt."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/usage"
        with pytest.raises(SourceError, match=r"broken off: no whole answer within .*; check source\.url"):
            requests(url, timeout=0.05, attempts=1)


def test_a_port_without_a_server_is_an_error() -> None:
    """The error names the address."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(SourceError, match=f"127.0.0.1:{port}/usage: no connection: "):
        requests(f"http://127.0.0.1:{port}/usage")


def test_plain_text_where_tls_is_expected_is_an_error() -> None:
    """The error names SSL."""
    with endpoint(first(page())) as served, pytest.raises(SourceError, match=r"no connection: .*SSL"):
        requests(served.url.replace("http://", "https://"))


def test_an_untrusted_certificate_is_an_error_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate of an authority in SSL_CERT_FILE is accepted."""
    authority = trustme.CA()
    with endpoint(first(page(key("a", 7))), authority) as served:
        assert served.url.startswith("https://")
        with pytest.raises(SourceError, match=r"the certificate is not trusted: .* SSL_CERT_FILE") as raised:
            requests(served.url)
        assert "again" not in str(raised.value)
        authority.cert_pem.write_to_path(tmp_path / "authority.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        assert requests(served.url) == {"a": 7}


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, "the token is not accepted: check source.token; the token may have expired, or may be revoked"),
        (403, "the token may not read this"),
        (400, "check source.from_parameter, to_parameter, range and parameters"),
        (422, "history.first_pull_days if the endpoint has no older days"),
    ],
)
def test_the_error_of_a_refusal_says_what_to_do(status: int, advice: str) -> None:
    """There is no other attempt."""
    with endpoint(first(answer({"detail": "no"}, status))) as served, pytest.raises(SourceError) as raised:
        requests(served.url)
    assert f"HTTP {status}: no; " in str(raised.value)
    assert advice in str(raised.value)
    assert len(served.asked) == 1


def test_the_error_never_holds_the_token() -> None:
    """Also where the server repeats it."""
    text = failure(first(answer({"detail": f"bad token {TOKEN} \x1b[31m"}, 401)))
    assert "\x1b" not in text
    assert TOKEN[:12] not in text


def test_a_wrong_path_is_an_error() -> None:
    """A 404 for every question must not look like days without usage."""
    with endpoint(first(answer({}, 404))) as served:
        reader = HttpReader(config(served.url), ZoneInfo("UTC"), lambda: NOW)
        with pytest.raises(SourceError, match=r"the endpoint holds no usage .HTTP 404.; check source\.url"):
            reader.keys()


@pytest.mark.parametrize("status", [404, 409, 410])
def test_a_day_that_the_endpoint_does_not_hold_is_left_out(status: int) -> None:
    """The day is missing, not a day of zeros, and the reason is a fault."""
    with endpoint(first(answer({"detail": "not stored"}, status))) as served:
        reader = HttpReader(config(served.url), ZoneInfo("UTC"), lambda: NOW)
        assert list(reader.usage(DAY, DAY)) == []
        (fault,) = reader.faults(DAY)
    assert fault.reason == f"the endpoint does not hold the day (HTTP {status}: not stored)"


@pytest.mark.parametrize("link", ["next", "next_cursor", "cursor"])
def test_pages_are_followed_to_the_last(link: str) -> None:
    """A page names the next one by a link or a cursor."""
    value = {"next": "?page=2"}.get(link, "abc/=")
    with endpoint(first(page(key("a"), total=2, **{link: value}), page(key("b"), total=2))) as served:
        assert set(requests(served.url)) == {"a", "b"}
    second = served.asked[1]
    assert second.query == ({"page": "2"} if link == "next" else {**served.asked[0].query, "cursor": "abc/="})


def test_an_absolute_link_on_the_same_host_is_followed() -> None:
    """The token goes with the request."""

    def behaviour(request: Request) -> Response:
        absolute = f"http://{request.headers['Host']}/elsewhere?n=2"
        return page(key(f"k{request.number}"), total=2, next=absolute if request.number == 1 else None)

    with endpoint(behaviour) as served:
        assert len(requests(served.url)) == 2
    assert served.asked[1].path == "/elsewhere"
    assert served.asked[1].headers["Authorization"] == f"Bearer {TOKEN}"


def test_pages_without_end_are_an_error() -> None:
    """The limit is ``most_pages``."""
    text = failure(lambda request: page(key(f"k{request.number}"), next_cursor=str(request.number)), most_pages=4)
    assert text == "the answer has more than 4 pages; raise source.most_pages if this is correct"


@pytest.mark.parametrize("members", [{"next_cursor": "same"}, {"next": "?page=same"}])
def test_pages_in_a_circle_are_an_error(members: dict[str, str]) -> None:
    """A cursor or a link leads back to an earlier page."""
    assert "page 3 is a page that was read already" in failure(
        lambda request: page(key(f"k{request.number}"), **members)
    )


def test_an_answer_that_changes_while_it_is_read_is_an_error() -> None:
    """A day is read whole or not at all."""
    text = failure(first(page(key("a"), total=2, next_cursor="x"), answer({}, 409)))
    assert text == "HTTP 409; the answer changed while it was read: run again"


@pytest.mark.parametrize(
    "place",
    ["http://elsewhere.example/x", "//elsewhere.example/x", "http://127.0.0.1:1/x", "http://u:p@127.0.0.1/x"],
)
def test_the_token_goes_to_no_other_host(place: str) -> None:
    """A link or a redirect to another host is an error."""
    for behaviour in (first(page(key("a"), next=place)), first(Response(status=302, headers={"Location": place}))):
        assert "the token is sent only to the host in source.url" in failure(behaviour)


@pytest.mark.parametrize("link", ["http://[", "file:///etc/passwd", "gopher://127.0.0.1/"])
def test_a_link_that_is_no_address_of_the_endpoint_is_an_error(link: str) -> None:
    """The error says that it is the next page."""
    assert "its next page is at" in failure(first(page(key("a"), next=link)))


def test_a_link_from_tls_to_plain_text_is_refused() -> None:
    """A link from plain text to TLS is followed, because it is safer."""
    source = Endpoint(config("https://usage.example/x"))
    with pytest.raises(SourceError, match="sent only to"):
        source._same_host(httpx.URL("https://usage.example/x"), "http://usage.example/x?page=2", "its redirect is")
    safer = source._same_host(httpx.URL("http://usage.example/x"), "https://usage.example/x", "its redirect is")
    assert str(safer) == "https://usage.example/x"


def test_a_redirect_on_the_same_host_is_followed() -> None:
    """Up to five redirects are followed."""
    moved = Response(status=308, headers={"Location": "/v2/usage"})
    with endpoint(first(moved, page(key("a", 7)))) as served:
        assert requests(served.url) == {"a": 7}
    assert "more than 5 redirects" in failure(first(moved))


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"<html>", "page 1 is not JSON (Expecting value at byte 0)"),
        (b'{"keys": [', "page 1 is not JSON"),
        (b"[" * 100_000, "page 1 is not JSON"),
        (b"\xff\xfe\x00", "page 1 is not JSON"),
        (b"[]", "page 1 is not a by-key answer: no JSON object"),
        (b'{"total_keys": 0}', "page 1 is not a by-key answer: $.keys: field required"),
        (b'{"keys": {}, "total_keys": 0}', "$.keys: input should be a valid list"),
        (b'{"keys": [], "total_keys": "0"}', "$.total_keys: input should be a valid integer"),
        (b'{"keys": []}', "$.total_keys is missing"),
    ],
)
def test_a_broken_document_is_an_error_that_names_the_place(body: bytes, problem: str) -> None:
    """No part of the day is stored."""
    assert problem in failure(first(Response(body)))


def test_ten_thousand_keys_with_absurd_counts_are_left_out_and_counted() -> None:
    """No total wraps; the key with a plausible count is used."""
    absurd = [key(f"k{number}", 10**15) for number in range(9_999)]
    absurd.append(key("many", 10**16, endpoint_distribution={f"/{number}": 10**15 for number in range(10_000)}))
    behaviour = first(page(*absurd, key("a", 7)))
    with endpoint(behaviour) as served:
        assert requests(served.url) == {"a": 7}
    reason = "keys[].request_count: input should be less than or equal to 1000000000000"
    assert faults(behaviour) == {reason: 10_000}


def test_ten_thousand_keys_with_the_largest_counts_are_added_up() -> None:
    """Each of them as it is."""
    with endpoint(first(page(*[key(f"k{number}", 10**12) for number in range(10_000)]))) as served:
        assert sum(requests(served.url).values()) == 10**16


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"request_count": "10"}, "keys[].request_count: input should be a valid integer"),
        ({"request_count": -1}, "keys[].request_count: input should be greater than or equal to 0"),
        ({"request_count": 10**15}, "keys[].request_count: input should be less than or equal to 1000000000000"),
        (
            {"endpoint_distribution": {"/a": 10**12, "/b": 1}},
            "keys[].endpoint_distribution: input should sum to at most 1000000000000",
        ),
        ({"request_count": 1e30}, "keys[].request_count: input should be a valid integer"),
        ({"error_count": None}, "keys[].error_count: input should be a valid integer"),
        ({"name": 7}, "keys[].name: input should be a valid string"),
        ({"key_id": ""}, "keys[].key_id: string should have at least 1 character"),
        ({"endpoint_distribution": []}, "keys[].endpoint_distribution: input should be a valid dictionary"),
        (
            {"endpoint_distribution": {"secret-name": "1"}},
            "keys[].endpoint_distribution.*: input should be a valid integer",
        ),
    ],
)
def test_a_key_that_cannot_be_used_is_counted_and_the_others_are_used(broken: dict[str, Any], reason: str) -> None:
    """The fault has the path of the wrong member."""
    with endpoint(first(page(key("a", 7), {**key("b", 8), **broken}, "no object"))) as served:
        reader = HttpReader(config(served.url), ZoneInfo("UTC"), lambda: NOW)
        ((_, frame),) = reader.usage(DAY, DAY)
        assert frame["key_id"].tolist() == ["a"]
        found = {fault.reason: fault for fault in reader.faults(DAY)}
    assert found[reason].count == 1
    assert found[reason].samples[0].startswith("page 1 $.keys[1].")
    assert len(found) == 2


def test_an_answer_without_keys_is_no_day_of_zeros() -> None:
    """An answer whose keys are all wrong is an error."""
    with endpoint(first(page())) as served:
        reader = HttpReader(config(served.url), ZoneInfo("UTC"), lambda: NOW)
        assert list(reader.usage(DAY, DAY)) == []
        (fault,) = reader.faults(DAY)
        assert fault.reason == "the endpoint does not hold the day (an answer without any key)"
        with pytest.raises(SourceError, match=r"the endpoint holds no usage .an answer without any key."):
            reader.keys()
    renamed = {"key_id": "a", "requests": 7}
    text = failure(first(page(renamed, renamed)))
    assert "none of its 2 keys can be used; the first: keys[].request_count: field required (page 1 $" in text


def test_a_day_without_requests_is_a_day() -> None:
    """Keys with zero requests are a valid answer."""
    with endpoint(first(page(key("a", 0)))) as served:
        assert requests(served.url) == {}


def test_duplicate_keys_and_wrong_totals_are_counted() -> None:
    """The first entry of a key counts, and missing keys are a fault."""
    pages = first(page(key("a", 7), total=4, next_cursor="2"), page(key("a", 9), key("b", 1), total=4))
    assert faults(pages) == {
        "key listed twice, the first entry counts": 1,
        "fewer keys in the answer than its total_keys says": 2,
    }
    assert faults(first(page(key("a"), key("b"), total=1))) == {
        "more keys in the answer than its total_keys says, all are used": 1
    }


def test_endpoints_that_do_not_sum_to_the_requests_are_counted() -> None:
    """The larger number counts, so that no request is hidden. The rest has no endpoint."""
    answered = page(
        key("less", 10, endpoint_distribution={"GET /a": 4}), key("more", 10, endpoint_distribution={"GET /a": 12})
    )
    assert set(faults(first(answered)).values()) == {1}
    with endpoint(first(answered)) as served:
        ((_, frame),) = HttpReader(config(served.url), ZoneInfo("UTC"), lambda: NOW).usage(DAY, DAY)
    assert frame["request_count"].tolist() == [10, 12]
    assert [dict(pairs) for pairs in frame["endpoint_distribution"]] == [
        {"(unknown)": 6, "GET /a": 4},
        {"GET /a": 12},
    ]


def test_hostile_names_stay_text() -> None:
    """Names may hold markup, terminal escapes and halves of surrogate pairs, and may be very long."""
    names = ["<script>", "\x1b[31m", "[link=x]", "\ud800half", "x" * 100_000, "=1+1", "'; DROP TABLE x; --"]
    keys = [key(f"k{number}", 1, name=name) for number, name in enumerate(names)]
    body = json.dumps({"keys": [*keys, key("\ud800"), key(" - ")], "total_keys": 9}).encode()
    with endpoint(first(Response(body))) as served:
        reader = HttpReader(config(served.url), ZoneInfo("UTC"), lambda: NOW)
        ((_, frame),) = reader.usage(DAY, DAY)
        register = reader.keys_of(DAY)
        assert {fault.reason: fault.count for fault in reader.faults(DAY)} == {"keys[].key_id: names no key": 1}
    assert frame["key_id"].tolist() == [*(f"k{number}" for number in range(7)), "\ufffd"]
    assert register["name"].tolist()[:3] == ["<script>", "\ufffd[31m", "[link=x]"]
    assert register["name"].iloc[3].endswith("half")


def test_the_configuration_does_not_show_the_token() -> None:
    """The repr of the source does not hold it either."""
    assert TOKEN not in repr(config("https://usage.example/"))


def test_a_period_that_is_not_held_has_its_own_error() -> None:
    """Only the first page may say that a period is not held."""
    with (
        endpoint(first(answer({}, 404))) as served,
        Endpoint(config(served.url)) as source,
        pytest.raises(NotHeldError),
    ):
        list(source.pages({}))
