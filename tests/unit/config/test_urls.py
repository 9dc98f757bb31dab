"""Addresses in the configuration."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from detector.config.urls import (
    BY_KEY_PATH,
    DatabaseUrl,
    EncryptedSecretUrl,
    EncryptedUrl,
    EndpointUrl,
    SecretUrl,
    is_loopback,
)

WEB = [EndpointUrl, EncryptedUrl, EncryptedSecretUrl, SecretUrl]


def problem(kind: Any, url: str) -> str:
    """What is wrong with an address."""
    with pytest.raises(ValidationError) as error:
        TypeAdapter(kind).validate_python(url)
    (first,) = error.value.errors()
    return first["msg"].removeprefix("Value error, ")


@pytest.mark.parametrize("kind", WEB)
@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://example.com/s3cr3t", "must begin with https:// or http:// and name a host"),
        ("/s3cr3t", "must begin with https:// or http:// and name a host"),
        ("https:///s3cr3t", "must begin with https:// or http:// and name a host"),
        ("https://user:s3cr3t@example.com/", "must hold no user or password"),
        ("https://example.com:port/s3cr3t", "not a URL, such as https://"),
        ("https://[::1/s3cr3t", "not a URL, such as https://"),
        (f"https://{'a' * 64}.example/s3cr3t", "not a URL, such as https://"),
    ],
)
def test_a_wrong_address_is_an_error_that_does_not_repeat_it(kind: Any, url: str, words: str) -> None:
    """It may hold a secret, wherever it is wrong."""
    said = problem(kind, url)
    assert said.startswith(words)
    assert "s3cr3t" not in said


@pytest.mark.parametrize("kind", WEB)
@pytest.mark.parametrize(
    "url", ["https://example.com:8443/a?b=c", "https://[2001:db8::1]/a", "https://münchen.example/a"]
)
def test_an_address_stays_as_it_is_written(kind: Any, url: str) -> None:
    """Its port, its path and its query too; an endpoint takes no query, and a secret is plain ASCII."""
    if kind is EndpointUrl:
        url = url.partition("?")[0]
    if kind is SecretUrl and not url.isascii():
        assert problem(kind, url).startswith("must be one line of plain characters")
        return
    read = TypeAdapter(kind).validate_python(url)
    assert (read if isinstance(read, str) else read.get_secret_value()) == url


def test_an_endpoint_that_is_only_a_host_gets_its_path() -> None:
    """With or without a slash at its end."""
    for url in ("https://api.internal", "https://api.internal/"):
        assert TypeAdapter(EndpointUrl).validate_python(url) == f"https://api.internal{BY_KEY_PATH}"
    assert problem(EndpointUrl, "https://api.internal/a?b=c").startswith("must hold no query")


@pytest.mark.parametrize("kind", [EncryptedUrl, EncryptedSecretUrl])
def test_plain_http_leads_to_the_same_machine_only(kind: Any) -> None:
    """What is sent holds findings and tokens."""
    TypeAdapter(kind).validate_python("http://127.0.0.1:8088/hook")
    assert problem(kind, "http://siem.example/hook").startswith("must begin with https://; plain http")


@pytest.mark.parametrize(
    ("host", "own"),
    [("localhost", True), ("127.9.9.9", True), ("::1", True), ("10.0.0.1", False), ("a.example", False)],
)
def test_loopback_is_the_machine_itself(host: str, own: bool) -> None:
    """By name or by number."""
    assert is_loopback(host) is own


def test_a_database_is_a_url_of_sqlalchemy() -> None:
    """Its error does not repeat the password."""
    assert TypeAdapter(DatabaseUrl).validate_python("sqlite:///var/state.db") == "sqlite:///var/state.db"
    assert problem(DatabaseUrl, "s3cr3t") == "not a SQLAlchemy URL, such as sqlite:///var/state.db"
