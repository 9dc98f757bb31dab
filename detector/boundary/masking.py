"""What is shown of a secret: nothing."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pydantic import SecretStr

from detector.boundary.text import visible

MASK = "***"
SHORTEST = 4
SHORTEST_STEP = 8
LONGEST = 300


def masked(text: str, *secrets: SecretStr | None) -> str:
    """A text from outside, safe to log: secrets that it repeats are masked, and it is one short line."""
    for secret in secrets:
        for form in sorted(_forms(secret.get_secret_value() if secret else ""), key=len, reverse=True):
            text = text.replace(form, MASK)
    line = " ".join(visible(text).split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _forms(secret: str) -> set[str]:
    """A secret and the parts of it that are secrets themselves: words of a header, steps of an address."""
    parts = {secret, *secret.split()}
    _, _, address = secret.partition("://")
    parts |= {address, *(step for step in re.split(r"[/?&=@:]", address) if len(step) >= SHORTEST_STEP)}
    return {part for part in parts if len(part) >= SHORTEST}


def host_of(url: str) -> str:
    """The scheme and host of an address, without the path, which may hold a token."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"
