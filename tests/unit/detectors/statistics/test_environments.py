"""The weaker grounds of an environment mismatch."""

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
def test_a_name_speaks_by_whole_words(name: str | None, environment: str | None) -> None:
    """Parts of words say nothing, and both say nothing."""
    assert named_environment(name) == environment


def test_test_keys_given_to_production_are_found_by_behaviour() -> None:
    """At least eight of ten, at no more than one in a hundred of the others."""
    panel = organization(TEN)
    doubted = set(panel.keys[behaviour_odds(panel) > np.log(49)])
    assert len(doubted & set(TEN)) >= 8
    assert len(doubted - set(TEN)) <= 2


def test_environments_that_behave_alike_doubt_nobody() -> None:
    """Then behaviour is no ground, and says so."""
    assert np.isnan(behaviour_odds(organization(alike=True))).all()


def test_too_few_keys_of_one_kind_doubt_nobody() -> None:
    """Ten test keys have no typical behaviour."""
    assert np.isnan(behaviour_odds(organization(test=10))).all()
