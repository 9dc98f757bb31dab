"""What every part of the configuration is made of."""

import re

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the configuration; unknown keys and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def plain_line(text: str) -> str:
    """Text that can stand in a header or an address. ValueError, which does not repeat it: it may be a secret."""
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        raise ValueError("must be one line of plain characters without spaces; is the variable set and not empty?")
    return text
