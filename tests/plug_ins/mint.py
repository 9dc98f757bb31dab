"""A log format: one JSON object a line."""

from detector.sources.presets import Preset

MINT = Preset(
    columns={"timestamp": "{/when}", "key_id": "{/who}", "endpoint": "{/what}", "status": "{/code}"},
)
