"""Addresses in the configuration. An error never repeats the address: it may hold a secret."""

from __future__ import annotations

import ipaddress
from typing import Annotated
from urllib.parse import SplitResult, urlsplit, urlunsplit

from pydantic import AfterValidator, SecretStr
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from detector.config.section import plain_line

BY_KEY_PATH = "/v1/analytics/usage/by-key"
FILE_DATABASES = ("sqlite", "duckdb")
"""First parts of the URLs whose database is the path of a file."""


def is_loopback(host: str) -> bool:
    """Whether a host name or address is the machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _web_address(url: str, example: str) -> SplitResult:
    """The parts of an http or https address that names a host and nobody; ValueError for any other text."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna")
        _ = parts.port  # raises ValueError for a port that is no number
    except ValueError:
        raise ValueError(f"not a URL, such as {example}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("must begin with https:// or http:// and name a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must hold no user or password")
    return parts


def _endpoint_url(url: str) -> str:
    """An address that is only a host gets the path that by-key endpoints have."""
    parts = _web_address(url, f"https://api.internal{BY_KEY_PATH}")
    if parts.query or parts.fragment:
        raise ValueError("must hold no query; put further parameters under source.parameters")
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") or BY_KEY_PATH, "", ""))


def _encrypted_url(url: str) -> str:
    parts = _web_address(url, "https://hooks.example.com/detector")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError("must begin with https://; plain http is allowed to the same machine only")
    return url


def _encrypted_secret_url(url: SecretStr) -> SecretStr:
    _encrypted_url(url.get_secret_value())
    return url


def _secret_url(url: SecretStr) -> SecretStr:
    _web_address(plain_line(url.get_secret_value()), "https://hc-ping.com/<uuid>")
    return url


def _database_url(url: str) -> str:
    try:
        make_url(url)
    except ArgumentError:
        raise ValueError("not a SQLAlchemy URL, such as sqlite:///var/state.db") from None
    return url


EndpointUrl = Annotated[str, AfterValidator(_endpoint_url)]
EncryptedUrl = Annotated[str, AfterValidator(_encrypted_url)]
"""https, or http to the machine itself."""
EncryptedSecretUrl = Annotated[SecretStr, AfterValidator(_encrypted_secret_url)]
SecretUrl = Annotated[SecretStr, AfterValidator(_secret_url)]
"""http or https."""
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
