"""Conditions and encodings of a request."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.requests import Request

from detector.serve.app import _is_known, _takes_gzip


def request(**headers: str) -> Request:
    """A request with these headers."""
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "headers": pairs, "query_string": b""}
    return Request(scope, cast(Any, SimpleNamespace()))


@pytest.mark.parametrize(
    ("sent", "known"),
    [
        ('W/"v1.0.100"', True),
        ('"v1.0.100"', True),
        ('"other", W/"v1.0.100"', True),
        ("*", True),
        ('W/"v2.0.100"', False),
        ("", False),
    ],
)
def test_an_answer_that_the_caller_has_is_known(sent: str, known: bool) -> None:
    """Compared weakly, as compressed and plain bodies share a tag."""
    assert _is_known(request(if_none_match=sent), 'W/"v1.0.100"') is known


@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("br", False),
        ("", False),
        ("identity", False),
    ],
)
def test_a_body_is_compressed_only_where_the_caller_takes_it(sent: str, taken: bool) -> None:
    """A weight of zero means no."""
    assert _takes_gzip(request(accept_encoding=sent)) is taken
