"""The environment of a key by its name and by its behaviour."""

from __future__ import annotations

import numpy as np
import pytest

from detector.detectors.statistics.environments import behaviour_odds, named_environment
from tests.cases.environment_behaviour import organization

TEN = [f"test-{index:03d}" for index in range(0, 100, 10)]


@pytest.mark.parametrize(
    ("name", "environment"),
    [
        ("checkout-staging", "test"),
        ("Billing PROD", "live"),
        ("qa.nightly", "test"),
        ("prod-to-staging", None),
        ("contest-product", None),
        ("", None),
        (None, None),
    ],
)
def test_a_name_stands_for_an_environment_by_whole_words(name: str | None, environment: str | None) -> None:
    """Parts of words have no meaning, and neither has a name with words of both environments."""
    assert named_environment(name) == environment


def test_test_keys_given_to_production_are_found_by_behaviour() -> None:
    """At least eight of ten are found, with at most two false alarms."""
    panel = organization(TEN)
    doubted = set(panel.keys[behaviour_odds(panel) > np.log(49)])
    assert len(doubted & set(TEN)) >= 8
    assert len(doubted - set(TEN)) <= 2


def test_environments_that_behave_alike_doubt_nobody() -> None:
    """If the environments behave alike, all odds are NaN."""
    assert np.isnan(behaviour_odds(organization(alike=True))).all()


def test_too_few_keys_of_one_kind_doubt_nobody() -> None:
    """Ten test keys are too few for a typical behaviour."""
    assert np.isnan(behaviour_odds(organization(test=10))).all()
