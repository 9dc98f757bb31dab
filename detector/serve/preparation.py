"""Preparation of answers: the keys of a question as JSON, in this process or in one of its own.

A preparation computes for seconds and holds Python's lock meanwhile, so the server leaves it to processes of
their own. Such a process reads one question a line from its standard input. Its answer is one line, an object with
``bytes`` (then follow so many bytes: the keys, one a line) or with ``error``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from detector.model.day import Day, each_day
from detector.model.errors import DetectorError, HistoryError
from detector.usage.aggregation import by_key_answer, format_instant, in_answer_order, map_of, period_records
from detector.usage.history import History

TEXTS = ("team", "application", "organization")
ENDED = "the process that prepares answers ended"
NICE = 10
"""How much a process gives way to others on the machine, as ``nice`` counts."""


@dataclass(frozen=True)
class Question:
    """The question of a request. ``organization`` restricts the answer to its keys; None allows all keys."""

    first: date
    last: date
    environment: str | None
    organization: str | None
    detail: bool

    @property
    def days(self) -> int:
        """The number of its days."""
        return (self.last - self.first).days + 1

    def parameters(self) -> dict[str, str]:
        """The question as query parameters."""
        parameters = {"from": self.first.isoformat(), "to": self.last.isoformat()}
        if self.environment:
            parameters["environment"] = self.environment
        if self.detail:
            parameters["detail"] = "true"
        return parameters

    def to_json(self) -> str:
        """The question as one line of JSON."""
        return json.dumps(asdict(self), default=date.isoformat)

    @classmethod
    def from_json(cls, text: str) -> Question:
        """The question from the text of ``to_json``."""
        stored = json.loads(text)
        days = {name: date.fromisoformat(stored[name]) for name in ("first", "last")}
        return cls(**{**stored, **days})


Preparation = Callable[[Question], tuple[bytes, ...]]
"""Gives every active key of a question as JSON, in the order of the answer. Raises DetectorError."""


def prepared_here(history: History) -> Preparation:
    """A preparation in this process."""
    return lambda question: tuple(_encoded(history, question))


class PreparingProcess:
    """A preparation in a process of its own, which starts with the first question and again after it has died.

    Only one thread may use it.
    """

    def __init__(self, history: History) -> None:
        self._command = [
            sys.executable, "-m", "detector.serve.preparation", str(history.root), history.timezone.key,
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self, question: Question) -> tuple[bytes, ...]:
        """The keys of a question. Raises DetectorError, also where the process dies over it."""
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(question.to_json().encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            raise HistoryError(ENDED) from None
        head = process.stdout.readline()
        answer: dict[str, Any] = json.loads(head) if head else {"error": ENDED}
        if "error" in answer:
            raise HistoryError(answer["error"])
        body = process.stdout.read(answer["bytes"])
        if len(body) < answer["bytes"]:
            raise HistoryError(ENDED)
        return tuple(body.split(b"\n")) if body else ()

    def start(self) -> None:
        """Start the process before the first question, so that this need not wait for it."""
        self._running()

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.terminate()
            self._process.communicate()  # which closes its pipes too

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self.close()
            self._process = None
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        return self._process


def main(root: str, timezone: str) -> None:
    """Answer the questions on standard input until it ends."""
    # Ctrl-C reaches the whole group of processes. The server ends this one when it has answered.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICE)
    prepare = prepared_here(History(Path(root), ZoneInfo(timezone)))
    for line in sys.stdin:
        try:
            body = b"\n".join(prepare(Question.from_json(line)))
        except DetectorError as error:
            answer = json.dumps({"error": str(error)}).encode() + b"\n"
        else:
            answer = json.dumps({"bytes": len(body)}).encode() + b"\n" + body
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()


def _encoded(history: History, question: Question) -> Iterator[bytes]:
    """Every active key as JSON in plain ASCII, so that a terminal shows every name safely."""
    records = _records(history, question)
    keys = by_key_answer(records)["keys"]
    details = _details(in_answer_order(records)) if question.detail else ({} for _ in keys)
    for key, more in zip(keys, details, strict=True):
        yield json.dumps({**key, **more}, allow_nan=False).encode()


def _records(history: History, question: Question) -> pd.DataFrame:
    """The records of the period, without the use of a key while it belonged to another organization."""
    days = [_scoped(history.read(day), question) for day in each_day(question.first, question.last)]
    records = period_records(days, Day(question.last, history.timezone).end)
    if question.environment is None:
        return records
    return records[records["environment"] == question.environment]


def _scoped(records: pd.DataFrame, question: Question) -> pd.DataFrame:
    if question.organization is None:
        return records
    return records[(records["organization"] == question.organization).fillna(False).astype(bool)]


def _details(active: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """The further known properties of each key."""
    texts = active[list(TEXTS)].astype("object").itertuples(index=False)
    others = active[["created_at", "deployments", "client_count"]].astype("object").itertuples(index=False)
    for named, (created, deployments, clients) in zip(texts, others, strict=True):
        known: dict[str, Any] = {}
        for name, text in zip(TEXTS, named, strict=True):
            if isinstance(text, str):
                known[name] = text
        if (instant := format_instant(created)) is not None:
            known["created_at"] = instant
        if not pd.isna(clients):
            known["client_count"] = int(clients)
        places = map_of(deployments)
        if places:
            known["deployments"] = places
        yield known


if __name__ == "__main__":
    main(*sys.argv[1:])
