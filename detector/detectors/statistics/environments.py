"""The environment of a key by its behaviour and name, for sources that do not name the deployment of requests."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from detector.detectors.statistics.baseline import Flags
from detector.model.panel import Panel
from detector.usage.aggregation import ENVIRONMENTS

DAYS = 14
SATURDAY = 5
FEWEST_KEYS = 20
"""With fewer keys of an environment, the behaviour of the environments cannot be distinguished."""
FEWEST_DAYS = 7
SEPARATED = 0.9
"""The model must assign this share of keys correctly. Otherwise the environments are too similar."""
DOUBTFUL = 0.2
"""A key does not train the model if its own environment has at most this probability."""
WORDS = {
    "live": frozenset({"live", "prod", "production", "prd"}),
    "test": frozenset({"test", "tests", "testing", "staging", "stage", "stg", "dev", "sandbox", "qa", "uat"}),
}


def named_environment(name: str | None) -> str | None:
    """The environment that the words of a name stand for: ``checkout-staging`` is test. None for none or both."""
    words = set(re.split(r"[^a-z0-9]+", (name or "").lower()))
    matches = [environment for environment, marks in WORDS.items() if words & marks]
    return matches[0] if len(matches) == 1 else None


def contradicting_names(panel: Panel) -> Flags:
    """Whether each key's name stands for another environment than its registered one."""
    names = [None if pd.isna(name) else str(name) for name in panel.records["name"]]
    named = pd.Series([named_environment(name) for name in names], index=panel.records.index, dtype=object)
    registered = panel.records["environment"].astype(object)
    contradicts = named.notna() & registered.isin(ENVIRONMENTS) & (named != registered)
    flags: Flags = contradicts.to_numpy(dtype=bool)
    return flags


def deployments_known(panel: Panel) -> bool:
    """Whether the source names the deployment of the day's requests.

    The reference keys decide. A stranger who names a deployment must not switch the evidence of behaviour off.
    """
    requests = panel.deployment_counts(1).days[-1].sum(axis=1)
    deciding = panel.reference if panel.reference.any() else panel.trusted
    return bool(requests[deciding].sum() > 0)


def behaviour_odds(panel: Panel) -> NDArray[np.float64]:
    """The log odds that a key belongs to the other environment, by its usage; NaN where unknown.

    A logistic regression distinguishes live keys from test keys by volume, days in use, weekly rhythm and
    endpoint distribution of the last two weeks. The model that predicts a key is not trained on this key. All
    odds are NaN if there are too few keys of either environment, or if both environments behave alike.
    """
    odds = np.full(len(panel.keys), np.nan)
    environment = panel.records["environment"].to_numpy(dtype=object)
    used = panel.requests[:, -DAYS:].sum(axis=1) > 0
    enough = panel.observed[:, -DAYS:].sum(axis=1) >= FEWEST_DAYS
    judged = used & enough & panel.records["active"].to_numpy() & np.isin(environment, ENVIRONMENTS)
    live = environment[judged] == "live"
    if min(live.sum(), (~live).sum()) < FEWEST_KEYS or panel.missing[-1]:
        return odds
    probability = _live_probability(_features(panel, judged, live), live)
    if np.mean((probability > 0.5) == live) < SEPARATED:
        return odds
    towards_live = np.log(probability) - np.log1p(-probability)
    odds[judged] = np.where(live, -towards_live, towards_live)
    return odds


def _live_probability(features: NDArray[np.float64], live: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The probability of each key to be a live key, from models that are not trained on the key.

    The first pass finds the keys that behave like the other environment. The second pass trains without these
    keys, because a model that learns from a misplaced key takes it for normal.
    """
    # The folds depend on the order of the keys. A fixed order makes the result independent of the input order.
    order = np.lexsort(features.T)
    probability = np.empty(len(live))
    probability[order] = _in_order(features[order], live[order])
    return probability


def _in_order(features: NDArray[np.float64], live: NDArray[np.bool_]) -> NDArray[np.float64]:
    first = _cross_predict(features, live, np.ones(len(live), bool))
    training = np.where(live, first, 1 - first) > DOUBTFUL
    if min(training[live].sum(), training[~live].sum()) < FEWEST_KEYS / 2:
        training = np.ones(len(live), bool)
    return _cross_predict(features, live, training)


def _cross_predict(
    features: NDArray[np.float64], live: NDArray[np.bool_], training: NDArray[np.bool_]
) -> NDArray[np.float64]:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - heavy, and seldom needed
    from sklearn.model_selection import StratifiedKFold  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    probability = np.full(len(live), 0.5)
    for train, held_out in StratifiedKFold(5, shuffle=True, random_state=0).split(features, live):
        chosen = train[training[train]]
        model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
        model.fit(features[chosen], live[chosen])
        probability[held_out] = model.predict_proba(features[held_out])[:, 1]
    clipped: NDArray[np.float64] = np.clip(probability, 1e-9, 1 - 1e-9)
    return clipped


def _features(panel: Panel, judged: NDArray[np.bool_], live: NDArray[np.bool_]) -> NDArray[np.float64]:
    requests = panel.requests[judged, -DAYS:].astype(float)
    weekend = panel.weekdays[-DAYS:] >= SATURDAY
    week = np.log(requests[:, ~weekend].mean(axis=1) + 0.5)
    return np.column_stack(
        [
            np.log(requests.mean(axis=1) + 0.5),
            (requests > 0).mean(axis=1),
            np.log(requests[:, weekend].mean(axis=1) + 0.5) - week,
            np.log(requests.std(axis=1) + 0.5),
            _endpoint_odds(panel, judged, live),
        ]
    )


def _endpoint_odds(panel: Panel, judged: NDArray[np.bool_], live: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The mean log odds, over a key's requests, that a live key and not a test key made them.

    The distribution of an environment leaves out the key's own requests. The odds are 0 if endpoints are not
    known.
    """
    days = panel.endpoint_counts(DAYS).days
    total = csr_array(days[0].shape, dtype=np.float64)
    for matrix in days:
        total = total + matrix
    own = _dense(total, judged)
    shares = own / np.maximum(own.sum(axis=1, keepdims=True), 1)
    live_total = shares[live].sum(axis=0)
    test_total = shares[~live].sum(axis=0)
    # Half a request more per endpoint keeps the logarithm finite for endpoints that one environment never uses.
    live_others = np.where(live[:, None], live_total - shares, live_total) + 0.5
    test_others = np.where(live[:, None], test_total, test_total - shares) + 0.5
    live_share = live_others / live_others.sum(axis=1, keepdims=True)
    test_share = test_others / test_others.sum(axis=1, keepdims=True)
    odds = np.log(live_share) - np.log(test_share)
    mean: NDArray[np.float64] = (shares * odds).sum(axis=1)
    return mean


def _dense(total: csr_array, judged: NDArray[np.bool_], most: int = 2_000) -> NDArray[np.float64]:
    """The judged rows as a dense array, with the columns of the ``most`` endpoints with most requests.

    An endpoint that no judged key used has no column. More endpoints need much memory and do not distinguish the
    environments better.
    """
    rows = total[np.flatnonzero(judged)]
    requests = np.asarray(rows.sum(axis=0))
    busiest = np.sort(np.argsort(-requests, kind="stable")[:most])
    dense: NDArray[np.float64] = rows[:, busiest[requests[busiest] > 0]].toarray()
    return dense
