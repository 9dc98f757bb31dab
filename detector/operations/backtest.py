"""Replay past days, each with only what was known then, and count what was raised."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import IO, Any

import pandas as pd

from detector.boundary.disk import whole_file, write_atomically
from detector.config.config import Config
from detector.judging.coverage import coverage
from detector.judging.judging import Judged, judge, volume_judgement
from detector.judging.summary import verdict_on
from detector.judging.thresholds import keys_above
from detector.model.day import each_day
from detector.model.finding import Finding, Severity
from detector.model.report import Outcome
from detector.pipeline import open_findings, panel_depth
from detector.reports.exports.csv import cell
from detector.reports.exports.json import finding_record
from detector.sources.pull import Progress, no_progress
from detector.state.database import State
from detector.state.sightings import earlier_sightings, keys_judged_before, record_day
from detector.usage.history import History
from detector.usage.panel import load_panel

BUDGET_FACTORS = (0.5, 1.0, 2.0)


@dataclass
class Tally:
    """What a backtest counted, over all its days."""

    days: int = 0
    key_days: int = 0
    by_type: Counter[str] = field(default_factory=Counter)
    by_day: Counter[str] = field(default_factory=Counter)
    by_budget: Counter[float] = field(default_factory=Counter)
    by_outcome: Counter[Outcome] = field(default_factory=Counter)
    incomplete: list[str] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    def add(self, judged: Judged, raised: list[Finding], outcome: Outcome) -> None:
        """Count one day."""
        self.by_outcome[outcome] += 1
        day = judged.panel.day.date.isoformat()
        self.days += 1
        self.by_type.update(finding.type for finding in raised)
        self.by_day[day] += len(raised)
        self.failures.update([*judged.failures, *judged.panel.unreadable().values()])
        if not judged.extent.complete:
            self.incomplete.append(day)
        volume = volume_judgement(judged.judgements)
        self.key_days += 0 if volume is None else int(volume["score"].notna().sum())
        for kind, limit in judged.thresholds.items():
            frame = judged.judgements[kind]
            for factor in BUDGET_FACTORS:
                self.by_budget[factor] += len(keys_above(frame, limit.at(factor)))

    def summary(self, budget: float) -> dict[str, Any]:
        """The counts in plain JSON types. Alarms are findings above info that are new, reopened or escalated."""
        worst = max(self.by_day.items(), key=lambda entry: (entry[1], entry[0]), default=("", 0))
        return {
            "days": self.days,
            "days_by_outcome": {outcome.value: self.by_outcome[outcome] for outcome in Outcome},
            "key_days_judged": self.key_days,
            "alarms": sum(self.by_type.values()),
            "alarms_a_day": round(sum(self.by_type.values()) / max(self.days, 1), 2),
            "alarms_by_type": dict(sorted(self.by_type.items())),
            "worst_day": {"day": worst[0], "alarms": worst[1]},
            "alerts_per_1000_keys": budget,
            "statistical_alarms_at_budget": {
                f"{budget * factor:g}": self.by_budget[factor] for factor in BUDGET_FACTORS
            },
            "incomplete_days": self.incomplete,
            "failures": dict(sorted(self.failures.items())),
        }


def run_backtest(
    config: Config, history: History, first: date, last: date, out: Path, progress: Progress = no_progress
) -> dict[str, Any]:
    """Replay the days from first to last into ``out`` and return the summary.

    Writes ``findings.ndjson`` (one line per day, key and type while the condition holds), ``scores.csv``
    (the volume score of every judged key-day), ``days.csv`` (the outcome of every day, its open findings and how
    many of these were raised above info) and ``summary.json``. The state is a scratch one.
    """
    tally = Tally()
    budget = config.detection.alerts_per_1000_keys
    with ExitStack() as stack:
        findings = stack.enter_context(whole_file(out / "findings.ndjson"))
        scores = stack.enter_context(whole_file(out / "scores.csv"))
        scores.write(b"day,key_id,score\n")
        days = stack.enter_context(whole_file(out / "days.csv"))
        days.write(b"day,outcome,findings,raised\n")
        for judged in _replay(config, history, first, last, progress):
            held = open_findings(judged)
            _write_findings(findings, held)
            _write_scores(scores, judged)
            raised = [item for item in held if item.status.raised and item.severity is not Severity.INFO]
            outcome = verdict_on(judged, coverage(judged, config, tuple(judged.failures))).outcome
            days.write(f"{judged.panel.day.date},{outcome},{len(held)},{len(raised)}\n".encode())
            tally.add(judged, raised, outcome)
    summary = tally.summary(budget)
    write_atomically(out / "summary.json", (json.dumps(summary, indent=2) + "\n").encode())
    return summary


def _replay(config: Config, history: History, first: date, last: date, progress: Progress) -> Iterator[Judged]:
    total = (last - first).days + 1
    with closing(State("sqlite://", config.owner)) as state:
        for done, day in enumerate(each_day(first, last), start=1):
            panel = load_panel(history, day, panel_depth(config))
            before = dict(keys_judged_before(state, day))
            judged = judge(panel, config, earlier_sightings(state, day), judged_before=before)
            record_day(state, day, judged.extent, open_findings(judged), keys_judged=judged.trusted_keys_judged)
            progress(day, done, total)
            yield judged


def _write_findings(file: IO[bytes], findings: list[Finding]) -> None:
    for finding in findings:
        file.write(json.dumps(finding_record(finding), allow_nan=False).encode() + b"\n")


def _write_scores(file: IO[bytes], judged: Judged) -> None:
    volume = volume_judgement(judged.judgements)
    if volume is None:
        return
    frame = volume.loc[judged.panel.records["active"].to_numpy(), ["score"]]
    keys = frame.index.map(cell)  # a spreadsheet must not run the name of a key
    rows = pd.DataFrame({"day": judged.panel.day.date.isoformat(), "key_id": keys, "score": frame["score"]})
    file.write(rows.to_csv(index=False, header=False, float_format="%.6g", lineterminator="\n").encode())
