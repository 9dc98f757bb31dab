"""Errors of requests as problem details (RFC 9457)."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from detector.model.errors import DetectorError

_LOG = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPES = "urn:detector:problem:"


class Problem(BaseModel):
    """The reason why a request has no answer."""

    type: str = Field(description="The identifier of the kind of problem.")
    title: str = Field(description="The kind of problem in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="The error of this request, and what to do.")


class ProblemError(Exception):
    """Ends a request with a problem. ``kind`` is the last part of the problem's type."""

    def __init__(
        self, status: int, kind: str, title: str, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(title)
        self.status = status
        self.kind = kind
        self.title = title
        self.detail = detail
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """The HTTP response of the problem."""
        document = Problem(type=TYPES + self.kind, title=self.title, status=self.status, detail=self.detail)
        body = json.dumps(document.model_dump()).encode()
        return Response(body, self.status, {"Cache-Control": "no-store", **self.headers}, MEDIA_TYPE)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems of a path, for OpenAPI."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": DESCRIPTIONS[status], "content": content} for status in statuses}


DESCRIPTIONS = {
    401: "No token, or one that is not accepted.",
    403: "The token may not see this.",
    404: "A day that is not stored, or nothing of this name.",
    409: "The answer changed since the cursor was given.",
    413: "A request with a body.",
    414: "A very long query.",
    422: "A parameter that is not valid.",
    429: "Too many requests; Retry-After says when to come back.",
    431: "Large headers.",
    500: "The history cannot be read.",
    503: "Too busy, or the answer takes too long; Retry-After says when to come back.",
}


def too_busy(detail: str) -> ProblemError:
    """The problem for an answer that is not ready."""
    return ProblemError(503, "too-busy", "Too busy", detail, {"Retry-After": "5"})


def invalid(detail: str) -> ProblemError:
    """The problem for an invalid parameter."""
    return ProblemError(422, "invalid-parameter", "Invalid parameter", detail)


def install(app: FastAPI, pause: float) -> None:
    """Turn every error of the application into a problem.

    One that says "come back later" is sent after about ``pause`` seconds: a caller who comes back at once would
    keep the server busy with refusals.
    """

    async def problem(_: Request, error: Exception) -> Response:
        if isinstance(error, DetectorError):
            _LOG.error("%s", error)
        found = _as_problem(error)
        if found.status in (429, 503):
            # Not all at the same time, or those who come back would come together.
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311
        return found.response()

    for kind in (ProblemError, RequestValidationError, HTTPException, DetectorError, Exception):
        app.add_exception_handler(kind, problem)


def _as_problem(error: Exception) -> ProblemError:
    """The problem for an error, without paths, queries or values of the request."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, RequestValidationError):
        return invalid("; ".join(_words(problem) for problem in error.errors()))
    if isinstance(error, HTTPException):
        return ProblemError(error.status_code, "http", error.detail, "openapi.json lists the paths", error.headers)
    return ProblemError(500, "failure", "Internal error", "The operator finds the cause in the log.")


def _words(problem: Mapping[str, Any]) -> str:
    name = problem["loc"][-1]
    return f"{name}: {problem['msg'][0].lower()}{problem['msg'][1:]}"
