"""Charts as inline SVG, built as text, without image files, scripts or fonts.

Charts are not scaled. Horizontal positions are percentages of the width that the page gives, and all other
measures are CSS pixels, so the letters in a chart are as large as the text around it on any screen. A chart of
days is drawn twice, with 56 days for wide and 28 days for narrow screens, and the style sheet shows one of them.

Colours are classes: ``bar`` for past days, ``judged`` for the evaluated day, ``band`` for the expected range.
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
NAMED_ENDPOINTS = 5
"""A distribution names this many endpoints; a stacked bar with more parts is not readable."""


@dataclass(frozen=True)
class Series:
    """Requests per day, the evaluated day last.

    A count is None on days before the key existed; ``missing`` marks the days without data. ``expected``, ``low``
    and ``high`` are the expected count of the evaluated day and its range.
    """

    days: Sequence[date]
    counts: Sequence[int | None]
    missing: Sequence[bool]
    expected: float | None = None
    low: float | None = None
    high: float | None = None

    def last(self, days: int) -> Series:
        """The last days of the series."""
        return replace(self, days=self.days[-days:], counts=self.counts[-days:], missing=self.missing[-days:])

    @property
    def observed_counts(self) -> list[int]:
        """The counts of the days that have data."""
        days = zip(self.counts, self.missing, strict=True)
        return [count for count, missing in days if count is not None and not missing]

    @property
    def has_range(self) -> bool:
        """Whether there is a range to draw. A range from zero to zero would only cover the zero line."""
        return self.low is not None and self.high is not None and self.high > 0


@dataclass(frozen=True)
class Frame:
    """The days and the size of a chart in CSS pixels; the page decides the width."""

    name: str
    days: int
    plot: int
    type_size: int


WIDE = Frame("wide", days=56, plot=150, type_size=12)
NARROW = Frame("narrow", days=28, plot=130, type_size=13)
HEADROOM = 22
"""Pixels above the plot, for the number at the last bar."""


@dataclass(frozen=True)
class EndpointShare:
    """One endpoint: its share of the usual requests, its share on the evaluated day, and whether it is new."""

    endpoint: str
    usual: float
    current: float
    new: bool
    shade: str


def days_chart(series: Series, label: str, chart_id: str) -> Markup:
    """Draw the requests of each day as bars, in both sizes.

    ``label`` names the key or fleet whose requests they are; ``chart_id`` must be unique on the page.
    """
    drawings = [
        _bars(series.last(frame.days), frame, label, f"{chart_id}-{frame.name}") for frame in (WIDE, NARROW)
    ]
    return Markup("").join(drawings)


def summary(series: Series) -> str:
    """Describe the chart in words, for screen readers."""
    current = series.counts[-1]
    earlier = series.observed_counts
    count = "no data"
    if current is not None and not series.missing[-1]:
        count = counted(current, "request")
        earlier = earlier[:-1]
    parts = [f"{counted(len(series.days), 'day')} to {long_day(series.days[-1])}. The evaluated day: {count}."]
    if series.low is not None and series.high is not None:
        parts.append(f"Expected between {number(series.low)} and {number(series.high)}.")
    if earlier:
        parts.append(f"Days before: {min(earlier):,} to {max(earlier):,}.")
    if missing := sum(series.missing):
        parts.append(f"No data for {counted(missing, 'day')}.")
    return " ".join(parts)


def sparkline(series: Series, width: int = 112, height: int = 22) -> Markup:
    """Draw a key's days in a table row. Screen readers skip the drawing, because the row has the numbers."""
    top = max(series.observed_counts, default=0) or 1
    step = width / len(series.days)
    past = ""
    last = ""
    for position, (count, missing) in enumerate(zip(series.counts, series.missing, strict=True)):
        if not count or missing:
            continue
        bar = f"M{step * (position + 0.5):.1f} {height}v-{max(1.0, (height - 1) * count / top):.1f}"
        if position == len(series.counts) - 1:
            last = bar
        else:
            past += bar
    return _trusted(
        f'<svg class="spark" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        f'<path class="base" d="M0 {height - 0.5}h{width}"/>'
        f'<path class="past" stroke-width="{step * 0.75:.1f}" d="{past}"/>'
        f'<path class="now" stroke-width="{max(2.0, step * 0.9):.1f}" d="{last}"/></svg>'
    )


def endpoint_shares(usual: Mapping[str, int], current: Mapping[str, int]) -> list[EndpointShare]:
    """The endpoints with the largest shares, then one entry for all others."""
    usual_total = sum(usual.values()) or 1
    current_total = sum(current.values()) or 1
    rows = []
    for name in {**usual, **current}:
        if name != OTHER:
            rows.append((name, usual.get(name, 0) / usual_total, current.get(name, 0) / current_total))
    rows.sort(key=lambda row: (-max(row[1:]), row[0]))
    shares = []
    for position, (name, usual_share, current_share) in enumerate(rows[:NAMED_ENDPOINTS]):
        new = usual_share == 0 and current_share > 0
        shade = _shade(position, usual_share == 0)
        shares.append(EndpointShare(name, usual_share, current_share, new=new, shade=shade))
    if len(rows) > NAMED_ENDPOINTS or OTHER in usual or OTHER in current:
        # Rounding can make the rest a tiny negative number.
        usual_rest = max(0.0, 1 - sum(share.usual for share in shares))
        current_rest = max(0.0, 1 - sum(share.current for share in shares))
        shares.append(EndpointShare("all others", usual_rest, current_rest, new=False, shade="rest"))
    return shares


def endpoint_chart(shares: Sequence[EndpointShare], label: str, chart_id: str) -> Markup:
    """Draw two stacked bars: the usual shares, and below them the shares of the evaluated day.

    The table below the chart on the page is its legend.
    """
    parts = [f"{share.endpoint} usually {share.usual:.0%}, on this day {share.current:.0%}" for share in shares]
    usual_bar = _stack([(share.shade, share.usual) for share in shares], 4)
    current_bar = _stack([(share.shade, share.current) for share in shares], 26)
    return Markup(
        '<svg class="mix" role="img" aria-labelledby="{0}-t {0}-d" width="100%" height="40" font-size="12">'
        '<title id="{0}-t">{1}</title><desc id="{0}-d">{2}</desc>'
        '<text x="-8" y="13" text-anchor="end">usual</text>'
        '<text x="-8" y="35" text-anchor="end">this day</text>{3}</svg>'
    ).format(chart_id, visible(label), visible("; ".join(parts)), _trusted(usual_bar + current_bar))


def short_day(day: date) -> str:
    """Format a day as in 22 Nov."""
    return f"{day.day} {day:%b}"


def number(value: float | None) -> str:
    """Format a number with thousands separators, with decimals only if it is small; a dash if there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    # Two significant digits keep a small expected value, such as 0.06, apart from zero.
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2g}"


def compact(value: float) -> str:
    """Format an axis label, as in 950, 1.5k, 20k, 3M."""
    for size, letter in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def ticks(top: float) -> list[float]:
    """Zero and up to three round steps, none above ``top``; whole numbers, because requests are."""
    # With fewer than four requests the steps would be fractions of a request.
    power = 10.0 ** math.floor(math.log10(max(top, 4) / 4))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor * 4 > top)
    step = max(1.0, step)
    return [step * i for i in range(math.floor(top / step) + 1)]


def _bars(series: Series, frame: Frame, label: str, chart_id: str) -> Markup:
    drawing = "".join(_layers(series, frame, top=max([*series.observed_counts, series.high or 0, 1])))
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
        _trusted(drawing),
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
    """Draw the expected range over the days on which the key existed."""
    if not series.has_range or series.low is None or series.high is None:
        return
    start = _percent(_first_known(series), series)
    top = y(series.high)
    bottom = y(max(0.0, series.low))
    yield (
        f'<rect class="band" x="{start:.2f}%" width="{100 - start:.2f}%" y="{top:.1f}" '
        f'height="{max(2.0, bottom - top):.1f}"/>'
    )
    if series.expected is not None:
        height = y(series.expected)
        yield f'<line class="expected" x1="{start:.2f}%" x2="100%" y1="{height:.1f}" y2="{height:.1f}"/>'


def _columns(series: Series, y: _Scale) -> Iterator[str]:
    """Draw one bar per day with requests, and a dotted line for each day without data since the key exists."""
    first = _first_known(series)
    for position, (day, count, missing) in enumerate(zip(series.days, series.counts, series.missing, strict=True)):
        if missing and position >= first:
            yield _gap(_percent(position + 0.5, series), day, y)
        elif count and not missing:
            yield _bar(series, position, count, y)
    yield _floor(series, y(0))
    current = series.counts[-1]
    if current is not None and not series.missing[-1]:
        attributes = f'x="100%" y="{y(current) - 6:.1f}" text-anchor="end"'
        yield f'<text class="value" paint-order="stroke" {attributes}>{current:,}</text>'


def _bar(series: Series, position: int, count: int, y: _Scale) -> str:
    width = 100 / len(series.days)
    height = max(1.0, y(0) - y(count))  # at least one pixel, so that a single request is visible
    kind = "judged" if position == len(series.days) - 1 else "bar"
    return (
        f'<rect class="{kind}" x="{width * (position + 0.1):.2f}%" width="{width * 0.8:.2f}%" '
        f'y="{y(0) - height:.1f}" height="{height:.1f}">'
        f"<title>{short_day(series.days[position])}: {count:,}</title></rect>"
    )


def _gap(x: float, day: date, y: _Scale) -> str:
    return (
        f'<line class="gap" x1="{x:.2f}%" x2="{x:.2f}%" y1="{HEADROOM}" y2="{y(0):.1f}">'
        f"<title>{short_day(day)}: no data</title></line>"
    )


def _floor(series: Series, height: float) -> str:
    """Draw the zero line from the first day of the key."""
    start = _percent(_first_known(series), series)
    return f'<line class="floor" x1="{start:.2f}%" x2="100%" y1="{height:.1f}" y2="{height:.1f}"/>'


def _dates(series: Series, frame: Frame) -> Iterator[str]:
    y = HEADROOM + frame.plot + frame.type_size + 6
    labels = [short_day(day) for day in series.days]
    if len(labels) > 6:
        yield f'<text x="0" y="{y}">{labels[0]}</text>'
    if len(labels) > 20:
        # The middle label is whole weeks before the last day, so that both have the same weekday.
        middle = len(labels) - 1 - 7 * round(len(labels) / 14)
        x = _percent(middle + 0.5, series)
        yield f'<text x="{x:.2f}%" y="{y}" text-anchor="middle">{labels[middle]}</text>'
    yield f'<text class="last" x="100%" y="{y}" text-anchor="end">{labels[-1]}</text>'


def _stack(parts: Sequence[tuple[str, float]], y: int) -> str:
    bar = ""
    x = 0.0
    for shade, share in parts:
        bar += f'<rect class="{shade}" x="{x:.2%}" width="{share:.2%}" y="{y}" height="12"/>'
        x += share
    return bar


def _shade(position: int, new: bool) -> str:
    return "judged" if new else f"shade-{position}"


def _first_known(series: Series) -> int:
    """The position of the first day on which the key existed."""
    positions = (position for position, count in enumerate(series.counts) if count is not None)
    return next(positions, len(series.counts))


def _percent(position: float, series: Series) -> float:
    return 100 * position / len(series.days)


def _trusted(drawing: str) -> Markup:
    return Markup(drawing)  # noqa: S704  numbers and texts of this file, no text from outside
