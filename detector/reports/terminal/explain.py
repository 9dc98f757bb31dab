"""The evaluation of one key, for a terminal: its record, its history, and the result of each detector."""

from __future__ import annotations

import numpy as np
import pandas as pd

from detector.boundary.text import visible
from detector.boundary.words import counted
from detector.detectors.judgement import terms_of
from detector.judging.finding_types import finding_type
from detector.judging.judging import Judged
from detector.judging.thresholds import Threshold, keys_above
from detector.model.finding import Finding, Status
from detector.model.panel import Panel, row_of
from detector.reports.page.formatting import instant_in, local_time

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
        f"  first seen {text('first_seen')}, last seen before {_last_seen(panel, record)}, "
        f"longest silence {counted(record['longest_silence'], 'day')}",
        f"  {counted(record['request_count'], 'request')}, {counted(record['error_count'], 'error')}",
    ]


def _last_seen(panel: Panel, record: pd.Series) -> str:
    instant = instant_in(record["last_seen"])
    return "unknown" if instant is None else f"{local_time(instant, panel.day)} ({panel.day.timezone.key})"


def _chart(panel: Panel, row: int) -> list[str]:
    counts = panel.requests[row, -DAYS:]
    observed = panel.observed[row, -DAYS:]
    top = max(int(counts.max()), 1)
    steps = np.ceil(counts / top * (len(BARS) - 1)).astype(int)
    bars = "".join(BARS[step] if has_data else "·" for step, has_data in zip(steps, observed, strict=True))
    first = panel.days[-len(counts)].item()
    return [f"  {bars}", f"  {first} to {panel.day.date}, up to {counted(top, 'request')} per day; · no data"]


def _detector(judged: Judged, kind: str, row: pd.Series, key: str) -> list[str]:
    """The finding of a detector with the numbers behind it, or the one reason why it has none."""
    title = finding_type(kind).title
    if pd.isna(row["score"]):
        return [f"{title}: not evaluated, {row['not_judged']}"]
    threshold = judged.thresholds.get(kind)
    limit = 0.0 if threshold is None else threshold.score
    if key not in keys_above(judged.judgements[kind], limit):
        return [f"{title}: no finding, {_reason(row, threshold)}"]
    lines = [f"{title}: a finding"]
    finding = _finding(judged, row.get("type", kind), key)
    if finding is not None:
        episode = f", episode {finding.episode}" if finding.episode > 1 else ""
        lines.append(f"  {finding.severity}, {finding.status}{episode}: {finding.reason}")
        lines += [f"  {change}" for change in finding.changes]
    if threshold is not None:
        lines.append(f"  score {row['score']:.2f}, threshold {limit:.2f}")
    if pd.notna(row["high"]) and row["high"] > 0:
        lines.append(
            f"  observed {row['observed']:,.0f}, expected {row['expected']:,.1f}, "
            f"usual range {row['low']:,.1f} to {row['high']:,.1f}"
        )
    return [*lines, *(f"    {value:+7.2f}  {name}" for name, value in terms_of(row).items())]


def _reason(row: pd.Series, threshold: Threshold | None) -> str:
    """Why a key with a score has no finding."""
    if threshold is not None and row["score"] <= threshold.score:
        return f"score {row['score']:.2f}, not above {threshold.score:.2f}"
    if threshold is None and row["score"] <= 0:
        return "the rule does not apply"
    return str(row["not_raised"] or "the data of the day are incomplete")


def _finding(judged: Judged, kind: str, key: str) -> Finding | None:
    """The key's first finding of a type that is not resolved; None if there is none."""
    for finding in judged.findings:
        if finding.type == kind and finding.key_id == key and finding.status is not Status.RESOLVED:
            return finding
    return None
