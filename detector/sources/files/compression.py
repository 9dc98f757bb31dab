"""Compressed files: how they are recognized, opened and checked for damage."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from pathlib import Path
from typing import IO, cast

import pyarrow as pa

SUFFIXES = (".gz", ".zst")
_CHUNK_BYTES = 1 << 20
_ROTATION = re.compile(r"([.-]\d+)+$")


def open_decompressed(file: str) -> IO[bytes]:
    """Open a file for reading. A file whose name ends in .gz or .zst is decompressed while it is read."""
    name = file.lower()
    if name.endswith(".gz"):
        return cast(IO[bytes], gzip.open(file, "rb"))
    if name.endswith(".zst"):
        return cast(IO[bytes], io.BufferedReader(pa.CompressedInputStream(file, "zstd")))
    return open(file, "rb")


def read_error(file: str) -> str | None:
    """The text of the error that reading a file raises, or None. A compressed file is read to its end."""
    is_compressed = file.lower().endswith(SUFFIXES)
    try:
        with open_decompressed(file) as stream:
            stream.read(1)
            # Only the end of a compressed file holds its checksum.
            while is_compressed and stream.read(_CHUNK_BYTES):
                pass
    except (OSError, EOFError, zlib.error) as error:
        return str(error)
    return None


def format_suffix(file: str) -> str:
    """The suffix that names the format: ``.log`` of access.log, access.log.1 and access.log-20260102.gz."""
    name = Path(file).name.lower()
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return Path(_ROTATION.sub("", name)).suffix
