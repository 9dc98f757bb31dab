"""The sections of the configuration that need no module of their own."""

from __future__ import annotations

from datetime import time
from fnmatch import fnmatchcase
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, Field

from detector.boundary.suggestions import did_you_mean
from detector.config.plugins import REPORTERS
from detector.config.section import OneOf, Section
from detector.config.urls import DatabaseUrl
from detector.model.cron import cron_line


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = did_you_mean(name, available_timezones()) or "; use a name such as Europe/Berlin or UTC"
        raise ValueError(f"'{name}' is not a time zone{hint}") from None
    return name


class HistorySettings(Section):
    """Where the pulled days are stored."""

    path: str = Field("var/history", description="Folder of the Parquet files, one per day.")
    first_pull_days: int = Field(120, ge=1, description="Days that the first run pulls before the evaluated day.")
    settle_days: int = Field(
        2, ge=0, le=30, description="Days before the newest one that are pulled again, because rows may come late."
    )
    keep_days: int = Field(
        400, ge=60, description="Days and reports that are kept; `prune` and `schedule` remove older ones."
    )


class StateSettings(Section):
    """Where runs and findings are remembered."""

    url: DatabaseUrl = Field(
        "sqlite:///var/state.db", repr=False, description="SQLAlchemy URL: SQLite, or PostgreSQL for teams."
    )


class DetectionSettings(Section):
    """What counts as unusual."""

    method: Literal["zscore", "isolation_forest", "both"] = Field(
        "zscore", description="How volume is scored; `both` also names unusual patterns."
    )
    estimator: str = Field(
        "sklearn.ensemble.IsolationForest",
        description="Outlier estimator of isolation_forest: a scikit-learn or PyOD class by its dotted path.",
    )
    baseline_days: int = Field(56, ge=8, description="Days before the evaluated day that form a key's baseline.")
    minimum_days: int = Field(8, ge=3, description="Keys with fewer observed days are too young to evaluate.")
    alerts_per_1000_keys: float = Field(
        1, gt=0, le=100, description="Alarms per 1,000 keys that an ordinary day may raise by chance."
    )
    minimum_requests: int = Field(10, ge=0, description="A spike has at least this many requests.")
    dormant_after_days: int = Field(30, ge=1, description="Observed silent days after which a key is dormant.")
    deployments: dict[str, Literal["live", "test"]] = Field(
        default={"production": "live", "staging": "test"},
        description="Which environment belongs in which deployment, by name or shell-style pattern.",
    )
    endpoints_per_key: int = Field(
        200, ge=1, description="Endpoints that are kept per key and day; the others count as (other)."
    )

    def environment_of(self, deployment: str) -> str | None:
        """The environment whose keys belong in a deployment; None if the policy does not name the deployment."""
        if deployment in self.deployments:
            return self.deployments[deployment]
        return next((kind for name, kind in self.deployments.items() if fnmatchcase(deployment, name)), None)


class ReportSettings(Section):
    """What is written for a day."""

    directory: str = Field("var/reports", description="Folder of the reports, with one folder per day.")
    formats: tuple[Annotated[str, OneOf(REPORTERS)], ...] = Field(
        ("html", "json"), description="The formats that a run writes."
    )
    shared: bool = Field(
        False,
        description="Other users of the machine may read the reports; otherwise only the user of the process may.",
    )


def _clock_time(text: str) -> str:
    try:
        time.fromisoformat(text)
    except ValueError:
        raise ValueError(f"'{text}' is not a time of day; write it as 09:00") from None
    return text


class ScheduleSettings(Section):
    """When the command `schedule` runs, and what it does with days that are late or were missed."""

    nightly: Annotated[str, AfterValidator(cron_line)] = Field(
        "30 2 * * *", description="Cron line of the nightly run, in the configured timezone."
    )
    chargeback: Annotated[str, AfterValidator(cron_line)] = Field(
        "0 6 1 * *", description="Cron line of last month's statement, if prices are configured."
    )
    catch_up_days: int = Field(
        7, ge=1, description="How many of the newest days a run catches up if they were missed."
    )
    retry_minutes: int = Field(30, ge=1, description="Minutes before the next try while the data are incomplete.")
    deadline: Annotated[str, AfterValidator(_clock_time)] = Field(
        "09:00", description="Time of day from which a day is evaluated although its data are incomplete."
    )
    grace_minutes: float = Field(
        30, gt=0, description="Minutes in which a running day may finish after the signal to stop `schedule`."
    )


class ServeSettings(Section):
    """The by-key endpoint over the history, answered by the command `serve`."""

    requests_per_second: float = Field(
        20, gt=0, description="Requests per second that a token may make, in the long run."
    )
    burst: int = Field(200, ge=1, description="Requests that a token may make at once.")
    refusals_per_minute: int = Field(
        30, ge=1, description="Requests without a valid token that one address may make per minute."
    )
    most_days: int = Field(92, ge=1, description="Days that one answer may cover.")
    cache_mb: int = Field(256, ge=1, description="Megabytes of prepared answers that are kept.")
    trusted_proxies: tuple[str, ...] = Field(
        ("127.0.0.1",), description="Addresses of proxies whose X-Forwarded-For is accepted."
    )
