"""Delivery of the reports to people and systems.

A channel is one file here, one section of settings in ``config/channels.py`` and one line in ``CHANNELS`` of
``config/plugins.py``.

A channel renders the messages about evaluated days (``messages``) and sends one message at a time (``send``).
Between the two, the outbox remembers what was sent.

- Messages are rendered when the findings are recorded, and stored with them. A message that is sent a day later
  still says what was decided. Its id follows from day, recipient, organization and source, so that a receiver
  can recognize a duplicate after a crash. A deliberate second sending (``--resend``) renders the messages again,
  under new ids.
- Every recipient is a message of its own. A refusal, a retry and a crash then concern one recipient, and nobody
  sees who else is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from detector.boundary.plugins import load_place
from detector.config.config import Config
from detector.config.plugins import CHANNELS
from detector.model.report import RunReport
from detector.state.messages import Message


@dataclass(frozen=True)
class Origin:
    """The sender of messages. ``edition`` is empty, except for messages that are deliberately sent again."""

    source: str
    organization: str | None
    report_url: str | None = None
    edition: str = ""


class Channel(Protocol):
    """One configured channel."""

    name: str
    """The name of the channel in the outbox, for example "mail" or "webhook siem"."""

    def describe(self) -> str:
        """The destination of the channel for `check`, with masked secrets."""
        ...

    def messages(self, reports: Sequence[RunReport]) -> list[Message]:
        """The messages about one evaluated day, or about several days in order, oldest first."""
        ...

    def trial(self, now: datetime) -> list[Message]:
        """Harmless messages that test the channel, one per recipient."""
        ...

    def send(self, message: Message) -> None:
        """Send a message; raises DeliveryError if the receiver does not accept it."""
        ...


def open_channels(config: Config, edition: str = "") -> list[Channel]:
    """Every configured channel. ConfigError for a channel that cannot work, for example without its package."""
    delivery = config.delivery
    origin = Origin(config.source.name, config.organization, delivery.report_url, edition)
    return [load_place(CHANNELS[key].channel)(settings, origin) for key, settings in delivery.channels()]
