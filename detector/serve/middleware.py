"""The outermost middleware: it refuses requests by their headers, completes response headers and logs access."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from typing import IO, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from detector.boundary.instants import rfc_3339
from detector.boundary.masking import mask_tokens
from detector.serve.problems import ProblemError

LONGEST_QUERY = 4096
LARGEST_HEADERS = 16 * 1024
"""Bytes of the request line and the headers."""
SHOWN = 200
HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}
"""The default headers of every response."""


class OutermostLayer:
    """Wraps the application. It logs one JSON line per request to ``log``, without queries, headers or tokens."""

    def __init__(self, app: ASGIApp, log: IO[str], clock: Callable[[], datetime]) -> None:
        self._app = app
        self._log = log
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request. Other events, such as those of the lifespan, go to the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500
        scope.setdefault("state", {})

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": _completed(message["headers"])}
            await send(message)

        try:
            refusal = refused(scope)
            await (refusal.response() if refusal else self._app)(scope, receive, sent)
        finally:
            self._write(scope, status, time.perf_counter() - started)

    def _write(self, scope: Scope, status: int, seconds: float) -> None:
        client = scope.get("client")
        line = {
            "time": rfc_3339(self._clock(), "milliseconds"),
            "method": scope["method"][:SHOWN],
            # A caller may put a token into the path by mistake.
            "path": mask_tokens(scope["path"][:LONGEST_QUERY])[:SHOWN],
            "status": status,
            "duration_ms": round(seconds * 1000, 1),
            "token": scope["state"].get("token_name"),
            "address": client[0] if client else None,
        }
        self._log.write(json.dumps(line) + "\n")
        self._log.flush()


def refused(scope: Scope) -> ProblemError | None:
    """The reason to refuse a request: large headers, a body or a very long query; None if it has none of them."""
    size = len(scope.get("raw_path", b"")) + len(scope["query_string"])
    for name, value in scope["headers"]:
        size += len(name) + len(value)
    if size > LARGEST_HEADERS:
        # The server itself refuses headers that grow beyond this before they end. These came at once.
        detail = f"At most {LARGEST_HEADERS} bytes together."
        return ProblemError(431, "large-headers", "The headers are too large", detail, {"Connection": "close"})
    headers: dict[bytes, bytes] = dict(scope["headers"])
    if headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers:
        detail = "Send the request without a body."
        return ProblemError(413, "body", "A request body is not accepted", detail, {"Connection": "close"})
    if len(scope["query_string"]) > LONGEST_QUERY:
        return ProblemError(414, "long-query", "The query is too long", f"At most {LONGEST_QUERY} bytes.")
    return None


def _completed(headers: Any) -> list[tuple[bytes, bytes]]:
    own = list(headers)
    names = {name.lower() for name, _ in own}
    return own + [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in names]
