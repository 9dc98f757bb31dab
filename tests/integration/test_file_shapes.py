"""The files source reads files of every shape, and a bad byte costs a byte."""

from __future__ import annotations

import csv
import gzip
import io
import json
import time
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from detector.config.source import FilesSource
from detector.model.errors import SourceError
from detector.sources import Source, open_source

DAY = date(2026, 1, 2)
REPLACED = "characters that are not text, replaced"
NOT_JSON = "not a JSON object"
CUT = b'{"timestamp": "2026-01-02T10:0'

ROWS = [
    {
        "timestamp": f"2026-01-02T10:00:{number:02}Z",
        "key_id": "aaabbc"[number % 6],
        "endpoint": "/x",
        "status": "404" if number == 1 else "200",
        "agent": "curl, 8",
    }
    for number in range(12)
]
CLEAN = {"a": (6, 1), "b": (4, 0), "c": (2, 0)}
HEADER = ",".join(ROWS[0])


def source(path: Path | str, **options: Any) -> Source:
    """The source that reads a file."""
    return open_source(FilesSource(usage=str(path), **options), ZoneInfo("UTC"))


def read(
    folder: Path, name: str, content: bytes, **options: Any
) -> tuple[dict[str, tuple[int, int]], dict[str, int]]:
    """Requests and errors by key of a file with this content, and the faults with their counts."""
    path = folder / name
    path.write_bytes(content)
    opened = source(path, **options)
    ((_, frame),) = opened.usage(DAY, DAY)
    counts = {key: (requests, errors) for key, requests, errors in frame.iloc[:, :3].itertuples(index=False)}
    return counts, {fault.reason: fault.count for fault in opened.faults(DAY)}


def json_lines(end: str = "\n") -> str:
    """The rows as JSON lines."""
    return "".join(json.dumps(row) + end for row in ROWS)


def with_agent(agent: bytes) -> bytes:
    """The rows as JSON lines, whose agents are these raw characters."""
    return json_lines().encode().replace(b"curl, 8", agent)


def csv_text(delimiter: str = ",", agent: str = "curl, 8", end: str = "\n") -> str:
    """The rows as CSV with a header."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(ROWS[0]), delimiter=delimiter, lineterminator=end)
    writer.writeheader()
    writer.writerows(row | {"agent": agent} for row in ROWS)
    return stream.getvalue()


def envelope(messages: list[str], kind: str = "DATA_MESSAGE") -> str:
    """A delivery of a subscription of CloudWatch Logs."""
    events = [
        {"id": str(number), "timestamp": 1767348000000, "message": message}
        for number, message in enumerate(messages)
    ]
    return json.dumps({"messageType": kind, "owner": "1", "logGroup": "g", "logStream": "s", "logEvents": events})


LINES = json_lines().encode()
DOCUMENTS = [json.dumps(row) for row in ROWS]
CSV = csv_text().encode()
PRETTY = "\n".join(json.dumps(row, indent=2) for row in ROWS)
ARRAY = json.dumps(ROWS)


SHAPES: list[tuple[str, str, bytes, dict[str, int]]] = [
    ("clean JSON", "e.jsonl", LINES, {}),
    ("clean CSV", "e.csv", CSV, {}),
    # Bytes and characters that are not text.
    ("JSON with invalid UTF-8", "e.jsonl", with_agent(b"\xff\xfe"), {REPLACED: 24}),
    ("JSON with an encoded surrogate", "e.jsonl", with_agent(b"\xed\xa0\x80"), {REPLACED: 36}),
    ("JSON with a lone high surrogate", "e.jsonl", with_agent(rb"\ud800"), {REPLACED: 12}),
    ("JSON with a lone low surrogate", "e.jsonl", with_agent(rb"x\uDC00y"), {REPLACED: 12}),
    ("JSON with a surrogate pair", "e.jsonl", with_agent(rb"\ud83d\ude00"), {}),
    ("JSON with a surrogate pair and a lone one", "e.jsonl", with_agent(rb"\ud83d\ude00\ud83d"), {REPLACED: 12}),
    ("JSON with a raw tab", "e.jsonl", with_agent(b"a\tb"), {REPLACED: 12}),
    ("JSON with a raw control character", "e.jsonl", with_agent(b"a\x01b"), {REPLACED: 12}),
    ("JSON with a raw escape character", "e.jsonl", with_agent(b"\x1b[31m"), {REPLACED: 12}),
    ("JSON with a NUL", "e.jsonl", with_agent(b"a\0b"), {REPLACED: 12}),
    ("JSON with a carriage return", "e.jsonl", with_agent(b"a\rb"), {REPLACED: 12}),
    ("JSON with an escaped NUL", "e.jsonl", with_agent(rb"a\u0000b"), {}),
    ("JSON with escapes of nginx", "e.jsonl", with_agent(rb"\x22\x5C\xE2\x82\xAC\x01"), {}),
    ("JSON with escaped bytes that are no text", "e.jsonl", with_agent(rb"\xFF\xE2\x82"), {REPLACED: 24}),
    ("JSON with unknown escapes", "e.jsonl", with_agent(rb"C:\Windows\u12"), {}),
    ("JSON with an escaped backslash before x22", "e.jsonl", with_agent(rb"\\x22"), {}),
    ("JSON lines that end with NULs", "e.jsonl", LINES + b"\0" * 5000, {REPLACED: 5000}),
    ("JSON with NULs between the lines", "e.jsonl", LINES.replace(b"\n", b"\n\0\0"), {REPLACED: 24}),
    ("CSV with invalid UTF-8", "e.csv", CSV.replace(b"curl", b"\xe9\xff"), {REPLACED: 24}),
    ("CSV with a NUL", "e.csv", CSV.replace(b"curl", b"a\0b"), {REPLACED: 12}),
    ("CSV with a control character", "e.csv", CSV.replace(b"curl", b"a\x01\x02b"), {REPLACED: 24}),
    ("CSV with a header that is not UTF-8", "e.csv", CSV.replace(b"agent", b"\xe9t\xe9", 1), {REPLACED: 2}),
    ("zipped JSON with invalid UTF-8", "e.jsonl.gz", gzip.compress(with_agent(b"\xff")), {REPLACED: 12}),
    # Encodings, line ends and compression.
    ("JSON with a byte order mark", "e.jsonl", b"\xef\xbb\xbf" + LINES, {}),
    ("JSON with marks in the middle", "e.jsonl", LINES.replace(b"\n{", b"\n\xef\xbb\xbf{"), {}),
    ("CSV with a byte order mark", "e.csv", b"\xef\xbb\xbf" + CSV, {}),
    ("JSON in UTF-16", "e.jsonl", json_lines().encode("utf-16"), {}),
    ("JSON in UTF-16, little endian, no mark", "e.json", json_lines().encode("utf-16-le"), {}),
    ("JSON in UTF-16, big endian, no mark", "e.json", json_lines("\r\n").encode("utf-16-be"), {}),
    ("JSON in UTF-16, big endian", "e.json", ("\ufeff" + json_lines()).encode("utf-16-be"), {}),
    ("CSV in UTF-16", "e.csv", csv_text("\t", end="\r\n").encode("utf-16"), {}),
    ("CSV in UTF-16, big endian, no mark", "e.csv", csv_text(";").encode("utf-16-be"), {}),
    ("UTF-16 with half a character at its end", "e.csv", CSV.decode().encode("utf-16-le") + b"\0", {REPLACED: 1}),
    ("JSON with the line ends of an old Mac", "e.jsonl", json_lines("\r").encode(), {}),
    ("CSV with the line ends of an old Mac", "e.csv", csv_text(end="\r").encode(), {}),
    ("CSV with a carriage return in a value", "e.csv", csv_text(agent="a\rb").encode(), {REPLACED: 12}),
    ("CSV with Windows line ends", "e.csv", csv_text(end="\r\n").encode(), {}),
    ("gzip with zeros behind it", "e.jsonl.gz", gzip.compress(LINES) + bytes(512), {}),
    ("gzip with several members", "e.csv.gz", gzip.compress(CSV[:300]) + gzip.compress(CSV[300:]), {}),
    (
        "gzip with zeros between members",
        "e.csv.gz",
        gzip.compress(CSV[:99]) + bytes(9) + gzip.compress(CSV[99:]),
        {},
    ),
    ("gzip without its suffix", "e.json", gzip.compress(LINES), {}),
    ("gzip within gzip", "e.json.gz", gzip.compress(gzip.compress(LINES[:99]) + gzip.compress(LINES[99:])), {}),
    (
        "zstd with a control character",
        "e.jsonl.zst",
        pa.compress(with_agent(b"\x02"), "zstd", asbytes=True),
        {REPLACED: 12},
    ),
    # JSON that is not one object a line.
    ("documents without line ends", "e.jsonl", "".join(DOCUMENTS).encode(), {}),
    ("documents with blanks between them", "e.json", "  ".join(DOCUMENTS).encode(), {}),
    (
        "several documents in some lines",
        "e.log",
        "\n".join(map("".join, zip(DOCUMENTS[::2], DOCUMENTS[1::2], strict=True))).encode(),
        {},
    ),
    ("documents with commas behind them", "e.json", ",\n".join(DOCUMENTS).encode(), {}),
    ("one JSON array", "e.json", ARRAY.encode(), {}),
    ("a pretty-printed array", "e.json", json.dumps(ROWS, indent=4).encode(), {}),
    ("an array with one record a line", "e.json", ("[\n" + ",\n".join(DOCUMENTS) + "\n]\n").encode(), {}),
    ("an array in each line", "e.json", "\n".join(f"[{document}]" for document in DOCUMENTS).encode(), {}),
    ("pretty-printed documents", "e.json", PRETTY.encode(), {}),
    ("pretty-printed with Windows line ends", "e.json", PRETTY.replace("\n", "\r\n").encode(), {}),
    ("pretty-printed in UTF-16", "e.json", PRETTY.encode("utf-16"), {}),
    ("pretty-printed with escapes of nginx", "e.json", PRETTY.replace("curl", r"\x22").encode(), {}),
    ("a zipped array", "e.json.gz", gzip.compress(ARRAY.encode()), {}),
    ("blank lines before JSON", "e.jsonl", b"\n \n\r\n" + LINES, {}),
    (
        "a timestamp before each document",
        "e.log",
        b"".join(b"2026-01-02T10:00:00.000Z " + line for line in LINES.splitlines(True)),
        {},
    ),
    (
        "a prefix of syslog",
        "e.log",
        b"".join(b"<14>Jan  2 10:00:00 host app[7]: " + line for line in LINES.splitlines(True)),
        {},
    ),
    ("an envelope of CloudWatch Logs", "e.json", envelope(DOCUMENTS).encode(), {}),
    (
        "envelopes without line ends",
        "e.json",
        (envelope(DOCUMENTS[:5]) + envelope([], "CONTROL_MESSAGE") + envelope(DOCUMENTS[5:])).encode(),
        {},
    ),
    (
        "zipped envelopes, one a line",
        "e.json.gz",
        gzip.compress((envelope(DOCUMENTS[:5]) + "\n" + envelope(DOCUMENTS[5:])).encode()),
        {},
    ),
    (
        "an envelope with a message that is no JSON",
        "e.json",
        envelope(["START", *DOCUMENTS]).encode(),
        {NOT_JSON: 1},
    ),
    (
        "an envelope behind other lines",
        "e.json",
        (DOCUMENTS[0] + "\n" + envelope(DOCUMENTS[1:])).encode(),
        {},
    ),
    ("comments in JSON", "e.jsonl", b"# made by x\n" + LINES, {NOT_JSON: 1}),
    ("a document that was cut off before others", "e.jsonl", CUT + "".join(DOCUMENTS).encode(), {NOT_JSON: 1}),
    ("a line that was cut off", "e.jsonl", CUT + b"\n" + LINES, {NOT_JSON: 1}),
    (
        "an object that was cut off in an array",
        "e.json",
        ARRAY.replace("}, {", '}, {"x": , "y": 1}, {', 1).encode(),
        {NOT_JSON: 1},
    ),
    # Long lines.
    ("a document of 3 MB", "e.jsonl", LINES.replace(b"curl", b"x" * 3_000_000, 1), {}),
    ("more than 2 MB without line ends", "e.json", "".join(DOCUMENTS).replace("curl", "x" * 400_000).encode(), {}),
    (
        "a document of 9 MB",
        "e.jsonl",
        b'{"x": "' + b"x" * 9_000_000 + b'"}\n' + LINES,
        {"record longer than 8 MB": 1},
    ),
    ("a CSV value of 3 MB", "e.csv", CSV.replace(b"curl", b"x" * 3_000_000, 1), {}),
    ("a CSV value of 9 MB", "e.csv", CSV + b"x" * 9_000_000 + b"\n", {"record longer than 8 MB": 1}),
    # CSV headers and quotes.
    ("a blank line before the header", "e.csv", b"\n" + CSV, {}),
    ("many blank lines before the header", "e.csv.gz", gzip.compress(b"\r\n  \r\n\n" + CSV), {}),
    ("comments before the header", "e.csv", b"# made by x\n#\n" + CSV, {}),
    ("the first line of Excel", "e.csv", b"sep=;\r\n" + csv_text(";").encode(), {}),
    ("the first line of Excel behind a mark", "e.csv", b'\xef\xbb\xbf"sep=,"\r\n\r\n' + CSV, {}),
    ("line breaks in quoted values", "e.csv", csv_text(agent='a, b\nc\n\n"d"').encode(), {}),
    ("Windows line breaks in quoted values", "e.csv", csv_text(agent="a\r\nb", end="\r\n").encode(), {}),
    (
        "a stray quote at the beginning",
        "e.csv",
        CSV.replace(HEADER.encode() + b"\n", HEADER.encode() + b'\n"x\n'),
        {"quoted value not closed on its line": 1},
    ),
    (
        "two stray quotes with rows between them",
        "e.csv",
        (
            HEADER
            + '\nx,"y\n'
            + "".join(f"{row['timestamp']},{row['key_id']},/x,{row['status']},z\n" for row in ROWS)
            + 'x",,,\n'
        ).encode(),
        {"quoted value not closed on its line": 1, "wrong number of columns": 1},
    ),
    ("a quote within a plain value", "e.csv", CSV.replace(b"/x", b'/x"y'), {}),
]


@pytest.mark.parametrize(
    ("name", "content", "faults"), [row[1:] for row in SHAPES], ids=[row[0] for row in SHAPES]
)
def test_a_file_of_any_shape_has_the_counts_of_the_clean_file(
    tmp_path: Path, name: str, content: bytes, faults: dict[str, int]
) -> None:
    """What is damaged is replaced or costs its own record, and is counted."""
    assert read(tmp_path, name, content) == (CLEAN, faults)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("e.csv", b"", "file without a record"),
        ("e.csv", b"\n \r\n", "file without a record"),
        ("e.csv", b"# x\n# y\n", "file without a record"),
        ("e.csv", HEADER.encode() + b"\n", "file without a record"),
        ("e.csv", b"sep=;\n\n" + HEADER.encode(), "file without a record"),
        ("e.csv.gz", gzip.compress(b""), "file without a record"),
        ("e.jsonl", b"\n\n", "file without a record"),
        ("e.json", b"[]", "file without a record"),
        ("e.json", bytes(5000), "file without a record"),
        ("e.json", envelope([], "CONTROL_MESSAGE").encode(), "file without a record"),
        ("e.json", b"# x\n", NOT_JSON),
        ("e.json", b"[1, 2]", NOT_JSON),
        ("e.json", b"[[[[", NOT_JSON),
    ],
    ids=[f"{number}" for number in range(13)],
)
def test_a_file_without_a_record_does_not_vanish(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    """Its name stands in the faults of the day, and the other files count."""
    (tmp_path / "a.jsonl").write_bytes(LINES)
    (tmp_path / name).write_bytes(content)
    opened = source(f"{tmp_path}/*")
    ((_, frame),) = opened.usage(DAY, DAY)
    assert frame["request_count"].tolist() == [6, 4, 2]
    found = {fault.reason: fault for fault in opened.faults(DAY)}
    assert found[reason].count == 1
    assert found[reason].samples[0].startswith(name)


@pytest.mark.parametrize(
    ("name", "content", "faults"),
    [
        ("e.jsonl", b"{" * 10_000 + b"\n" + LINES, {NOT_JSON: 1}),
        ("e.jsonl", b"{" * 10_000 + LINES, {NOT_JSON: 1}),
        ("e.jsonl", b"[" * 10_000 + b"\n" + LINES, {NOT_JSON: 1}),
        ("e.jsonl", b'{"a":' * 100_000 + b"\n" + LINES, {NOT_JSON: 1}),
        ("e.jsonl", LINES + b"x" * 5_000_000, {NOT_JSON: 1}),
        ("e.jsonl", LINES + b"{" * 5_000_000, {NOT_JSON: 1}),
        ("e.jsonl", LINES + b"\xff" * 100_000, {NOT_JSON: 1, REPLACED: 100_000}),
        ("e.jsonl", LINES.replace(b"curl", b"\0" * 100_000), {REPLACED: 1_200_000}),
        ("e.jsonl", b"\0" * 3_000_000 + b"\n" + LINES, {REPLACED: 3_000_000}),
        ("e.csv", CSV.replace(b"curl", b"\0" * 1000), {REPLACED: 12_000}),
    ],
    ids=[f"{number}" for number in range(10)],
)
def test_hostile_content_costs_its_own_record(
    tmp_path: Path, name: str, content: bytes, faults: dict[str, int]
) -> None:
    """The other records count, within seconds."""
    started = time.process_time()
    assert read(tmp_path, name, content) == (CLEAN, faults)
    assert time.process_time() - started < 20


def test_a_lone_quote_at_the_beginning_of_a_long_file_costs_one_line(tmp_path: Path) -> None:
    """Each of 100,000 lines behind it counts, and so do lines between many lone quotes."""
    row = b"2026-01-02T10:00:00Z,a,/x,200,y\n"
    lone = b'"2026-01-02T10:00:00Z,a,/x,200,y\n'
    header = HEADER.encode() + b"\n"
    counts, faults = read(tmp_path, "e.csv", header + lone + row * 100_000)
    assert (counts, faults) == ({"a": (100_000, 0)}, {"quoted value not closed on its line": 1})
    counts, faults = read(tmp_path, "e.csv", header + (lone + row * 9) * 1000)
    assert (counts, faults) == ({"a": (9000, 0)}, {"quoted value not closed on its line": 1000})


def test_what_stays_unreadable_is_counted_with_its_bytes(tmp_path: Path) -> None:
    """A line with many documents is not one small row, and a refused record has its size too."""
    broken = '{"a":tru,' + '"b":1,' * 1000
    (tmp_path / "e.jsonl").write_text(json_lines() + broken + "\n" + '{"a":"' + "é" * 5_000_000 + '"}')
    opened = source(tmp_path / "e.jsonl")
    list(opened.usage(DAY, DAY))
    sizes = {fault.reason: (fault.count, fault.bytes) for fault in opened.faults(DAY)}
    assert sizes == {NOT_JSON: (1, len(broken)), "record longer than 8 MB": (1, 10_000_008)}


def test_a_damaged_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    """A gzip file that is cut off, also where its text is of a shape that is written anew."""
    for content in (LINES, ARRAY.encode(), json_lines().encode("utf-16")):
        (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(content)[:-9])
        with pytest.raises(SourceError, match=r"cannot read .*/cut\.jsonl\.gz: .* cut off"):
            list(source(tmp_path / "cut.jsonl.gz").usage(DAY, DAY))


@pytest.mark.parametrize(
    ("content", "holds"),
    [
        (b"PK\x03\x04\x14\0", "a zip archive or a spreadsheet"),
        (pa.compress(LINES, "zstd", asbytes=True), "data compressed with zstd"),
        (b"\xfd7zXZ\0\0", "data compressed with xz"),
    ],
    ids=["zip", "zstd", "xz"],
)
@pytest.mark.parametrize("name", ["e.csv", "e.json"])
def test_a_file_that_is_no_text_is_an_error_that_says_what_it_holds(
    tmp_path: Path, name: str, content: bytes, holds: str
) -> None:
    """Its bytes must not be counted as broken lines."""
    with pytest.raises(SourceError, match=rf"cannot read .*/{name}: it holds {holds}, not text"):
        read(tmp_path, name, content)


def test_samples_name_the_original_file(tmp_path: Path) -> None:
    """Also where the file was written anew."""
    (tmp_path / "e.csv.gz").write_bytes(gzip.compress(CSV + b"\xff\n"))
    opened = source(tmp_path / "e.csv.gz")
    list(opened.usage(DAY, DAY))
    assert {fault.samples[0] for fault in opened.faults(DAY)} == {"e.csv.gz", "e.csv.gz: \ufffd"}


def test_a_repaired_line_counts_its_replaced_characters_once(tmp_path: Path) -> None:
    """However often the file is scanned for its columns, and in every window of days."""
    (tmp_path / "e.jsonl").write_bytes(with_agent(rb"\ud800"))
    opened = source(tmp_path / "e.jsonl", columns={"deployment": "status"})
    days = [day for day, _ in opened.usage(date(2025, 11, 1), DAY)]
    for day in (days[0], days[-1]):
        assert {fault.reason: (fault.count, fault.kind) for fault in opened.faults(day)} == {
            REPLACED: (12, "note")
        }


def test_an_error_about_columns_names_the_original_file(tmp_path: Path) -> None:
    """Not the file that was written anew."""
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_bytes(b"\nwhen,key_id\n1,a\n")
    with pytest.raises(SourceError, match=rf"source main: {tmp_path}/a\.csv \(and 1 more like it\) has no column"):
        list(source(tmp_path / "*.csv").usage(DAY, DAY))


@pytest.mark.parametrize(("name", "shown"), [("keys.csv", "sh\ufffdop"), ("keys.json", "sh op")])
def test_a_register_of_any_shape_is_read(tmp_path: Path, name: str, shown: str) -> None:
    """A register in UTF-16, pretty-printed or with a comment has its keys, and what was replaced is a fault."""
    contents = {
        "keys.csv": "\n# x\nkey_id;name\na;sh\0op\n".encode("utf-16"),
        "keys.json": json.dumps([{"key_id": "a", "name": "sh\x01op"}], indent=1)
        .replace(r"\u0001", "\x01")
        .encode(),
    }
    (tmp_path / name).write_bytes(contents[name])
    (tmp_path / "e.jsonl").write_bytes(LINES)
    opened = source(tmp_path / "e.jsonl", keys=str(tmp_path / name))
    assert opened.keys()[["key_id", "name"]].to_numpy().tolist() == [["a", shown]]
    list(opened.usage(DAY, DAY))
    assert {fault.reason for fault in opened.faults(DAY)} == {f"register: {REPLACED}"}


def test_lines_of_text_lie_in_envelopes_too(tmp_path: Path) -> None:
    """The preset for nginx reads the messages of CloudWatch Logs."""
    line = '10.0.0.1 - - [02/Jan/2026:10:00:00 +0000] "GET /x HTTP/1.1" 200 1 "-" "curl" "{}"'
    (tmp_path / "e.json").write_text(envelope([line.format(f"sk-{number}-abcdefgh") for number in "aab"]))
    opened = source(tmp_path / "e.json", preset="nginx", key_salt="0123456789abcdef")
    ((_, frame),) = opened.usage(DAY, DAY)
    assert sorted(frame["request_count"]) == [1, 2]
    assert opened.faults(DAY) == ()
