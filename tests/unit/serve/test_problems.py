"""What is wrong with a request, as problem details."""

from __future__ import annotations

import json
from typing import Any

from fastapi import FastAPI

from detector.model.errors import HistoryError
from detector.serve.problems import MEDIA_TYPE, ProblemError, documented, install, invalid, too_busy
from tests.serving import asked


def application() -> FastAPI:
    """An application with a parameter that must be a number, and a path for each kind of error."""
    app = FastAPI()
    install(app, pause=0)

    @app.get("/pages")
    async def pages(limit: int) -> int:
        return limit

    @app.get("/damaged")
    async def damaged() -> None:
        raise HistoryError("/srv/var/history/day=2026-03-17: not a Parquet file")

    @app.get("/fault")
    async def fault() -> None:
        raise RuntimeError("token dtk_secret")

    @app.get("/busy")
    async def busy() -> None:
        raise too_busy("Too many answers are being prepared.")

    return app


def document(path: str) -> tuple[int, dict[str, Any]]:
    """Status and problem of a path."""
    answer = asked(application(), path)
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, answer.json()


def test_a_problem_has_a_type_for_programs_and_words_for_people() -> None:
    """RFC 9457."""
    assert json.loads(bytes(invalid("from: lies after to").response().body)) == {
        "type": "urn:detector:problem:invalid-parameter",
        "title": "Invalid parameter",
        "status": 422,
        "detail": "from: lies after to",
    }


def test_a_value_that_is_refused_is_not_repeated() -> None:
    """The name of the parameter is enough; what was sent may be anything."""
    status, problem = document("/pages?limit=<script>")
    assert (status, problem["title"]) == (422, "Invalid parameter")
    assert problem["detail"].startswith("limit: input should be")
    assert "script" not in problem["detail"]


def test_an_error_of_the_installation_tells_no_path() -> None:
    """The operator finds it in the log; a caller learns that it is not the caller's fault."""
    status, problem = document("/damaged")
    assert (status, problem["type"]) == (500, "urn:detector:problem:failure")
    assert "history" not in problem["detail"]


def test_a_fault_of_the_program_tells_nothing_of_itself() -> None:
    """Neither its kind nor its text."""
    status, problem = document("/fault")
    assert status == 500
    assert "dtk_secret" not in json.dumps(problem)


def test_a_path_that_is_not_there_is_a_problem_too() -> None:
    """No other shape of an error leaves the application."""
    status, problem = document("/nowhere")
    assert (status, problem["type"]) == (404, "urn:detector:problem:http")


def test_who_comes_too_early_learns_when_to_come_back() -> None:
    """Retry-After goes along."""
    answer = asked(application(), "/busy")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_a_problem_carries_the_headers_of_its_error() -> None:
    """Beside those of every problem."""
    headers = ProblemError(413, "body", "title", "detail", {"Connection": "close"}).response().headers
    assert (headers["connection"], headers["cache-control"]) == ("close", "no-store")


def test_every_documented_status_is_described() -> None:
    """OpenAPI names the problem document for each."""
    described = documented(401, 422)
    assert set(described) == {401, 422}
    assert described[422]["content"] == {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
