"""The configuration of monitoring: who is told that the job runs, and in which form it logs."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from detector.config.section import Section, plain_line

LogFormat = Literal["console", "json"]
METRICS_SUFFIX = ".prom"


def _ping_url(url: SecretStr) -> SecretStr:
    """An http or https address. The value is never repeated: whoever knows it can say that all is well."""
    text = plain_line(url.get_secret_value())
    try:
        parts = urlsplit(text)
        host, _ = (parts.hostname or "").encode("idna"), parts.port
    except ValueError:
        raise ValueError("not a URL, such as https://hc-ping.com/<uuid>") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("must begin with https:// or http:// and name a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must hold no user or password")
    return url


def _metrics_file(path: str) -> str:
    if not path.endswith(METRICS_SUFFIX):
        raise ValueError(f"must end with {METRICS_SUFFIX}: node_exporter reads no other files")
    return path


class MonitoringSettings(Section):
    """How others learn that days are judged, and that they are not."""

    ping_url: Annotated[SecretStr, AfterValidator(_ping_url)] | None = Field(
        None, description="Address of a dead-man's switch that every run of the days due tells how it ended."
    )
    ping_style: Literal["healthchecks", "plain"] = Field(
        "healthchecks",
        description="Start, success, failure and log as healthchecks.io has them, or one GET after a success.",
    )
    ping_timeout: float = Field(10, gt=0, le=60, description="Seconds that one attempt to ping may take in all.")
    metrics_file: Annotated[str, AfterValidator(_metrics_file)] | None = Field(
        None, description="File for node_exporter's textfile collector, *.prom; written after every such run."
    )
    log_format: LogFormat = Field("console", description="How `run` and `schedule` log on stderr.")
