"""One HTTP POST, and what its answer means."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from detector.boundary.masking import remember_secret
from detector.delivery.posting import LONGEST_PAUSE, ReceiverAnswer, post
from detector.model.errors import DeliveryError
from tests.receiver import Receiver, receiver


@pytest.fixture
def server() -> Iterator[Receiver]:
    """A receiver on loopback."""
    with receiver() as running:
        yield running


def posted(server: Receiver) -> ReceiverAnswer:
    """The answer to one POST."""
    return post(f"{server.url}/hook", b"{}", {"content-type": "application/json"}, 5)


def test_what_is_posted_arrives(server: Receiver) -> None:
    """With its headers, and 2xx is an acceptance."""
    server.answer(202, b"queued")
    answer = posted(server)
    assert (answer.accepted, answer.body) == (True, b"queued")
    (request,) = server.requests
    assert (request.method, request.path, request.body) == ("POST", "/hook", b"{}")
    assert request.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("status", "permanent"), [(400, True), (410, True), (401, False), (404, False), (429, False), (503, False)]
)
def test_a_refusal_is_permanent_only_where_nothing_can_be_mended(status: int, permanent: bool) -> None:
    """A wrong token may be replaced; a message that is malformed stays so."""
    assert ReceiverAnswer(status, b"", None).error("https://siem.example").permanent is permanent


def test_a_refusal_repeats_no_secret() -> None:
    """Where the receiver sends it back."""
    remember_secret("s3cr3t-token-1234")
    error = ReceiverAnswer(401, b"unknown token s3cr3t-token-1234", None).error("https://siem.example")
    assert str(error) == "https://siem.example: HTTP 401: unknown token ***"


def test_a_redirect_says_what_to_do() -> None:
    """It is not followed, as the message and its secret would go elsewhere."""
    error = ReceiverAnswer(301, b"", None).error("https://siem.example")
    assert str(error).endswith("HTTP 301; redirects are not followed, configure the address it leads to")


def test_the_pause_that_a_receiver_asks_for_is_kept_within_a_day(server: Receiver) -> None:
    """So that a mistake does not silence a channel for good."""
    server.answer(429, Retry_After="30")
    assert posted(server).retry_after == 30
    server.answer(429, Retry_After="9999999")
    assert posted(server).retry_after == LONGEST_PAUSE


def test_no_answer_is_tried_again() -> None:
    """The error names the host alone."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    remember_secret(f"{url}/path-token-1234")
    with pytest.raises(DeliveryError) as error:
        post(f"{url}/path-token-1234", b"", {}, 5)
    assert str(error.value).startswith(f"{url}: ConnectError: ")
    assert "path-token-1234" not in str(error.value)
    assert not error.value.permanent
