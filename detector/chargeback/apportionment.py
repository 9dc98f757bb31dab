"""Exact shares rounded so that they add up (largest remainders, also known as Hamilton's method).

Shares are fractions of one denominator, given by their numerators, so that nothing is lost before the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def round_shares(total: int, numerators: Sequence[int], denominator: int) -> list[int]:
    """Round shares to whole numbers that add up to ``total``, each to the one just below or above it.

    The exact shares add up to less than one beside ``total``. Those with the largest remainders are rounded up, of
    equal ones the earlier; a whole share stays as it is.
    """
    shares = [divmod(numerator, denominator) for numerator in numerators]
    parts = [part for part, _ in shares]
    by_remainder = sorted(range(len(shares)), key=lambda place: -shares[place][1])
    for place in by_remainder[: total - sum(parts)]:
        parts[place] += 1
    return parts


def round_in_groups(total: int, groups: Sequence[str], numerators: Sequence[int], denominator: int) -> list[int]:
    """Round shares so that those of each group also add up to the rounded share of the group."""
    places, parts = places_of(groups), [0] * len(numerators)
    sums = [sum(numerators[place] for place in own) for own in places.values()]
    for own, part in zip(places.values(), round_shares(total, sums, denominator), strict=True):
        inside = round_shares(part, [numerators[place] for place in own], denominator)
        for place, amount in zip(own, inside, strict=True):
            parts[place] = amount
    return parts


def places_of(groups: Iterable[str]) -> dict[str, list[int]]:
    """Where the members of each group stand, in the order in which groups come."""
    places: dict[str, list[int]] = {}
    for place, group in enumerate(groups):
        places.setdefault(group, []).append(place)
    return places


def nearest(numerator: int, denominator: int) -> int:
    """A share as the nearest whole number, a half away from zero."""
    whole = (2 * abs(numerator) + denominator) // (2 * denominator)
    return -whole if numerator < 0 else whole
