"""Storage: the disk and the object stores that hold files, how files are listed and downloaded."""

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

from detector.boundary.masking import mask_tokens
from detector.model.errors import MisconfiguredSourceError, SourceError

SCHEMES = ("s3", "gs")

# Google's client retries for a quarter of an hour unless the URL sets a limit.
_DEFAULT_OPTIONS = {"gs": "retry_limit_seconds=60"}

_DOWNLOADS_AT_ONCE = 8
_CHUNK_BYTES = 1 << 20
_REFUSED = re.compile(
    r"ACCESS_DENIED|INVALID_ACCESS_KEY_ID|INVALID_CLIENT_TOKEN_ID|SIGNATURE_DOES_NOT_MATCH|NO_SUCH_BUCKET"
    r"|MISSING_AUTHENTICATION_TOKEN|UNRECOGNIZED_CLIENT|HTTP status 40[134]|PERMISSION_DENIED|UNAUTHENTICATED"
)
"""What Arrow calls an answer that the bucket's name, the credentials or the rights cause."""
_WILDCARD = re.compile(r"[*?\[]")
_GLOB = re.compile(r"(\*\*/|\*\*|\*|\?|\[[^\]/]+\])")
_GLOB_AS_EXPRESSION = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}


class Storage(Protocol):
    """A place that holds files. A path names each file."""

    is_local: ClassVar[bool]
    """Whether the files are on this machine's disk, so that nothing is downloaded."""

    def find(self, pattern: str) -> list[str]:
        """The paths of the files that match a shell pattern; ``**`` matches any number of folders."""

    def download(self, paths: Sequence[str], folder: str) -> list[str]:
        """The local path of every file, in the same order. Files of an object store are copied to the folder."""


@dataclass(frozen=True)
class Disk:
    """The file system of this machine."""

    is_local: ClassVar[bool] = True

    def find(self, pattern: str) -> list[str]:
        """The files that match the pattern."""
        # A file's own name may hold wildcards, as in "a[1].csv". Then the pattern means that file.
        found = [pattern] if Path(pattern).is_file() else glob.glob(pattern, recursive=True)
        return [path for path in found if Path(path).is_file()]

    def download(self, paths: Sequence[str], folder: str) -> list[str]:
        """The same paths: nothing is copied."""
        return list(paths)


@dataclass(frozen=True)
class ObjectStore:
    """A bucket of S3, of a server that speaks the S3 protocol, or of Google Cloud Storage.

    The vendors' usual environment variables give the credentials. ``options`` are those of Arrow's file
    system URLs: region, endpoint_override, scheme.

    DuckDB's own extension for object stores is not used: it is downloaded when it is first needed, and the
    machine of the job may have no access to that server. pyarrow, which this project needs anyway, lists the
    bucket and downloads the files.
    """

    is_local: ClassVar[bool] = False
    scheme: str
    bucket: str
    options: str = ""

    def find(self, pattern: str) -> list[str]:
        """The files that match the pattern, from a listing of the folder above its first wildcard."""
        parts = pattern.split("/")
        first_wildcard = None
        for position, part in enumerate(parts):
            if _WILDCARD.search(part):
                first_wildcard = position
                break
        if first_wildcard is None:
            found = self._request(lambda: [self._files.get_file_info(pattern)])
        else:
            selector = pafs.FileSelector(
                "/".join(parts[:first_wildcard]), allow_not_found=True, recursive=first_wildcard + 1 < len(parts)
            )
            found = self._request(lambda: self._files.get_file_info(selector))
        expression = as_expression(pattern)
        return [info.path for info in found if info.is_file and expression.fullmatch(info.path)]

    def download(self, paths: Sequence[str], folder: str) -> list[str]:
        """The paths of the copies. Several files are downloaded at a time."""
        targets = []
        for number, path in enumerate(paths):
            # A numbered folder for each file: files of different folders may have the same name.
            targets.append(Path(folder, self.bucket, str(number), Path(path).name))
        with ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
            list(pool.map(self._download_one, paths, targets))
        return [str(target) for target in targets]

    @cached_property
    def _files(self) -> Any:
        options = "&".join(filter(None, (self.options, _DEFAULT_OPTIONS.get(self.scheme))))
        files, _ = self._request(lambda: pafs.FileSystem.from_uri(f"{self.scheme}://{self.bucket}?{options}"))
        return files

    def _download_one(self, path: str, target: Path) -> None:
        def copy() -> None:
            # compression=None: the copy has the same bytes, whatever the file's suffix says.
            with self._files.open_input_stream(path, compression=None) as stream, target.open("wb") as file:
                shutil.copyfileobj(stream, file, _CHUNK_BYTES)

        target.parent.mkdir(parents=True)
        self._request(copy)

    def _request(self, action: Any) -> Any:
        try:
            return action()
        except (OSError, pa.ArrowException) as error:
            problem = mask_tokens(str(error))[:300]
            kind = MisconfiguredSourceError if _REFUSED.search(str(error)) else SourceError
            raise kind(
                f"{self.scheme}://{self.bucket} cannot be read: {problem}; check the bucket's "
                "name, the credentials in the environment, and the URL's region and endpoint_override"
            ) from None


def storage_of(pattern: str) -> tuple[Storage, str]:
    """The storage that a path or URL names, and the pattern in it; MisconfiguredSourceError for a wrong URL."""
    scheme, separator, rest = pattern.partition("://")
    if not separator:
        return Disk(), pattern
    path, _, options = rest.partition("?")
    bucket, _, key = path.partition("/")
    if scheme not in SCHEMES:
        raise MisconfiguredSourceError(
            f"files cannot be read from {scheme}:// URLs; use a path, or a URL that begins with "
            f"{' or '.join(f'{known}://' for known in SCHEMES)}"
        )
    if "@" in bucket:
        raise MisconfiguredSourceError(
            f"a {scheme}:// URL must not hold credentials; remove them and set them in the environment"
        )
    if not key or not bucket or _WILDCARD.search(bucket):
        raise MisconfiguredSourceError(
            f"a {scheme}:// URL must name a bucket and files in it: {scheme}://bucket/logs/*.gz"
        )
    return ObjectStore(scheme, bucket, options), path


def as_expression(pattern: str) -> re.Pattern[str]:
    """The regular expression that matches the same whole paths as a shell pattern."""
    return re.compile("".join(_piece_as_expression(piece) for piece in _GLOB.split(pattern)))


def _piece_as_expression(piece: str) -> str:
    if piece.startswith("[") and piece.endswith("]"):
        return "[" + re.sub(r"^!", "^", piece[1:-1]).replace("\\", r"\\") + "]"
    return _GLOB_AS_EXPRESSION.get(piece) or re.escape(piece)
