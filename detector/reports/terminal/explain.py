"""The evaluation of one key, for a terminal: its record, its history, and the result of each detector."""

from __future__ import annotations

import numpy as np
import pandas as pd

from detector.boundary.text import visible
from detector.boundary.words import counted
from detector.detectors.judgement import terms_of
from detector.judging.judging import Judged
from detector.model.finding import Finding, Status
from detector.model.panel import Panel, row_of

BARS = " ▁▂▃▄▅▆▇█"
DAYS = 56


def render(judged: Judged, key: str) -> str:
    """Show all numbers that decide the evaluation of a key on the evaluated day."""
    panel = judged.panel
    row = int(panel.keys.get_indexer(pd.Index([key]))[0])
    lines = [*_record(panel, panel.record(key)), "", *_chart(panel, row), ""]
    for kind, frame in judged.judgements.items():
        lines += _detector(judged, kind, row_of(frame, key), key)
    return "\n".join(visible(line) for line in lines)


def _record(panel: Panel, record: pd.Series) -> list[str]:
    def text(name: str) -> str:
        return "unknown" if pd.isna(record[name]) else str(record[name])

    return [
        f"{record['key_id']} on {panel.day.date}",
        f"  name {text('name')}, environment {record['environment']}, team {text('team')}, "
        f"{'active' if record['active'] else 'revoked'}",
        f"  first seen {text('first_seen')}, last seen before {text('last_seen')}, "
        f"longest silence {counted(record['longest_silence'], 'day')}",
        f"  {counted(record['request_count'], 'request')}, {counted(record['error_count'], 'error')}",
    ]


def _chart(panel: Panel, row: int) -> list[str]:
    counts = panel.requests[row, -DAYS:]
    observed = panel.observed[row, -DAYS:]
    top = max(int(counts.max()), 1)
    steps = np.ceil(counts / top * (len(BARS) - 1)).astype(int)
    bars = "".join(BARS[step] if has_data else "·" for step, has_data in zip(steps, observed, strict=True))
    first = panel.days[-len(counts)].item()
    return [f"  {bars}", f"  {first} to {panel.day.date}, up to {counted(top, 'request')} per day; · no data"]


def _detector(judged: Judged, kind: str, row: pd.Series, key: str) -> list[str]:
    limit = judged.thresholds[kind].score if kind in judged.thresholds else 0.0
    fired = bool(row["score"] > limit and row["eligible"])
    title = f"{kind}: {'FIRED' if fired else 'did not fire'}"
    if pd.isna(row["score"]):
        return [title, f"  not evaluated: {row['not_judged']}", ""]
    comparison = "above" if row["score"] > limit else "not above"
    lines = [title, f"  score {row['score']:.2f}, {comparison} {limit:.2f}"]
    if pd.notna(row["expected"]):
        lines.append(
            f"  observed {row['observed']:,.0f}, expected {row['expected']:,.1f}, "
            f"usual range {row['low']:,.1f} to {row['high']:,.1f}"
        )
    lines += [f"    {value:+7.2f}  {name}" for name, value in terms_of(row).items()]
    if not row["eligible"]:
        lines.append("  not raised at any score: too few requests or errors, or no recent use")
    finding = _finding(judged, row.get("type", kind), key)
    if fired and finding is not None:
        lines.append(f"  {finding.severity}: {finding.reason}")
        lines += [f"  {change}" for change in finding.changes]
    return [*lines, ""]


def _finding(judged: Judged, kind: str, key: str) -> Finding | None:
    """The key's first finding of a type that is not resolved; None if there is none."""
    for finding in judged.findings:
        if finding.type == kind and finding.key_id == key and finding.status is not Status.RESOLVED:
            return finding
    return None
