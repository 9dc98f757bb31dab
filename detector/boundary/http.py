"""Outgoing HTTP: the one place that opens a client, and when a request is worth another attempt.

A client trusts the certificates of the system, or of SSL_CERT_FILE, and uses the proxy that the environment
names. It follows no redirect, because a request may carry a secret: the caller decides about each. It asks for
gzip alone and decompresses bit by bit, so that a small answer cannot grow without end.
"""

from __future__ import annotations

import logging
import random
import ssl
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Literal, Self

import httpx

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
        return self.reason if self.cause in SENTENCES else f"{self.reason}: {self}"

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


class Answer:
    """An answer whose body has not been read yet. ``location`` is where a redirect leads, None for no redirect."""

    def __init__(self, response: httpx.Response, monotonic: Callable[[], float]) -> None:
        self._response = response
        self._monotonic = monotonic
        self._compression: str = response.headers.get("content-encoding", "identity").strip().lower()
        self.status = response.status_code
        self.retry_after: str | None = response.headers.get("retry-after")
        self.location: str | None = response.headers["location"] if response.has_redirect_location else None

    @property
    def accepted(self) -> bool:
        """Whether the request was accepted."""
        return is_accepted(self.status)

    def read(self, most: int, seconds: float) -> bytes:
        """The whole body, decompressed.

        Raises TooLargeError beyond ``most`` bytes, CompressionError for another compression than gzip, and
        NoAnswerError where the body takes longer than ``seconds`` or ends early.
        """
        if not self._readable:
            shown = mask_tokens(self._compression)[:SHOWN]
            raise CompressionError(f"the answer is compressed as {shown}, though only gzip was accepted")
        parts, size = [], 0
        deadline = self._monotonic() + seconds
        for part in self._parts(most + 1):
            parts.append(part)
            size += len(part)
            if size > most:
                raise TooLargeError
            if self._monotonic() > deadline:
                raise NoAnswerError("answer", "the answer comes too slowly")
        return b"".join(parts)

    def beginning(self, most: int) -> bytes:
        """The first bytes of the body, decompressed, as far as that can be done. Raises NoAnswerError."""
        body = b""
        try:
            for part in self._parts(most) if self._readable else ():
                body += part
                if len(body) >= most:
                    break
        except DamagedError:
            pass
        return body[:most]

    @property
    def _readable(self) -> bool:
        return self._compression in ("identity", "gzip", "")

    def _parts(self, most: int) -> Iterator[bytes]:
        """The body bit by bit; together hardly more than ``most`` bytes, however well it is compressed."""
        unpacker = zlib.decompressobj(wbits=31) if self._compression == "gzip" else None
        left = most
        with _explained():
            for chunk in self._response.iter_raw():
                part = chunk if unpacker is None else unpacker.decompress(chunk, max(left, 1))
                left -= len(part)
                yield part
        if unpacker is not None and not unpacker.eof:
            raise DamagedError("the compressed answer breaks off")


class Client:
    """A client; as a context manager it keeps its connection between requests.

    ``headers`` go with every request, ``timeout`` counts the seconds to connect and to wait for the next bytes,
    and ``monotonic`` tells seconds.
    """

    def __init__(
        self,
        timeout: float,
        headers: Mapping[str, str] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._timeout = timeout
        self._headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", **(headers or {})}
        self._monotonic = monotonic
        self._client: httpx.Client | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            self._client.close()

    @contextmanager
    def request(
        self,
        method: str,
        url: str | httpx.URL,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[Answer]:
        """Send one request; its answer is there until the block ends. Raises NoAnswerError."""
        with ExitStack() as stack:
            with _explained():
                self._client = self._client or self._opened()
                response = stack.enter_context(
                    self._client.stream(method, url, content=content, headers=dict(headers or {}))
                )
            yield Answer(response, self._monotonic)

    def _opened(self) -> httpx.Client:
        logging.getLogger("httpx").setLevel(logging.WARNING)  # below that it logs whole addresses
        return httpx.Client(
            headers=self._headers,
            timeout=self._timeout,
            limits=CONNECTIONS,
            follow_redirects=False,
            verify=ssl.create_default_context(),
        )


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
    except zlib.error:
        raise DamagedError("the compressed answer is damaged") from None
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
