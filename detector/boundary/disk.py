"""Writing files so that nobody ever reads half of one."""

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

SCRAP, SCRATCH = ".detector.tmp", "detector-scratch-"
"""How names end under which something is half-written, and how those of folders for a while begin."""


@contextmanager
def whole_file(path: Path, mode: int | None = None) -> Iterator[IO[bytes]]:
    """A file to write to that stands at ``path`` once the block has ended well, and not at all otherwise.

    The bytes go to a temporary name in the same directory, reach the disk, and take the final name in
    one rename; a reader, a crash or a full disk sees the old file or the new one, and no scraps stay
    behind. Missing folders are made. The file gets the permissions any newly opened file would have, unless
    ``mode`` says otherwise.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=SCRAP)
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
    """Put ``data`` at ``path`` as a whole or not at all."""
    with whole_file(path) as file:
        file.write(data)


@contextmanager
def scratch_folder() -> Iterator[str]:
    """A private folder for intermediate files that goes with the block.

    A process that is killed leaves its folder, perhaps with parts of logs in it; the next one that asks for a
    folder removes it. Whose owner is alive shows a lock on the file in it, which dies with its process.
    """
    with TemporaryDirectory(prefix=SCRATCH) as folder, open(Path(folder, "locking"), "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.rename(lock.name, Path(folder, "lock"))  # it is under this name only once it is locked
        for lock_file in Path(folder).parent.glob(f"{SCRATCH}*/lock"):
            if lock_file.parent != Path(folder):
                _remove_abandoned(lock_file)
        yield folder


def _remove_abandoned(lock_file: Path) -> None:
    """Remove a folder of this user whose owner is gone. Others share the place, so no link is followed."""
    folder = lock_file.parent
    with suppress(OSError):  # somebody else's, locked, or just gone
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
    """The process's file mode mask; it can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
