"""The pictures in a mail."""

from __future__ import annotations

import struct
from datetime import date, timedelta

from detector.delivery.mail.charts import HEIGHT, WIDTH, days_png
from detector.reports.page.charts import Series

DAYS = tuple(date(2026, 3, 1) + timedelta(days=number) for number in range(4))


def series(*counts: int | None) -> Series:
    """Four days, the last one evaluated; None is a day without data."""
    return Series(DAYS, list(counts), [count is None for count in counts], 10.0, 5.0, 15.0)


def test_a_picture_has_twice_its_size_for_sharp_screens() -> None:
    """As a PNG, which every mail program shows."""
    png = days_png(series(10, None, 12, 40), "#b3231a")
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", png[16:24]) == (2 * WIDTH, 2 * HEIGHT)


def test_the_same_days_give_the_same_bytes() -> None:
    """A mail that is rendered again is the same mail, whatever was drawn in between."""
    first = days_png(series(10, None, 12, 40), "#b3231a")
    other = days_png(series(10, 11, 12, 40), "#b3231a")
    assert days_png(series(10, None, 12, 40), "#b3231a") == first != other


def test_a_key_that_was_never_used_has_a_picture_too() -> None:
    """An empty one."""
    assert days_png(series(0, 0, 0, 0), "#b3231a")
