"""The same events give the same report, wherever they are kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from detector.config.load import load
from detector.operations.schedule.nightly import nightly

DAY = date(2026, 3, 30)
DAYS = 40
NOW = datetime(2026, 3, 31, 2, 30, tzinfo=UTC)
ZONE = "Europe/Berlin"  # the clocks change within these days


def events() -> pd.DataFrame:
    """Requests of eight keys over forty days; one spikes, one strays, one is in no register, some lack a key."""
    rng, rows = np.random.default_rng(5), []
    for offset in range(DAYS):
        start = datetime(2026, 3, 31, tzinfo=UTC) - timedelta(days=DAYS - offset)
        for number in range(8):
            count = 400 if (number, offset) == (2, DAYS - 1) else int(rng.poisson(12))
            for second in rng.integers(0, 86_400, count):
                stray = number == 5 and offset == DAYS - 1 and second % 3 == 0
                rows.append(
                    (
                        f"{start + timedelta(seconds=int(second)):%Y-%m-%d %H:%M:%S}",
                        f"k{number}" if second % 97 else None,
                        f"GET /v1/users/{second % 50}" if second % 2 else "POST /v1/search",
                        500 if second % 20 == 0 else 200,
                        "production" if number < 5 or stray else "staging",
                        f"10.0.0.{second % 4}",
                    )
                )
    return pd.DataFrame(rows, columns=["timestamp", "key_id", "endpoint", "status", "deployment", "client"])


def register() -> pd.DataFrame:
    """All keys but one, and one that is never used."""
    keys = [f"k{number}" for number in range(7)] + ["idle"]
    return pd.DataFrame({"key_id": keys, "environment": ["live"] * 5 + ["test"] * 2 + ["live"], "team": "data"})


def to_database(url: str) -> str:
    """Fill the two tables of a database; return the source section."""
    engine = create_engine(url, poolclass=NullPool)
    typed = events().assign(timestamp=lambda frame: pd.to_datetime(frame["timestamp"]))
    with engine.begin() as connection:
        typed.to_sql("requests", connection, index=False, if_exists="replace")
        register().to_sql("api_keys", connection, index=False, if_exists="replace")
    return f"{{kind: sql, url: '{url}', usage: requests, keys: api_keys}}"


def to_files(folder: Path, ending: str, write: Callable[[pd.DataFrame, Path], Any]) -> str:
    """Write the two files; return the source section."""
    write(events(), folder / f"usage.{ending}")
    register().to_csv(folder / "keys.csv", index=False)
    return f"{{kind: files, usage: 'usage.{ending}', keys: keys.csv}}"


SOURCES: dict[str, Callable[[Path, pytest.FixtureRequest], str]] = {
    "csv": lambda folder, _: to_files(folder, "csv", lambda frame, path: frame.to_csv(path, index=False)),
    "csv.gz": lambda folder, _: to_files(folder, "csv.gz", lambda frame, path: frame.to_csv(path, index=False)),
    "jsonl": lambda folder, _: to_files(
        folder, "jsonl", lambda frame, path: frame.to_json(path, orient="records", lines=True)
    ),
    "parquet": lambda folder, _: to_files(
        folder, "parquet", lambda frame, path: frame.to_parquet(path, index=False)
    ),
    "sqlite": lambda folder, _: to_database(f"sqlite:///{folder}/usage.db"),
    "postgresql": lambda _, request: to_database(request.getfixturevalue("postgres_url")),
}


def report(folder: Path, source: str) -> dict[str, Any]:
    """The report of the day, without what names the run or the source."""
    (folder / "config.yaml").write_text(
        f"timezone: {ZONE}\nsource: {source}\nhistory: {{first_pull_days: {DAYS}}}\n"
    )
    (outcome,) = nightly(load(folder / "config.yaml"), day=DAY, now=NOW)
    (path,) = [path for path in outcome.files if path.suffix == ".json"]
    document: dict[str, Any] = json.loads(path.read_text())
    for part in ("report_id", "generated_at", "run", "sources"):
        del document[part]
    return document


@pytest.mark.parametrize("kind", [kind for kind in SOURCES if kind != "csv"])
def test_every_source_gives_the_report_that_csv_gives(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Findings, coverage, summary and the by-key answer, value for value."""
    expected_folder, folder = tmp_path / "expected", tmp_path / "other"
    expected_folder.mkdir(), folder.mkdir()
    expected = report(expected_folder, SOURCES["csv"](expected_folder, request))
    assert {item["type"] for item in expected["findings"]} == {
        "usage_spike",
        "environment_mismatch",
        "data_quality",
    }
    assert report(folder, SOURCES[kind](folder, request)) == expected
