"""A by-key endpoint on loopback that answers, or fails, as a test says."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import trustme

TOKEN = "tok_5f2a9c1e8b7d4f60a1b2c3d4e5f60718"


@dataclass(frozen=True)
class Request:
    """What came: the query by name, the headers, and the number of the request, from 1."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    number: int


@dataclass(frozen=True)
class Response:
    """What goes back. ``length`` announces another length than the body has; the connection then ends."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None


Behaviour = Callable[[Request], Response]


@dataclass
class Served:
    """A running endpoint: its address and everything it was asked."""

    url: str
    asked: list[Request] = field(default_factory=list)


@contextmanager
def endpoint(behaviour: Behaviour, authority: trustme.CA | None = None) -> Iterator[Served]:
    """An endpoint that behaves so, on a free port; over TLS where an authority vouches for it."""
    served = Served("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            request = Request(parts.path, dict(parse_qsl(parts.query)), dict(self.headers), len(served.asked) + 1)
            served.asked.append(request)
            response = behaviour(request)
            self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            length = len(response.body) if response.length is None else response.length
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(response.body)
            self.close_connection = self.close_connection or response.length is not None

        def handle(self) -> None:
            with suppress(ConnectionError):  # a caller that hangs up, which some tests are about
                super().handle()

        def log_message(self, format: str, *arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if authority:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "https" if authority else "http"
    served.url = f"{scheme}://127.0.0.1:{server.server_address[1]}/v1/analytics/usage/by-key"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def key(key_id: str, requests: int = 10, **members: Any) -> dict[str, Any]:
    """One key of an answer, all requests on one endpoint."""
    return {
        "key_id": key_id,
        "name": f"name of {key_id}",
        "environment": "live",
        "request_count": requests,
        "endpoint_distribution": {"GET /v1/things": requests} if requests else {},
        "error_count": 0,
        "last_activity": None,
        **members,
    }


def page(*keys: Any, total: int | None = None, **members: Any) -> Response:
    """A page of keys."""
    return answer({"keys": list(keys), "total_keys": len(keys) if total is None else total, **members})


def answer(document: Any, status: int = 200, **headers: str) -> Response:
    """Any JSON document."""
    return Response(json.dumps(document).encode(), status, {"Content-Type": "application/json", **headers})
