"""A small installation: thirty days of four keys, one request an hour each, in a CSV file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from detector.config.config import Config
from detector.config.load import load

DAYS = 30
KEYS = tuple(f"key-{number}" for number in range(4))


def installation(folder: Path, last: date, more: str = "") -> Path:
    """Its configuration file, with ``more`` lines; ``last`` is the last day with data."""
    start = datetime.combine(last - timedelta(days=DAYS - 1), time(), UTC)
    hours = [start + timedelta(hours=hour) for hour in range(DAYS * 24)]
    lines = [f"{hour.isoformat()},{key},/x,200" for hour in hours for key in KEYS]
    (folder / "usage.csv").write_text("timestamp,key_id,endpoint,status\n" + "\n".join(lines) + "\n")
    path = folder / "config.yaml"
    path.write_text(
        f"source: {{kind: files, usage: usage.csv}}\nhistory: {{first_pull_days: 20}}\n{more}\n",
        encoding="utf-8",
    )
    return path


def configured(folder: Path, last: date, monitoring: str) -> Config:
    """The configuration of such an installation with a ``monitoring`` section."""
    return load(installation(folder, last, f"monitoring: {{{monitoring}}}"))


def cut_off(config: Config, day: date) -> None:
    """Take away the afternoon of a day, as where an export is still running."""
    path = Path(config.source.usage[0])  # type: ignore[union-attr]
    late = tuple(f"{day}T{hour}" for hour in range(12, 24))
    path.write_text("".join(line for line in path.read_text().splitlines(True) if not line.startswith(late)))


@contextmanager
def as_of(config: Config, now: datetime) -> Iterator[None]:
    """The file of usage as it is at an instant: without the requests that are still to come."""
    path = Path(config.source.usage[0])  # type: ignore[union-attr]
    whole = path.read_text()
    header, *lines = whole.splitlines(True)
    path.write_text(header + "".join(line for line in lines if datetime.fromisoformat(line[:25]) < now))
    try:
        yield
    finally:
        path.write_text(whole)
