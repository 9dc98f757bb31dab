"""One key explained for a terminal: what is known, the baseline, and each gate of each detector."""

from __future__ import annotations

import numpy as np
import pandas as pd

from detector.boundary.text import visible
from detector.boundary.words import counted
from detector.detectors.judgement import terms_of
from detector.judging.judging import Judged
from detector.model.finding import Status
from detector.model.panel import Panel, row_of

BARS = " ▁▂▃▄▅▆▇█"
DAYS = 56


def render(judged: Judged, key: str) -> str:
    """Everything that decided what became of a key on the judged day."""
    panel = judged.panel
    record, row = panel.record(key), panel.keys.get_indexer(pd.Index([key]))[0]
    lines = [*_known(panel, record), "", *_chart(panel, int(row)), ""]
    for kind, frame in judged.judgements.items():
        lines += _detector(judged, kind, row_of(frame, key), key)
    return "\n".join(visible(line) for line in lines)


def _known(panel: Panel, record: pd.Series) -> list[str]:
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
    counts, observed = panel.requests[row, -DAYS:], panel.observed[row, -DAYS:]
    top = max(int(counts.max()), 1)
    steps = np.ceil(counts / top * (len(BARS) - 1)).astype(int)
    bars = "".join(BARS[step] if seen else "·" for step, seen in zip(steps, observed, strict=True))
    first = panel.days[-len(counts)].item()
    return [f"  {bars}", f"  {first} to {panel.day.date}, up to {counted(top, 'request')} a day; · not observed"]


def _detector(judged: Judged, kind: str, row: pd.Series, key: str) -> list[str]:
    found = [
        finding
        for finding in judged.findings
        if finding.type == row.get("type", kind)
        and finding.key_id == key
        and finding.status is not Status.RESOLVED
    ]
    limit = judged.thresholds[kind].score if kind in judged.thresholds else 0.0
    fired = bool(row["score"] > limit and row["eligible"])
    head = f"{kind}: {'FIRED' if fired else 'did not fire'}"
    if pd.isna(row["score"]):
        return [head, f"  not judged: {row['not_judged']}", ""]
    lines = [
        head,
        f"  score {row['score']:.2f}, {'above' if row['score'] > limit else 'not above'} {limit:.2f}",
    ]
    if pd.notna(row["expected"]):
        lines.append(
            f"  observed {row['observed']:,.0f}, expected {row['expected']:,.1f}, "
            f"usual range {row['low']:,.1f} to {row['high']:,.1f}"
        )
    lines += [f"    {value:+7.2f}  {name}" for name, value in terms_of(row).items()]
    if not row["eligible"]:
        lines.append("  not raised whatever the score: too few requests or errors, or not in use lately")
    if fired and found:
        lines += [
            f"  {found[0].severity}: {found[0].reason}",
            *(f"  {change}" for change in found[0].changes),
        ]
    return [*lines, ""]
