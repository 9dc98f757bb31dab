"""Addresses in the configuration. An error never repeats the address: it may hold a secret.

A value that comes from the environment into the user, the password or the query of an address is percent-encoded,
so that a ``@`` or ``/`` of a password does not end it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Annotated
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from pydantic import AfterValidator, SecretStr
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from detector.config.section import plain_line

BY_KEY_PATH = "/v1/analytics/usage/by-key"
FILE_DATABASES = ("sqlite", "duckdb")
"""First parts of the URLs whose database is the path of a file."""


VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""The name of a variable of the environment."""

_ADDRESS = re.compile(
    r"(?P<scheme>[A-Za-z][\w+.-]*://)(?P<user>[^/?#]*@)?(?P<place>[^?]*)(?P<query>.*)", re.DOTALL
)
_ENCODED_USER = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*")
_ENCODED_VALUE = re.compile(r"(?:[A-Za-z0-9._~!$'()*,=-]|%[0-9A-Fa-f]{2})*")


def filled_in(address: str, read: Callable[[str], str]) -> str:
    """The address with the value of each variable in the place of its name; ``read`` gives the value of a name.

    In the user, the password and the query a value is percent-encoded, unless it is already. An address that is a
    variable as a whole stays as the variable has it.
    """
    parts = _ADDRESS.fullmatch(address)
    if parts is None:
        return VARIABLE.sub(lambda name: read(name[1]), address)
    user = parts["user"] or ""
    whole = VARIABLE.fullmatch(user[:-1])
    if whole is not None:
        # The variable may hold both, and the first colon ends the user.
        user = ":".join(_encoded(text, _ENCODED_USER) for text in read(whole[1]).split(":", 1)) + "@"
    else:
        user = VARIABLE.sub(lambda name: _encoded(read(name[1]), _ENCODED_USER), user)
    place = VARIABLE.sub(lambda name: read(name[1]), parts["place"])
    query = re.sub(
        rf"(?P<start>[?&]?){VARIABLE.pattern}",
        # A variable that begins a parameter may hold its name too, or several parameters.
        lambda found: (
            found["start"] + (read(found[2]) if found["start"] else _encoded(read(found[2]), _ENCODED_VALUE))
        ),
        parts["query"],
    )
    return f"{parts['scheme']}{user}{place}{query}"


def _encoded(value: str, encoded: re.Pattern[str]) -> str:
    """A value as a part of an address. One that is encoded by hand has nothing that would end the part."""
    return value if encoded.fullmatch(value) else quote(value, safe="")


def shown_database(url: str | URL) -> str:
    """The URL of a database without its password and its query, which may hold another one."""
    return make_url(url).set(query={}).render_as_string(hide_password=True)


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
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError("not a SQLAlchemy URL, such as sqlite:///var/state.db") from None
    if parsed.username is not None and url.count("@") > 1 and parsed.get_backend_name() not in FILE_DATABASES:
        raise ValueError(
            "holds more than one @, so that its password ends too early: write the @ of a password as %40, "
            "or take the password alone from ${NAME}, which is encoded"
        )
    return url


EndpointUrl = Annotated[str, AfterValidator(_endpoint_url)]
EncryptedUrl = Annotated[str, AfterValidator(_encrypted_url)]
"""https, or http to the machine itself."""
EncryptedSecretUrl = Annotated[SecretStr, AfterValidator(_encrypted_secret_url)]
SecretUrl = Annotated[SecretStr, AfterValidator(_secret_url)]
"""http or https."""
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
