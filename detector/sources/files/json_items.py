"""The items of a file of JSON: of lines, of arrays, of documents with a list, or of several of these.

The file is read in pieces, and no more than one item is held. So memory stays bounded whatever the size of the
file and whatever its shape. Neither DuckDB nor Python's ``json`` alone can do that: both need a whole document.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import IO, Any

_PIECE_BYTES = 1 << 20
_LARGEST_ITEM = 8 << 20
"""Characters of one item. More are a damaged file."""

_MOST_DAMAGED_LINES = 100
"""Damaged lines before the first item. A file with more holds no JSON."""

_LONGEST_SAMPLE = 1000
_BLANKS = " \t\r\n"
_CUT = 16
"""Characters: so near the end of what was read, an error may come from the cut and not from the file."""

# A control character within a string is tolerated: loggers write them.
_DECODER = json.JSONDecoder(strict=False)


@dataclass(frozen=True)
class Damage:
    """A part of a file that is not JSON: one line of it, or all the rest of the file."""

    text: str
    is_line: bool


def items(stream: IO[bytes], lists: Collection[str]) -> Iterator[Any]:
    """The items of a stream as Python values, and a ``Damage`` for each part that is not JSON.

    An array gives its elements. An object gives the elements of its lists with one of these names, or itself
    where it has none. Bytes that are not UTF-8 become U+FFFD.
    """
    text = _Text(stream)
    damaged: list[Damage] = []
    found = False
    while text.peek() and len(damaged) <= _MOST_DAMAGED_LINES:
        text.hold()
        try:
            for item in _items_of_value(text, lists):
                yield from damaged
                damaged = []
                yield item
            found = True
        except _NotJsonError:
            if not text.is_held:
                # Nobody knows where the next item of a damaged list begins.
                yield from damaged
                yield Damage(text.line(), is_line=False)
                return
            text.rewind()
            damage = Damage(text.line(), is_line=True)
            if found:
                yield damage
            else:
                damaged.append(damage)
        text.skip(",")
    if found:
        yield from damaged
    else:
        yield Damage(damaged[0].text if damaged else "", is_line=False)


def _items_of_value(text: _Text, lists: Collection[str]) -> Iterator[Any]:
    """The items of the array or object at the position."""
    if text.peek() == "[":
        yield from _elements(text)
        return
    if text.peek() != "{":
        raise _NotJsonError
    if text.matches(rf'\{{\s*"(?:{"|".join(map(re.escape, lists))})"\s*:\s*\['):
        yield from _items_of_large_object(text, lists)
        return
    try:
        # One call reads a whole object of ordinary size.
        value = text.value(largest=_PIECE_BYTES)
    except _NotJsonError:
        yield from _items_of_large_object(text, lists)
        return
    found = [value[name] for name in lists if isinstance(value.get(name), list)]
    if not found:
        yield value
    for elements in found:
        yield from elements


def _items_of_large_object(text: _Text, lists: Collection[str]) -> Iterator[Any]:
    """The items of an object that is read member by member."""
    members: dict[str, Any] = {}
    has_list = False
    text.skip("{")
    while not text.skip("}"):
        name = text.value()
        if not isinstance(name, str) or not text.skip(":"):
            raise _NotJsonError
        if text.peek() != "[":
            members[name] = text.value()
        elif name in lists:
            has_list = True
            yield from _elements(text)
        else:
            # Other services of AWS write large lists too. Nobody needs this one.
            members[name] = []
            for _ in _elements(text):
                pass
        text.skip(",")
    if not has_list:
        yield members


def _elements(text: _Text) -> Iterator[Any]:
    """The elements of the array at the position."""
    text.release()
    text.skip("[")
    while not text.skip("]"):
        yield text.value()
        text.skip(",")


class _NotJsonError(Exception):
    """The text at the position is no JSON."""


class _Text:
    """The text of a stream that is not consumed yet, and a position in it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._bytes = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
        self._text = ""
        self._position = 0
        self._held: int | None = None
        self._at_end = False

    def peek(self) -> str:
        """The next character that is not blank, or nothing at the end."""
        while True:
            while self._position < len(self._text):
                character = self._text[self._position]
                if character not in _BLANKS:
                    return character
                self._position += 1
            if not self._read():
                return ""

    def matches(self, pattern: str) -> bool:
        """Whether the text from here on matches the regular expression."""
        return re.compile(pattern).match(self._text, self._position) is not None

    def skip(self, character: str) -> bool:
        """Whether the next character that is not blank is this one; then it is consumed."""
        if self.peek() != character:
            return False
        self._position += 1
        return True

    def value(self, largest: int = _LARGEST_ITEM) -> Any:
        """The JSON value at the position, consumed. Raises _NotJsonError where there is none that fits."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._position)
            except json.JSONDecodeError as error:
                # Where the error lies far from the end, more text would not help.
                is_cut = error.msg.startswith("Unterminated") or error.pos + _CUT >= len(self._text)
                if not is_cut or len(self._text) - self._position > largest or not self._read():
                    raise _NotJsonError from None
            except (RecursionError, ValueError):
                # It is nested too deeply, or has a number of thousands of digits.
                raise _NotJsonError from None
            else:
                # A number that ends where the text ends may go on.
                if end < len(self._text) or not self._read():
                    self._position = end
                    return value

    def line(self) -> str:
        """The beginning of the rest of the line; the whole line is consumed."""
        beginning = ""
        while True:
            end = self._text.find("\n", self._position)
            rest = self._text[self._position :] if end < 0 else self._text[self._position : end]
            beginning = (beginning + rest)[:_LONGEST_SAMPLE]
            self._position = len(self._text) if end < 0 else end
            if end >= 0 or not self._read():
                return beginning

    @property
    def is_held(self) -> bool:
        """Whether ``rewind`` is possible."""
        return self._held is not None

    def hold(self) -> None:
        """Keep the text from here on, so that ``rewind`` can come back."""
        self._held = self._position

    def release(self) -> None:
        """Keep only what is not consumed."""
        self._held = None

    def rewind(self) -> None:
        """Go back to where ``hold`` was called."""
        self._position = self._held or 0
        self._held = None

    def _read(self) -> bool:
        """Read as much again as is kept; False at the end of the stream."""
        if self._at_end:
            return False
        kept = self._position if self._held is None else self._held
        self._text = self._text[kept:]
        self._position -= kept
        if self._held is not None:
            self._held = 0
        piece = self._stream.read(max(_PIECE_BYTES, len(self._text)))
        self._at_end = not piece
        self._text += self._bytes.decode(piece, final=self._at_end)
        return True
