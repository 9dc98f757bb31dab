"""Compressed files: how they are recognized, opened and checked for damage."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import pyarrow as pa

SUFFIXES = (".gz", ".zst")
_CHUNK_BYTES = 1 << 20
_GZIP_MAGIC = 0x1F
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

    Iterating raises OSError, EOFError or zlib.error where the file cannot be read or is damaged or cut off. A gzip
    file may have several members, and zeros behind them as tapes and block devices add them; ``is_padded`` says so
    at the end. DuckDB refuses such zeros.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self.is_padded = False

    def __iter__(self) -> Iterator[bytes]:
        if self._file.lower().endswith(".gz"):
            yield from self._members()
            return
        with open_decompressed(self._file) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                yield chunk

    def _members(self) -> Iterator[bytes]:
        member = None
        with open(self._file, "rb") as stream:
            while raw := stream.read(_CHUNK_BYTES):
                while raw:
                    if member is None:
                        padded_size = len(raw)
                        raw = raw.lstrip(b"\0")
                        self.is_padded = self.is_padded or len(raw) < padded_size
                        if not raw:
                            break
                        if raw[0] != _GZIP_MAGIC:
                            raise gzip.BadGzipFile("Not a gzipped file, or something stands behind its end")
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


def format_suffix(file: str) -> str:
    """The suffix that names the format: ``.log`` of access.log, access.log.1 and access.log-20260102.gz."""
    name = Path(file).name.lower()
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return Path(_ROTATION.sub("", name)).suffix
