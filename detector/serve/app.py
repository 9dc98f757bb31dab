"""The application of the server: its paths and their dependencies."""

from __future__ import annotations

import asyncio
import hashlib
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated, Any, Literal

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi import Path as PathParameter
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field
from starlette.types import ASGIApp

from detector.boundary.suggestions import did_you_mean_or_all
from detector.config.config import Config
from detector.config.urls import BY_KEY_PATH
from detector.serve import reports
from detector.serve.access import Doorkeeper, Turns
from detector.serve.answers import Answers, Prepared, offset_of
from detector.serve.middleware import OutermostLayer
from detector.serve.preparation import Preparation, Question, prepared_here
from detector.serve.problems import Problem, ProblemError, documented, install, invalid, too_busy
from detector.serve.questions import days
from detector.state.database import State
from detector.state.tokens import ApiToken
from detector.usage.history import History

REPORTS_PATH = "/v1/reports"
PATIENCE = 30.0
"""Seconds that a request waits for the preparation of its answer. A later request finds the answer cached."""
PAUSE = 1.0
MOST_KEYS = 1000
LONGEST_CURSOR = 200
PARAMETERS = ("from", "to", "environment", "detail", "limit", "cursor")
SHOWN = 40

bearer = HTTPBearer(auto_error=False, description="A token that `detector token create` made.")


class Key(BaseModel):
    """One key of the answer. The members from ``team`` on need ``detail``, and are absent if they are unknown."""

    key_id: str
    name: str
    environment: Literal["live", "test", "unknown"]
    request_count: int = Field(ge=0)
    endpoint_distribution: dict[str, int]
    error_count: int = Field(ge=0)
    last_activity: str | None = Field(description="RFC 3339, UTC; null for a key that was never seen.")
    team: str | None = None
    application: str | None = None
    organization: str | None = None
    created_at: str | None = None
    deployments: dict[str, int] | None = None
    client_count: int | None = None


class ByKeyPage(BaseModel):
    """A page of the by-key answer: active keys, most requests first, ties by key id."""

    keys: list[Key]
    total_keys: int = Field(ge=0, description="Active keys on all pages together.")
    next_cursor: str | None = Field(None, description="The cursor of the next page; absent on the last.")
    next: str | None = Field(None, description="The path and query of the next page; absent on the last.")


class Health(BaseModel):
    """The answer of a process that is alive."""

    status: Literal["ok"] = "ok"


class Parts:
    """The objects that the paths share, assembled once."""

    def __init__(
        self,
        config: Config,
        history: History,
        state: State,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        small: Preparation,
        large: Preparation,
    ) -> None:
        self.config = config
        self.history = history
        self.answers = Answers(history, config.serve.cache_mb, small, large)
        self.doorkeeper = Doorkeeper(state, config.serve, clock, monotonic)
        self.turns = Turns()
        self.directory = Path(config.report.directory)


def make_app(
    config: Config,
    history: History,
    state: State,
    *,
    log: IO[str] = sys.stderr,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    monotonic: Callable[[], float] = time.monotonic,
    small: Preparation | None = None,
    large: Preparation | None = None,
    pause: float = PAUSE,
) -> ASGIApp:
    """The application over a history and the tokens of a state database.

    ``small`` and ``large`` prepare the answers to small and to large questions; by default this process does.
    ``pause`` is the number of seconds before a refusal that asks the caller to come back later.
    """
    here = prepared_here(history)
    parts = Parts(config, history, state, clock, monotonic, small or here, large or here)
    app = FastAPI(
        title="API usage by key", version="1", docs_url=None, redoc_url=None,
        description="Usage per API key over the days that detector has stored, and its reports.",
    )  # fmt: skip
    app.state.parts = parts
    app.include_router(router)
    install(app, pause)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return OutermostLayer(app, log, clock)


async def admitted(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> ApiToken:
    """The token of a request. It is checked before all other parts of the request."""
    doorkeeper = _parts(request).doorkeeper
    if doorkeeper.is_stale:
        await asyncio.to_thread(doorkeeper.refresh)
    address = request.client.host if request.client else "unknown"
    token = doorkeeper.admit(credentials.credentials if credentials else None, address)
    request.scope["state"]["token_name"] = token.name
    return token


Admitted = Annotated[ApiToken, Depends(admitted)]
router = APIRouter()
DAY_TEXT = {"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}


@router.get(
    BY_KEY_PATH,
    response_model=ByKeyPage,
    summary="Usage by key",
    responses=documented(401, 404, 409, 413, 414, 422, 429, 431, 500, 503) | {304: {"description": "Unchanged."}},
)
async def by_key(
    request: Request,
    token: Admitted,
    start: Annotated[
        str | None,
        Query(alias="from", description="First day, or the instant it begins.", json_schema_extra=DAY_TEXT),
    ] = None,
    end: Annotated[
        str | None,
        Query(alias="to", description="Last day, or the instant it ends.", json_schema_extra=DAY_TEXT),
    ] = None,
    environment: Annotated[
        Literal["live", "test", "unknown"] | None, Query(description="Only keys of this environment.")
    ] = None,
    detail: Annotated[bool, Query(description="With team, deployments and all other known properties.")] = False,
    limit: Annotated[int, Query(ge=1, le=MOST_KEYS, description="Keys on a page.")] = 100,
    cursor: Annotated[
        str | None,
        Query(max_length=LONGEST_CURSOR, description="The next_cursor of the page before."),
    ] = None,
) -> Response:
    """The usage of every active key that the token may see; by default the usage of the last stored day."""
    _require_known(request)
    parts = _parts(request)
    most = parts.config.serve.most_days
    first, last = days(start, end, parts.history.latest(), parts.history.timezone, most)
    question = Question(first, last, environment, token.organization, detail)
    async with parts.turns.of(token):
        version = parts.answers.version(question)
    offset = offset_of(cursor, version) if cursor else 0
    headers = _headers(f"{version}.{offset}.{limit}")
    if _is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    prepared = await _ready(parts.answers, token, question, version)
    async with parts.turns.of(token):
        body = parts.answers.page(question, version, prepared, offset, limit)
    if body.compressed is not None and _takes_gzip(request):
        headers["Content-Encoding"] = "gzip"
        return Response(body.compressed, headers=headers, media_type="application/json")
    return Response(body.plain, headers=headers, media_type="application/json")


@router.get(
    REPORTS_PATH,
    response_model=reports.ReportIndex,
    summary="Days with a report",
    responses=documented(401, 403, 413, 414, 429, 431, 503),
)
async def report_index(request: Request, token: Admitted) -> reports.ReportIndex:
    """The days that have a report, newest first."""
    _require_all_keys(request, token)
    return await asyncio.to_thread(reports.index, _parts(request).directory, REPORTS_PATH)


@router.get(
    REPORTS_PATH + "/{day}/{name}",
    response_class=Response,
    summary="The report of a day",
    responses=documented(401, 403, 404, 413, 414, 422, 429, 431, 503)
    | {
        200: {"content": {form.media_type.split(";")[0]: {"schema": {}} for form in reports.formats().values()}},
        304: {"description": "Unchanged."},
    },
)
async def report(
    request: Request,
    token: Admitted,
    day: str,
    name: Annotated[str, PathParameter(description="A name of the index, as report.json.")],
) -> Response:
    """One file of a day's report, as the job wrote it."""
    _require_all_keys(request, token)
    stored = await asyncio.to_thread(reports.read, _parts(request).directory, day, name)
    if stored is None:
        raise ProblemError(404, "no-report", "No such report", f"{REPORTS_PATH} lists the days that have one.")
    headers = _headers(hashlib.sha256(stored.data).hexdigest()[:32])
    if stored.format.is_page:
        headers["Content-Security-Policy"] = reports.HTML_POLICY
    if _is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(stored.data, headers=headers, media_type=stored.format.media_type)


@router.get("/healthz", summary="Whether the process answers")
async def healthz() -> Health:
    """The path for load balancers and probes. It needs no token."""
    return Health()


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


def _require_known(request: Request) -> None:
    """Raise ProblemError for an unknown parameter: without it, a misspelt one would change the question."""
    for name in request.query_params:
        if name not in PARAMETERS:
            written = name[:SHOWN]
            raise invalid(f"unknown parameter {written}{did_you_mean_or_all(written, PARAMETERS)}")


async def _ready(answers: Answers, token: ApiToken, question: Question, version: str) -> Prepared:
    prepared = answers.prepared(token.hash, question, version)
    if isinstance(prepared, Prepared):
        return prepared
    try:
        return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(prepared)), PATIENCE)
    except TimeoutError:
        raise too_busy("The answer takes longer; it is being prepared and will be there.") from None


def _require_all_keys(request: Request, token: ApiToken) -> None:
    """Raise ProblemError unless the token may see every key, because a report shows all of them."""
    if token.organization not in (None, _parts(request).config.organization):
        detail = "Reports show the keys of every organization; this token is for one of them."
        raise ProblemError(403, "other-organizations", "Not for this token", detail)


def _headers(version: str) -> dict[str, str]:
    """The headers for caches, with the version as the ETag."""
    # The ETag is weak, because compressed and plain bodies share it. Each token sees other keys, hence private.
    return {
        "ETag": f'W/"{version}"',
        "Cache-Control": "private, no-cache",
        "Vary": "Authorization, Accept-Encoding",
    }


def _is_known(request: Request, etag: str) -> bool:
    """Whether the caller already has the answer of an ETag (weak comparison, RFC 9110, 13.1.2)."""
    given = request.headers.get("if-none-match", "")
    known = {tag.strip().removeprefix("W/") for tag in given.split(",")}
    return given.strip() == "*" or etag.removeprefix("W/") in known


def _takes_gzip(request: Request) -> bool:
    for choice in request.headers.get("accept-encoding", "").lower().split(","):
        name, _, quality = choice.partition(";")
        if name.strip() == "gzip":
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI description of the paths and of their problems."""
    document = FastAPI.openapi(app)  # FastAPI builds the document once and returns the same object again
    schemas = document["components"]["schemas"]
    schemas["Problem"] = Problem.model_json_schema()
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return document
