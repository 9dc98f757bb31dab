"""The open findings of many days as one chart: one bar per day, the most severe findings at the bottom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

from markupsafe import Markup

from detector.boundary.words import counted, long_day
from detector.model.finding import Severity
from detector.model.report import Outcome
from detector.reports.outcomes import WORDS
from detector.reports.page.charts import HEADROOM, short_day, ticks

Day = tuple[date, Outcome, Mapping[str, int]]
"""A day, its outcome and its open findings by severity."""
HEIGHT = 110
TYPE_SIZE = 12
SIZES = (("wide", 120), ("narrow", 42))
"""The name of each drawing, for wide and for narrow screens, and the number of days that fit into it."""
FEWEST_SLOTS = 28
"""With fewer days, the bars stand at the right and are as wide as in a chart of this many days."""


def chart(days: Sequence[Day]) -> Markup:
    """Draw the chart in both sizes. ``days`` are in ascending order; without days there is no chart."""
    if not days:
        return Markup("")
    return Markup("").join(_drawing(days, name, count) for name, count in SIZES)


def _drawing(recorded: Sequence[Day], name: str, count: int) -> Markup:
    last = recorded[-1][0]
    first = max(recorded[0][0], last - timedelta(days=count - 1))
    days = [first + timedelta(days=i) for i in range((last - first).days + 1)]
    known = {day: (outcome, counts) for day, outcome, counts in recorded}
    top = max([4, *(sum(known[day][1].values()) for day in days if day in known)])
    drawing = "".join([*_scale(top), *_bars(days, known, top), *_dates(days)])
    return Markup(
        '<svg class="days {0}" role="img" aria-labelledby="trend-{0}-t trend-{0}-d" width="100%" height="{1}" '
        'font-size="{2}"><title id="trend-{0}-t">Open findings per day</title><desc id="trend-{0}-d">{3}</desc>'
        "{4}</svg>"
    ).format(name, HEADROOM + HEIGHT + TYPE_SIZE + 10, TYPE_SIZE, _description(days, known), _trusted(drawing))


def _description(days: Sequence[date], known: Mapping[date, tuple[Outcome, Mapping[str, int]]]) -> str:
    """Describe the chart for screen readers; the table below the chart has all numbers."""
    counts = [sum(known[day][1].values()) for day in days if day in known]
    not_judged = sum(not known[day][0].is_judged for day in days if day in known)
    period = f"{counted(len(days), 'day')} to {long_day(days[-1])}"
    description = f"{period}: {min(counts)} to {counted(max(counts), 'open finding')} per day."
    return description + (f" Not wholly evaluated: {not_judged}." if not_judged else "")


def _bars(
    days: Sequence[date], known: Mapping[date, tuple[Outcome, Mapping[str, int]]], top: int
) -> Iterator[str]:
    width = 100 / max(len(days), FEWEST_SLOTS)
    for i, day in enumerate(days, start=max(FEWEST_SLOTS - len(days), 0)):
        if day not in known:
            yield _gap(width * (i + 0.5), day, "no report")
            continue
        outcome, counts = known[day]
        if not outcome.is_judged:
            yield _gap(width * (i + 0.5), day, WORDS[outcome].lower())
        yield _stack(width * (i + 0.1), width * 0.8, day, counts, top)


def _stack(x: float, width: float, day: date, counts: Mapping[str, int], top: int) -> str:
    """Draw a day's findings by severity, the most severe at the bottom, where the eye compares heights best."""
    bars = ""
    base = float(HEADROOM + HEIGHT)
    for word in reversed(Severity):
        if count := counts.get(word, 0):
            height = HEIGHT * count / top
            base -= height
            bars += (
                f'<rect class="judged {word}" x="{x:.2f}%" width="{width:.2f}%" '
                f'y="{base:.1f}" height="{height:.1f}">'
                f"<title>{short_day(day)}: {count:,} {word}</title></rect>"
            )
    return bars


def _gap(x: float, day: date, reason: str) -> str:
    return (
        f'<line class="gap" x1="{x:.2f}%" x2="{x:.2f}%" y1="{HEADROOM}" y2="{HEADROOM + HEIGHT}">'
        f"<title>{short_day(day)}: {reason}</title></line>"
    )


def _scale(top: int) -> Iterator[str]:
    for value in ticks(top):
        y = HEADROOM + HEIGHT * (1 - value / top)
        yield f'<line class="grid" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="-8" y="{y + TYPE_SIZE / 3:.1f}" text-anchor="end">{value:,.0f}</text>'


def _dates(days: Sequence[date]) -> Iterator[str]:
    y = HEADROOM + HEIGHT + TYPE_SIZE + 6
    if len(days) >= FEWEST_SLOTS:
        yield f'<text x="0" y="{y}">{short_day(days[0])}</text>'
    yield f'<text class="last" x="100%" y="{y}" text-anchor="end">{short_day(days[-1])}</text>'


def _trusted(drawing: str) -> Markup:
    return Markup(drawing)  # noqa: S704  numbers and texts of this file, no text from outside
