"""Numbers, dates and names as words of a sentence."""

from __future__ import annotations

from datetime import date


def counted(count: float, one: str, several: str | None = None) -> str:
    """A number with the words that agree with it: ``1 key``, ``2,300 keys``, ``1 key needs``, ``2 keys need``.

    The default of ``several`` is ``one`` with an s. A fraction is rounded to a whole number.
    """
    number = f"{count:,.0f}" if isinstance(count, float) else f"{count:,}"
    if number == "1":
        return f"{number} {one}"
    return f"{number} {several or f'{one}s'}"


def singular_or_plural(count: float, one: str, several: str | None = None) -> str:
    """The words that agree with a number, without the number itself."""
    return one if count == 1 else several or f"{one}s"


def long_day(day: date) -> str:
    """A day in long form: 4 November 2026."""
    return f"{day.day} {day:%B %Y}"
