"""Outgoing HTTP: the one place that opens a client, and when a request is worth another attempt.

A client trusts the certificates of the system, or of SSL_CERT_FILE, and uses the proxy that the environment
names. It follows no redirect, because a request may carry a secret: the caller decides about each. It asks for
gzip alone and decompresses bit by bit, so that a small answer cannot grow without end.
"""

from __future__ import annotations

import logging
import random
import socket
import ssl
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Literal, Self

import httpx

from detector.boundary.deadlines import within
from detector.boundary.instants import in_utc
from detector.boundary.masking import mask_tokens

USER_AGENT = "detector"
LONGEST_WAIT = 120.0
"""Seconds that a Retry-After may ask for; a server that wants more is asked again after these."""
FOR_NOW = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that may be others a little later."""
CONNECTIONS = httpx.Limits(max_connections=2, max_keepalive_connections=1)
SHOWN = 200
FAULTS = (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, ImportError)
"""What httpx raises. The last three are about the environment: certificates, host names, a proxy."""

Cause = Literal["certificate", "address", "request", "connection", "answer"]
"""What keeps an answer from coming: the first three will do so again, the last two may not."""
SENTENCES: dict[Cause, str] = {
    "certificate": "the certificate is not trusted",
    "address": "the address is not valid",
}


class AnsweredError(Exception):
    """An answer that is not the one wanted: its status, what it says, and when to come back."""

    def __init__(self, status: int, says: str, retry_after: str | None = None) -> None:
        super().__init__(f"HTTP {status}{f': {says}' if says else ''}")
        self.status = status
        self.retry_after = retry_after


class NoAnswerError(Exception):
    """No answer came, or not all of it. Its text may repeat the address, which may be a secret.

    ``reason`` does not: it is a sentence of ours, or what httpx calls the error.
    """

    def __init__(self, cause: Cause, text: str, kind: str = "") -> None:
        super().__init__(text or kind)
        self.cause = cause
        self.reason = SENTENCES.get(cause) or kind or text

    @property
    def explanation(self) -> str:
        """The reason, with the text of the error where the reason alone is no sentence."""
        text = str(self)
        return self.reason if self.cause in SENTENCES or text == self.reason else f"{self.reason}: {text}"

    @property
    def for_now(self) -> bool:
        """Whether an answer may come a little later."""
        return self.cause in ("connection", "answer")


class DamagedError(NoAnswerError):
    """A body whose compression is damaged or ends early."""

    def __init__(self, text: str) -> None:
        super().__init__("answer", text)


class CompressionError(Exception):
    """A body that is compressed in a way that was not asked for."""


class TooLargeError(Exception):
    """A body that is larger than it may be."""


@dataclass(frozen=True)
class Answer:
    """An answer, with as much of its body as was asked for, decompressed.

    ``location`` is where a redirect leads, None for no redirect. ``fault`` says why ``body`` is not the whole one.
    """

    status: int
    retry_after: str | None
    location: str | None
    body: bytes
    fault: TooLargeError | CompressionError | DamagedError | None

    @property
    def accepted(self) -> bool:
        """Whether the request was accepted."""
        return is_accepted(self.status)

    def whole(self) -> bytes:
        """The whole body.

        Raises TooLargeError for a body beyond the limit of the request, CompressionError for another compression
        than gzip, and DamagedError, a NoAnswerError, for a body whose compression breaks off.
        """
        if self.fault is not None:
            raise self.fault
        return self.body


class Client:
    """A client; as a context manager it keeps its connection between requests.

    ``headers`` go with every request. ``timeout`` is the number of seconds that a request may take altogether:
    name server, connection, headers and body.
    """

    def __init__(self, timeout: float, headers: Mapping[str, str] | None = None) -> None:
        self._timeout = timeout
        self._headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", **(headers or {})}
        self._connections: _Connections | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connections is not None:
            self._connections.client.close()

    def request(
        self,
        method: str,
        url: str | httpx.URL,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        most: int,
        seconds: float | None = None,
    ) -> Answer:
        """Send one request, and read at most ``most`` bytes of the body of its answer.

        ``seconds`` is what is left of the timeout, for a request that is a part of an attempt. Raises
        NoAnswerError, also where the answer is not there in time.
        """
        with _explained():
            connections = self._connections or _Connections(self._headers, self._timeout)
        self._connections = connections

        def ask() -> Answer | NoAnswerError:
            try:
                return connections.ask(method, url, content, dict(headers or {}), most)
            except NoAnswerError as error:
                return error

        try:
            result = within(self._timeout if seconds is None else seconds, ask)
        except TimeoutError:
            self._connections = None
            connections.abandon()
            cause: Cause = "answer" if connections.are_open else "connection"
            raise NoAnswerError(cause, f"no whole answer within {self._timeout:g} s") from None
        if isinstance(result, NoAnswerError):
            raise result
        return result


class _Connections:
    """A client of httpx and its connections, which another thread can end."""

    def __init__(self, headers: Mapping[str, str], timeout: float) -> None:
        logging.getLogger("httpx").setLevel(logging.WARNING)  # below that it logs whole addresses
        self._streams: list[Any] = []
        self._is_abandoned = False
        self.client = httpx.Client(
            headers=headers,
            # A request ends after the timeout in any case. This ends a thread that was abandoned.
            timeout=2 * timeout,
            limits=CONNECTIONS,
            follow_redirects=False,
            verify=ssl.create_default_context(),
        )

    @property
    def are_open(self) -> bool:
        """Whether a connection was ever opened."""
        return bool(self._streams)

    def ask(
        self, method: str, url: str | httpx.URL, content: bytes | None, headers: Mapping[str, str], most: int
    ) -> Answer:
        """The answer to one request. Raises NoAnswerError."""
        extensions = {"trace": self._trace}
        with (
            _explained(),
            self.client.stream(method, url, content=content, headers=headers, extensions=extensions) as response,
        ):
            body, fault = _body(response, most)
            return Answer(
                status=response.status_code,
                retry_after=response.headers.get("retry-after"),
                location=response.headers["location"] if response.has_redirect_location else None,
                body=body,
                fault=fault,
            )

    def abandon(self) -> None:
        """End all connections. A thread that reads from one of them gets an error."""
        self._is_abandoned = True
        for stream in self._streams:
            self._shut(stream)

    def _trace(self, event: str, details: Mapping[str, Any]) -> None:
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._streams.append(details["return_value"])
            # A name server may answer when nobody waits any more. The request is not sent then.
            if self._is_abandoned:
                self._shut(details["return_value"])

    def _shut(self, stream: Any) -> None:
        # The thread closes the socket by itself: a number of a closed socket may be that of another one already.
        with suppress(OSError):
            socket.socket.shutdown(stream.get_extra_info("socket"), socket.SHUT_RDWR)


def _body(
    response: httpx.Response, most: int
) -> tuple[bytes, TooLargeError | CompressionError | DamagedError | None]:
    """The body, decompressed, up to ``most`` bytes, and what is wrong with it."""
    compression: str = response.headers.get("content-encoding", "identity").strip().lower()
    if compression not in ("identity", "gzip", ""):
        shown = mask_tokens(compression)[:SHOWN]
        return b"", CompressionError(f"the answer is compressed as {shown}, though only gzip was accepted")
    body = bytearray()
    try:
        for part in _parts(response, compression == "gzip", most):
            body += part
            if len(body) > most:
                return bytes(body[:most]), TooLargeError()
    except DamagedError as error:
        return bytes(body), error
    return bytes(body), None


def _parts(response: httpx.Response, is_compressed: bool, most: int) -> Iterator[bytes]:
    """The body bit by bit; together hardly more than ``most`` bytes, however well it is compressed."""
    unpacker = zlib.decompressobj(wbits=31) if is_compressed else None
    left = most + 1
    for chunk in response.iter_raw():
        try:
            part = chunk if unpacker is None else unpacker.decompress(chunk, max(left, 1))
        except zlib.error:
            raise DamagedError("the compressed answer is damaged") from None
        left -= len(part)
        yield part
    if unpacker is not None and not unpacker.eof:
        raise DamagedError("the compressed answer breaks off")


def is_accepted(status: int) -> bool:
    """Whether a status says that a request was accepted."""
    return 200 <= status < 300


def status_in_words(status: int) -> str:
    """A status that is not success, with what a redirect means here."""
    return f"HTTP {status}{'; redirects are not followed' if 300 <= status < 400 else ''}"


def waiting(error: Exception, now: datetime) -> bool | float:
    """Whether to try again: False, True (with growing pauses), or the seconds that were asked for."""
    if isinstance(error, AnsweredError):
        if error.status not in FOR_NOW:
            return False
        asked = seconds_asked(error.retry_after or "", now)
        return True if asked is None else min(asked, LONGEST_WAIT) + random.uniform(0, 1)  # noqa: S311
    return isinstance(error, NoAnswerError) and error.for_now


def seconds_asked(retry_after: str, now: datetime) -> float | None:
    """A Retry-After, in seconds or as an HTTP date (RFC 9110, 10.2.3); None for anything else."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:10])
    try:
        then = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max((in_utc(then) - now).total_seconds(), 0.0)


@contextmanager
def _explained() -> Iterator[None]:
    """Whatever httpx raises within the block, as a NoAnswerError."""
    try:
        yield
    except FAULTS as error:
        raise NoAnswerError(_cause(error), str(error), type(error).__name__) from None


def _cause(error: Exception) -> Cause:
    if _is_untrusted(error):
        return "certificate"
    if isinstance(error, httpx.InvalidURL):
        return "address"
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return "connection"
    if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return "request"
    return "answer" if isinstance(error, httpx.TransportError) else "request"


def _is_untrusted(error: BaseException | None) -> bool:
    """Whether a certificate is behind an error."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
