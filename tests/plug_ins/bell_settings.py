"""The settings of a channel."""

from typing import ClassVar

from pydantic import Field

from detector.config.channels import Routed


class BellDelivery(Routed):
    """A line in a file for every day."""

    summary: ClassVar[str] = "Bells."
    path: str = Field(description="The file that the bell writes to.")
