"""Runs in processes of their own that are killed, and what is left on disk afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

DAY = date(2026, 3, 17)
SCRIPT = """
import os, signal, sys
from datetime import datetime, UTC
from pathlib import Path
from detector.config.load import load
from detector.state.runs import Run
from detector.operations.schedule.nightly import nightly

reach, fatal = Run.reach, sys.argv[2]

def reach_and_die(run, stage, **done):
    reach(run, stage, **done)
    if stage == fatal:
        os.kill(os.getpid(), signal.SIGKILL)

Run.reach = reach_and_die
now = datetime(2026, 3, 18, 2, 30, tzinfo=UTC)
(outcome,) = nightly(load(Path(sys.argv[1])), now=now)
print(outcome.report.summary.verdict)
sys.exit(outcome.exit_code)
"""


def prepare(folder: Path, *, keys: int, days: int) -> None:
    """A daily rollup of many keys, with a spike on every thousandth on the last day."""
    chance = np.random.default_rng(5)
    counts = chance.poisson(chance.gamma(2, 20, keys)[:, None], (keys, days))
    counts[::1000, -1] *= 40
    dates = [DAY - timedelta(days=days - 1 - number) for number in range(days)]
    frame = pd.DataFrame(
        {
            "day": np.tile(np.array(dates, dtype=object), keys),
            "key_id": np.repeat([f"key-{number:06}" for number in range(keys)], days),
            "endpoint": "/v1/things",
            "deployment": "production",
            "request_count": counts.ravel(),
            "error_count": 0,
        }
    )
    frame.to_parquet(folder / "usage.parquet", index=False)
    register = [{"key_id": f"key-{number:06}", "environment": "live"} for number in range(keys)]
    pd.DataFrame(register).to_csv(folder / "keys.csv", index=False)
    (folder / "config.yaml").write_text(
        "source: {kind: files, shape: daily, usage: usage.parquet, keys: keys.csv}\n"
        f"history: {{first_pull_days: {days - 1}}}\n"
    )


def copied(prepared: Path, folder: Path) -> Path:
    """A new installation on the same data."""
    (folder / "temporary").mkdir(parents=True)
    for path in prepared.glob("*.*"):
        os.link(path, folder / path.name)
    return folder


def started(folder: Path, fatal: str = "") -> subprocess.Popen[str]:
    """A run of the day; one with a ``fatal`` stage kills itself once it has logged that."""
    environment = {**os.environ, "TMPDIR": str(folder / "temporary")}
    arguments = [sys.executable, "-c", SCRIPT, str(folder / "config.yaml"), fatal]
    return subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(folder: Path) -> None:
    """A run that nobody disturbs."""
    process = started(folder)
    _, errors = process.communicate()
    assert process.returncode == 0, errors


def killed(process: subprocess.Popen[str]) -> bool:
    """Whether it died of kill -9, and had not come to its end by itself."""
    process.communicate()
    return process.returncode == -signal.SIGKILL


def left(folder: Path) -> dict[str, str]:
    """Every file of history and reports with the checksum of its bytes, but for the ids of the run; and every
    temporary file of any kind."""
    report = json.loads((folder / "var/reports" / str(DAY) / "report.json").read_text())
    ids = [report["report_id"], report["run"]["run_id"]]
    stored = [*folder.glob("var/history/**/*"), *folder.glob("var/reports/**/*"), *folder.glob("temporary/**/*")]
    return {str(path.relative_to(folder)): _checksum(path, ids) for path in stored if path.is_file()}


def _checksum(path: Path, ids: Sequence[str]) -> str:
    content = path.read_bytes()
    for number in ids:
        content = content.replace(number.encode(), b"")
    return hashlib.sha256(content).hexdigest()
