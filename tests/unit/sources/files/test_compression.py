"""The bytes of compressed files, and the errors of damaged ones."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pytest

from detector.sources.files.compression import Content

TEXT = bytes(range(256)) * 20_000 + bytes(3_000_000)


@pytest.mark.parametrize(
    ("content", "text", "is_odd"),
    [
        (gzip.compress(TEXT, mtime=0), TEXT, False),
        (gzip.compress(TEXT, mtime=0) + gzip.compress(b"x", mtime=0), TEXT + b"x", False),
        (gzip.compress(b"x", mtime=0) + bytes(3), b"x", True),
        (gzip.compress(b"x", mtime=0) + bytes(2 << 20) + gzip.compress(TEXT, mtime=0), b"x" + TEXT, True),
        (gzip.compress(b"", mtime=0), b"", False),
        (b"", b"", False),
        (gzip.compress(gzip.compress(b"x") + gzip.compress(TEXT)), b"x" + TEXT, True),
    ],
    ids=[
        "one member",
        "two members",
        "zeros behind",
        "zeros between",
        "nothing compressed",
        "nothing",
        "compressed twice",
    ],
)
def test_gzip_is_read_to_its_end(tmp_path: Path, content: bytes, text: bytes, is_odd: bool) -> None:
    """Several members are one text, and no chunk is larger than a megabyte."""
    path = tmp_path / "a.gz"
    path.write_bytes(content)
    chunks = Content(str(path))
    found = list(chunks)
    assert b"".join(found) == text
    assert chunks.is_odd == is_odd
    assert all(0 < len(chunk) <= 1 << 20 for chunk in found)


def test_gzip_without_a_suffix_is_known_by_its_content(tmp_path: Path) -> None:
    """A text that is not compressed is read as it is."""
    for content, text, is_odd in ((gzip.compress(TEXT), TEXT, True), (TEXT, TEXT, False), (b"", b"", False)):
        path = tmp_path / "a"
        path.write_bytes(content)
        chunks = Content(str(path))
        assert b"".join(chunks) == text
        assert chunks.is_odd == is_odd


def test_damaged_gzip_is_an_error(tmp_path: Path) -> None:
    """A file may be cut off anywhere, altered, no gzip at all, or have something else behind it."""
    whole = gzip.compress(TEXT)
    altered = bytearray(whole)
    altered[-6] ^= 1
    contents = [whole[:cut] for cut in (1, 9, 100, len(whole) - 8, len(whole) - 1)]
    contents += [bytes(altered), b"plain", whole + b"plain"]
    for content in contents:
        path = tmp_path / "a.gz"
        path.write_bytes(content)
        with pytest.raises((OSError, EOFError, zlib.error)):
            list(Content(str(path)))
