"""Text that a customer or a server may have chosen, made safe for one place each.

Escaping of markup is the templates' business. What is done here is done before: a character that cannot be seen
can turn a name around, move a cursor or end a line, and one long name can fill a page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, but tab and line feed
    "\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # bidi controls, invisibles
    "\ud800-\udfff"  # halves of a surrogate pair
    "\ufffe\uffff\U000e0000-\U000e007f]"  # no characters at all, and invisible tags
)
"""Characters that change how their neighbours are shown without being seen themselves."""

LONGEST_TEXT = 1000
LONGEST_HEADER = 200
LONGEST_CHAT_LINE = 300

_HALF = re.compile("[\ud800-\udfff]")
_INERT = str.maketrans("<>@`*|[]&", "‹›＠'∗¦()＆")
"""Signs by which chat services mention people, link or format, as look-alikes that do nothing."""


def visible(text: str) -> str:
    """For a page or a terminal: what cannot be seen is spelled out, and very long text is cut.

    Escaping stops markup, but not a right-to-left override that turns ``exe.cod`` around or a terminal escape.
    Each such character becomes ``[U+202E]``, so that a reader sees that somebody tried. Lines stay lines.
    """
    return UNSEEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", shortened(text, LONGEST_TEXT))


def spelled_out(text: str) -> str:
    """For a log: as ``visible``, and line ends and tabs are spelled out too, so that nothing begins a line."""
    return visible(text).replace("\n", "[U+000A]").replace("\t", "[U+0009]")


def one_line(text: str, most: int) -> str:
    """For a sentence or a list: as ``visible``, in one line with single spaces, of at most so many characters."""
    return shortened(" ".join(visible(text).split()), most)


def unlinked(text: str, most: int) -> str:
    """For the body of a mail: as ``one_line``, and no program that shows the mail makes a link of an address."""
    return shortened(one_line(text, LONGEST_TEXT).replace("://", "[:]//"), most)


def inert(text: str, most: int = LONGEST_CHAT_LINE) -> str:
    """For chat: as ``unlinked``, and no service takes a part of it for a mention, a link or a format."""
    return shortened(unlinked(text, LONGEST_TEXT).translate(_INERT), most)


def header_text(text: str, most: int = LONGEST_HEADER) -> str:
    """For a header or a subject: one short line, without the characters that cannot be seen."""
    return shortened(" ".join(UNSEEN.sub("", text).split()), most)


def whole(text: str) -> str:
    """For JSON and files: half a surrogate pair, which neither can hold, becomes U+FFFD."""
    return text if text.isascii() else _HALF.sub("\ufffd", text)


def storable(text: str) -> str:
    """For a database: as ``whole``, and without NUL, which PostgreSQL does not take."""
    return whole(text).replace("\0", "")


def shortened(text: str, most: int) -> str:
    """Text cut to so many characters, the last one an ellipsis where something is cut off."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def in_every_text(value: Any, change: Callable[[str], str]) -> Any:
    """A value as JSON has it, with every text in it changed, names of members too."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {in_every_text(name, change): in_every_text(item, change) for name, item in value.items()}
    return [in_every_text(item, change) for item in value] if isinstance(value, list) else value
