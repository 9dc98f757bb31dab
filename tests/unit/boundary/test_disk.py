"""Nothing half-written is ever read, and nothing that a killed process left stays."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from detector.boundary.disk import TEMPORARY_SUFFIX, scratch_folder, whole_file

KILLED_WRITING = """
import os, signal, sys
from pathlib import Path
from detector.boundary.disk import whole_file
with whole_file(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
KILLED_WORKING = """
import os, signal
from pathlib import Path
from detector.boundary.disk import scratch_folder
with scratch_folder() as folder:
    Path(folder, "spilled").write_text("a line of a log")
    os.kill(os.getpid(), signal.SIGKILL)
"""
WORKING = """
import sys
from detector.boundary.disk import scratch_folder
with scratch_folder() as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place for temporary files, for this process and those it starts."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def run(script: str, *arguments: str) -> None:
    """A process that ends by killing itself."""
    subprocess.run([sys.executable, "-c", script, *arguments], check=False, timeout=60)


def test_a_writer_that_is_killed_leaves_the_old_file_and_a_leftover_that_is_told_by_its_name(
    tmp_path: Path,
) -> None:
    """Whole or not at all."""
    path = tmp_path / "report.json"
    with whole_file(path) as file:
        file.write(b"old")
    run(KILLED_WRITING, str(path))
    assert path.read_bytes() == b"old"
    (leftover,) = (place for place in tmp_path.iterdir() if place != path)
    assert leftover.name.startswith(".report.json.")
    assert leftover.name.endswith(TEMPORARY_SUFFIX)


def test_the_scratch_of_a_killed_process_goes_with_the_next_one(temporary: Path) -> None:
    """It may hold parts of logs."""
    run(KILLED_WORKING)
    (left,) = temporary.iterdir()
    assert (left / "spilled").exists()
    with scratch_folder():
        assert not left.exists()
    assert list(temporary.iterdir()) == []


def test_the_scratch_of_a_process_at_work_stays(temporary: Path) -> None:
    """Several may work on one machine."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    theirs = Path(process.stdout.readline().strip())
    with scratch_folder():
        assert theirs.exists()
    process.communicate("")
    assert not theirs.exists()


def test_links_that_others_lay_are_not_followed(temporary: Path) -> None:
    """The place for temporary files is shared: neither a linked folder nor a linked lock leads out of it."""
    precious = temporary / "precious"
    (precious / "data").mkdir(parents=True)
    (precious / "lock").write_text("mine")
    os.symlink(precious, temporary / "detector-scratch-evil")
    (temporary / "detector-scratch-bad").mkdir()
    os.symlink(precious / "lock", temporary / "detector-scratch-bad" / "lock")
    with scratch_folder():
        pass
    assert (precious / "lock").read_text() == "mine"
    assert (precious / "data").is_dir()
