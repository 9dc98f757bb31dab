"""What is shown of a secret: nothing."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import SecretStr

from detector.reports import visible

MASK = "***"
SHORTEST = 4
LONGEST = 300


def masked(text: str, *secrets: SecretStr | None) -> str:
    """A text from outside, safe to log: secrets that it repeats are masked, and it is one short line."""
    for secret in secrets:
        value = secret.get_secret_value() if secret else ""
        for form in {value, *value.split(), value.partition("://")[2]}:
            if len(form) >= SHORTEST:
                text = text.replace(form, MASK)
    line = " ".join(visible(text).split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def host_of(url: str) -> str:
    """The scheme and host of an address, without the path, which may hold a token."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"
