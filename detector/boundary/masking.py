"""What is shown of a secret: nothing, or too little to use it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pydantic import SecretStr

from detector.boundary.text import one_line

MASK = "***"
SHORTEST = 4
SHORTEST_STEP = 8
LONGEST = 300

_TOKEN = re.compile(r"[A-Za-z0-9_+=-]{20,}")
_WORDS = re.compile(r"(?:[A-Z]{0,4}[a-z]{3,}){1,6}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")


def mask_secrets(text: str, *secrets: SecretStr | None) -> str:
    """A text from outside, safe to log: known secrets that it repeats are masked, and it is one short line."""
    for secret in secrets:
        text = without(text, secret.get_secret_value() if secret else "")
    return one_line(text, LONGEST)


def without(text: str, secret: str) -> str:
    """The text with a known secret masked, and the parts of it that are secrets themselves."""
    for form in sorted(_forms(secret), key=len, reverse=True):
        text = text.replace(form, MASK)
    return text


def mask_tokens(text: str) -> str:
    """The text with everything that looks like a secret cut to its first four characters.

    Operation names such as ``DescribeLoadBalancers`` are words and stay.
    """
    return _TOKEN.sub(lambda match: _first_four(match.group()), _CONTROL.sub(" ", text).strip())


def host_of(url: str) -> str:
    """The scheme and host of an address, without the path, which may hold a token."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"


def _forms(secret: str) -> set[str]:
    """A secret, the words of a header, and the steps of an address. Short parts would mask ordinary text."""
    _, _, address = secret.partition("://")
    words = {part for part in (*secret.split(), address) if len(part) >= SHORTEST}
    steps = {step for step in re.split(r"[/?&=@:]", address) if len(step) >= SHORTEST_STEP}
    return {secret, *words, *steps} - {""}


def _first_four(token: str) -> str:
    return token if _WORDS.fullmatch(token) else token[:4] + "…"
