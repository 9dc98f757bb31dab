"""The configuration: typed once, strict, and the single truth for the reference table in the docs.

An unknown key is an error that names its path and the nearest allowed one. ``${NAME}`` reads the
environment, the only place for secrets. Relative paths are relative to the config file.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from datetime import time
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from detector.chargeback_config import Chargeback
from detector.delivery_config import Delivery
from detector.errors import ConfigError
from detector.monitoring_config import Monitoring
from detector.section import Section, plain_line

DEFAULT_PATH = Path("config.yaml")

USAGE_FIELDS = {
    "events": ("timestamp", "key_id", "endpoint", "status", "error", "deployment", "client", "event_id"),
    "daily": ("day", "key_id", "endpoint", "deployment", "request_count", "error_count", "last_activity"),
}
REGISTER_FIELDS = (
    "key_id",
    "name",
    "environment",
    "team",
    "application",
    "organization",
    "created_at",
    "revoked_at",
)


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"'{name}' is not a time zone; use a name such as Europe/Berlin or UTC") from None
    return name


def _database_url(url: str) -> str:
    try:
        make_url(url)
    except ArgumentError:
        raise ValueError("not a SQLAlchemy URL, such as sqlite:///var/state.db") from None
    return url


DatabaseUrl = Annotated[str, AfterValidator(_database_url)]

BY_KEY_PATH = "/v1/analytics/usage/by-key"


def _endpoint_url(url: str) -> str:
    """An http or https address; one that is only a host gets the path that by-key endpoints have."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("not a URL, such as https://api.internal/v1/analytics/usage/by-key") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("must begin with https:// (or http://) and name a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must hold no user or password; the secret belongs into token")
    if parts.query or parts.fragment:
        raise ValueError("must hold no query; put further parameters under source.parameters")
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") or BY_KEY_PATH, "", ""))


EndpointUrl = Annotated[str, AfterValidator(_endpoint_url)]
BearerToken = Annotated[str, AfterValidator(plain_line)]


class SourceBase(Section):
    """What every source has."""

    name: str = Field("main", min_length=1, description="Part of every finding's identity, so files may move.")
    shape: Literal["events", "daily"] = Field("events", description="One row a request, or a daily rollup.")
    columns: dict[str, str] = Field(default_factory=dict, description="Our name for a column: theirs.")
    deployment: str | None = Field(
        None, description="Where all traffic of this source was seen, for sources that do not say."
    )

    @model_validator(mode="after")
    def _columns_are_known(self) -> SourceBase:
        allowed = {*USAGE_FIELDS[self.shape], *REGISTER_FIELDS}
        for name in self.columns:
            if name not in allowed:
                raise ValueError(
                    f"columns.{name} is not a column of the {self.shape} shape or the register"
                    f"{_nearest(name, allowed)}; allowed: {', '.join(sorted(allowed))}"
                )
        return self


class FilesSource(SourceBase):
    """Log or export files, read through DuckDB."""

    kind: Literal["files"] = "files"
    usage: str | tuple[str, ...] = Field(
        description="Path, glob or s3:// or gs:// URL, or a list; may hold {year}, {month} and {day}."
    )
    keys: str | None = Field(
        None, description="The key register, as a path, glob or URL; without one the keys are those seen."
    )
    preset: str | None = Field(
        None,
        description="A known log format that brings its own columns: apache, aws_api_gateway, cloudflare, "
        "cloudtrail, envoy, gravitee, kong, nginx, tyk.",
    )
    protect_keys: bool = Field(
        False, description="Keys are in clear: known by an HMAC and their end alone. Always so for some presets."
    )
    key_salt: SecretStr | None = Field(
        None, description="The salt of that HMAC, from ${NAME}; to be kept for good."
    )


class SqlSource(SourceBase):
    """Tables of any database that SQLAlchemy speaks to."""

    kind: Literal["sql"] = "sql"
    url: DatabaseUrl = Field(description="SQLAlchemy URL; take the password from ${NAME}.")
    usage: str = Field(description="Table with the usage, as name or schema.name.")
    keys: str | None = Field(None, description="Table or view with the key register, as name or schema.name.")
    keys_query: str | None = Field(None, description="Or a SELECT that gives the register, with our column names.")
    statement_timeout: int = Field(
        1800, ge=1, description="Seconds after which the database gives up a statement, where it can."
    )


class HttpSource(Section):
    """A by-key endpoint: `GET /v1/analytics/usage/by-key` with a bearer token."""

    shape: ClassVar[str] = "by-key"

    kind: Literal["http"] = "http"
    name: str = Field("main", min_length=1, description="Part of every finding's identity, so URLs may change.")
    url: EndpointUrl = Field(description=f"The endpoint; a bare host gets {BY_KEY_PATH}.")
    token: BearerToken = Field(repr=False, description="Sent as Authorization: Bearer; take it from ${NAME}.")
    mode: Literal["period", "cumulative"] = Field(
        "period", description="Ask for each night, or take the difference of two snapshots of running totals."
    )
    from_parameter: str = Field("from", min_length=1, description="Query parameter for the start of a night.")
    to_parameter: str = Field("to", min_length=1, description="Query parameter for its end.")
    range: Literal["instants", "dates", "nights"] = Field(
        "instants",
        description="How a night is written: from its first instant to the next night's (RFC 3339), the same as "
        "dates, or its own date twice.",
    )
    parameters: dict[str, str] = Field(default_factory=dict, description="Further query parameters, always sent.")
    deployment: str | None = Field(
        None, description="Where all traffic of this source was seen, for endpoints that do not say."
    )
    snapshots: str | None = Field(
        None, description="Folder of the snapshots of mode cumulative; beside the history by default."
    )
    timeout: float = Field(30, gt=0, le=3600, description="Seconds to connect, and to wait for the next bytes.")
    attempts: int = Field(5, ge=1, le=20, description="Tries for a page that is refused for now or breaks off.")
    most_pages: int = Field(1000, ge=1, description="Pages of one answer; more are an error.")
    largest_answer_mb: int = Field(256, ge=1, description="Megabytes of one answer, unpacked; more are an error.")


Source = Annotated[FilesSource | SqlSource | HttpSource, Field(discriminator="kind")]


KINDS: dict[Any, type[Section]] = {"files": FilesSource, "sql": SqlSource, "http": HttpSource}
"""Kind of source: its section."""


class History(Section):
    """Where the nights already pulled are kept."""

    path: str = Field("var/history", description="Folder of the nightly Parquet files.")
    first_pull_nights: int = Field(120, ge=1, description="Nights pulled before the first judged one.")
    settle_nights: int = Field(
        2, ge=0, le=30, description="Nights before the newest that are pulled again, for rows that come late."
    )
    keep_nights: int = Field(
        400, ge=60, description="Nights and reports kept; `prune` and `schedule` take older ones away."
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
    baseline_nights: int = Field(56, ge=8, description="Nights before the judged one that form a key's baseline.")
    minimum_nights: int = Field(8, ge=3, description="Observed nights below which a key is too young to judge.")
    alerts_per_1000_keys: float = Field(
        1, gt=0, le=100, description="Alarms per 1,000 keys that an ordinary night may raise by chance."
    )
    minimum_requests: int = Field(10, ge=0, description="A spike has at least this many requests.")
    dormant_after_nights: int = Field(30, ge=1, description="Observed silent nights after which a key is dormant.")
    deployments: dict[str, Literal["live", "test"]] = Field(
        default={"production": "live", "staging": "test"},
        description="Which environment belongs in which deployment, by name or shell-style pattern.",
    )
    endpoints_per_key: int = Field(200, ge=1, description="Endpoints kept per key and night; the rest is (other).")


class Report(Section):
    """What is written for a night."""

    directory: str = Field("var/reports", description="Folder of the nightly reports.")
    formats: tuple[Literal["html", "json", "ndjson", "csv", "ocsf", "ocsf-1.4"], ...] = Field(
        ("html", "json"), description="Formats written."
    )


def _clock_time(text: str) -> str:
    try:
        time.fromisoformat(text)
    except ValueError:
        raise ValueError(f"'{text}' is not a time of day; write it as 09:00") from None
    return text


class Schedule(Section):
    """When the command `schedule` judges, and what becomes of nights that are late or were missed."""

    nightly: str = Field("30 2 * * *", description="Cron line in the configured time zone.")
    chargeback: str = Field(
        "0 6 1 * *", description="Cron line of the last month's statement, where there are prices."
    )
    catch_up_nights: int = Field(7, ge=1, description="Missed nights that are made up for, the newest ones.")
    retry_minutes: int = Field(30, ge=1, description="Pause before another try while the data are incomplete.")
    deadline: Annotated[str, AfterValidator(_clock_time)] = Field(
        "09:00", description="Time of day from which a night is judged even though its data are incomplete."
    )
    grace_minutes: float = Field(
        30, gt=0, description="Minutes that a running night is given to finish once `schedule` is told to stop."
    )


class Serve(Section):
    """The by-key endpoint over the history, answered by the command `serve`."""

    requests_per_second: float = Field(20, gt=0, description="Requests per second and token, in the long run.")
    burst: int = Field(200, ge=1, description="Requests that a token may make at once.")
    refusals_per_minute: int = Field(
        30, ge=1, description="Requests without a good token that one address may make in a minute."
    )
    most_nights: int = Field(92, ge=1, description="Nights that one answer may span.")
    cache_mb: int = Field(256, ge=1, description="Megabytes of prepared answers kept.")
    trusted_proxies: tuple[str, ...] = Field(
        ("127.0.0.1",), description="Addresses whose X-Forwarded-For is believed."
    )


class Config(Section):
    """The whole configuration."""

    timezone: Annotated[str, AfterValidator(_known_zone)] = Field(
        "UTC", description="Whose midnight bounds a night."
    )
    organization: str | None = Field(None, description="Only this organization's keys are ever visible.")
    source: Source
    history: History = History()
    state: State = State()
    detection: Detection = Detection()
    report: Report = Report()
    schedule: Schedule = Schedule()
    chargeback: Chargeback = Chargeback()
    delivery: Delivery = Delivery()
    serve: Serve = Serve()
    monitoring: Monitoring = Monitoring()

    @property
    def zone(self) -> ZoneInfo:
        """The configured timezone."""
        return ZoneInfo(self.timezone)


def load(path: Path, overrides: Sequence[str] = (), environment: Mapping[str, str] = os.environ) -> Config:
    """Read, override, fill in the environment, resolve paths and validate.

    ``overrides`` are ``a.b=value`` texts, values in YAML. Raises ConfigError naming the path of the fault.
    """
    document = _read(path)
    for override in overrides:
        _override(document, override)
    try:
        config = Config.model_validate(_substitute(document, environment, ""))
    except ValidationError as error:
        raise ConfigError(f"{path}: " + "; ".join(_explain(problem) for problem in error.errors())) from None
    return _resolve(config, path.resolve().parent)


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"no configuration at {path}; name one with --config, or try `python -m detector demo`"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{path} must hold a mapping with at least a source")
    return document


def _override(document: dict[str, Any], text: str) -> None:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ConfigError(f"--set {text}: write it as section.key=value")
    *sections, last = name.strip().split(".")
    place = document
    for section in sections:
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            raise ConfigError(f"--set {text}: {section} is a value, not a section")
    try:
        place[last] = yaml.safe_load(value)
    except yaml.YAMLError:
        raise ConfigError(f"--set {text}: the value is not valid YAML") from None


def _substitute(value: Any, environment: Mapping[str, str], path: str) -> Any:
    if isinstance(value, dict):
        return {key: _substitute(item, environment, f"{path}.{key}".lstrip(".")) for key, item in value.items()}
    if isinstance(value, list):
        return [_substitute(item, environment, f"{path}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def read(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in environment:
            raise ConfigError(f"{path}: the environment variable {name} is not set")
        return environment[name]

    return re.sub(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", read, value)


def _explain(problem: Any) -> str:
    """One pydantic problem in our words. The offending value is not repeated: it may be a secret."""
    kinds = {kind.__name__ for kind in get_args(get_args(Source)[0])}
    place = [part for part in problem["loc"] if part not in KINDS and part not in kinds]
    path = ".".join(str(part) for part in place)
    if problem["type"] == "extra_forbidden":
        return f"unknown key {path}{_nearest(str(place[-1]), _siblings(problem['loc']))}"
    if problem["type"] == "missing":
        return f"{path} is missing"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{path}: {message[0].lower()}{message[1:]}" if path else message


def _siblings(location: Sequence[Any]) -> list[str]:
    """The keys allowed beside the one at this location."""
    section: type[Section] = Config
    for part in location[:-1]:
        if part in KINDS:
            section = KINDS[part]
        elif part != "source" and part in _fields(section):
            section = _section_within(_fields(section)[part].annotation) or section
    return list(_fields(section))


def _fields(section: type[Section]) -> dict[Any, FieldInfo]:
    """The keys of a section as they are written."""
    return {field.alias or name: field for name, field in section.model_fields.items()}


def _section_within(annotation: Any) -> type[Section] | None:
    """The section that a type is, or is an optional one or a list of."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section_within(part))), None)


def _nearest(name: str, allowed: Sequence[str] | set[str]) -> str:
    match = difflib.get_close_matches(name, sorted(allowed), n=1, cutoff=0.5)
    return f", did you mean {match[0]}?" if match else f"; allowed: {', '.join(sorted(allowed))}"


def _resolve(config: Config, base: Path) -> Config:
    source: FilesSource | SqlSource | HttpSource = config.source
    history = _absolute(config.history.path, base)
    changes: dict[str, Any]
    if isinstance(source, FilesSource):
        patterns = (source.usage,) if isinstance(source.usage, str) else source.usage
        usage = tuple(_absolute(pattern, base) for pattern in patterns)
        changes = {"usage": usage, "keys": source.keys and _absolute(source.keys, base)}
    elif isinstance(source, HttpSource):
        changes = {"snapshots": _absolute(source.snapshots or str(Path(history).parent / "snapshots"), base)}
    else:
        changes = {"url": _absolute_url(source.url, base)}
    metrics = config.monitoring.metrics_file
    return config.model_copy(
        update={
            "source": source.model_copy(update=changes),
            "history": config.history.model_copy(update={"path": history}),
            "state": config.state.model_copy(update={"url": _absolute_url(config.state.url, base)}),
            "report": config.report.model_copy(update={"directory": _absolute(config.report.directory, base)}),
            "monitoring": config.monitoring.model_copy(
                update={"metrics_file": metrics and str(base / Path(metrics).expanduser())}
            ),
        }
    )


def _absolute(path: str, base: Path) -> str:
    return path if "://" in path else str(base / Path(path).expanduser())


def _absolute_url(url: str, base: Path) -> str:
    parsed = make_url(url)
    if parsed.get_backend_name() not in ("sqlite", "duckdb") or parsed.database in (None, "", ":memory:"):
        return url
    resolved = parsed.set(database=_absolute(str(parsed.database), base))
    return resolved.render_as_string(hide_password=False)
