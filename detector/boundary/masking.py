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

_TOKEN = re.compile(r"[A-Za-z0-9_+=%~-]{20,}")
_MIXED = r"(?=[a-z0-9_-]*[A-Z])(?=[A-Z0-9_-]*[a-z])(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{6,}"
_JOINED = re.compile(rf"(?<![\w.:~-])(?:{_MIXED}[.:~])+{_MIXED}")
"""A token in parts, such as ``4eC39HqL.yjWDarjt7``."""

_SECRETS = (
    re.compile(r"(?<![A-Za-z0-9])()eyJ[\w-]{5,}(?:\.[\w-]+)*"),  # a JSON web token
    re.compile(r"()[\w.+%'-]{1,64}(?:@|%(?:25)*40)(?:[\w-]{1,63}\.)+[^\W\d_]{2,}"),  # a mail address
    re.compile(r"(?<![\w+/-])()[\w+/-]{4,}=="),  # base64
    re.compile(r"(/(?:services|triggers|workflows)/)T[0-9A-Z]{3,}/[0-9A-Z]{3,}(?:/[\w-]+)?"),  # a hook of Slack
    re.compile(r"(/webhooks/)\d+/[\w-]+"),  # a hook of Discord
    re.compile(r"(?i)(/bot)\d+(?::|%(?:25)*3a)[\w-]+"),  # a bot of Telegram
    re.compile(r"""(?i)((?:;|%(?:25)*3b)[\w.~-]{1,64}(?:=|%(?:25)*3d))[^\s;,/&?#"']+"""),  # ;jsessionid=
    re.compile(
        r"""(?i)([?&][\w.~-]{0,64}(?:auth|code|key|pass|pwd|secret|sess|sig|token)[\w.~-]{0,64}=)[^\s&#"']+"""
    ),
)
"""What is secret by its form or its place. The first group stays."""

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
    """The text with everything that looks like a secret masked, or cut to its first four characters.

    Operation names such as ``DescribeLoadBalancers`` are words and stay.
    """
    text = _CONTROL.sub(" ", text).strip()
    for pattern in _SECRETS:
        text = pattern.sub(rf"\1{MASK}", text)
    for pattern in (_JOINED, _TOKEN):
        text = pattern.sub(lambda match: _first_four(match.group()), text)
    return text


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
