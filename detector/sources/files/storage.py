"""Storage: where files lie, on disk or in an object store, how they are listed and brought here."""

from __future__ import annotations

import glob
import re
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pyarrow as pa
import pyarrow.fs as pafs

from detector.model.errors import SourceError
from detector.sources.faults import mask

SCHEMES = ("s3", "gs")
_PATIENCE = {"gs": "retry_limit_seconds=60"}
"""Options for URLs that do not set them: Google's client would try again for a quarter of an hour."""

_DOWNLOADS = 8
_CHUNK = 1 << 20
_MAGIC = re.compile(r"[*?\[]")
_GLOB = re.compile(r"(\*\*/|\*\*|\*|\?|\[[^\]/]+\])")
_GLOB_AS_EXPRESSION = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}


class Storage(Protocol):
    """A place with files, each known by its path."""

    on_disk: ClassVar[bool]
    """Whether they are here, so that nothing is copied."""

    def matches(self, pattern: str) -> list[str]:
        """The files that match a shell pattern; ``**`` goes through folders."""

    def bring(self, paths: Sequence[str], folder: str) -> list[str]:
        """Where the files lie on disk, in the same order, those from elsewhere copied into the folder."""


@dataclass(frozen=True)
class Disk:
    """This machine's file system."""

    on_disk: ClassVar[bool] = True

    def matches(self, pattern: str) -> list[str]:
        """By the file system itself. A file whose name looks like a pattern is that file."""
        found = [pattern] if Path(pattern).is_file() else glob.glob(pattern, recursive=True)
        return [path for path in found if Path(path).is_file()]

    def bring(self, paths: Sequence[str], folder: str) -> list[str]:
        """They are here."""
        return list(paths)


@dataclass(frozen=True)
class ObjectStore:
    """A bucket of S3, of anything that speaks its protocol, or of Google Cloud Storage.

    Credentials come from the environment, as the vendors' own tools take them. ``options`` are those of
    Arrow's file system URLs: region, endpoint_override, scheme.
    """

    on_disk: ClassVar[bool] = False
    scheme: str
    bucket: str
    options: str = ""

    def matches(self, pattern: str) -> list[str]:
        """By listing the folder above the first wildcard."""
        parts = pattern.split("/")
        fixed = next((place for place, part in enumerate(parts) if _MAGIC.search(part)), None)
        if fixed is None:
            found = self._call(lambda: [self._files.get_file_info(pattern)])
        else:
            selector = pafs.FileSelector(
                "/".join(parts[:fixed]), allow_not_found=True, recursive=fixed + 1 < len(parts)
            )
            found = self._call(lambda: self._files.get_file_info(selector))
        expression = as_expression(pattern)
        return [info.path for info in found if info.is_file and expression.fullmatch(info.path)]

    def bring(self, paths: Sequence[str], folder: str) -> list[str]:
        """Copies under the same names, several at a time."""
        targets = [Path(folder, self.bucket, str(place), Path(path).name) for place, path in enumerate(paths)]
        with ThreadPoolExecutor(_DOWNLOADS) as pool:
            list(pool.map(self._copy, paths, targets))
        return [str(target) for target in targets]

    @cached_property
    def _files(self) -> Any:
        options = "&".join(filter(None, (self.options, _PATIENCE.get(self.scheme))))
        files, _ = self._call(lambda: pafs.FileSystem.from_uri(f"{self.scheme}://{self.bucket}?{options}"))
        return files

    def _copy(self, path: str, target: Path) -> None:
        def copy() -> None:
            with self._files.open_input_stream(path, compression=None) as stream, target.open("wb") as file:
                shutil.copyfileobj(stream, file, _CHUNK)

        target.parent.mkdir(parents=True)
        self._call(copy)

    def _call(self, action: Any) -> Any:
        try:
            return action()
        except (OSError, pa.ArrowException) as error:
            raise SourceError(
                f"{self.scheme}://{self.bucket} cannot be read: {mask(str(error))[:300]}; check the bucket's "
                "name, the credentials in the environment, and the URL's region and endpoint_override"
            ) from None


def storage_of(pattern: str) -> tuple[Storage, str]:
    """The storage that a path or URL names, and the pattern within it."""
    scheme, separator, rest = pattern.partition("://")
    if not separator:
        return Disk(), pattern
    path, _, options = rest.partition("?")
    bucket, _, key = path.partition("/")
    if scheme not in SCHEMES:
        raise SourceError(f"files cannot be read from {scheme}://; known: {', '.join(SCHEMES)}, and paths")
    if "@" in bucket:
        raise SourceError(
            f"a {scheme}:// URL holds no credentials; take them out and put them into the environment"
        )
    if not key or not bucket or _MAGIC.search(bucket):
        raise SourceError(f"{scheme}:// URLs name a bucket and files in it, as in {scheme}://bucket/logs/*.gz")
    return ObjectStore(scheme, bucket, options), path


def as_expression(pattern: str) -> re.Pattern[str]:
    """A shell pattern as a regular expression for whole paths."""
    return re.compile("".join(_piece(piece) for piece in _GLOB.split(pattern)))


def _piece(piece: str) -> str:
    if piece.startswith("[") and piece.endswith("]"):
        return "[" + re.sub(r"^!", "^", piece[1:-1]).replace("\\", r"\\") + "]"
    return _GLOB_AS_EXPRESSION.get(piece) or re.escape(piece)
