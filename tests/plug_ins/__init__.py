"""Plug-ins that the program does not have, one file each, and the lines that register them.

``python -m tests.plug_ins`` is the command line with them.
"""

from __future__ import annotations

from sqlalchemy.dialects import registry

from detector.config import plugins


def register() -> None:
    """Write the line of each into its registry, before anything reads the registry."""
    plugins.PRESETS["mint"] = "tests.plug_ins.mint:MINT"
    plugins.REPORTERS["plain"] = "tests.plug_ins.plain:PlainReporter"
    plugins.CHANNELS["bell"] = plugins.ChannelEntry(
        "tests.plug_ins.bell_settings:BellDelivery", "tests.plug_ins.bell:BellChannel"
    )
    plugins.SQL_DIALECTS["quern"] = "tests.plug_ins.quern:Quern"
    registry.register("quern", "tests.plug_ins.quern", "Driver")
