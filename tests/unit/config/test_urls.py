"""Addresses in the configuration."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.engine import make_url

from detector.config.urls import (
    BY_KEY_PATH,
    DatabaseUrl,
    EncryptedSecretUrl,
    EncryptedUrl,
    EndpointUrl,
    SecretUrl,
    filled_in,
    is_loopback,
    shown_database,
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


@pytest.mark.parametrize(
    ("url", "value"),
    [
        ("postgresql+psycopg://me:Tr0ub@dor/Secret9#x@127.0.0.1/gw", "Tr0ub@dor/Secret9#x"),
        ("postgresql://me:a@b@db:5432/gw", "a@b"),
    ],
)
def test_a_password_that_ends_too_early_is_an_error_that_does_not_repeat_it(url: str, value: str) -> None:
    """What follows the first @ would be taken for the host, and be looked up and shown."""
    said = problem(DatabaseUrl, url)
    assert said.startswith(
        "holds more than one @, so that its password ends too early: write the @ of a password as %40"
    )
    assert not any(part in said for part in ("Secret9", "a@b"))


@pytest.mark.parametrize(
    "url", ["sqlite:////srv/a@b@c.db", "postgresql://me:a%40b@db/gw", "postgresql://db/gw?user=a@b@c"]
)
def test_an_at_elsewhere_ends_no_password(url: str) -> None:
    """In the path of a file, encoded, or without a user."""
    assert TypeAdapter(DatabaseUrl).validate_python(url) == url


@pytest.mark.parametrize(
    "password",
    [
        "Tr0ub@dor/Secret9#x",
        "a:b?c&d=e",
        "100%x",
        "50%",
        "sp ace",
        "plus+",
        "ünï",
        "[::1]",
        "p;q,r!s$t'u(v)*",
        "%zz@",
    ],
)
def test_any_password_from_the_environment_arrives_as_it_is(password: str) -> None:
    """Nobody has to know what an address reserves."""
    url = filled_in("postgresql+psycopg://${USER}:${PW}@db:5432/gw", {"USER": "me", "PW": password}.__getitem__)
    read = make_url(TypeAdapter(DatabaseUrl).validate_python(url))
    assert (read.username, read.password, read.host, read.database) == ("me", password, "db", "gw")


@pytest.mark.parametrize(("value", "password"), [("Tr0ub%40dor%2FSecret9", "Tr0ub@dor/Secret9"), ("p%2bq", "p+q")])
def test_a_password_that_is_encoded_by_hand_stays(value: str, password: str) -> None:
    """Earlier versions asked for it."""
    assert make_url(filled_in("postgresql://me:${PW}@db/gw", lambda name: value)).password == password


def test_a_variable_in_the_query_is_one_value() -> None:
    """A variable that begins a parameter may hold several."""
    values = {"A": "x&y=z +%", "B": "sslmode=require&b=1"}
    read = make_url(filled_in("postgresql://db/gw?password=${A}&${B}", values.__getitem__))
    assert read.query == {"password": "x&y=z +%", "sslmode": "require", "b": "1"}


@pytest.mark.parametrize(
    ("address", "value", "filled"),
    [
        ("${URL}", "postgresql://me:pw@db/gw", "postgresql://me:pw@db/gw"),
        ("postgresql://${LOGIN}@db/gw", "me:a@b:c", "postgresql://me:a%40b%3Ac@db/gw"),
        ("https://hooks.slack.com/${PATH}", "services/T0/B0/x", "https://hooks.slack.com/services/T0/B0/x"),
        ("slack://${TOKENS}/#channel", "T0/B0/x", "slack://T0/B0/x/#channel"),
        ("https://${HOST}/x", "api.internal:8443", "https://api.internal:8443/x"),
        ("sqlite:///${FOLDER}/state.db", "/srv/a b", "sqlite:////srv/a b/state.db"),
    ],
)
def test_elsewhere_a_variable_stands_for_its_text(address: str, value: str, filled: str) -> None:
    """A whole address, a user with a password, a path, tokens, a host."""
    assert filled_in(address, lambda name: value) == filled


def test_a_database_is_shown_without_its_password_and_its_query() -> None:
    """The query may hold another password."""
    assert shown_database("postgresql://me:pw@db/gw?user=u&password=q") == "postgresql://me:***@db/gw"
