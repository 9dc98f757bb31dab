"""Plain files: every text file as DuckDB reads it, with the files that are not plain written anew.

A new file lies in the private folder under the path of the original, so that samples and errors name the original.
It holds UTF-8 without control characters, one record a line. What was replaced or refused is counted by file.
"""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, cast

import duckdb
import pyarrow as pa

from detector.model.errors import SourceError
from detector.model.usage import WHOLE_FILE
from detector.sources.faults import Observation
from detector.sources.files.compression import Content, format_suffix
from detector.sources.files.formats import DELIMITERS, LONGEST_LINE, WRITTEN_ANEW, header_of
from detector.sources.files.locations import SourceFile, local_paths
from detector.sources.files.quoting import joined_records
from detector.sources.files.repair import REPLACEMENT, Documents, documents, is_longer, size
from detector.sources.files.shapes import Kind, Shape, blocks, is_preamble, kind_of, shape_of
from detector.sources.presets import Preset

REPLACED = "characters that are not text, replaced"
TOO_LONG = f"record longer than {LONGEST_LINE >> 20} MB"
NO_RECORDS = f"{WHOLE_FILE}without a record"

_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n")
_BLANKS = bytes.maketrans(_CONTROLS, b" " * len(_CONTROLS))
_MARKS = dict.fromkeys(_CONTROLS, REPLACEMENT)
_LINES_AT_ONCE = 4096


@dataclass
class Contents:
    """What was found in a file: the characters that were replaced, and the records that are too long."""

    replaced: int = 0
    refused: int = 0
    refused_bytes: int = 0
    is_blank: bool = False
    has_records: bool = True


@dataclass
class PlainFiles:
    """Files that DuckDB can read.

    ``contents`` says what was found in each file when it was opened, ``origins`` which file of the source it is,
    and ``repaired`` which number of characters the repair of JSON lines has replaced since ``start_counting``.
    """

    paths: tuple[str, ...]
    contents: dict[str, Contents]
    origins: dict[str, SourceFile]
    repaired: dict[str, int] = field(default_factory=dict)

    def start_counting(self) -> None:
        """Forget what earlier scans of the files have replaced."""
        self.repaired.clear()

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Register with the connection the repair of JSON lines, which the relations of ``formats`` call."""

        def repaired(file: str, line: str) -> list[str]:
            found, replaced = documents(line, LONGEST_LINE)
            if replaced:
                self.repaired[file] = self.repaired.get(file, 0) + replaced
            return found

        # It counts, so DuckDB must neither call it twice for a line nor leave a call out.
        connection.create_function("repaired", repaired, ["VARCHAR", "VARCHAR"], "VARCHAR[]", side_effects=True)

    def observations(self) -> Iterator[Observation]:
        """What was replaced and refused, and the files without a record."""
        for path, contents in self.contents.items():
            name = Path(path).name
            replaced = contents.replaced + self.repaired.get(path, 0)
            if replaced:
                yield Observation(None, REPLACED, replaced, name, "note")
            if contents.refused:
                yield Observation(None, TOO_LONG, contents.refused, name, bytes=contents.refused_bytes)
            if not contents.has_records:
                yield Observation(None, NO_RECORDS, 1, name, "note")


def plain_files(files: Sequence[SourceFile], folder: str, source: str, preset: Preset | None = None) -> PlainFiles:
    """The files on disk, plain. What is downloaded or written anew lies in the folder.

    Raises SourceError for a file that cannot be read, is damaged or cut off.
    """
    paths = local_paths(files, folder)
    targets = [Path(folder, WRITTEN_ANEW, str(number)) for number in range(len(paths))]

    def plain(file: SourceFile, target: Path) -> tuple[str, Contents]:
        try:
            return _plain_file(paths[file], target, preset)
        except (OSError, EOFError, zlib.error) as error:
            raise SourceError(
                f"source {source}: cannot read {file.path}: {error}; restore the file or remove it"
            ) from None

    with ThreadPoolExecutor() as pool:
        found_in = dict(zip(paths, pool.map(plain, paths, targets), strict=True))
    contents = dict(found_in.values())
    origins = {path: file for file, (path, _) in found_in.items()}
    # A CSV file that holds only a header must still have the right columns.
    readable = tuple(path for path, found in contents.items() if not found.is_blank)
    return PlainFiles(readable, contents, origins)


def _plain_file(file: str, folder: Path, preset: Preset | None) -> tuple[str, Contents]:
    """The path of the plain file, and what was found."""
    kind = kind_of(file, preset)
    if kind is None:
        with open(file, "rb") as stream:
            stream.read(1)
        return file, Contents()
    shape = shape_of(file, kind)
    if kind is Kind.DOCUMENT and shape.is_plain:
        # A document without records is a defect that the preset counts.
        return file, Contents()
    if shape.is_plain:
        return file, Contents(is_blank=shape.is_blank, has_records=shape.has_records)
    target = folder / Path(file).absolute().relative_to("/")
    target.parent.mkdir(parents=True)
    contents = Contents(is_blank=True, has_records=False)
    with _writer(target) as stream:
        lines = _lines_of(file, kind, shape, contents)
        while batch := list(islice(lines, _LINES_AT_ONCE)):
            stream.write("".join(batch).encode("utf-8", "replace"))
    return str(target), contents


@contextmanager
def _writer(target: Path) -> Iterator[IO[bytes]]:
    """A file to write to, compressed as its suffix says."""
    name = target.name.lower()
    if name.endswith(".gz"):
        # The disk may have no room for the text without compression; more of it would take too long.
        with gzip.open(target, "wb", compresslevel=1) as stream:
            yield cast(IO[bytes], stream)
    elif name.endswith(".zst"):
        with pa.CompressedOutputStream(str(target), "zstd") as stream:
            yield stream
    else:
        with target.open("wb") as stream:
            yield stream


def _lines_of(file: str, kind: Kind, shape: Shape, contents: Contents) -> Iterator[str]:
    """The plain text of a file, in lines or larger parts."""
    texts = _texts(file, kind, shape, contents)
    if kind is Kind.DOCUMENT:
        contents.is_blank = False
        contents.has_records = True
        yield from texts
        return
    if kind is Kind.CSV:
        records = _csv_records(file, _lines(texts, contents))
    elif shape.has_documents or (kind is Kind.JSON and shape.has_long_lines):
        records = _documents(texts, kind, contents)
    else:
        records = _lines(texts, contents)
    for number, record in enumerate(records):
        if is_longer(record, LONGEST_LINE):
            contents.refused += 1
            contents.refused_bytes += size(record)
            continue
        if not contents.has_records and record.strip():
            contents.is_blank = False
            # The first line of a CSV file is its header.
            contents.has_records = number > 0 or kind is not Kind.CSV
        yield record + "\n"


def _csv_records(file: str, lines: Iterator[str]) -> Iterator[str]:
    """The header and the records; nothing where there is no header."""
    for header in lines:
        if not is_preamble(header):
            break
    else:
        return
    yield header
    names, delimiter = header_of(header, DELIMITERS[format_suffix(file)])
    yield from joined_records(lines, delimiter, len(names))


def _documents(texts: Iterable[str], kind: Kind, contents: Contents) -> Iterator[str]:
    splitter = Documents(LONGEST_LINE, messages_are_documents=kind is Kind.JSON)
    for text in texts:
        yield from splitter.feed(text)
    yield from splitter.finish()
    contents.replaced += splitter.replaced
    contents.refused += splitter.refused
    contents.refused_bytes += splitter.refused_bytes


def _lines(texts: Iterable[str], contents: Contents) -> Iterator[str]:
    """The lines of a text. A line that is too long is counted and left out, in bounded memory."""
    rest = ""
    is_skipping = False
    for text in texts:
        lines = (rest + text).split("\n")
        if is_skipping:
            contents.refused_bytes += size(lines[0])
            if len(lines) == 1:
                continue
            is_skipping = False
            del lines[0]
        rest = lines.pop()
        yield from lines
        if len(rest) > LONGEST_LINE:
            contents.refused += 1
            contents.refused_bytes += size(rest)
            rest = ""
            is_skipping = True
    if rest:
        yield rest


def _texts(file: str, kind: Kind, shape: Shape, contents: Contents) -> Iterator[str]:
    """The text of a file in parts, without a mark at its beginning. Lines end with a line feed alone, and what is
    not text is replaced."""
    content: Iterable[bytes] = Content(file)
    if shape.encoding != "utf-8":
        content = _as_utf_8(content, shape.encoding, contents)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    mark = REPLACEMENT.encode()
    is_first = True
    for raw in blocks(content):
        block = raw.replace(b"\r\n", b"\n")
        if shape.ends_lines_with_returns:
            block = block.replace(b"\r", b"\n")
        controls = len(block) - len(block.translate(None, _CONTROLS))
        contents.replaced += controls
        if controls and kind in (Kind.JSON, Kind.DOCUMENT):
            # Between the values of JSON only blanks may stand.
            block = block.translate(_BLANKS)
        text = decoder.decode(block)
        if controls and kind in (Kind.CSV, Kind.LINES):
            # Everywhere else the character belongs to a value, which must not pass for the value without it.
            text = text.translate(_MARKS)
            contents.replaced -= controls
        contents.replaced += max(0, text.count(REPLACEMENT) - block.count(mark))
        if is_first:
            text = text.removeprefix("\ufeff")
        is_first = False
        yield text
    last = decoder.decode(b"", True)
    contents.replaced += len(last)
    yield last


def _as_utf_8(content: Iterable[bytes], encoding: str, contents: Contents) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for chunk in content:
        text = decoder.decode(chunk)
        contents.replaced += text.count(REPLACEMENT)
        yield text.encode("utf-8", "replace")
    # Half a character at the end is left out.
    contents.replaced += len(decoder.decode(b"", True))
