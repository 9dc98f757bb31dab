"""Compressed files: how they are recognized, opened and checked for damage."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import IO, cast

import pyarrow as pa

SUFFIXES = (".gz", ".zst")
_CHUNK_BYTES = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_MOST_LAYERS = 2
_GZIP = 31  # zlib: the largest window, with the header and the checksum of gzip
_ROTATION = re.compile(r"([.-]\d+)+$")


def open_decompressed(file: str) -> IO[bytes]:
    """Open a file for reading. A file whose name ends in .gz or .zst is decompressed while it is read."""
    name = file.lower()
    if name.endswith(".gz"):
        return cast(IO[bytes], gzip.open(file, "rb"))
    if name.endswith(".zst"):
        return cast(IO[bytes], io.BufferedReader(pa.CompressedInputStream(file, "zstd")))
    return open(file, "rb")


class Content:
    """The bytes of a file in chunks of at most 1 MB, decompressed.

    Iterating raises OSError, EOFError or zlib.error where the file cannot be read or is damaged or cut off. gzip
    is known by its content, because deliveries of Firehose have no suffix and may be compressed twice. It may have
    several members, and zeros behind them as tapes and block devices add them. ``is_odd`` says at the end whether
    DuckDB would refuse the file or read compressed bytes.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self.is_odd = False

    def __iter__(self) -> Iterator[bytes]:
        name = self._file.lower()
        if name.endswith(".zst"):
            with open_decompressed(self._file) as stream:
                yield from _chunks(stream)
            return
        with open(self._file, "rb") as stream:
            yield from self._unpacked(_chunks(stream), expected=1 if name.endswith(".gz") else 0)

    def _unpacked(self, chunks: Iterator[bytes], expected: int) -> Iterator[bytes]:
        """The text within the layers of gzip; the name of the file makes this number of layers expected."""
        layers = 0
        while layers < _MOST_LAYERS and (first := next(chunks, b"")):
            chunks = chain([first], chunks)
            if not first.startswith(_GZIP_MAGIC):
                break
            chunks = self._members(chunks)
            layers += 1
            self.is_odd = self.is_odd or layers > expected
        if first and layers < expected:
            raise gzip.BadGzipFile("Not a gzipped file")
        yield from chunks

    def _members(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The text of the members of a gzip file."""
        member = None
        for compressed in chunks:
            raw = compressed
            while raw:
                if member is None:
                    padded_size = len(raw)
                    raw = raw.lstrip(b"\0")
                    self.is_odd = self.is_odd or len(raw) < padded_size
                    if not raw:
                        break
                    if raw[0] != _GZIP_MAGIC[0]:
                        raise gzip.BadGzipFile("something stands behind the end of the gzipped file")
                    member = zlib.decompressobj(_GZIP)
                # A chunk of zeros may decompress to a thousand chunks, so the size of each step is bounded.
                chunk = member.decompress(raw, _CHUNK_BYTES)
                raw = member.unconsumed_tail
                if chunk:
                    yield chunk
                if member.eof:
                    raw = member.unused_data
                    member = None
            while member is not None and (chunk := member.decompress(b"", _CHUNK_BYTES)):
                yield chunk
            if member is not None and member.eof:
                member = None
        if member is not None:
            raise EOFError("the compressed file is cut off")


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK_BYTES):
        yield chunk


def format_suffix(file: str) -> str:
    """The suffix that names the format: ``.log`` of access.log, access.log.1 and access.log-20260102.gz."""
    name = Path(file).name.lower()
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return Path(_ROTATION.sub("", name)).suffix
