"""The sections of the configuration that need no module of their own."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from detector.config.plugins import REPORTERS
from detector.config.section import OneOf, Section
from detector.config.urls import DatabaseUrl


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"'{name}' is not a time zone; use a name such as Europe/Berlin or UTC") from None
    return name


class History(Section):
    """Where the days already pulled are kept."""

    path: str = Field("var/history", description="Folder of the nightly Parquet files.")
    first_pull_days: int = Field(120, ge=1, description="Days pulled before the first judged one.")
    settle_days: int = Field(
        2, ge=0, le=30, description="Days before the newest that are pulled again, for rows that come late."
    )
    keep_days: int = Field(
        400, ge=60, description="Days and reports kept; `prune` and `schedule` take older ones away."
    )


class State(Section):
    """Where runs and findings are remembered."""

    url: DatabaseUrl = Field(
        "sqlite:///var/state.db", description="SQLAlchemy URL: SQLite, or PostgreSQL for teams."
    )


class Detection(Section):
    """What counts as unusual."""

    method: Literal["zscore", "isolation_forest", "both"] = Field(
        "zscore", description="How volume is scored; both also names unusual patterns."
    )
    estimator: str = Field(
        "sklearn.ensemble.IsolationForest",
        description="Outlier estimator of isolation_forest: a scikit-learn or PyOD class by its dotted path.",
    )
    baseline_days: int = Field(56, ge=8, description="Days before the judged one that form a key's baseline.")
    minimum_days: int = Field(8, ge=3, description="Observed days below which a key is too young to judge.")
    alerts_per_1000_keys: float = Field(
        1, gt=0, le=100, description="Alarms per 1,000 keys that an ordinary day may raise by chance."
    )
    minimum_requests: int = Field(10, ge=0, description="A spike has at least this many requests.")
    dormant_after_days: int = Field(30, ge=1, description="Observed silent days after which a key is dormant.")
    deployments: dict[str, Literal["live", "test"]] = Field(
        default={"production": "live", "staging": "test"},
        description="Which environment belongs in which deployment, by name or shell-style pattern.",
    )
    endpoints_per_key: int = Field(200, ge=1, description="Endpoints kept per key and day; the rest is (other).")


class Report(Section):
    """What is written for a day."""

    directory: str = Field("var/reports", description="Folder of the nightly reports.")
    formats: tuple[Annotated[str, OneOf(REPORTERS)], ...] = Field(("html", "json"), description="Formats written.")


def _clock_time(text: str) -> str:
    try:
        time.fromisoformat(text)
    except ValueError:
        raise ValueError(f"'{text}' is not a time of day; write it as 09:00") from None
    return text


class Schedule(Section):
    """When the command `schedule` judges, and what becomes of days that are late or were missed."""

    nightly: str = Field("30 2 * * *", description="Cron line in the configured time zone.")
    chargeback: str = Field(
        "0 6 1 * *", description="Cron line of the last month's statement, where there are prices."
    )
    catch_up_days: int = Field(7, ge=1, description="Missed days that are made up for, the newest ones.")
    retry_minutes: int = Field(30, ge=1, description="Pause before another try while the data are incomplete.")
    deadline: Annotated[str, AfterValidator(_clock_time)] = Field(
        "09:00", description="Time of day from which a day is judged even though its data are incomplete."
    )
    grace_minutes: float = Field(
        30, gt=0, description="Minutes that a running day is given to finish once `schedule` is told to stop."
    )


class Serve(Section):
    """The by-key endpoint over the history, answered by the command `serve`."""

    requests_per_second: float = Field(20, gt=0, description="Requests per second and token, in the long run.")
    burst: int = Field(200, ge=1, description="Requests that a token may make at once.")
    refusals_per_minute: int = Field(
        30, ge=1, description="Requests without a good token that one address may make in a minute."
    )
    most_days: int = Field(92, ge=1, description="Days that one answer may span.")
    cache_mb: int = Field(256, ge=1, description="Megabytes of prepared answers kept.")
    trusted_proxies: tuple[str, ...] = Field(
        ("127.0.0.1",), description="Addresses whose X-Forwarded-For is believed."
    )
