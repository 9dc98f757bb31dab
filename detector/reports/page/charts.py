"""Charts as inline SVG, built as text: no image files, no script, no fonts.

Nothing in a chart is scaled. Horizontal positions are percentages of whatever width the page gives and
everything else is in CSS pixels, so letters come out as large as the text around them on any screen. A
chart of days is drawn twice, 56 days wide and 28 days narrow, and the style sheet shows the one
that fits.

Colours are classes: ``bar`` for the past, ``judged`` for the judged day, ``band`` for what was expected.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from markupsafe import Markup

from detector.boundary.text import visible
from detector.boundary.words import counted, long_day

OTHER = "(other)"
_Scale = Callable[[float], float]
MIX_ENDPOINTS = 5
"""Endpoints a mix names; a stacked bar of more cannot be read."""


@dataclass(frozen=True)
class Series:
    """Requests per day, the judged day last.

    A count is None before the key existed; ``missing`` marks days that nobody
    saw. ``expected``, ``low`` and ``high`` are what that day's count was measured against.
    """

    days: Sequence[date]
    counts: Sequence[int | None]
    missing: Sequence[bool]
    expected: float | None = None
    low: float | None = None
    high: float | None = None

    def last(self, days: int) -> Series:
        """The same series, shortened to its last days."""
        return replace(self, days=self.days[-days:], counts=self.counts[-days:], missing=self.missing[-days:])

    @property
    def seen(self) -> list[int]:
        """The counts that mean something."""
        return [n for n, gone in zip(self.counts, self.missing, strict=True) if n is not None and not gone]

    @property
    def banded(self) -> bool:
        """Whether there is a range to draw; a range of nothing but zero is the zero line itself."""
        return self.low is not None and self.high is not None and self.high > 0


@dataclass(frozen=True)
class Frame:
    """The size of a chart in CSS pixels; the width is the page's business."""

    name: str
    days: int
    plot: int
    type_size: int


WIDE = Frame("wide", days=56, plot=150, type_size=12)
NARROW = Frame("narrow", days=28, plot=130, type_size=13)
HEADROOM = 22
"""Pixels above the plot, for the judged day's own number."""


@dataclass(frozen=True)
class Share:
    """One endpoint of a mix: its share of the usual requests and of that day's, and whether it is new."""

    endpoint: str
    usual: float
    current: float
    new: bool
    shade: str


def days_chart(series: Series, label: str, chart_id: str) -> Markup:
    """Bars of nightly requests in both sizes.

    ``label`` says whose requests they are; ``chart_id`` is unique on the page.
    """
    return Markup("").join(_bars(series.last(f.days), f, label, f"{chart_id}-{f.name}") for f in (WIDE, NARROW))


def summary(series: Series) -> str:
    """What the chart shows, in words, for whoever cannot see it."""
    current = series.counts[-1]
    count = "no data" if series.missing[-1] or current is None else counted(current, "request")
    parts = [f"{counted(len(series.days), 'day')} to {long_day(series.days[-1])}. The judged day: {count}."]
    if series.low is not None and series.high is not None:
        parts.append(f"Expected between {number(series.low)} and {number(series.high)}.")
    if earlier := (series.seen if count == "no data" else series.seen[:-1]):
        parts.append(f"Days before: {min(earlier):,} to {max(earlier):,}.")
    if gone := sum(series.missing):
        parts.append(f"No data for {counted(gone, 'day')}.")
    return " ".join(parts)


def sparkline(series: Series, width: int = 112, height: int = 22) -> Markup:
    """A key's days in one line of a table; hidden from screen readers, which have the row's numbers."""
    top = max(series.seen, default=0) or 1
    step = width / len(series.days)
    bars = [
        f"M{step * (i + 0.5):.1f} {height}v-{max(1.0, (height - 1) * n / top):.1f}"
        for i, n in enumerate(series.counts)
        if n and not series.missing[i]
    ]
    current = bool(series.counts[-1]) and not series.missing[-1]
    past, last = (bars[:-1], bars[-1:]) if current else (bars, [])
    return _drawn(
        f'<svg class="spark" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        f'<path class="base" d="M0 {height - 0.5}h{width}"/>'
        f'<path class="past" stroke-width="{step * 0.75:.1f}" d="{"".join(past)}"/>'
        f'<path class="now" stroke-width="{max(2.0, step * 0.9):.1f}" d="{"".join(last)}"/></svg>'
    )


def shares(usual: Mapping[str, int], current: Mapping[str, int]) -> list[Share]:
    """The endpoints worth naming, by their larger share; the rest is summed up last."""
    before, now = sum(usual.values()) or 1, sum(current.values()) or 1
    rows = [
        (name, usual.get(name, 0) / before, current.get(name, 0) / now)
        for name in {**usual, **current}
        if name != OTHER
    ]
    rows.sort(key=lambda row: (-max(row[1:]), row[0]))
    named = [
        Share(name, old, new, new=old == 0 and new > 0, shade=_shade(i, old == 0))
        for i, (name, old, new) in enumerate(rows[:MIX_ENDPOINTS])
    ]
    if len(rows) > MIX_ENDPOINTS or OTHER in usual or OTHER in current:
        old, new = (1 - sum(getattr(share, side) for share in named) for side in ("usual", "current"))
        named.append(Share("all others", max(0.0, old), max(0.0, new), new=False, shade="rest"))
    return named


def mix_chart(parts: Sequence[Share], label: str, chart_id: str) -> Markup:
    """Two stacked bars, usual above that day; the table below it on the page is its legend."""
    words = "; ".join(f"{p.endpoint} usually {p.usual:.0%}, that day {p.current:.0%}" for p in parts)
    rows = _stack([(p.shade, p.usual) for p in parts], 4) + _stack([(p.shade, p.current) for p in parts], 26)
    return Markup(
        '<svg class="mix" role="img" aria-labelledby="{0}-t {0}-d" width="100%" height="40" font-size="12">'
        '<title id="{0}-t">{1}</title><desc id="{0}-d">{2}</desc>'
        '<text x="-8" y="13" text-anchor="end">usual</text>'
        '<text x="-8" y="35" text-anchor="end">that day</text>{3}</svg>'
    ).format(chart_id, visible(label), visible(words), _drawn(rows))


def short_day(day: date) -> str:
    """22 Nov."""
    return f"{day.day} {day:%b}"


def number(value: float | None) -> str:
    """A count with thousands separators; a fraction only where it matters; a dash for nothing."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2g}"


def compact(value: float) -> str:
    """An axis label: 950, 1.5k, 20k, 3M."""
    for size, letter in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def ticks(top: float) -> list[float]:
    """Zero and up to three round steps, none above ``top``; whole numbers, as requests are."""
    power = 10.0 ** math.floor(math.log10(max(top, 4) / 4))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor * 4 > top)
    step = max(1.0, step)
    return [step * i for i in range(math.floor(top / step) + 1)]


def _bars(series: Series, frame: Frame, label: str, chart_id: str) -> Markup:
    drawing = "".join(_layers(series, frame, top=max([*series.seen, series.high or 0, 1])))
    return Markup(
        '<svg class="days {0}" role="img" aria-labelledby="{1}-t {1}-d" '
        'width="100%" height="{2}" font-size="{3}">'
        '<title id="{1}-t">{4}</title><desc id="{1}-d">{5}</desc>{6}</svg>'
    ).format(
        frame.name,
        chart_id,
        HEADROOM + frame.plot + frame.type_size + 10,
        frame.type_size,
        visible(label),
        summary(series),
        _drawn(drawing),
    )


def _layers(series: Series, frame: Frame, top: float) -> Iterator[str]:
    def y(value: float) -> float:
        return HEADROOM + frame.plot * (1 - value / top)

    yield from _grid(ticks(top), y, frame)
    yield from _band(series, y)
    yield from _columns(series, y)
    yield from _dates(series, frame)


def _grid(scale: Sequence[float], y: _Scale, frame: Frame) -> Iterator[str]:
    for value in scale:
        height = y(value)
        yield f'<line class="grid" x1="0" x2="100%" y1="{height:.1f}" y2="{height:.1f}"/>'
        yield f'<text x="-8" y="{height + frame.type_size / 3:.1f}" text-anchor="end">{compact(value)}</text>'


def _band(series: Series, y: _Scale) -> Iterator[str]:
    """What that day was measured against, over the days that the key existed."""
    if not series.banded or series.low is None or series.high is None:
        return
    start = _percent(_first_known(series), series)
    top, bottom = y(series.high), y(max(0.0, series.low))
    yield (
        f'<rect class="band" x="{start:.2f}%" width="{100 - start:.2f}%" y="{top:.1f}" '
        f'height="{max(2.0, bottom - top):.1f}"/>'
    )
    if series.expected is not None:
        height = y(series.expected)
        yield f'<line class="expected" x1="{start:.2f}%" x2="100%" y1="{height:.1f}" y2="{height:.1f}"/>'


def _columns(series: Series, y: _Scale) -> Iterator[str]:
    """A bar a day; nothing for zero or before the key existed, a dotted line where there is no data."""
    born = _first_known(series)
    for i, (day, count, gone) in enumerate(zip(series.days, series.counts, series.missing, strict=True)):
        if gone and i >= born:
            yield _gap(_percent(i + 0.5, series), day, y)
        elif count and not gone:
            yield _bar(series, i, count, y)
    yield _floor(series, y(0))
    current = series.counts[-1]
    if current is not None and not series.missing[-1]:
        place = f'x="100%" y="{y(current) - 6:.1f}" text-anchor="end"'
        yield f'<text class="value" paint-order="stroke" {place}>{current:,}</text>'


def _bar(series: Series, i: int, count: int, y: _Scale) -> str:
    width = 100 / len(series.days)
    height = max(1.0, y(0) - y(count))
    kind = "judged" if i == len(series.days) - 1 else "bar"
    return (
        f'<rect class="{kind}" x="{width * (i + 0.1):.2f}%" width="{width * 0.8:.2f}%" '
        f'y="{y(0) - height:.1f}" height="{height:.1f}">'
        f"<title>{short_day(series.days[i])}: {count:,}</title></rect>"
    )


def _gap(x: float, day: date, y: _Scale) -> str:
    return (
        f'<line class="gap" x1="{x:.2f}%" x2="{x:.2f}%" y1="{HEADROOM}" y2="{y(0):.1f}">'
        f"<title>{short_day(day)}: no data</title></line>"
    )


def _floor(series: Series, height: float) -> str:
    """The zero line, from the day the key came to exist: left of it there is nothing to be zero."""
    start = _percent(_first_known(series), series)
    return f'<line class="floor" x1="{start:.2f}%" x2="100%" y1="{height:.1f}" y2="{height:.1f}"/>'


def _dates(series: Series, frame: Frame) -> Iterator[str]:
    y = HEADROOM + frame.plot + frame.type_size + 6
    words = [short_day(day) for day in series.days]
    if len(words) > 6:
        yield f'<text x="0" y="{y}">{words[0]}</text>'
    if len(words) > 20:
        middle = len(words) - 1 - 7 * round(len(words) / 14)
        x = _percent(middle + 0.5, series)
        yield f'<text x="{x:.2f}%" y="{y}" text-anchor="middle">{words[middle]}</text>'
    yield f'<text class="last" x="100%" y="{y}" text-anchor="end">{words[-1]}</text>'


def _stack(parts: Sequence[tuple[str, float]], y: int) -> str:
    drawn, x = "", 0.0
    for shade, share in parts:
        drawn += f'<rect class="{shade}" x="{x:.2%}" width="{share:.2%}" y="{y}" height="12"/>'
        x += share
    return drawn


def _shade(position: int, new: bool) -> str:
    return "judged" if new else f"shade-{position}"


def _first_known(series: Series) -> int:
    return next((i for i, count in enumerate(series.counts) if count is not None), len(series.counts))


def _percent(position: float, series: Series) -> float:
    return 100 * position / len(series.days)


def _drawn(text: str) -> Markup:
    return Markup(text)  # noqa: S704  numbers and words of this file, nothing from outside
