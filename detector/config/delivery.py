"""The configuration of delivery, with one key for each registered channel."""

from __future__ import annotations

from collections.abc import Iterator
from types import GenericAlias
from typing import TYPE_CHECKING, Any

from pydantic import Field, create_model, field_validator, model_validator

from detector.boundary.plugins import load_place
from detector.config.channels import ChannelSettings, Routed
from detector.config.plugins import CHANNELS
from detector.config.section import Section


class _DeliverySettings(Section):
    """The channels that receive the reports. By default, reports are only written to the folder."""

    report_url: str | None = Field(
        None,
        pattern=r"^https?://[\x21-\x7e]+$",
        description="The address of a report for its readers, with {day} in it. Messages link to this address.",
    )

    def channels(self) -> Iterator[tuple[str, ChannelSettings]]:
        """The key and the settings of every channel that is configured."""
        for key in CHANNELS:
            configured = getattr(self, key)
            if isinstance(configured, ChannelSettings):
                yield key, configured
            else:
                yield from ((key, settings) for settings in configured or ())

    @field_validator("report_url")
    @classmethod
    def _day_by_its_name(cls, url: str | None) -> str | None:
        if url is not None and "{night}" in url:
            raise ValueError("{night} is called {day} now")
        return url

    @model_validator(mode="after")
    def _names_differ(self) -> _DeliverySettings:
        known = set()
        for key, settings in self.channels():
            if isinstance(settings, Routed):
                if (key, settings.name) in known:
                    raise ValueError(f"{key}: give each a name of its own")
                known.add((key, settings.name))
        return self


def settings_of(key: str) -> type[ChannelSettings]:
    """The section that configures one channel of a kind."""
    section: type[ChannelSettings] = load_place(CHANNELS[key].settings)
    return section


def is_list(section: type[ChannelSettings]) -> bool:
    """Whether the configuration may list several channels of the kind."""
    return issubclass(section, Routed)


def _field(section: type[ChannelSettings]) -> tuple[Any, Any]:
    if is_list(section):
        return GenericAlias(tuple, (section, ...)), Field((), description=section.summary)
    return section | None, Field(None, description=section.summary)


if TYPE_CHECKING:
    DeliverySettings = _DeliverySettings
else:
    DeliverySettings = create_model(
        "DeliverySettings", __base__=_DeliverySettings, **{key: _field(settings_of(key)) for key in CHANNELS}
    )
