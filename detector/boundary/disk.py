"""Writes files so that no reader ever sees half of one, and that they are private unless they are shared.

Files get the mode 0600 and folders 0700, whatever the umask of the process is. A file that is *shared* gets 0644,
and the folders that are made for it 0755. Existing folders keep their mode.
"""

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

PRIVATE_FILE = 0o600
SHARED_FILE = 0o644
PRIVATE_FOLDER = 0o700
SHARED_FOLDER = 0o755


@contextmanager
def whole_file(path: Path, *, shared: bool = False) -> Iterator[IO[bytes]]:
    """A file to write to. It replaces the file at ``path`` at the end of the block, unless the block fails.

    The bytes go to a temporary file in the same folder. This file is flushed to the disk and then renamed. After a
    crash or on a full disk, ``path`` is still the old file. A block that fails leaves no temporary file; only a
    killed process does. Missing folders are created.
    """
    make_folder(path.parent, shared=shared)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=TEMPORARY_SUFFIX)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, SHARED_FILE if shared else PRIVATE_FILE)
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def write_atomically(path: Path, data: bytes, *, shared: bool = False) -> None:
    """Write a file as a whole or not at all, as ``whole_file`` does."""
    with whole_file(path, shared=shared) as file:
        file.write(data)


def make_folder(folder: Path, *, shared: bool = False) -> None:
    """Create a folder and the missing folders above it. Existing folders do not change."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        try:
            path.mkdir()
        except FileExistsError:
            # Another process has just created it, or it is a file: then the writer gets the error.
            continue
        path.chmod(SHARED_FOLDER if shared else PRIVATE_FOLDER)


def touch_private(path: str) -> None:
    """Create an empty file for a library that would create it with the umask. An existing file does not change.

    SQLite gives its journal and its write-ahead log the mode of the database file.
    """
    with suppress(FileExistsError):
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE_FILE)
        os.fchmod(handle, PRIVATE_FILE)
        os.close(handle)


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
