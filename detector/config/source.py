"""Where the usage comes from."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from detector.boundary.masking import remember_parameters, remember_secret
from detector.boundary.suggestions import did_you_mean
from detector.config.plugins import PRESETS
from detector.config.section import OneOf, Section, plain_line
from detector.config.urls import BY_KEY_PATH, DatabaseUrl, EndpointUrl

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


def _bearer_token(token: str) -> str:
    remember_secret(plain_line(token))
    return token


def _parameters(parameters: dict[str, str]) -> dict[str, str]:
    remember_parameters(parameters.items())
    return parameters


BearerToken = Annotated[str, AfterValidator(_bearer_token)]
Parameters = Annotated[dict[str, str], AfterValidator(_parameters)]


class SourceBase(Section):
    """What every source has."""

    name: str = Field(
        "main", min_length=1, description="Part of the id of every finding, so that files and tables may move."
    )
    shape: Literal["events", "daily"] = Field("events", description="One row per request, or a daily rollup.")
    columns: dict[str, str] = Field(
        default_factory=dict, description="detector's name of a column: its name in the source."
    )
    key_columns: dict[str, str] = Field(
        default_factory=dict,
        description="The same for the key register alone, where its names differ from those of the usage.",
    )
    deployment: str | None = Field(
        None, description="Where all traffic of this source was seen, if the source does not tell."
    )
    success: tuple[str, ...] = Field(
        (), description="More words of the status or error column that mean success, such as VALID."
    )
    no_key: tuple[str, ...] = Field(
        (), description="More words that stand where there is no key, such as 00000000 or anonymous."
    )
    date_order: Literal["dmy", "mdy"] | None = Field(
        None, description="How dates such as 03/04/2026 are read; without it they are unusable."
    )

    @model_validator(mode="after")
    def _columns_are_known(self) -> SourceBase:
        allowed = {*USAGE_FIELDS[self.shape], *REGISTER_FIELDS}
        for name in self.columns:
            if name not in allowed:
                raise ValueError(
                    f"columns.{name} is not a column of the {self.shape} shape or the register"
                    f"{did_you_mean(name, allowed)}; allowed: {', '.join(sorted(allowed))}"
                )
        for name in self.key_columns:
            if name not in REGISTER_FIELDS:
                raise ValueError(
                    f"key_columns.{name} is not a column of the register"
                    f"{did_you_mean(name, REGISTER_FIELDS)}; allowed: {', '.join(sorted(REGISTER_FIELDS))}"
                )
        return self

    @property
    def columns_of_register(self) -> dict[str, str]:
        """The configured names of columns of the key register, by detector's names."""
        shared = {name: theirs for name, theirs in self.columns.items() if name in REGISTER_FIELDS}
        return shared | self.key_columns


class FilesSource(SourceBase):
    """Log or export files, read through DuckDB."""

    kind: Literal["files"] = "files"
    usage: str | tuple[str, ...] = Field(
        description="Path, glob or s3:// or gs:// URL, or a list; may hold {year}, {month} and {day}."
    )
    keys: str | None = Field(
        None,
        description="The key register, as a path, glob or URL; without one, only keys with requests are known.",
    )
    preset: Annotated[str, OneOf(PRESETS)] | None = Field(
        None, description="A known log format that brings its own columns."
    )
    protect_keys: bool = Field(
        False,
        description="The logs hold clear keys, which an HMAC replaces. Always on for some presets.",
    )
    key_salt: SecretStr | None = Field(None, description="The salt of that HMAC, from ${NAME}; never change it.")


class SqlSource(SourceBase):
    """Tables of a database, through SQLAlchemy. The section source.url lists the known databases."""

    kind: Literal["sql"] = "sql"
    url: DatabaseUrl = Field(repr=False, description="SQLAlchemy URL; take the password from ${NAME}.")
    usage: str = Field(description="Table with the usage, as name or schema.name.")
    keys: str | None = Field(None, description="Table or view with the key register, as name or schema.name.")
    keys_query: str | None = Field(
        None, description="Or a SELECT that gives the register, with detector's column names."
    )
    statement_timeout: int = Field(
        1800, ge=1, description="Seconds after which the database stops a statement, where it can."
    )


class HttpSource(Section):
    """A by-key endpoint: `GET /v1/analytics/usage/by-key` with a bearer token."""

    shape: ClassVar[str] = "by-key"

    kind: Literal["http"] = "http"
    name: str = Field(
        "main", min_length=1, description="Part of the id of every finding, so that URLs may change."
    )
    url: EndpointUrl = Field(description=f"The endpoint; a bare host gets {BY_KEY_PATH}.")
    token: BearerToken = Field(repr=False, description="Sent as Authorization: Bearer; take it from ${NAME}.")
    mode: Literal["period", "cumulative"] = Field(
        "period", description="Request each day, or take the difference of two snapshots of running totals."
    )
    from_parameter: str = Field("from", min_length=1, description="Query parameter for the start of a day.")
    to_parameter: str = Field("to", min_length=1, description="Query parameter for its end.")
    range: Literal["instants", "dates", "days"] = Field(
        "instants",
        description="How a day is written: from its first instant to the next day's (RFC 3339), the same as "
        "dates, or its own date twice.",
    )
    parameters: Parameters = Field(
        default_factory=dict, repr=False, description="More query parameters; every request has them."
    )
    deployment: str | None = Field(
        None, description="Where all traffic of this source was seen, if the endpoint does not tell."
    )
    snapshots: str | None = Field(
        None, description="Folder of the snapshots of mode cumulative; beside the history by default."
    )
    timeout: float = Field(
        120, gt=0, le=3600, description="Seconds for a page, from the name server to its last byte."
    )
    attempts: int = Field(5, ge=1, le=20, description="Tries for a page after a temporary failure.")
    most_pages: int = Field(1000, ge=1, description="Pages of one answer; more are an error.")
    largest_answer_mb: int = Field(
        256, ge=1, description="Megabytes of one answer, decompressed; more are an error."
    )


SourceSettings = Annotated[FilesSource | SqlSource | HttpSource, Field(discriminator="kind")]

SOURCE_KINDS: dict[Any, type[Section]] = {"files": FilesSource, "sql": SqlSource, "http": HttpSource}
"""Kind of source: its section."""
