"""Charts in a few hundred bytes, for pages with hundreds of them: whole rows of bars are one path each.

Paths lie in a drawing of their own that is stretched to the width of the page; words are outside it and keep
their size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from detector.boundary.text import visible
from detector.reports.page.charts import HEADROOM, Series, compact, short_day, summary

DAYS = 28
STEP = 10
PLOT = 72
SHADES = 5


def sketch(series: Series, label: str, chart_id: str) -> Markup:
    """Bars of nightly requests in one drawing for every width; ``chart_id`` is unique on the page."""
    series = series.last(DAYS)
    top = max([*series.seen, series.high or 0, 1])
    drawn = "".join([*_axis(series, top), *_range(series, top), _plot(series, top), *_words(series, top)])
    return Markup(
        '<svg class="days sketch" role="img" aria-labelledby="{0}-t" height="{1}">'
        '<title id="{0}-t">{2}. {3}</title>{4}</svg>'
    ).format(chart_id, HEADROOM + PLOT + 22, visible(label), summary(series), Markup(drawn))  # noqa: S704  our own


def heat(series: Series, label: str) -> Markup:
    """One row of a heat map: a cell a day, darker the nearer it is to the key's busiest day."""
    top = max(series.seen, default=0) or 1
    paths = [""] * SHADES
    for i, (count, gone) in enumerate(zip(series.counts, series.missing, strict=True)):
        if count and not gone:
            paths[min(SHADES - 1, SHADES * count // top)] += f"M{i} .5h1"
    current = "" if series.missing[-1] or not series.counts[-1] else f"M{len(series.days) - 1} .5h1"
    gaps = "".join(f"M{i} .5h1" for i, gone in enumerate(series.missing) if gone)
    drawn = "".join(f'<path class="heat-{shade}" d="{path}"/>' for shade, path in enumerate(paths) if path)
    return Markup(
        '<svg class="heat" role="img" aria-label="{0}" width="100%" height="18" '
        'viewBox="0 0 {1} 1" preserveAspectRatio="none">{2}</svg>'
    ).format(
        f"{visible(label)}. {summary(series)}",
        len(series.days),
        Markup(f'{drawn}<path class="heat-gap" d="{gaps}"/><path class="now" d="{current}"/>'),  # noqa: S704
    )


def _axis(series: Series, top: float) -> Iterator[str]:
    yield f'<line class="grid" x1="0" x2="100%" y1="{HEADROOM}" y2="{HEADROOM}"/>'
    yield f'<text x="-8" y="{HEADROOM + 4}" text-anchor="end">{compact(top)}</text>'
    yield f'<text x="-8" y="{HEADROOM + PLOT + 4}" text-anchor="end">0</text>'


def _range(series: Series, top: float) -> Iterator[str]:
    if series.banded and series.low is not None and series.high is not None:
        y = HEADROOM + PLOT * (1 - series.high / top)
        height = max(2.0, PLOT * (series.high - max(0.0, series.low)) / top)
        yield f'<rect class="band" width="100%" y="{y:.1f}" height="{height:.1f}"/>'


def _plot(series: Series, top: float) -> str:
    bars = [
        0 if not count or gone else max(1, round(PLOT * count / top))
        for count, gone in zip(series.counts, series.missing, strict=True)
    ]
    width = STEP * len(bars)
    past = "".join(f"v-{bar}m{STEP} {bar}" if bar else f"m{STEP} 0" for bar in bars[:-1])
    gaps = "".join(f"M{STEP * i + 5} 0v{PLOT}" for i, gone in enumerate(series.missing) if gone)
    return (
        f'<svg y="{HEADROOM}" width="100%" height="{PLOT}" '
        f'viewBox="0 0 {width} {PLOT}" preserveAspectRatio="none">'
        f'<path class="past" d="M5 {PLOT}{past}"/><path class="now" d="M{width - 5} {PLOT}v-{bars[-1]}"/>'
        f'<path class="gap" d="{gaps}"/></svg>'
        f'<line class="floor" x1="0" x2="100%" y1="{HEADROOM + PLOT}" y2="{HEADROOM + PLOT}"/>'
    )


def _words(series: Series, top: float) -> Sequence[str]:
    current, y = series.counts[-1], HEADROOM + PLOT + 18
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
