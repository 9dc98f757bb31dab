"""Apportionment: rounded shares add up, and each lies next to its exact share."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detector.chargeback.apportionment import nearest, positions_by_group, round_in_groups, round_shares


@given(st.integers(-10_000, 10_000), st.lists(st.integers(0, 1000), min_size=1, max_size=12).filter(any))
def test_parts_add_up_and_each_is_just_below_or_above_its_share(total: int, weights: list[int]) -> None:
    """A weight of zero gets nothing, and a greater weight never gets less."""
    whole = sum(weights)
    parts = round_shares(total, [total * weight for weight in weights], whole)
    assert sum(parts) == total
    assert all(abs(part * whole - total * weight) < whole for part, weight in zip(parts, weights, strict=True))
    by_weight = sorted(zip(weights, (abs(part) for part in parts), strict=True))
    assert [part for _, part in by_weight] == sorted(part for _, part in by_weight)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 10**6)), min_size=1, max_size=20),
    st.integers(1, 10**4),
)
def test_shares_in_groups_add_up_in_each(members: list[tuple[str, int]], denominator: int) -> None:
    """Members and groups alike get the whole number just below or above their exact share."""
    groups = [group for group, _ in members]
    numerators = [numerator for _, numerator in members]
    total = nearest(sum(numerators), denominator)
    assert abs(2 * (total * denominator - sum(numerators))) <= denominator
    parts = round_in_groups(total, groups, numerators, denominator)
    assert sum(parts) == total
    pairs = [*zip(parts, numerators, strict=True)]
    for group in set(groups):
        own = [pair for pair, name in zip(pairs, groups, strict=False) if name == group]
        pairs.append((sum(part for part, _ in own), sum(numerator for _, numerator in own)))
    assert all(abs(part * denominator - numerator) < denominator for part, numerator in pairs)


def test_a_half_is_rounded_away_from_zero() -> None:
    """Positive and negative halves gain magnitude."""
    assert [nearest(numerator, 2) for numerator in (-3, -1, 0, 1, 3)] == [-2, -1, 0, 1, 2]


def test_equal_remainders_go_to_the_earlier_share() -> None:
    """Three equal shares of 100 give the extra unit to the first."""
    assert round_shares(100, [100, 100, 100], 3) == [34, 33, 33]


def test_groups_keep_the_order_of_their_first_members() -> None:
    """Each group lists the positions of its members in order."""
    assert positions_by_group(["b", "a", "b"]) == {"b": [0, 2], "a": [1]}
