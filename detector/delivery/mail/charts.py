"""The small pictures in a mail: a key's days as bars over the usual range, with the evaluated day in colour.

The pictures are PNG, because mail programs remove SVG. They have no text: the labels stand beside them as text,
so that people can read them at every size and in every colour scheme, and so that the text part has them too.
The background is transparent for the same reason. One figure is reused for all pictures, which saves time.
"""

from __future__ import annotations

import io
from functools import cache
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from detector.reports.page.charts import Series

WIDTH = 560
HEIGHT = 96
"""Pixels as laid out; the picture has twice as many each way, for sharp screens."""
DOTS_PER_INCH = 144
BAR = "#98a1ae"
BAND = "#7d93a8"
GAP = "#98a1ae"
FLOOR = "#8d9199"


def days_png(series: Series, colour: str) -> bytes:
    """The bars as a PNG; ``colour`` marks the judged day."""
    figure, axes = _canvas()
    axes.clear()
    axes.set_axis_off()
    count = len(series.days)
    top = max([*series.observed_counts, series.high or 0, 1])
    if series.low is not None and series.high is not None:
        axes.fill_between([-0.5, count - 0.5], series.low, series.high, color=BAND, alpha=0.28, linewidth=0)
    for index, value in enumerate(series.counts):
        if series.missing[index]:
            axes.plot([index], [top * 0.04], marker="x", markersize=3, color=GAP, markeredgewidth=1)
        elif value:
            axes.bar(index, max(value, top * 0.01), width=0.72, color=colour if index == count - 1 else BAR)
    axes.axhline(0, color=FLOOR, linewidth=1)
    axes.set_xlim(-0.5, count - 0.5)
    axes.set_ylim(0, top * 1.04)
    return _png(figure)


def _png(figure: Figure) -> bytes:
    written = io.BytesIO()
    figure.savefig(written, format="png", dpi=DOTS_PER_INCH, transparent=True, metadata={"Software": None})
    return written.getvalue()


@cache
def _canvas() -> tuple[Figure, Any]:
    """One figure for all pictures: making one takes longer than drawing on it."""
    figure = Figure(figsize=(2 * WIDTH / DOTS_PER_INCH, 2 * HEIGHT / DOTS_PER_INCH))
    FigureCanvasAgg(figure)
    return figure, figure.add_axes((0, 0.02, 1, 0.98))
