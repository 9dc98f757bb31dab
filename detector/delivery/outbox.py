"""The outbox: it sends the messages that were stored with a run's findings, until each is accepted or fails.

A message is marked as sent right after the receiver has accepted it. After a crash in between, it is sent a
second time under the same id; after a crash at any other point it is sent once. No message is dropped: a
permanent failure stays in the outbox, and the next report names it.

A refusal is permanent only where it concerns the message itself. Somebody may correct a wrong password, address
or certificate while the message waits. Such a message is tried again for a day, and exit code 4 reports it at
once.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from detector.boundary.text import visible
from detector.boundary.words import counted
from detector.delivery import Channel
from detector.model.errors import DeliveryError
from detector.state import outbox
from detector.state.database import State
from detector.state.messages import FAILED, WAITING, StoredMessage

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=4)
MOST_ATTEMPTS = 14
"""Pauses double from a minute to four hours, so that the last attempt is made about a day after the first."""
GIVE_UP_AFTER = 3
"""Failures in a row after which a channel is left alone until the outbox is drained again."""


@dataclass(frozen=True)
class Delivered:
    """What draining did; ``waiting`` counts what is left, ``failures`` are sentences for the operator."""

    sent: int = 0
    waiting: int = 0
    failures: tuple[str, ...] = ()
    busy: bool = False


class Outbox:
    """The stored messages and the channels that send them. ``chance`` gives numbers from 0 to 1 for jitter."""

    def __init__(
        self, state: State, channels: Iterable[Channel], chance: Callable[[], float] = random.random
    ) -> None:
        self._state = state
        self._channels = {channel.name: channel for channel in channels}
        self._chance = chance

    def drain(self, now: datetime, *, everything: bool = False) -> Delivered:
        """Send what is due, or with ``everything`` all that waits. One process at a time does so."""
        with self._state.exclusively("outbox") as lock:
            if not lock.held:
                return Delivered(waiting=self._waiting(), busy=True)
            due = outbox.waiting(self._state, None if everything else now)
            sent = 0
            failures = []
            in_a_row = Counter[str]()
            for stored in due:
                name = stored.message.channel
                if in_a_row[name] >= GIVE_UP_AFTER:
                    continue
                failure = self._attempt(stored, now)
                sent += failure is None
                in_a_row[name] = 0 if failure is None else in_a_row[name] + 1
                failures += [failure] if failure else []
        return Delivered(sent, self._waiting(), tuple(failures))

    def _attempt(self, stored: StoredMessage, now: datetime) -> str | None:
        """Send one message; what went wrong, None where it was taken."""
        channel = self._channels.get(stored.message.channel)
        try:
            if channel is None:
                raise DeliveryError("the channel is not configured any more", permanent=True)
            payload = outbox.payload(self._state, stored.id)
            channel.send(replace(stored.message, payload=payload))
        except DeliveryError as error:
            return self._put_off(stored, error, now)
        except Exception as error:  # a fault in one channel must not hold up what others have to send
            fault = f"{type(error).__name__}, a fault of the program"  # its text might hold a secret
            return self._put_off(stored, DeliveryError(fault, permanent=False), now)
        outbox.mark_sent(self._state, stored.id, now)
        return None

    def _put_off(self, stored: StoredMessage, error: DeliveryError, now: datetime) -> str:
        """Keep a message for later, or for good; a sentence about it."""
        attempts = stored.attempts + 1
        text = visible(str(error))
        if not error.permanent and attempts >= MOST_ATTEMPTS:
            text = f"given up after {counted(attempts, 'attempt')}; the last: {text}"
        if error.permanent or attempts >= MOST_ATTEMPTS:
            outbox.mark_failed(self._state, stored.id, now, text)
            return sentence(replace(stored, status=FAILED, error=text))
        pause = timedelta(seconds=error.retry_after or 0)
        until = now + max(backoff(attempts, self._chance()), pause)
        outbox.postpone(self._state, stored.id, until, text, error.rest)
        return f"{sentence(replace(stored, error=text))}; next attempt from {until:%Y-%m-%d %H:%M} UTC"

    def _waiting(self) -> int:
        return outbox.count(self._state, WAITING)


def backoff(attempts: int, chance: float) -> timedelta:
    """The pause after so many attempts, up to a fifth shorter or longer by ``chance`` (0 to 1)."""
    doublings = min(attempts - 1, MOST_ATTEMPTS)
    return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE) * (0.8 + 0.4 * chance)


def unreported(state: State) -> list[StoredMessage]:
    """The messages that failed for good and that no report has named yet."""
    return outbox.failed(state, unreported=True)


def kept(state: State) -> list[StoredMessage]:
    """All that waits and all that failed for good."""
    return outbox.waiting(state) + outbox.failed(state)


def sentence(stored: StoredMessage) -> str:
    """What became of a message, in words that a report and a terminal may show."""
    message = stored.message
    who = message.channel if message.recipient in message.channel else f"{message.channel} to {message.recipient}"
    verb = "was not delivered" if stored.status == FAILED else "is not delivered yet"
    return visible(f"{who} for {message.day} {verb}: {stored.error or 'not tried yet'}")
