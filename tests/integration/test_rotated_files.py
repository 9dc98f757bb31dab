"""Logs that rotate daily: what cannot be dated belongs to the day of its file."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from detector.config.load import load
from detector.model.usage import Amount
from detector.sources import open_source
from detector.sources.faults import NO_TIME
from detector.sources.pull import pull
from detector.usage.history import History

FIRST = date(2026, 1, 5)
ZONE = ZoneInfo("UTC")


def write_log(folder: Path, number: int, unreadable: int) -> None:
    """The file of a day: a hundred requests, and some without a readable time."""
    day = FIRST + timedelta(days=number)
    lines = [json.dumps({"timestamp": f"{day}T{hour:02}:15:00Z", "key_id": "a"}) for hour in range(20)] * 5
    lines += [json.dumps({"timestamp": "soon", "key_id": "a"})] * unreadable
    (folder / f"access.log.{number}").write_text("\n".join(lines))


def unusable(folder: Path, first: int, last: int) -> Amount | None:
    """The records without a readable time of the last day, after a pull on the morning after it."""
    (folder / "config.yaml").write_text(
        json.dumps({"source": {"kind": "files", "usage": str(folder / "access.log.*")}, "timezone": "UTC"})
    )
    config = load(folder / "config.yaml")
    now = datetime.combine(FIRST + timedelta(days=last + 1), time(2), UTC)
    history = History(Path(config.history.path), ZONE)
    source = open_source(config.source, ZONE, lambda: now)
    pull(config, source, history, FIRST + timedelta(days=first), FIRST + timedelta(days=last), now=now)
    accounting = history.notes(FIRST + timedelta(days=last)).accounting
    assert accounting is not None
    assert accounting.read == 100 + accounting.unusable_records
    return accounting.unusable.get(NO_TIME)


def test_records_without_a_time_belong_to_the_day_of_their_file(tmp_path: Path) -> None:
    """From the first pull on, and whatever files were removed since: those that leave hide none that come."""
    for number in range(5):
        write_log(tmp_path, number, unreadable=10)
    assert unusable(tmp_path, 0, 4) == Amount(10)
    write_log(tmp_path, 5, unreadable=10)
    (tmp_path / "access.log.0").unlink()
    assert unusable(tmp_path, 0, 5) == Amount(10)
    write_log(tmp_path, 6, unreadable=0)
    assert unusable(tmp_path, 0, 6) is None
