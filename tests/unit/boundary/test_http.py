"""Outgoing HTTP: what every request has in common."""

from __future__ import annotations

import gzip
import logging
import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest

from detector.boundary.http import (
    AnsweredError,
    Client,
    CompressionError,
    NoAnswerError,
    TooLargeError,
    seconds_asked,
    status_in_words,
    waiting,
)
from tests.receiver import Receiver, dripping, receiver

NOW = datetime(2026, 3, 18, 2, 30, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[Receiver]:
    """A server on loopback."""
    with receiver() as running:
        yield running


def read(server: Receiver, most: int = 1000) -> bytes:
    """The whole body of the next answer."""
    with Client(5) as client:
        return client.request("GET", server.url, most=most).whole()


def beginning(server: Receiver, most: int) -> bytes:
    """The first bytes of the next answer."""
    with Client(5) as client:
        return client.request("GET", server.url, most=most).body


def failure(url: str, timeout: float = 5) -> NoAnswerError:
    """Why no answer comes from an address."""
    with pytest.raises(NoAnswerError) as error, Client(timeout) as client:
        client.request("GET", url, most=100)
    return error.value


def test_every_request_says_who_asks(server: Receiver) -> None:
    """Beside its own headers, and gzip is the one compression that is asked for."""
    with Client(5, {"Authorization": "Bearer x"}) as client:
        for body in (b"1", b"2"):
            client.request("POST", f"{server.url}/hook", body, {"Content-Type": "text/plain"}, most=0)
    first, second = server.requests
    assert (first.method, first.path, first.body, second.body) == ("POST", "/hook", b"1", b"2")
    assert first.headers["user-agent"] == "detector"
    assert first.headers["accept-encoding"] == "gzip"
    assert (first.headers["authorization"], first.headers["content-type"]) == ("Bearer x", "text/plain")


def test_a_redirect_is_not_followed(server: Receiver) -> None:
    """The caller learns where it leads."""
    server.answer(302, Location="https://elsewhere.example/")
    with Client(5) as client:
        answer = client.request("GET", server.url, most=0)
        assert (answer.status, answer.accepted, answer.location) == (302, False, "https://elsewhere.example/")
    assert len(server.requests) == 1


def test_a_body_is_read_to_its_limit(server: Receiver) -> None:
    """One byte more is too much."""
    server.answer(200, b"x" * 1000)
    assert read(server) == b"x" * 1000
    server.answer(200, b"x" * 1001)
    with pytest.raises(TooLargeError):
        read(server)


def test_the_limit_counts_decompressed_bytes(server: Receiver) -> None:
    """A small body cannot grow without end."""
    server.answer(200, gzip.compress(b"x" * 1000), Content_Encoding="gzip")
    assert read(server) == b"x" * 1000
    server.answer(200, gzip.compress(b" " * 20_000_000), Content_Encoding="gzip")
    with pytest.raises(TooLargeError):
        read(server)
    server.answer(200, gzip.compress(b" " * 20_000_000), Content_Encoding="gzip")
    assert beginning(server, 50) == b" " * 50


@pytest.mark.parametrize(
    ("body", "words"),
    [(gzip.compress(b"x" * 1000)[:-9], "breaks off"), (b"not compressed", "is damaged")],
    ids=["cut", "damaged"],
)
def test_a_body_whose_compression_is_damaged_is_no_answer(server: Receiver, body: bytes, words: str) -> None:
    """Another attempt may bring it whole; its beginning is as much as can be read."""
    server.answer(200, body, Content_Encoding="gzip")
    with pytest.raises(NoAnswerError, match=words) as error:
        read(server)
    assert error.value.for_now
    server.answer(200, body, Content_Encoding="gzip")
    assert beginning(server, 1000) in (b"x" * 1000, b"")


def test_a_compression_that_nobody_asked_for_is_refused(server: Receiver) -> None:
    """Named, and not decompressed; a beginning of it is worth nothing."""
    server.answer(200, b"x", Content_Encoding="br")
    with pytest.raises(CompressionError, match="compressed as br, though only gzip was accepted"):
        read(server)
    server.answer(200, b"x", Content_Encoding="br")
    assert beginning(server, 10) == b""


@pytest.mark.parametrize(
    "beginning", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"]
)
def test_an_answer_that_drips_is_given_up(beginning: bytes) -> None:
    """The timeout is for the whole attempt: a byte now and then in the headers or the body does not extend it."""
    with dripping(beginning) as server:
        error = failure(server.url, timeout=0.3)
        assert (error.cause, error.explanation) == ("answer", "no whole answer within 0.3 s")
        assert error.for_now
        # The server notices that nobody listens any more: neither a thread nor a connection is left.
        assert server.hung_up.wait(5)


def test_an_attempt_after_one_that_was_given_up_has_a_connection_of_its_own() -> None:
    """Nothing of the old answer is read as part of the new one."""
    with dripping(b"HTTP/1.1 200 OK\r\nX-Slow: ") as server, receiver() as other, Client(0.3) as client:
        with pytest.raises(NoAnswerError):
            client.request("GET", server.url, most=100)
        assert client.request("GET", other.url, most=100).whole() == b"{}"


def test_nobody_listening_is_no_connection() -> None:
    """Somebody may in a moment."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    error = failure(f"http://127.0.0.1:{port}/secret")
    assert (error.cause, error.reason, error.for_now) == ("connection", "ConnectError", True)


def test_a_server_that_never_answers_is_left() -> None:
    """After the timeout."""
    with closing(socket.create_server(("127.0.0.1", 0))) as deaf:
        error = failure(f"http://127.0.0.1:{deaf.getsockname()[1]}/secret", timeout=0.05)
    assert (error.cause, error.for_now) == ("answer", True)
    assert error.reason == error.explanation == "no whole answer within 0.05 s"


@pytest.mark.parametrize("url", ["http://[::1/secret", "ftp://example.com/secret"])
def test_an_address_that_cannot_be_asked_is_not_asked_again(url: str) -> None:
    """The reason does not repeat it."""
    error = failure(url)
    assert not error.for_now
    assert "secret" not in error.reason


def test_a_setting_of_the_environment_that_is_wrong_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a proxy that is none: an error of the environment must not look like a fault of the program."""
    monkeypatch.setenv("HTTP_PROXY", "nonsense://127.0.0.1:1")
    assert failure("http://example.com/").cause == "request"


def test_the_library_logs_no_address(server: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    """Addresses may be secrets."""
    caplog.set_level(logging.DEBUG)
    read(server)
    assert server.url not in caplog.text


def test_only_what_may_pass_is_worth_another_attempt() -> None:
    """By status, or by what kept the answer from coming."""
    assert waiting(AnsweredError(503, ""), NOW) is True
    assert waiting(AnsweredError(404, ""), NOW) is False
    assert waiting(NoAnswerError("answer", "timed out"), NOW) is True
    assert waiting(NoAnswerError("certificate", "self-signed"), NOW) is False
    assert waiting(ValueError(), NOW) is False


def test_a_server_says_when_to_come_back() -> None:
    """Within bounds, and a little later, so that not everybody comes at once."""
    assert 17 <= waiting(AnsweredError(429, "", "17"), NOW) <= 18
    assert 120 <= waiting(AnsweredError(429, "", "86400"), NOW) <= 121
    assert seconds_asked("Wed, 18 Mar 2026 02:30:20 GMT", NOW) == 20
    assert seconds_asked("soon", NOW) is None


def test_a_redirect_is_named_as_one() -> None:
    """Whoever reads it knows that it was not followed."""
    assert status_in_words(307) == "HTTP 307; redirects are not followed"
    assert status_in_words(500) == "HTTP 500"


def test_a_certificate_that_is_not_trusted_has_one_sentence() -> None:
    """Without what the library says of it."""
    error = NoAnswerError("certificate", "[SSL: CERTIFICATE_VERIFY_FAILED]", "ConnectError")
    assert error.explanation == error.reason == "the certificate is not trusted"
