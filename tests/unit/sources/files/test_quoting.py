"""The records of CSV whose quoted values hold line breaks."""

from __future__ import annotations

import csv
import io
import time

from hypothesis import given
from hypothesis import strategies as st

from detector.sources.files.quoting import MOST_LINES, joined_records


def joined(text: str, columns: int = 3) -> list[str]:
    """The lines of a text, joined to records."""
    return list(joined_records(iter(text.split("\n")), ",", columns))


@given(st.lists(st.lists(st.text('ab"\n ', max_size=6), min_size=3, max_size=3), max_size=6))
def test_records_that_are_quoted_correctly_have_their_values(rows: list[list[str]]) -> None:
    """A line break in a value becomes a blank, and nothing else changes."""
    stream = io.StringIO()
    csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    records = joined(stream.getvalue().removesuffix("\n")) if rows else []
    assert list(csv.reader(records)) == [[value.replace("\n", " ") for value in row] for row in rows]


def test_a_stray_quote_costs_its_own_line() -> None:
    """No line is joined to it where the record does not close, has other columns, or swallows other records."""
    for stray in ('"x', 'a,"b', 'a,b,"'):
        for others in (["1,2,3"] * 100, ["1,2,3", 'x",2,3'], ["1,2,3", 'a,b,"'], ["1,2,3", '"']):
            text = "\n".join([stray, *others])
            assert joined(text) == [stray, *others]


def test_a_record_has_a_bounded_number_of_lines() -> None:
    """A record of more lines is left as it is."""
    allowed = 'a,b,"' + "\n" * (MOST_LINES - 1) + '"'
    assert joined(allowed) == ['a,b,"' + " " * (MOST_LINES - 1) + '"']
    assert len(joined(allowed.replace('"', '"\n', 1))) == MOST_LINES + 1


def test_many_stray_quotes_take_linear_time() -> None:
    """Each of them looks at a bounded number of lines."""
    started = time.process_time()
    for line in ('"x', 'x,"y', '"' + "x" * 900):
        assert len(joined("\n".join([line] * 20_000))) == 20_000
    assert time.process_time() - started < 20
