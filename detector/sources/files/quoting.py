"""Quoting: the records of a CSV file whose quoted values hold line breaks, each joined into one line.

A stray quote must cost its own line and no other. So lines are joined only where the record closes soon and has
the right number of columns, and where no line within it is a record of its own.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator

MOST_LINES = 64
"""The most lines of one record."""
MOST_CHARACTERS = 1 << 16
"""The most characters of a record over several lines."""


def joined_records(lines: Iterator[str], delimiter: str, columns: int) -> Iterator[str]:
    """The lines, with the lines of each record joined by blanks. Lines that are no record come as they are."""
    field = rf'(?:"(?:[^"]|"")*+"|[^"\n{re.escape(delimiter)}][^\n{re.escape(delimiter)}]*+|)'
    record = re.compile(rf"{field}(?:{re.escape(delimiter)}{field})*+(?:\n|\Z)")
    fields = re.compile(rf"(?:\A|{re.escape(delimiter)})({field})")
    following: deque[str] = deque()
    while True:
        line = following.popleft() if following else next(lines, None)
        if line is None:
            return
        if line.count('"') % 2 == 0:
            yield line
            continue
        while len(following) < MOST_LINES - 1 and (later := next(lines, None)) is not None:
            following.append(later)
        number = _lines_of_record(line, following, record, fields, columns)
        parts = [line, *(following.popleft() for _ in range(number - 1))]
        yield " ".join(parts)


def _lines_of_record(
    line: str, following: deque[str], record: re.Pattern[str], fields: re.Pattern[str], columns: int
) -> int:
    """The number of lines that make one record; 1 where they make none."""
    text = "\n".join([line, *following])[:MOST_CHARACTERS]
    match = record.match(text)
    if match is None:
        return 1
    found = match[0].removesuffix("\n")
    number = found.count("\n") + 1
    if number == 1 or len(fields.findall(found)) != columns:
        return 1
    inner = found.split("\n")[1:-1]
    if any('"' not in part and len(fields.findall(part)) == columns for part in inner):
        return 1
    return number
