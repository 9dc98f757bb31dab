"""The configuration of monitoring: pings, metrics and the format of the log."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from detector.config.section import Section
from detector.config.urls import SecretUrl

LogFormat = Literal["console", "json"]
METRICS_SUFFIX = ".prom"


def _metrics_file(path: str) -> str:
    if not path.endswith(METRICS_SUFFIX):
        raise ValueError(f"must end with {METRICS_SUFFIX}: node_exporter reads no other files")
    return path


class MonitoringSettings(Section):
    """Signals that say whether days are evaluated."""

    ping_url: SecretUrl | None = Field(
        None, description="Address of a dead-man's switch. Every run of the due days reports its result there."
    )
    ping_style: Literal["healthchecks", "plain"] = Field(
        "healthchecks",
        description="Send start, success, failure and log as healthchecks.io expects, or one GET after a success.",
    )
    ping_timeout: float = Field(10, gt=0, le=60, description="Seconds that one attempt to ping may take.")
    metrics_file: Annotated[str, AfterValidator(_metrics_file)] | None = Field(
        None,
        description="File for node_exporter's textfile collector, *.prom. Every run of the due days writes it.",
    )
    metrics_shared: bool = Field(
        False, description="Other users of the machine may read that file; node_exporter usually is one."
    )
    log_format: LogFormat = Field("console", description="Format of the log of `run` and `schedule` on stderr.")
