"""Shapes: what the bytes of a text file look like, and whether DuckDB can read them as they lie.

Most files are plain: UTF-8 without control characters, one record a line. One quick look at all bytes finds the
others, which ``plain`` writes anew.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import chain, islice

import numpy as np

from detector.sources.files.compression import Content, format_suffix
from detector.sources.files.formats import DELIMITERS, JSON_LINES
from detector.sources.presets import Preset

LONG_LINE = 1 << 20
"""A line of so many bytes is certainly shorter than what DuckDB reads; a longer one makes a file not plain."""

_HEAD_BYTES = 1 << 16
_NEWLINE = 10
_QUOTE = 34
_FIRST_PRINTABLE = 32

_MARKS = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_FOREIGN = {
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"\x28\xb5\x2f\xfd": "data compressed with zstd",
    b"\xfd7zXZ\0": "data compressed with xz",
    b"PAR1\x15": "Parquet",
    b"SQLite format 3\0": "an SQLite database",
}
_PREAMBLE = re.compile(r'\s*(?:#.*|"?sep=.?"?\s*)?', re.IGNORECASE)
_ARRAY = re.compile(r"\[\s*[\[{\]]")


class Kind(Enum):
    """What the text of a file holds."""

    CSV = "csv"
    JSON = "json"
    LINES = "lines"
    DOCUMENT = "document"


@dataclass
class Shape:
    """What a look at a file has found."""

    encoding: str = "utf-8"
    is_text: bool = True
    """Whether it is valid UTF-8 without control characters."""
    is_oddly_compressed: bool = False
    is_blank: bool = True
    has_records: bool = False
    """Whether it holds more than blank lines, and more than the header of a CSV file."""
    has_preamble: bool = False
    """Whether lines stand before the header of a CSV file."""
    has_open_quotes: bool = False
    """Whether a line of a CSV file has an odd number of quotes."""
    has_long_lines: bool = False
    has_documents: bool = False
    """Whether the JSON lies in arrays, in envelopes or over several lines."""
    ends_lines_with_returns: bool = False
    """Whether lines end as on an old Mac. Elsewhere a lone carriage return is a control character."""

    @property
    def is_plain(self) -> bool:
        """Whether DuckDB can read the file as it lies."""
        return self.encoding == "utf-8" and not (
            not self.is_text
            or self.is_oddly_compressed
            or self.has_preamble
            or self.has_open_quotes
            or self.has_long_lines
            or self.has_documents
        )


def kind_of(file: str, preset: Preset | None) -> Kind | None:
    """What a file holds; None where it is no text or where its name does not show its format."""
    if preset is not None:
        if preset.documents is not None:
            is_passed_over = any(part in file for part in preset.documents.passed_over)
            return None if is_passed_over else Kind.DOCUMENT
        return Kind.JSON if preset.line is None else Kind.LINES
    suffix = format_suffix(file)
    if suffix in DELIMITERS:
        return Kind.CSV
    return Kind.JSON if suffix in JSON_LINES else None


def shape_of(file: str, kind: Kind) -> Shape:
    """The shape of a file, which is read to its end. Raises OSError, EOFError or zlib.error for a damaged file."""
    content = Content(file)
    shape = look(content, kind)
    shape.is_oddly_compressed = content.is_odd
    return shape


def look(content: Iterable[bytes], kind: Kind) -> Shape:
    """The shape of a text that comes in chunks. Raises OSError where the content is certainly no text."""
    shape = Shape()
    remaining = blocks(content)
    # The first block of a short file lacks the last line.
    beginning = list(islice(remaining, 2))
    for mark, name in _FOREIGN.items():
        if beginning and beginning[0].startswith(mark):
            raise OSError(f"it holds {name}, not text")
    if beginning:
        _look_at_head(b"".join(beginning), kind, shape)
    for block in chain(beginning, remaining):
        shape.is_blank = shape.is_blank and block.isspace()
        if shape.encoding == "utf-8":
            _look_at_block(block, kind, shape)
    return shape


def blocks(content: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in blocks that end with a line, but for very long lines."""
    rest = b""
    for chunk in content:
        end = chunk.rfind(b"\n") + 1
        if end:
            yield rest + chunk[:end]
            rest = chunk[end:]
        else:
            rest += chunk
        if len(rest) > LONG_LINE:
            yield rest
            rest = b""
    if rest:
        yield rest


def is_preamble(line: str) -> bool:
    """Whether a line may stand before a CSV header: a blank line, a comment, or Excel's ``sep=;``."""
    return _PREAMBLE.fullmatch(line.rstrip("\r\n")) is not None


def _encoding(block: bytes) -> str:
    for mark, encoding in _MARKS:
        if block.startswith(mark):
            return encoding
    head = np.frombuffer(block[: _HEAD_BYTES & ~1], np.uint8)
    # In UTF-16, every second byte of the digits, letters and marks of a log is zero.
    for encoding, zeros, others in (("utf-16-le", head[1::2], head[::2]), ("utf-16-be", head[::2], head[1::2])):
        if np.count_nonzero(zeros == 0) * 2 > len(head) // 2 > np.count_nonzero(others == 0) * 20:
            return encoding
    return "utf-8"


def _look_at_head(beginning: bytes, kind: Kind, shape: Shape) -> None:
    shape.encoding = _encoding(beginning)
    head = beginning[:_HEAD_BYTES].decode(shape.encoding, "replace").removeprefix("\ufeff")
    if "\n" not in head and "\r" in head:
        shape.ends_lines_with_returns = True
        head = head.replace("\r", "\n")
    first, _, others = head.partition("\n")
    if kind is Kind.CSV:
        shape.has_preamble = is_preamble(first)
        shape.has_records = bool(others.strip()) or len(beginning) > _HEAD_BYTES
        return
    shape.has_records = len(beginning) > _HEAD_BYTES or bool(head.strip())
    if kind is Kind.JSON:
        shape.has_documents = _holds_documents(head.lstrip()) or _holds_envelopes(head)
    elif kind is Kind.LINES:
        shape.has_documents = _holds_envelopes(head)


def _holds_documents(head: str) -> bool:
    """Whether a JSON text begins with an array or with an object over several lines."""
    if _ARRAY.match(head):
        return True
    first, _, others = head.partition("\n")
    first = first.rstrip()
    others = others.lstrip()
    # Behind a line that was cut off, the next line is an object of its own.
    if not first.startswith("{") or not others or others.startswith("{"):
        return False
    try:
        json.loads(first, strict=False)
    except json.JSONDecodeError as error:
        # Nothing is wrong but that the line ends.
        return error.pos >= len(first)
    except RecursionError:
        pass
    return False


def _holds_envelopes(head: str) -> bool:
    """Whether a text begins with an envelope of CloudWatch Logs."""
    return head.lstrip().startswith("{") and '"logEvents"' in head and '"messageType"' in head


def _look_at_block(block: bytes, kind: Kind, shape: Shape) -> None:
    characters = np.frombuffer(block, np.uint8)
    newlines = int(np.count_nonzero(characters == _NEWLINE))
    low = int(np.count_nonzero(characters < _FIRST_PRINTABLE))
    if low != newlines:
        returns = block.count(b"\r\n")
        if low != newlines + returns + block.count(b"\t"):
            shape.is_text = False
    if shape.is_text and not block.isascii() and not _is_utf_8(block):
        shape.is_text = False
    if kind is Kind.DOCUMENT:
        return
    if newlines == 0 and len(block) > LONG_LINE:
        shape.has_long_lines = True
    if kind is Kind.CSV and not shape.has_open_quotes and b'"' in block:
        shape.has_open_quotes = _has_odd_quotes(characters, newlines)


def _is_utf_8(block: bytes) -> bool:
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True


def _has_odd_quotes(characters: np.ndarray, newlines: int) -> bool:
    """Whether any line has an odd number of quotes."""
    is_quote = characters == _QUOTE
    marks = np.flatnonzero(is_quote | (characters == _NEWLINE))
    ends = np.flatnonzero(characters[marks] == _NEWLINE)
    # Between the marks of two line ends lie only quotes.
    quotes = np.diff(ends, prepend=-1, append=len(marks)) - 1
    return bool((quotes & 1).any())
