"""The section ``chargeback``: prices and shared costs."""

from __future__ import annotations

from typing import Any

import pytest

from detector.config.chargeback import ChargebackSettings


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"currency": "euro"}, "not a currency"),
        ({"prices": [{"name": "A", "price": -1}]}, "greater than or equal"),
        ({"prices": [{"name": "A", "price": "NaN"}]}, "finite"),
        ({"prices": [{"name": "A", "price": 1, "per": 0}]}, "greater than or equal"),
        ({"prices": [{"name": "A", "price": 1, "since": "2026-13"}]}, "not a month"),
        ({"prices": [{"name": "A", "price": 1, "since": "2026-03", "until": "2026-02"}]}, "lies after"),
        ({"prices": [{"name": "A", "price": 1}, {"name": "A", "price": 2}]}, "two of the same months"),
        ({"shared": [{"name": "A", "amount": 1, "split": {"a": 0}}]}, "must not all be 0"),
        ({"shared": [{"name": "A", "amount": 1, "split": {"a": -1}}]}, "greater than or equal"),
        ({"shared": [{"name": "A", "amount": 1, "split": "fairly"}]}, "requests"),
    ],
)
def test_a_section_that_makes_no_sense_is_refused(section: dict[str, Any], message: str) -> None:
    """The error names what is wrong."""
    with pytest.raises(ValueError, match=message):
        ChargebackSettings.model_validate(section)


def test_a_price_may_follow_another_of_its_name() -> None:
    """Two prices may share a name if no month has both."""
    section = ChargebackSettings.model_validate(
        {"prices": [{"name": "A", "price": 1, "until": "2026-01"}, {"name": "A", "price": 2, "since": "2026-02"}]}
    )
    assert [[str(p.price) for p in section.prices if p.holds_in(month)] for month in ("2026-01", "2026-02")] == [
        ["1"],
        ["2"],
    ]
