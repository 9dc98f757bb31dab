"""One HTTP POST: bounded, encrypted and never redirected; its answer decides whether a failure is permanent."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from pydantic import SecretStr

from detector.boundary.http import is_untrusted, seconds_asked
from detector.boundary.masking import host_of, masked
from detector.model.errors import DeliveryError

LARGEST_ANSWER = 4_000_000
LONGEST_PAUSE = 86_400.0
FOR_GOOD = frozenset({400, 405, 410, 411, 413, 414, 415, 422, 431})
"""Statuses that speak of the message itself, or of a receiver that is gone; others may be mended in time."""

logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs whole addresses, and some are secrets


@dataclass(frozen=True)
class ReceiverAnswer:
    """What a receiver answered."""

    status: int
    body: bytes
    retry_after: float | None

    @property
    def accepted(self) -> bool:
        """Whether it took the request."""
        return 200 <= self.status < 300

    def error(self, where: str, *secrets: SecretStr | None, rest: bytes | None = None) -> DeliveryError:
        """The refusal as an error, with the beginning of what it says."""
        says = masked(self.body[:2000].decode(errors="replace"), *secrets)
        hint = (
            "; redirects are not followed, configure the address it leads to" if 300 <= self.status < 400 else ""
        )
        text = f"{where}: HTTP {self.status}{hint}{f': {says}' if says else ''}"
        permanent = self.status in FOR_GOOD
        return DeliveryError(text, permanent=permanent, retry_after=self.retry_after, rest=rest)


def post(
    url: str, content: bytes, headers: Mapping[str, str], timeout: float, *secrets: SecretStr | None
) -> ReceiverAnswer:
    """Post once. DeliveryError, not for good, where no answer comes; ``secrets`` are masked in its text."""
    where = host_of(url)
    try:
        with (
            httpx.Client(verify=ssl.create_default_context(), timeout=timeout, follow_redirects=False) as client,
            client.stream("POST", url, content=content, headers={"User-Agent": "detector", **headers}) as response,
        ):
            return ReceiverAnswer(response.status_code, _body(response), _retry_after(response))
    except httpx.InvalidURL:
        raise DeliveryError(f"{where}: the address is not valid", permanent=False) from None
    except httpx.HTTPError as error:
        text = "the certificate is not trusted" if is_untrusted(error) else f"{type(error).__name__}: {error}"
        raise DeliveryError(f"{where}: {masked(text, *secrets)}", permanent=False) from None


def _body(response: httpx.Response) -> bytes:
    """The answer as far as it is worth reading."""
    body = b""
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > LARGEST_ANSWER:
            break
    return body[:LARGEST_ANSWER]


def _retry_after(response: httpx.Response) -> float | None:
    asked = seconds_asked(response.headers.get("Retry-After", ""), datetime.now(UTC))
    return None if asked is None else min(asked, LONGEST_PAUSE)
