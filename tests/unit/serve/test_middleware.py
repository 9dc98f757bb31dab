"""Around every request: what is refused unread, the headers of every answer, and the access log."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import FastAPI, Response

from detector.serve.middleware import LONGEST_QUERY, SHOWN, OutermostLayer, refused
from tests.serving import asked

NOW = datetime(2026, 3, 18, 5, 0, 0, 123_000, tzinfo=UTC)


def scope(query: bytes = b"", **headers: bytes) -> dict[str, Any]:
    """A request as ASGI has it."""
    pairs = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    return {"type": "http", "method": "GET", "path": "/", "query_string": query, "headers": pairs}


def application(log: io.StringIO) -> OutermostLayer:
    """An application of two paths behind the layer."""
    app = FastAPI()

    @app.get("/report")
    async def report() -> Response:
        return Response(headers={"Content-Security-Policy": "sandbox"})

    @app.get("/fault")
    async def fault() -> None:
        raise RuntimeError

    return OutermostLayer(app, log, lambda: NOW)


@pytest.mark.parametrize(
    ("request_scope", "status"),
    [
        (scope(content_length=b"5"), 413),
        (scope(transfer_encoding=b"chunked"), 413),
        (scope(query=b"x" * (LONGEST_QUERY + 1)), 414),
    ],
    ids=["a body", "a body in chunks", "a long query"],
)
def test_what_no_path_accepts_is_refused_unread(request_scope: dict[str, Any], status: int) -> None:
    """Whoever sends it is told, before anything is looked up."""
    refusal = refused(request_scope)
    assert refusal is not None
    assert refusal.status == status


def test_an_ordinary_request_passes() -> None:
    """An empty body is none, and the longest query is not too long."""
    assert refused(scope(query=b"x" * LONGEST_QUERY, content_length=b"0")) is None


def test_every_answer_has_the_safe_headers() -> None:
    """Unless it has its own: a report has a policy of its own."""
    headers = asked(application(io.StringIO()), "/report").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers.get_list("content-security-policy") == ["sandbox"]


def test_the_log_has_a_line_a_request_without_query_and_headers() -> None:
    """Tokens and names of customers stay out of it."""
    log = io.StringIO()
    asked(application(log), "/report?key=secret", {"Authorization": "Bearer dtk_secret"})
    line = json.loads(log.getvalue())
    assert (line["time"], line["method"], line["path"], line["status"]) == (
        "2026-03-18T05:00:00.123Z",
        "GET",
        "/report",
        200,
    )
    assert "secret" not in log.getvalue()


def test_a_request_that_fails_is_logged_too() -> None:
    """As a 500."""
    log = io.StringIO()
    asked(application(log), "/fault")
    assert json.loads(log.getvalue())["status"] == 500


def test_a_long_path_does_not_fill_the_log() -> None:
    """And one with a line end stays in its line."""
    log = io.StringIO()
    asked(application(log), "/" + "%0A/" * 300)
    assert len(json.loads(log.getvalue())["path"]) == SHOWN
    assert log.getvalue().count("\n") == 1


def test_a_token_in_the_path_is_not_logged() -> None:
    """A caller may put it there by mistake."""
    log = io.StringIO()
    asked(application(log), "/v1/dtk_4eC39HqLyjWDarjtT1zdp7dc4eC39HqLyjWDarjtT1z")
    assert json.loads(log.getvalue())["path"] == "/v1/dtk_…"
