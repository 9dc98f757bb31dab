"""One HTTP POST: bounded, encrypted and never redirected; its answer decides whether a failure is permanent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from detector.boundary.http import Client, NoAnswerError, is_accepted, seconds_asked, status_in_words
from detector.boundary.masking import host_of, mask_secrets
from detector.model.errors import DeliveryError

LARGEST_ANSWER = 4_000_000
LONGEST_PAUSE = 86_400.0
FOR_GOOD = frozenset({400, 405, 410, 411, 413, 414, 415, 422, 431})
"""Statuses that speak of the message itself, or of a receiver that is gone; others may be mended in time."""


@dataclass(frozen=True)
class ReceiverAnswer:
    """What a receiver answered."""

    status: int
    body: bytes
    retry_after: float | None

    @property
    def accepted(self) -> bool:
        """Whether it took the request."""
        return is_accepted(self.status)

    def error(self, where: str, rest: bytes | None = None) -> DeliveryError:
        """The refusal as an error, with the beginning of what it says."""
        says = mask_secrets(self.body[:2000].decode(errors="replace"))
        advice = ", configure the address it leads to" if 300 <= self.status < 400 else ""
        text = f"{where}: {status_in_words(self.status)}{advice}{f': {says}' if says else ''}"
        permanent = self.status in FOR_GOOD
        return DeliveryError(text, permanent=permanent, retry_after=self.retry_after, rest=rest)


def post(url: str, content: bytes, headers: Mapping[str, str], timeout: float) -> ReceiverAnswer:
    """Post once. DeliveryError, not for good, where no answer comes."""
    where = host_of(url)
    try:
        with Client(timeout) as client:
            answer = client.request("POST", url, content, headers, most=LARGEST_ANSWER)
    except NoAnswerError as error:
        text = mask_secrets(error.explanation)
        raise DeliveryError(f"{where}: {text}", permanent=False) from None
    return ReceiverAnswer(answer.status, answer.body, _pause(answer.retry_after))


def _pause(retry_after: str | None) -> float | None:
    asked = seconds_asked(retry_after or "", datetime.now(UTC))
    return None if asked is None else min(asked, LONGEST_PAUSE)
