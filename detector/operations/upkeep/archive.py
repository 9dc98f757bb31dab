"""The file of a backup: a plain tar whose last member lists all others with their sizes and checksums.

A file that was cut off has no last member. A backup may come from anybody: only plain files that are listed and
have the names of a backup are read, and nothing is written before everything was found to be as listed.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import IO, Any, cast

from detector.model.errors import BackupError
from detector.state.dump import KNOWN_MIGRATIONS, KNOWN_TABLES

FORMAT = 1
MANIFEST = "manifest.json"
NAMES = re.compile(
    r"(?a:history/day=\d{4}-\d\d-\d\d/usage\.parquet"
    r"|snapshots/[0-9a-f]{16}/day=\d{4}-\d\d-\d\d\.json\.gz"
    rf"|state/({'|'.join(KNOWN_TABLES)})\.ndjson)"
)
"""What a member can be called."""
MOST_MEMBERS = 100_000
LONGEST_MANIFEST = 32 * 1024 * 1024
LONGEST_LINE = 256 * 1024 * 1024
AT_ONCE = 1024 * 1024


@dataclass(frozen=True)
class Member:
    """A file in the archive."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself: when and of what it was made, and its members in their order."""

    created_at: str
    version: str
    migrations: list[str]
    timezone: str
    organization: str | None
    source: str
    members: list[Member]

    def to_json(self) -> bytes:
        """The manifest as it is stored."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, text: bytes) -> Manifest:
        """Read a manifest; BackupError where it is none, or was written by a newer version."""
        try:
            stored = dict(json.loads(text))
            number = int(stored.pop("format"))
            members = stored.pop("members")
            unknown = [str(name) for name in stored["migrations"] if name not in KNOWN_MIGRATIONS]
            newer = number > FORMAT or bool(unknown)
            manifest = None if newer else cls(**stored, members=[Member(**member) for member in members])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise BackupError(f"its manifest cannot be read: {type(error).__name__}") from None
        if manifest is None:
            raise BackupError("it was written by a newer version of detector; upgrade before restoring it")
        return manifest


class Writer:
    """Puts members into a backup, one after another, and says what went in."""

    def __init__(self, file: IO[bytes], instant: float) -> None:
        self._tar = tarfile.TarFile(fileobj=file, mode="w", format=tarfile.GNU_FORMAT)
        self._instant = instant
        self.members: list[Member] = []

    def add(self, name: str, content: IO[bytes]) -> Member:
        """Copy ``content`` from its beginning to its end, in small pieces."""
        size = content.seek(0, io.SEEK_END)
        reader = _Hashing(content)
        content.seek(0)
        self._tar.addfile(self._header(name, size), cast("IO[bytes]", reader))
        member = Member(name, size, reader.digest.hexdigest())
        self.members.append(member)
        return member

    def finish(self, manifest: Manifest) -> None:
        """Close the archive with its manifest."""
        text = manifest.to_json()
        self._tar.addfile(self._header(MANIFEST, len(text)), io.BytesIO(text))
        self._tar.close()

    def _header(self, name: str, size: int) -> tarfile.TarInfo:
        header = tarfile.TarInfo(name)
        header.size = size
        header.mode = 0o600
        header.mtime = self._instant
        return header


class Archive:
    """A backup that was found to be whole, and its members."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        *found, last = _headers(tar)
        if last.name != MANIFEST or last.size > LONGEST_MANIFEST:
            raise BackupError("its manifest is missing: the file was cut off, or is no backup")
        self.manifest = Manifest.from_json(b"".join(self._pieces(last)))
        listed = [(member.name, member.size) for member in self.manifest.members]
        self._headers = {header.name: header for header in found}
        if listed != [(header.name, header.size) for header in found] or len(self._headers) != len(found):
            raise BackupError("what it holds is not what its manifest lists")
        for member in self.manifest.members:
            _require_expected(member.name)
            for _ in self.pieces(member):
                pass

    def pieces(self, member: Member) -> Iterator[bytes]:
        """The content of a member; BackupError at its end where it is not what the manifest lists."""
        digest = hashlib.sha256()
        for piece in self._pieces(self._headers[member.name]):
            digest.update(piece)
            yield piece
        if digest.hexdigest() != member.sha256:
            raise BackupError(f"{member.name} is damaged")

    def lines(self, member: Member) -> Iterator[bytes]:
        """The lines of a member."""
        content = self._content(self._headers[member.name])
        while line := content.readline(LONGEST_LINE):
            yield line

    def within(self, folder: str) -> list[Member]:
        """The members of a folder of the archive."""
        return [member for member in self.manifest.members if member.name.startswith(f"{folder}/")]

    def _pieces(self, header: tarfile.TarInfo) -> Iterator[bytes]:
        content = self._content(header)
        while piece := content.read(AT_ONCE):
            yield piece

    def _content(self, header: tarfile.TarInfo) -> IO[bytes]:
        content = self._tar.extractfile(header)
        assert content is not None  # only plain files got past _headers
        return content


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """A backup, verified from end to end; BackupError with what is wrong with it."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))
            cautious = cast("IO[bytes]", _Cautious(file))  # it has what reading a tar needs
            archive = Archive(stack.enter_context(tarfile.TarFile(fileobj=cautious)))
        except BackupError as error:
            raise BackupError(f"cannot restore {path}: {error}") from None
        except (tarfile.TarError, EOFError, ValueError) as error:
            raise BackupError(f"cannot restore {path}: it is not a whole tar file ({error})") from None
        except OSError as error:
            raise BackupError(f"cannot restore {path}: {error.strerror or error}") from error
        yield archive


def _headers(tar: tarfile.TarFile) -> list[tarfile.TarInfo]:
    """What the archive holds: plain files alone."""
    found: list[tarfile.TarInfo] = []
    for header in tar:
        plain = header.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not header.issparse()
        if not plain or header.size < 0:
            raise BackupError(f"it holds {header.name[:100]!r}, which is no plain file")
        if len(found) == MOST_MEMBERS:
            raise BackupError(f"it holds more than {MOST_MEMBERS:,} files")
        found.append(header)
    if not found:
        raise BackupError("it holds nothing")
    return found


def _require_expected(name: str) -> None:
    """Refuse whatever a backup does not hold, also a day that no calendar has."""
    day = re.search(r"day=([\d-]+)", name)
    try:
        expected = NAMES.fullmatch(name) is not None and (day is None or bool(date.fromisoformat(day[1])))
    except ValueError:
        expected = False
    if not expected:
        raise BackupError(f"it holds {name[:100]!r}, which no backup does")


class _Hashing:
    """A file whose digest grows as it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        piece = self._file.read(size)
        self.digest.update(piece)
        return piece


class _Cautious:
    """A file of which nobody reads much at once: an extended header may claim any size."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= 4 * AT_ONCE:
            raise BackupError("one of its headers is far too long")
        return self._file.read(size)

    def seek(self, *place: int) -> int:
        return self._file.seek(*place)

    def tell(self) -> int:
        return self._file.tell()


def describe(manifest: Manifest) -> dict[str, Any]:
    """What must be the same where a backup is restored."""
    return {"timezone": manifest.timezone, "organization": manifest.organization, "source.name": manifest.source}
