"""Addresses in the configuration."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit, urlunsplit

from pydantic import AfterValidator
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError


def _database_url(url: str) -> str:
    try:
        make_url(url)
    except ArgumentError:
        raise ValueError("not a SQLAlchemy URL, such as sqlite:///var/state.db") from None
    return url


FILE_DATABASES = ("sqlite", "duckdb")
"""First parts of the URLs whose database is the path of a file."""

DatabaseUrl = Annotated[str, AfterValidator(_database_url)]

BY_KEY_PATH = "/v1/analytics/usage/by-key"


def _endpoint_url(url: str) -> str:
    """An http or https address; one that is only a host gets the path that by-key endpoints have."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port  # raises ValueError for a port that is no number
    except ValueError:
        raise ValueError("not a URL, such as https://api.internal/v1/analytics/usage/by-key") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("must begin with https:// (or http://) and name a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must hold no user or password; the secret belongs into token")
    if parts.query or parts.fragment:
        raise ValueError("must hold no query; put further parameters under source.parameters")
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") or BY_KEY_PATH, "", ""))


EndpointUrl = Annotated[str, AfterValidator(_endpoint_url)]
