"""The files of a backtest are safe to open: names of keys come from outside."""

from __future__ import annotations

import csv
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd

from detector.config.load import load
from detector.model.day import each_day
from detector.operations.backtest import run_backtest
from detector.reports.exports.csv import text_of
from detector.sources.pull import pull
from detector.state.database import State
from detector.state.ledger import StateLedger
from detector.usage.history import History
from tests.fakes import FakeSource

LAST = date(2026, 3, 17)
FIRST = LAST - timedelta(days=19)
HOSTILE = ('=HYPERLINK("http://evil.example")', "\x1b[31mred", "\u202ecod.exe", "a;=1+1", "+1", 'quo"ted, key')
ROWS = ["key_id", "endpoint", "deployment", "request_count", "error_count"]


def test_no_score_runs_in_a_spreadsheet_or_changes_a_terminal(tmp_path: Path) -> None:
    """Names are written by the rules of report.csv, and can be read back."""
    path = tmp_path / "config.yaml"
    path.write_text("source: {kind: files, usage: none.csv}\nhistory: {first_pull_days: 19}\n")
    config = load(path)
    rows = pd.DataFrame([(key, "/x", "production", 40, 0) for key in HOSTILE], columns=ROWS)
    source = FakeSource(dict.fromkeys(each_day(FIRST, LAST), rows))
    with closing(State.of(config)) as state:
        history = History(Path(config.history.path), config.zone, StateLedger(state))
        pull(config, source, history, FIRST, LAST, now=datetime(2026, 3, 18, 3, tzinfo=UTC))
        run_backtest(config, history, LAST, LAST, tmp_path / "results")
    text = (tmp_path / "results" / "scores.csv").read_text(encoding="utf-8")
    keys = [row["key_id"] for row in csv.DictReader(text.splitlines())]
    assert sorted(map(text_of, keys)) == sorted(HOSTILE)
    assert not any(key.startswith(("=", "+")) or ";=" in key for key in keys)
    assert not {"\x1b", "\u202e"} & set(text)
