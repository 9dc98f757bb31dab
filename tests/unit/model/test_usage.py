"""The accounting of the records of a day."""

from __future__ import annotations

import json
from dataclasses import asdict

from detector.model.usage import Accounting, Amount

ONE = Accounting(10, keyless=1, repeated=2, unusable={"no time": Amount(3, 300)}, hours=tuple(range(24)))


def test_what_was_read_is_the_sum_of_what_became_of_it() -> None:
    """Nothing that was read is missing from it."""
    assert ONE.read == 16
    assert ONE.unusable_records == 3


def test_the_accounting_of_two_days_adds_up_by_reason() -> None:
    """The hours of two days are not those of one."""
    both = ONE + Accounting(5, unusable={"no time": Amount(1, 10), "not JSON": Amount(2)})
    assert both.read == ONE.read + 8
    assert both.unusable == {"no time": Amount(4, 310), "not JSON": Amount(2)}
    assert both.hours is None


def test_a_stored_accounting_is_read_back() -> None:
    """It lies beside the records of its day as JSON."""
    assert Accounting.from_plain(json.loads(json.dumps(asdict(ONE)))) == ONE
