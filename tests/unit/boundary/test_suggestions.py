"""What somebody may have meant by a name that is not known."""

from __future__ import annotations

from detector.boundary.suggestions import did_you_mean, did_you_mean_or_all, nearest


def test_a_name_that_comes_close_is_suggested() -> None:
    """As the end of a sentence that says what is wrong."""
    assert did_you_mean("cloudtrial", {"cloudtrail", "kong"}) == ", did you mean cloudtrail?"


def test_nothing_is_suggested_where_nothing_comes_close() -> None:
    """A wrong suggestion is worse than none."""
    assert did_you_mean("zebra", {"cloudtrail", "kong"}) == ""


def test_all_names_are_told_where_nothing_comes_close() -> None:
    """In order, so that the same fault has the same text."""
    assert did_you_mean_or_all("zebra", {"kong", "envoy"}) == "; allowed: envoy, kong"
    assert did_you_mean_or_all("enboy", {"kong", "envoy"}) == ", did you mean envoy?"


def test_the_closest_come_first() -> None:
    """At most as many as were asked for."""
    assert nearest("spike", ["spike_day", "spikes", "silent"], most=2) == ["spikes", "spike_day"]


def test_a_suggestion_shows_characters_that_cannot_be_seen() -> None:
    """A known name may be a customer's key."""
    assert did_you_mean("key_evil", {"key_\u202eevil"}) == ", did you mean key_[U+202E]evil?"
