"""The configuration: typed once, strict, and the single truth for the reference table in the docs.

An unknown key is an error that names its path and the nearest allowed one. ``${NAME}`` reads the
environment, the only place for secrets. Relative paths are relative to the config file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, get_args
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field
from pydantic.fields import FieldInfo
from sqlalchemy.engine import make_url

from detector.config.chargeback import ChargebackSettings
from detector.config.delivery import DeliverySettings
from detector.config.monitoring import MonitoringSettings
from detector.config.section import Section
from detector.config.sections import (
    DetectionSettings,
    HistorySettings,
    ReportSettings,
    ScheduleSettings,
    ServeSettings,
    StateSettings,
    _known_zone,
)
from detector.config.source import SOURCE_KINDS, SourceSettings
from detector.config.urls import FILE_DATABASES
from detector.model.owner import Owner


class Config(Section):
    """The whole configuration."""

    timezone: Annotated[str, AfterValidator(_known_zone)] = Field(
        "UTC", description="Whose midnight bounds a day."
    )
    organization: str | None = Field(
        None, min_length=1, description="Only this organization's keys are ever visible."
    )
    source: SourceSettings
    history: HistorySettings = HistorySettings()
    state: StateSettings = StateSettings()
    detection: DetectionSettings = DetectionSettings()
    report: ReportSettings = ReportSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    chargeback: ChargebackSettings = ChargebackSettings()
    delivery: DeliverySettings = DeliverySettings()
    serve: ServeSettings = ServeSettings()
    monitoring: MonitoringSettings = MonitoringSettings()

    @property
    def owner(self) -> Owner:
        """The installation that rows of the state belong to."""
        return Owner(self.organization, self.source.name)

    @property
    def zone(self) -> ZoneInfo:
        """The configured timezone."""
        return ZoneInfo(self.timezone)


def _siblings(location: Sequence[Any]) -> list[str]:
    """The keys allowed beside the one at this location."""
    section: type[Section] = Config
    for part in location[:-1]:
        if part in SOURCE_KINDS:
            section = SOURCE_KINDS[part]
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


def _absolute(path: str, base: Path) -> str:
    return path if "://" in path else str(base / Path(path).expanduser())


def _absolute_url(url: str, base: Path) -> str:
    parsed = make_url(url)
    if parsed.get_backend_name() not in FILE_DATABASES or parsed.database in (None, "", ":memory:"):
        return url
    resolved = parsed.set(database=_absolute(str(parsed.database), base))
    return resolved.render_as_string(hide_password=False)
