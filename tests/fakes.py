"""Hand-written stand-ins for the parts at the rim."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

import pandas as pd

from detector.model.day import each_day
from detector.model.errors import SourceError
from detector.model.extent import Extent
from detector.model.finding import Finding, Severity, Status
from detector.model.owner import Owner
from detector.model.report import RunReport
from detector.model.usage import DAY, INSTANT, MEASURED, REGISTER, TEXT, Accounting, Fault
from detector.sources.timeline import Timeline
from detector.state.messages import Message, identity
from detector.usage.aggregation import by_key, clean_register, empty

OWNER = Owner(None, "main")
"""The installation of a configuration that names neither its organization nor its source."""
WHOLE = Extent(complete=True)
"""A day with complete data, on which every detector ran."""


def finding(day: date = date(2026, 3, 17), **changes: object) -> Finding:
    """A finding on key k."""
    base = Finding(
        finding_id="f1",
        episode=1,
        type="usage_spike",
        title="Usage spike",
        status=Status.NEW,
        severity=Severity.HIGH,
        confidence="high",
        key_id="k",
        name=None,
        environment="live",
        team=None,
        application=None,
        day=day,
        score=9.0,
        observed=100.0,
        expected=10.0,
        low=5.0,
        high=15.0,
        reason="Many.",
        first_seen=day,
        last_seen=day,
        days=1,
    )
    return replace(base, **changes)


class FakeSource:
    """A source that holds its usage in memory: day to rows of GROUP_COLUMNS."""

    def __init__(
        self,
        usage: Mapping[date, pd.DataFrame],
        register: Sequence[Mapping[str, object]] = (),
        faults: tuple[Fault, ...] = (),
        before: pd.DataFrame | None = None,
        watermark: datetime | None = None,
        timeline: Timeline | None = None,
    ) -> None:
        self.days = dict(usage)
        self.register = register
        self.noted = faults
        self.before = before
        self.reach = watermark
        self.lies = timeline
        self.asked: list[tuple[date, date]] = []
        self.broken_from: date | None = None

    def columns(self) -> dict[str, str]:
        return {"key_id": "api_key"}

    def keys(self) -> pd.DataFrame:
        if not self.register:
            return empty(REGISTER)
        return clean_register(pd.DataFrame(list(self.register)))[0]

    def usage(self, first: date, last: date) -> Iterator[tuple[date, pd.DataFrame]]:
        self.asked.append((first, last))
        for day in each_day(first, last):
            if self.broken_from is not None and day >= self.broken_from:
                raise SourceError("source main: the connection was closed")
            noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
            rows = self.days.get(day)
            yield day, empty(MEASURED) if rows is None else by_key(rows.assign(last_used=noon))

    def faults(self, day: date) -> tuple[Fault, ...]:
        return self.noted

    def accounting(self, day: date) -> Accounting:
        rows = self.days.get(day)
        return Accounting(0 if rows is None else int(rows["request_count"].sum()))

    def timeline(self, first: date, last: date) -> Timeline | None:
        return self.lies

    def watermark(self) -> datetime | None:
        return self.reach

    def activity_before(self, day: date) -> pd.DataFrame:
        if self.before is not None:
            return self.before
        return empty({"key_id": TEXT, "first_seen": DAY, "last_seen": INSTANT})


def groups(**requests: int) -> pd.DataFrame:
    """One day's usage: requests per key, all on one endpoint in production."""
    rows = [(key, "GET /v1/things", "production", count, 0) for key, count in requests.items()]
    frame = pd.DataFrame(rows, columns=["key_id", "endpoint", "deployment", "request_count", "error_count"])
    return frame.astype({"request_count": "int64", "error_count": "int64"})


class FakeChannel:
    """A channel that tells one line per recipient and answers each attempt as it was told to."""

    def __init__(self, name: str = "mail", recipients: Sequence[str] = ("a@example.com",)) -> None:
        self.name = name
        self.recipients = recipients
        self.answers: dict[str, list[Exception]] = {}
        self.sent: list[Message] = []
        self.tried: list[str] = []

    def describe(self) -> str:
        return "nowhere"

    def messages(self, reports: Sequence[RunReport]) -> list[Message]:
        report = reports[-1]
        return [
            message(self.name, who, report.day.date, report.summary.verdict.encode()) for who in self.recipients
        ]

    def trial(self, now: datetime) -> list[Message]:
        return [message(self.name, who, now.date(), b"trial") for who in self.recipients]

    def send(self, message: Message) -> None:
        self.tried.append(message.recipient)
        if self.answers.get(message.recipient):
            raise self.answers[message.recipient].pop(0)
        self.sent.append(message)


def message(
    channel: str = "mail",
    recipient: str = "a@example.com",
    day: date = date(2026, 3, 17),
    payload: bytes | None = b"hello",
    part: str = "",
) -> Message:
    """A message about a day."""
    return Message(
        identity(channel, recipient, day.isoformat(), part), day, channel, recipient, "Hello", payload, part
    )


class FakeScheduler:
    """A scheduler that only remembers what it was asked to run, by name."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, object]] = {}

    def add_listener(self, callback: object, mask: int) -> None:
        pass

    def add_job(self, func: object, trigger: object, **options: object) -> None:
        self.jobs[str(options["id"])] = {"action": func, "trigger": trigger, **options}
