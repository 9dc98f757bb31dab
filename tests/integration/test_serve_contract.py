"""The served endpoint against its own description, by requests that nobody would think of."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from starlette.types import ASGIApp

from detector.config.urls import BY_KEY_PATH
from tests.serving import Served, serving

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
    ignored_auth,
]
"""All but that every value of the right form is accepted: most dates are of days that are not stored."""
EVERY_REFUSAL = schemathesis.Config.from_dict(
    {"checks": {"negative_data_rejection": {"expected-statuses": ["4XX"]}}}
)
"""By default 414 is not a refusal, and some absurd parameters make the query too long. Another check holds each
status to those that are described."""
PATHS = {BY_KEY_PATH, "/v1/reports", "/v1/reports/{day}/{name}", "/healthz"}
GENEROUS = "serve: {requests_per_second: 100000, burst: 100000, refusals_per_minute: 1000000}\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An application that nobody has to wait for."""
    with serving(tmp_path_factory.mktemp("served"), GENEROUS) as application:
        yield application


@pytest.fixture(scope="module")
def token(served: Served) -> str:
    """A token for everything."""
    return served.token()


@pytest.fixture
def description(served: Served) -> schemathesis.BaseSchema:
    """What the application says of itself."""
    app: ASGIApp = served.app
    return schemathesis.openapi.from_asgi("/openapi.json", app, config=EVERY_REFUSAL)


@pytest.mark.parametrize(
    ("path", "mode"),
    [
        (path, mode)
        for path in sorted(PATHS)
        for mode in GenerationMode
        if (path, mode) != ("/healthz", GenerationMode.NEGATIVE)
    ],
)
def test_every_answer_is_one_that_was_described(
    description: schemathesis.BaseSchema, token: str, path: str, mode: GenerationMode
) -> None:
    """Status, type and shape, for sensible and for absurd parameters, and none without a token."""
    operation = description[path]["GET"]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=[*HealthCheck]
    )
    def check(case: schemathesis.Case) -> None:
        # A parameter that is an empty list is not sent, so nothing is wrong with what arrives.
        assume([] not in (case.query or {}).values())
        case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=CHECKS)

    check()


def test_the_paths_above_are_all_there_are(description: schemathesis.BaseSchema) -> None:
    """A path that is added is checked too."""
    assert set(description) == PATHS
