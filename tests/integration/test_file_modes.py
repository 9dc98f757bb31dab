"""Nobody but the owner of the process reads what it stores, whatever its umask is."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from detector.cli.main import cli
from detector.config.load import load
from detector.config.plugins import REPORTERS
from detector.operations.schedule.monthly import monthly
from detector.operations.schedule.nightly import nightly
from detector.operations.upkeep.archive import opened
from detector.operations.upkeep.restore import restore_backup
from detector.state.database import State
from tests.installation import installation

LAST = date(2026, 3, 17)
MORNING = datetime(2026, 3, 18, 2, 30, tzinfo=UTC)
MORE = f"""
report: {{directory: pages/reports, formats: [{", ".join(REPORTERS)}], shared: SHARED}}
monitoring: {{metrics_file: metrics/detector.prom, metrics_shared: SHARED}}
chargeback: {{currency: EUR, prices: [{{name: all, price: 1}}]}}
"""


@pytest.fixture(params=[0o022, 0o000], ids=["022", "000"])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """The umask of the process for the duration of a test."""
    former = os.umask(request.param)
    yield request.param
    os.umask(former)


def modes(folder: Path) -> dict[str, int]:
    """The mode of everything below a folder, by its path."""
    return {str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}


def readable_by_others(folder: Path) -> list[str]:
    """What has another mode than 0600 or, for a folder, 0700."""
    return sorted(
        path for path, mode in modes(folder).items() if mode != (0o700 if (folder / path).is_dir() else 0o600)
    )


def wrote(folder: Path, shared: str) -> Path:
    """The configuration of an installation whose run has written everything that a run can write."""
    path = installation(folder, LAST, MORE.replace("SHARED", shared))
    config = load(path)
    nightly(config, now=MORNING)
    monthly(config, datetime(2026, 4, 1, 6, tzinfo=UTC))
    return path


def test_state_history_reports_and_metrics_are_private(tmp_path: Path, umask: int) -> None:
    """Only the files of the user keep their modes: the configuration and the usage."""
    wrote(tmp_path, "false")
    assert readable_by_others(tmp_path) == ["config.yaml", "usage.csv"]
    names = set(modes(tmp_path))
    assert {"var/state.db", f"var/history/day={LAST}/usage.parquet"} <= names
    assert any(name.startswith("var/state.db.run-") for name in names)
    assert {f"pages/reports/{LAST}/report.html", "pages/reports/index.html", "metrics/detector.prom"} <= names


def test_reports_and_metrics_are_shared_where_configured(tmp_path: Path, umask: int) -> None:
    """A folder above them that exists already, as ``var``, stays as it is."""
    wrote(tmp_path, "true")
    shared = {path: mode for path, mode in modes(tmp_path).items() if path.startswith(("pages", "metrics"))}
    assert {mode for path, mode in shared.items() if (tmp_path / path).is_dir()} == {0o755}
    assert {mode for path, mode in shared.items() if (tmp_path / path).is_file()} == {0o644}
    assert [path for path in readable_by_others(tmp_path) if path.startswith("var")] == []


def test_backups_restored_folders_and_results_of_backtests_are_private(tmp_path: Path, umask: int) -> None:
    """Whatever a command writes by itself."""
    path = wrote(tmp_path, "false")
    outputs = tmp_path / "outputs"
    for command in (
        ["backup", "--out", str(outputs / "backup.tar")],
        ["backtest", "--from", "2026-03-16", "--to", "2026-03-17", "--out", str(outputs / "backtest")],
        ["report", "2026-03-17", "--out", str(outputs / "report.html")],
        ["chargeback", "--month", "2026-03", "--out", str(outputs / "statement.txt")],
    ):
        assert CliRunner().invoke(cli, [*command, "--config", str(path)]).exit_code in (0, 4)
    elsewhere = tmp_path / "elsewhere"
    config = load(path, [f"history.path={elsewhere}/history", f"state.url=sqlite:///{elsewhere}/state.db"])
    with opened(outputs / "backup.tar") as archive, closing(State.of(config)) as state:
        restore_backup(config, state, archive, replace=False)
    assert (elsewhere / f"history/day={LAST}/usage.parquet").is_file()
    assert (outputs / "backtest" / "scores.csv").is_file()
    assert readable_by_others(outputs) == []
    assert readable_by_others(elsewhere) == []


def test_folders_that_exist_keep_their_modes(tmp_path: Path, umask: int) -> None:
    """They are the user's."""
    (tmp_path / "var").mkdir(mode=0o750)
    (tmp_path / "var").chmod(0o750)
    wrote(tmp_path, "false")
    assert stat.S_IMODE((tmp_path / "var").stat().st_mode) == 0o750
    assert stat.S_IMODE((tmp_path / "var" / "history").stat().st_mode) == 0o700


def test_a_demo_is_private(tmp_path: Path, umask: int) -> None:
    """What people try out first shows what an installation does."""
    from detector.cli.demo import make

    make(tmp_path / "demo")
    assert readable_by_others(tmp_path) == []
