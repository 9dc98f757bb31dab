"""What a reader is told about a key in the wrong environment."""

from __future__ import annotations

from collections.abc import Mapping

from detector.config.sections import DetectionSettings
from detector.detectors.environment_mismatch import EnvironmentMismatch
from tests.panels import panel


def advice(policy: Mapping[str, str], deployments: Mapping[str, Mapping[str, int]]) -> str:
    """What to do about the test key ``stray``; other keys are live."""
    counts = {key: [10] * 30 + [sum(places.values())] for key, places in deployments.items()}
    environment = {key: "test" if key.startswith(("stray", "test")) else "live" for key in deployments}
    judged = EnvironmentMismatch(DetectionSettings.model_validate({"deployments": policy})).judge(
        panel(counts, environment=environment, deployments=deployments)
    )
    return judged.describe(["stray"])["stray"].actions[-1]


def test_the_advice_names_deployments_that_are_in_use() -> None:
    """Those that the policy has for the environment of the key, the busiest first."""
    policy = {"prod*": "live", "qa*": "test", "lab": "test"}
    deployments = {"stray": {"prod-eu": 5}, "test-1": {"qa-2": 7, "qa-1": 9}, "live-1": {"prod-eu": 4}}
    assert advice(policy, deployments) == (
        "Give that service a live key of its own; this one belongs in qa-1 or qa-2 only."
    )


def test_the_advice_names_deployments_of_the_policy_where_none_is_in_use() -> None:
    """Staging is named only where the policy has it."""
    assert advice({"prod": "live", "test": "test"}, {"stray": {"prod": 5}}) == (
        "Give that service a live key of its own; this one belongs in test only."
    )


def test_the_advice_says_where_the_policy_has_no_place_for_a_key() -> None:
    """Rather than naming a deployment that does not exist."""
    assert advice({"prod": "live"}, {"stray": {"prod": 5}}) == (
        "Give that service a live key of its own; the policy has no deployment for this one."
    )
