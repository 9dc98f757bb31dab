"""What the bytes of a file look like, without files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detector.sources.files.shapes import LONG_LINE, Kind, Shape, blocks, is_preamble, kind_of, look
from detector.sources.presets import preset_named

PLAIN = Shape(is_blank=False, has_records=True)


def looked(kind: Kind, content: bytes, size: int = 1 << 20) -> Shape:
    """The shape of a content that comes in chunks of this size."""
    return look([content[start : start + size] for start in range(0, len(content), size)], kind)


@pytest.mark.parametrize(
    ("kind", "content", "changes"),
    [
        (Kind.CSV, b"a,b\n1,2\n", {}),
        (Kind.CSV, b"a,b\r\n1,\t2\r\n", {}),
        (Kind.CSV, "a,b\n1,é€\n".encode(), {}),
        (Kind.CSV, b'a,b\n"1","2"\n', {}),
        (Kind.CSV, b"a,b\n", {"has_records": False}),
        (Kind.CSV, b"a,b\n \r\n", {"has_records": False}),
        (Kind.CSV, b"", {"has_records": False, "is_blank": True}),
        (Kind.CSV, b"\na,b\n1,2\n", {"has_preamble": True}),
        (Kind.CSV, b"\xef\xbb\xbf# x\na,b\n", {"has_preamble": True}),
        (Kind.CSV, b'a,b\n1,"2\n', {"has_open_quotes": True}),
        (Kind.CSV, b'a,b\n1,"2', {"has_open_quotes": True}),
        (Kind.CSV, b'"a\nb",c\n', {"has_open_quotes": True}),
        (Kind.CSV, b"a,b\r1,2\r", {"ends_lines_with_returns": True, "is_text": False}),
        (Kind.CSV, b"a,b\n1,\r2\n", {"is_text": False}),
        (Kind.CSV, b"a,b\n1,\0\n", {"is_text": False}),
        (Kind.CSV, b"a,b\n1,\xff\n", {"is_text": False}),
        (Kind.CSV, "a,b\n1,2\n".encode("utf-16"), {"encoding": "utf-16-le"}),
        (Kind.CSV, "a,b\n1,2\n".encode("utf-16-be"), {"encoding": "utf-16-be"}),
        (Kind.JSON, b'{"a":1}\n{"a":2}', {}),
        (Kind.JSON, b'\n\n{"a":1}\n', {}),
        (Kind.JSON, b" \n", {"has_records": False, "is_blank": True}),
        (Kind.JSON, b'{"a":1}{"a":2}', {}),
        (Kind.JSON, b'[{"a":1}]', {"has_documents": True}),
        (Kind.JSON, b'\xef\xbb\xbf [\n {"a":1}]', {"has_documents": True}),
        (Kind.JSON, b"[2026-01-02] x", {}),
        (Kind.JSON, b'{\n"a":1}', {"has_documents": True}),
        (Kind.JSON, b'{"a": {\r\n"b":1}}', {"has_documents": True}),
        (Kind.JSON, b'{"a":\n{"a":1}', {}),
        (Kind.JSON, b'{"a":"cut\n"b"', {}),
        (Kind.JSON, b'{"a":', {}),
        (Kind.JSON, b'{"messageType":"DATA_MESSAGE","logEvents":[]}', {"has_documents": True}),
        (Kind.LINES, b'{"messageType":"DATA_MESSAGE","logEvents":[]}', {"has_documents": True}),
        (Kind.LINES, b'[x] "y\n', {}),
        (Kind.DOCUMENT, b'{"Records":\n[]}', {}),
        (Kind.JSON, b'{"a":"' + b"x" * LONG_LINE + b'"}', {"has_long_lines": True}),
        (Kind.DOCUMENT, b'{"a":"' + b"x" * LONG_LINE + b'"}', {}),
    ],
)
def test_the_shape_of_a_content(kind: Kind, content: bytes, changes: dict[str, object]) -> None:
    """A plain file needs nothing; every other property is found wherever it lies."""
    assert looked(kind, content) == replace(PLAIN, **changes)


def test_a_property_is_found_behind_the_first_block() -> None:
    """Also where a chunk ends within a character, a line end or a quoted value."""
    lines = "a,b\r\n" + 'é€,"x"\r\n' * 1000
    for size in (7, 64, 1000):
        assert looked(Kind.CSV, lines.encode(), size) == PLAIN
        assert looked(Kind.CSV, lines.encode() + b'"\n', size).has_open_quotes
        assert not looked(Kind.CSV, lines.encode() + b"\xe9\n", size).is_text


def test_blocks_end_with_lines_and_hold_all_bytes() -> None:
    """A very long line comes in several blocks."""
    content = [b"a\nb", b"c\n", b"d" * LONG_LINE, b"e\nf"]
    found = list(blocks(content))
    assert b"".join(found) == b"".join(content)
    assert found == [b"a\n", b"bc\n", b"d" * LONG_LINE + b"e\n", b"f"]


@pytest.mark.parametrize("line", ["", " \t\r\n", "# x, y", "  #", "sep=;", "SEP=,\r\n", '"sep=\t"', "sep="])
def test_lines_before_a_header_are_known(line: str) -> None:
    """Blank lines, comments and what Excel writes."""
    assert is_preamble(line)


@pytest.mark.parametrize("line", ["a,b", "separator,key_id", "a # b", "sep=;,x"])
def test_a_header_is_no_preamble(line: str) -> None:
    """A name may begin with sep."""
    assert not is_preamble(line)


def test_the_name_or_the_preset_says_what_a_file_holds() -> None:
    """Parquet and unknown names are no text; a file that a preset passes over is not opened."""
    assert kind_of("a.csv.gz", None) is Kind.CSV
    assert kind_of("a.log.1", None) is Kind.JSON
    assert kind_of("a.parquet", None) is None
    assert kind_of("a.parquet", preset_named("kong")) is Kind.JSON
    assert kind_of("a", preset_named("nginx")) is Kind.LINES
    assert kind_of("a.json", preset_named("cloudtrail")) is Kind.DOCUMENT
    assert kind_of("AWSLogs/CloudTrail-Digest/a.json", preset_named("cloudtrail")) is None
