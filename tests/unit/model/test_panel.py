"""Reference keys: those that the statistics of the fleet rest on."""

from __future__ import annotations

from collections.abc import Sequence

from detector.model.panel import Panel
from tests.panels import panel

USED = [5] * 40


def reference(subject: Panel) -> list[str]:
    """The ids of the reference keys."""
    return list(subject.keys[subject.reference])


def test_where_there_is_a_register_only_its_keys_are_reference_keys() -> None:
    """A name that somebody invents is in no register."""
    assert reference(panel({"own": USED, "stranger": USED}, registered=["own"])) == ["own"]


def test_without_a_register_a_new_name_is_no_reference_key() -> None:
    """It needs 28 days before the evaluated one."""
    counts = {"old": USED, "young": [0] * 13 + [5] * 27, "grown": [0] * 12 + [5] * 28}
    unborn = {"young": 13, "grown": 11}
    assert reference(panel(counts, registered=(), unborn=unborn)) == ["grown", "old"]


def test_in_a_short_history_a_reference_key_was_there_from_its_first_day() -> None:
    """Nine days after the installation there are no 28 days."""
    assert reference(panel({"first": [5] * 10, "later": [0] + [5] * 9}, unborn={"later": 1})) == ["first"]


def test_a_key_that_is_only_refused_is_no_reference_key() -> None:
    """Whoever guesses an id can make refused requests with it."""
    counts = {"answered": USED, "refused": USED}
    errors: dict[str, Sequence[int]] = {"answered": [5] * 20 + [4] + [5] * 19, "refused": USED}
    assert reference(panel(counts, errors=errors)) == ["answered"]


def test_the_evaluated_day_makes_no_reference_key() -> None:
    """Neither do the days before the last eight weeks."""
    counts = {"today": [0] * 69 + [5], "long ago": [5] * 13 + [0] * 57, "yesterday": [0] * 68 + [5, 0]}
    assert reference(panel(counts)) == ["yesterday"]


def test_days_without_data_are_no_gap_in_what_is_known() -> None:
    """A day that nobody saw does not make a key young."""
    subject = panel({"key": USED}, missing=range(20, 30))
    subject.known[0, 20:30] = False
    assert reference(subject) == ["key"]
