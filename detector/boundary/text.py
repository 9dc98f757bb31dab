"""Text that a customer may have chosen, made safe to show."""

from __future__ import annotations

import re

UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, but tab and line feed
    "\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # bidi controls, invisibles
    "\ud800-\udfff"  # halves of a surrogate pair
    "\ufffe\uffff\U000e0000-\U000e007f]"  # no characters at all, and invisible tags
)
"""Characters that change how their neighbours are shown without being seen themselves."""

LONGEST_TEXT = 1000


def visible(text: str) -> str:
    """Text that a customer may have chosen, safe to show: what cannot be seen is spelled out.

    Escaping stops markup, but not a right-to-left override that turns ``exe.cod`` around or a terminal
    escape. Each such character becomes ``[U+202E]``, so that a reader sees that somebody tried. Very
    long text is cut, so that one name cannot fill the page; ``report.json`` has all of it.
    """
    shown = text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
    return UNSEEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", shown)
