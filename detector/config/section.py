"""What every part of the configuration is made of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, SecretStr, model_validator
from pydantic_core import CoreSchema, core_schema

from detector.boundary.masking import remember_address, remember_secret
from detector.boundary.suggestions import did_you_mean_or_all


class Section(BaseModel):
    """A part of the configuration; unknown keys and wrong types are errors.

    Its secrets, and those in its addresses, are masked from then on wherever they would be shown.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="after")
    def _remember_secrets(self) -> Self:
        for value in vars(self).values():
            for text in value if isinstance(value, tuple) else (value,):
                if isinstance(text, SecretStr):
                    remember_secret(text.get_secret_value())
                elif isinstance(text, str):
                    remember_address(text)
        return self


@dataclass(frozen=True, eq=False)
class OneOf:
    """Annotates a text that must be a name in a registry; another one is an error that gives the nearest name."""

    registry: Mapping[str, Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The schema of the text, followed by the look into the registry as it is then."""
        return core_schema.no_info_after_validator_function(self._registered, handler(source))

    def _registered(self, name: str) -> str:
        if name not in self.registry:
            raise ValueError(f"there is no '{name}'{did_you_mean_or_all(name, self.registry)}")
        return name


def plain_line(text: str) -> str:
    """Text that can stand in a header or an address. ValueError, which does not repeat it: it may be a secret."""
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        raise ValueError("must be one line of plain characters without spaces; is the variable set and not empty?")
    return text
