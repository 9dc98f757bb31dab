"""Charts of a few hundred bytes each, for pages with hundreds of charts. One SVG path draws a whole row of bars.

An inner drawing holds the paths and stretches to the width of the page. The text stays outside the inner drawing,
so that it keeps its size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from detector.boundary.text import visible
from detector.reports.page.charts import HEADROOM, Series, compact, short_day, summary

DAYS = 28
STEP = 10
"""Units between two bars in the coordinates of the inner drawing."""
PLOT = 72
"""Height of the plot in CSS pixels."""
SHADES = 5


def compact_days_chart(series: Series, label: str, chart_id: str) -> Markup:
    """Draw the requests of each day as bars, once for all widths; ``chart_id`` must be unique on the page."""
    series = series.last(DAYS)
    top = max([*series.observed_counts, series.high or 0, 1])
    drawing = "".join([*_axis(top), *_range(series, top), _plot(series, top), *_texts(series, top)])
    return Markup(
        '<svg class="days sketch" role="img" aria-labelledby="{0}-t" height="{1}">'
        '<title id="{0}-t">{2}. {3}</title>{4}</svg>'
    ).format(chart_id, HEADROOM + PLOT + 22, visible(label), summary(series), Markup(drawing))  # noqa: S704  numbers and texts of this file


def heat_map_row(series: Series, label: str) -> Markup:
    """Draw one cell per day; the darkest cells are near the key's highest count."""
    top = max(series.observed_counts, default=0) or 1
    paths = [""] * SHADES
    gaps = ""
    for position, (count, missing) in enumerate(zip(series.counts, series.missing, strict=True)):
        cell = f"M{position} .5h1"
        if missing:
            gaps += cell
        elif count:
            paths[min(SHADES - 1, SHADES * count // top)] += cell
    current = ""
    if series.counts[-1] and not series.missing[-1]:
        current = f"M{len(series.days) - 1} .5h1"
    shades = "".join(f'<path class="heat-{shade}" d="{path}"/>' for shade, path in enumerate(paths) if path)
    return Markup(
        '<svg class="heat" role="img" aria-label="{0}" width="100%" height="18" '
        'viewBox="0 0 {1} 1" preserveAspectRatio="none">{2}</svg>'
    ).format(
        f"{visible(label)}. {summary(series)}",
        len(series.days),
        Markup(f'{shades}<path class="heat-gap" d="{gaps}"/><path class="now" d="{current}"/>'),  # noqa: S704
    )


def _axis(top: float) -> Iterator[str]:
    yield f'<line class="grid" x1="0" x2="100%" y1="{HEADROOM}" y2="{HEADROOM}"/>'
    yield f'<text x="-8" y="{HEADROOM + 4}" text-anchor="end">{compact(top)}</text>'
    yield f'<text x="-8" y="{HEADROOM + PLOT + 4}" text-anchor="end">0</text>'


def _range(series: Series, top: float) -> Iterator[str]:
    if series.has_range and series.low is not None and series.high is not None:
        y = HEADROOM + PLOT * (1 - series.high / top)
        height = max(2.0, PLOT * (series.high - max(0.0, series.low)) / top)
        yield f'<rect class="band" width="100%" y="{y:.1f}" height="{height:.1f}"/>'


def _plot(series: Series, top: float) -> str:
    heights = []
    for count, missing in zip(series.counts, series.missing, strict=True):
        # The smallest count is still one pixel high, so that a bar is visible.
        heights.append(max(1, round(PLOT * count / top)) if count and not missing else 0)
    width = STEP * len(heights)
    # Relative moves are shorter than coordinates. A bar is a line up and a move to the foot of the next bar.
    past = ""
    for height in heights[:-1]:
        past += f"v-{height}m{STEP} {height}" if height else f"m{STEP} 0"
    gaps = "".join(
        f"M{STEP * position + 5} 0v{PLOT}" for position, missing in enumerate(series.missing) if missing
    )
    return (
        f'<svg y="{HEADROOM}" width="100%" height="{PLOT}" '
        f'viewBox="0 0 {width} {PLOT}" preserveAspectRatio="none">'
        f'<path class="past" d="M5 {PLOT}{past}"/><path class="now" d="M{width - 5} {PLOT}v-{heights[-1]}"/>'
        f'<path class="gap" d="{gaps}"/></svg>'
        f'<line class="floor" x1="0" x2="100%" y1="{HEADROOM + PLOT}" y2="{HEADROOM + PLOT}"/>'
    )


def _texts(series: Series, top: float) -> Sequence[str]:
    current = series.counts[-1]
    y = HEADROOM + PLOT + 18
    dates = [
        f'<text y="{y}">{short_day(series.days[0])}</text>',
        f'<text class="last" x="100%" y="{y}" text-anchor="end">{short_day(series.days[-1])}</text>',
    ]
    if current is None or series.missing[-1]:
        return dates
    height = HEADROOM + PLOT * (1 - current / top) - 6
    return [
        *dates,
        f'<text class="value" paint-order="stroke" x="100%" y="{height:.1f}" text-anchor="end">{current:,}</text>',
    ]
