"""A run may be killed at any time: the next one ends as if nothing had happened."""

from __future__ import annotations

import random
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from detector.state.database import State
from detector.state.runs import Stage, last_run
from tests.fakes import OWNER
from tests.killed_runs import copied, finished, killed, left, prepare, started


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hundred keys over twenty days."""
    folder = tmp_path_factory.mktemp("prepared")
    prepare(folder, keys=200, days=20)
    return folder


@pytest.fixture(scope="module")
def undisturbed(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], float]:
    """What a run leaves that nobody disturbs, and how many seconds it takes."""
    folder, begun = copied(prepared, tmp_path_factory.mktemp("undisturbed") / "run"), time.monotonic()
    finished(folder)
    return left(folder), time.monotonic() - begun


@pytest.mark.parametrize("stage", Stage)
def test_a_run_killed_after_a_stage_is_made_up_for(
    stage: Stage, prepared: Path, undisturbed: tuple[dict[str, str], float], tmp_path: Path
) -> None:
    """The state tells how far it came; the next run leaves the same bytes and nothing else."""
    folder = copied(prepared, tmp_path / "run")
    assert killed(started(folder, fatal=stage))
    last = last_run(State(f"sqlite:///{folder}/var/state.db", OWNER))
    assert last is not None
    assert (last.stage, last.exit_code) == (stage, None)
    finished(folder)
    assert left(folder) == undisturbed[0]


@pytest.mark.parametrize("seed", range(3))
def test_a_run_killed_at_any_time_is_made_up_for(
    seed: int, prepared: Path, undisturbed: tuple[dict[str, str], float], tmp_path: Path
) -> None:
    """The same bytes, wherever the kill fell; more of them in benchmarks/kills.py."""
    folder = copied(prepared, tmp_path / "run")
    process = started(folder)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=random.Random(seed).uniform(0.3, 1) * undisturbed[1])
    process.kill()
    killed(process)
    finished(folder)
    assert left(folder) == undisturbed[0]
