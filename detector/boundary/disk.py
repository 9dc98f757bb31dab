"""Writes files so that no reader ever sees half of one."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

TEMPORARY_SUFFIX = ".detector.tmp"
"""The end of the name of every file or folder that is not completely written."""
SCRATCH_PREFIX = "detector-scratch-"
"""The beginning of the name of every scratch folder."""


@contextmanager
def whole_file(path: Path, mode: int | None = None) -> Iterator[IO[bytes]]:
    """A file to write to. It replaces the file at ``path`` at the end of the block, unless the block fails.

    The bytes go to a temporary file in the same folder. This file is flushed to the disk and then renamed. After a
    crash or on a full disk, ``path`` is still the old file. A block that fails leaves no temporary file; only a
    killed process does. Missing folders are created. The file gets the permissions of any new file, or ``mode``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=TEMPORARY_SUFFIX)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask() if mode is None else mode)
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file as a whole or not at all, as ``whole_file`` does."""
    with whole_file(path) as file:
        file.write(data)


@contextmanager
def scratch_folder() -> Iterator[str]:
    """A private folder for intermediate files, which is removed at the end of the block.

    A killed process leaves its folder, perhaps with parts of logs in it. The next process that needs a scratch
    folder removes it. Each process holds a lock on a file in its folder, and the lock ends with the process. A
    folder with a free lock therefore belongs to no living process.
    """
    with TemporaryDirectory(prefix=SCRATCH_PREFIX) as folder, open(Path(folder, "locking"), "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.rename(lock.name, Path(folder, "lock"))  # a file of this name is always locked while its process lives
        for lock_file in Path(folder).parent.glob(f"{SCRATCH_PREFIX}*/lock"):
            if lock_file.parent != Path(folder):
                _remove_abandoned(lock_file)
        yield folder


def _remove_abandoned(lock_file: Path) -> None:
    """Remove a scratch folder of this user whose process has ended."""
    folder = lock_file.parent
    # Other users write to the same parent folder, so a link is never followed.
    with suppress(OSError):  # the folder belongs to another user, is locked, or has just been removed
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            return
        with open(os.open(lock_file, os.O_RDONLY | os.O_NOFOLLOW), "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)


def checksum(path: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _umask() -> int:
    """The file mode mask of the process. The only way to read it is to set it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
