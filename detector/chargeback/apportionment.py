"""Round exact shares so that they add up (largest remainders, also known as Hamilton's method).

Shares are fractions of one denominator, given by their numerators, so that no precision is lost before rounding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def round_shares(total: int, numerators: Sequence[int], denominator: int) -> list[int]:
    """Round shares to whole numbers that add up to ``total``.

    The sum of the exact shares must differ from ``total`` by less than one. Each result is the whole number just
    below or just above its share. The shares with the largest remainders are rounded up; of equal remainders, the
    earlier share is.
    """
    shares = [divmod(numerator, denominator) for numerator in numerators]
    parts = [part for part, _ in shares]
    # sorted() is stable, so that equal remainders keep the order of the shares.
    by_remainder = sorted(range(len(shares)), key=lambda position: -shares[position][1])
    for position in by_remainder[: total - sum(parts)]:
        parts[position] += 1
    return parts


def round_in_groups(total: int, groups: Sequence[str], numerators: Sequence[int], denominator: int) -> list[int]:
    """Round shares so that the shares of each group also add up to the rounded share of the group."""
    positions = positions_by_group(groups)
    sums = []
    for members in positions.values():
        sums.append(sum(numerators[position] for position in members))
    # The groups are rounded first; each group's rounded share is then the total of its members.
    group_parts = round_shares(total, sums, denominator)
    parts = [0] * len(numerators)
    for members, group_part in zip(positions.values(), group_parts, strict=True):
        member_parts = round_shares(group_part, [numerators[position] for position in members], denominator)
        for position, part in zip(members, member_parts, strict=True):
            parts[position] = part
    return parts


def positions_by_group(groups: Iterable[str]) -> dict[str, list[int]]:
    """The positions of each group's members; groups come in the order in which they first appear."""
    positions: dict[str, list[int]] = {}
    for position, group in enumerate(groups):
        positions.setdefault(group, []).append(position)
    return positions


def nearest(numerator: int, denominator: int) -> int:
    """Round a share to the nearest whole number, a half away from zero."""
    magnitude = (2 * abs(numerator) + denominator) // (2 * denominator)
    return -magnitude if numerator < 0 else magnitude
