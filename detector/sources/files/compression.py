"""Compressed files: which they are, how they are opened, and whether they are whole."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from pathlib import Path
from typing import IO, cast

import pyarrow as pa

SUFFIXES = (".gz", ".zst")
_CHUNK = 1 << 20
_ROTATION = re.compile(r"([.-]\d+)+$")


def opened(file: str) -> IO[bytes]:
    """The content of a file, unpacked where its name says that it is compressed."""
    name = file.lower()
    if name.endswith(".gz"):
        return cast(IO[bytes], gzip.open(file, "rb"))
    if name.endswith(".zst"):
        return cast(IO[bytes], io.BufferedReader(pa.CompressedInputStream(file, "zstd")))
    return open(file, "rb")


def damage(file: str) -> str | None:
    """What keeps a file from being read, compressed ones to their end; None where nothing does."""
    try:
        with opened(file) as stream:
            stream.read(1)
            while file.lower().endswith(SUFFIXES) and stream.read(_CHUNK):
                pass
    except (OSError, EOFError, zlib.error) as error:
        return str(error)
    return None


def format_suffix(file: str) -> str:
    """The suffix that tells the format: ``.log`` of access.log, access.log.1 and access.log-20260102.gz."""
    name = Path(file).name.lower()
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return Path(_ROTATION.sub("", name)).suffix
