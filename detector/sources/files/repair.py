"""Repair: the JSON documents in a text that is not one JSON document.

Loggers write JSON by templates, ship it without line ends, wrap it in envelopes and cut it off. Nothing of that
may cost more than the document that is damaged. This module is pure: text comes in, and the texts of the documents
come out, each on one line. A text that stays unreadable comes out too, so that it can be counted.

The time is about linear in the length of the text, whatever it holds. Python finds the line number of every error
of ``json`` by counting from the beginning of the text, so the text is read in windows.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Generator, Iterator
from itertools import islice
from json import JSONDecodeError
from typing import Any

REPLACEMENT = "\ufffd"

LONGEST_PREFIX = 256
"""The most characters before a document that count as the prefix of a collector, such as a timestamp."""

_WINDOW = 1 << 14

_LENIENT = json.JSONDecoder(strict=False)
_STRICT = json.JSONDecoder()

# Escapes are read from left to right, so that the second half of a doubled backslash begins no escape.
_ESCAPE = re.compile(
    r"""\\(?:
        (?P<bytes>x[0-9a-fA-F]{2}(?:\\x[0-9a-fA-F]{2})*)
        | (?P<pair>u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})
        | (?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})
        | (?P<valid>u[0-9a-fA-F]{4}|["\\/bfnrt])
        | )""",
    re.VERBOSE,
)
_SUSPECT = re.compile(r'\\(?:u[dD][89a-fA-F]|(?!u[0-9a-fA-F]{4}|["\\/bfnrt]))')
_BLANKS = dict.fromkeys(range(32), " ")
_BETWEEN = re.compile(r"[\s,\[\]\ufeff]*")
_JUNK = re.compile(r"[^\n{]*")
# Behind a colon, a comma or a bracket, an object is a part of the object around it.
_INNER_START = re.compile(r'(?<![:,\[\s])\{\s*"')
_LAST_CHARACTERS = 16
_MOST_CANDIDATES = 8
_MOST_ARRAYS = 2


def escapes_repaired(text: str) -> tuple[str, int]:
    r"""The text with escapes that JSON allows, and the number of characters that were replaced.

    ``\xNN`` is a byte, as nginx escapes it; a run of them is UTF-8. Lone surrogates and bytes that are not UTF-8
    are replaced. The backslash of any other unknown escape is a character.
    """
    # A doubled backslash makes this search find too much, never too little.
    if "\\" not in text or not _SUSPECT.search(text):
        return text, 0
    replaced = 0

    def repaired(match: re.Match[str]) -> str:
        nonlocal replaced
        if match["bytes"]:
            raw = bytes.fromhex(match["bytes"].replace("\\", "").replace("x", ""))
            decoded = raw.decode("utf-8", "replace")
            replaced += decoded.count(REPLACEMENT) - raw.count(REPLACEMENT.encode())
            return json.dumps(decoded, ensure_ascii=False)[1:-1]
        if match["lone"]:
            replaced += 1
            return REPLACEMENT
        if match["pair"] or match["valid"]:
            return match[0]
        return r"\\"

    return _ESCAPE.sub(repaired, text), replaced


class Documents:
    """Splits a text that comes in parts into the texts of its documents.

    Documents may follow one another with or without line ends, span lines, lie in arrays and in the envelopes of
    CloudWatch Logs. ``replaced`` counts the characters that were replaced so far, ``envelopes`` the envelopes,
    ``refused`` the documents longer than ``longest`` bytes, and ``refused_bytes`` their size in UTF-8.
    """

    def __init__(self, longest: int, *, messages_are_documents: bool = True) -> None:
        self._longest = longest
        self._messages_are_documents = messages_are_documents
        self._unread = ""
        self._windows: deque[str] = deque()
        self._buffer = ""
        self._wanted = 0
        self._is_skipping = False
        self.replaced = 0
        self.envelopes = 0
        self.refused = 0
        self.refused_bytes = 0

    def feed(self, text: str) -> Iterator[str]:
        """The documents that are complete with this part of the text."""
        text = self._unread + text
        # No escape spans a quote. So the part behind the last quote waits for its rest.
        end = text.rfind('"') + 1
        if len(text) - end > self._longest:
            end = len(text)
        self._unread = text[end:]
        self._add(text[:end])
        yield from self._read_windows()

    def finish(self) -> Iterator[str]:
        """The documents that are left at the end of the text."""
        self._add(self._unread)
        self._unread = ""
        yield from self._read_windows()
        while self._buffer:
            yield from self._read(is_end=True)
            yield from self._read_windows()

    def _add(self, text: str) -> None:
        repaired, replaced = escapes_repaired(text)
        self.replaced += replaced
        self._windows.extend(_windows(repaired))

    def _read_windows(self) -> Iterator[str]:
        while self._windows:
            self._buffer += self._windows.popleft()
            # An incomplete document is read again only when the text has doubled: all attempts together take
            # linear time.
            if len(self._buffer) >= self._wanted:
                yield from self._read(is_end=False)

    def _read(self, *, is_end: bool) -> Iterator[str]:
        if self._is_skipping:
            self._skip(is_end=is_end)
        text = self._buffer
        position = 0
        while position < len(text) and not self._is_skipping:
            if position > _WINDOW:
                # What follows a long document is read in short windows again.
                self._windows.extendleft(reversed(_windows(text[position:])))
                position = len(text)
                break
            end = yield from self._one(text, position, is_end=is_end)
            if end is None:
                break
            position = end
        self._buffer = text[position:]
        if self._is_skipping:
            return
        self._wanted = 2 * len(self._buffer)
        if len(self._buffer) > self._longest:
            self._refuse_the_buffer()

    def _one(self, text: str, position: int, *, is_end: bool) -> Generator[str, None, int | None]:
        """Give what begins at a position. Returns where it ends, or None where its end is not in the text."""
        start = _end_of(_BETWEEN, text, position)
        between = text[position:start]
        if between.count("[") > _MOST_ARRAYS:
            yield from self._bounded(between)
        if start == len(text):
            return start
        document = _end_of(_JUNK, text, start)
        if document == len(text) and not is_end:
            return None
        is_alone = document == len(text) or text[document] == "\n"
        if is_alone or not _is_prefix(text[start:document]):
            yield from self._bounded(text[start:document])
            return document
        is_in_array = "[" in between or "," in between
        end = yield from self._document(text, document, is_in_array, is_end=is_end)
        return end

    def _refuse_the_buffer(self) -> None:
        """Count the document that is too long, and skip the text up to the next one."""
        self.refused += 1
        self._is_skipping = True
        self._wanted = 0
        self._skip(is_end=False)

    def _skip(self, *, is_end: bool) -> None:
        """Leave out what the buffer holds of the document that is too long."""
        boundary = _boundary(self._buffer, 0, 0, is_in_array=True)
        if boundary is not None:
            self._is_skipping = False
        elif is_end:
            boundary = len(self._buffer)
        else:
            # A boundary may begin in the last characters.
            boundary = max(0, len(self._buffer) - _LAST_CHARACTERS)
        self.refused_bytes += size(self._buffer[:boundary])
        self._buffer = self._buffer[boundary:]

    def _document(
        self, text: str, start: int, is_in_array: bool, *, is_end: bool
    ) -> Generator[str, None, int | None]:
        """Give the document that begins here. Returns its end, or None where it is not complete."""
        try:
            value, end = _LENIENT.raw_decode(text, start)
        except JSONDecodeError as error:
            is_cut = error.msg.startswith("Unterminated string") or error.pos >= len(text) - _LAST_CHARACTERS
            if is_cut and not is_end:
                return None
        except RecursionError:
            pass
        else:
            yield from self._values(value, text[start:end])
            return end
        boundary = _boundary(text, start + 1, _indentation(text, start), is_in_array)
        if boundary is None:
            if not is_end:
                return None
            boundary = len(text)
        middle = _last_document(text, start, boundary)
        yield from self._bounded(text[start:middle])
        yield from self._bounded(text[middle:boundary])
        return boundary

    def _values(self, value: Any, text: str) -> Iterator[str]:
        events = _log_events(value)
        if events is None:
            if "\t" in text:
                self.replaced += _tabs_in_strings(text)
            yield from self._bounded(text)
            return
        self.envelopes += 1
        for message in events:
            if self._messages_are_documents:
                pieces, replaced = documents(message, self._longest)
                self.replaced += replaced
                yield from pieces
            else:
                yield from self._bounded(message)

    def _bounded(self, text: str) -> Iterator[str]:
        if is_longer(text, self._longest):
            self.refused += 1
            self.refused_bytes += size(text)
            return
        # Within strings these characters are not valid, between values a blank does as well.
        line = text.translate(_BLANKS).strip()
        if line:
            yield line


def documents(text: str, longest: int) -> tuple[list[str], int]:
    """The documents in a text, each on one line, and the number of characters that were replaced.

    What is no document comes out as it is, and so does a text without any document.
    """
    splitter = Documents(longest)
    found = [*splitter.feed(text), *splitter.finish()]
    if len(found) > 1 or splitter.envelopes or text.strip() in ("", "[]"):
        return found, splitter.replaced
    if not found or not found[0].startswith("{"):
        found = [text]
    return found, splitter.replaced


def size(text: str) -> int:
    """The number of bytes of a text in UTF-8."""
    return len(text.encode("utf-8", "replace"))


def is_longer(text: str, longest: int) -> bool:
    """Whether a text has more bytes in UTF-8."""
    return len(text) > longest or (len(text) * 4 > longest and size(text) > longest)


def _windows(text: str) -> list[str]:
    return [text[start : start + _WINDOW] for start in range(0, len(text), _WINDOW)]


def _is_prefix(text: str) -> bool:
    """Whether a text before a document is what a collector puts there, and no damaged document."""
    return len(text) <= LONGEST_PREFIX and '"' not in text


def _boundary(text: str, start: int, indentation: int, is_in_array: bool) -> int | None:
    """Where the next document begins behind a damaged one: on a new line that is indented no further, or behind a
    brace. A comma may stand between them only in an array of documents."""
    comma = ",?" if is_in_array else ""
    line = rf"\n[ \t]{{0,{indentation}}}(?=\{{)"
    found = re.compile(rf'{line}|\}}\s*{comma}\s*(?=\{{\s*")').search(text, start)
    return found.end() if found else None


def _last_document(text: str, start: int, end: int) -> int:
    """Where a whole document begins that follows one that was cut off; the end where there is none."""
    for candidate in islice(_INNER_START.finditer(text, start + 1, end), _MOST_CANDIDATES):
        try:
            _, last = _LENIENT.raw_decode(text[candidate.start() : end])
        except (ValueError, RecursionError):
            continue
        if candidate.start() + last >= _without_separators(text, start, end):
            return candidate.start()
    return end


def _without_separators(text: str, start: int, end: int) -> int:
    """The end of a text without the blanks and commas at its end."""
    return start + len(text[start:end].rstrip(" \t\r\n,]"))


def _indentation(text: str, position: int) -> int:
    """The number of blanks at the beginning of the line of a position."""
    line = text.rfind("\n", max(0, position - LONGEST_PREFIX), position) + 1
    blanks = 0
    while line + blanks < position and text[line + blanks] in " \t":
        blanks += 1
    return blanks


def _log_events(value: Any) -> list[str] | None:
    """The messages in an envelope of CloudWatch Logs; None for any other document."""
    if not isinstance(value, dict) or not isinstance(value.get("logEvents"), list):
        return None
    if value.get("messageType") == "CONTROL_MESSAGE":
        # CloudWatch tests with it whether the receiver can be reached.
        return []
    if value.get("messageType") != "DATA_MESSAGE":
        return None
    messages = []
    for event in value["logEvents"]:
        message = event.get("message") if isinstance(event, dict) else None
        if isinstance(message, str):
            messages.append(message)
        else:
            messages.append(json.dumps(event, ensure_ascii=False))
    return messages


def _tabs_in_strings(text: str) -> int:
    """The number of tabs of a document that has some within its strings."""
    try:
        _STRICT.decode(text)
    except ValueError:
        return text.count("\t")
    return 0


def _end_of(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position
