"""What a key's behaviour and name say of its environment, for sources that do not say where traffic was seen."""

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
"""Keys of each environment below which their behaviour cannot be told apart."""
FEWEST_DAYS = 7
SEPARATED = 0.9
"""The environments must differ: so many keys in 100 must be told apart rightly before one is doubted."""
DOUBTFUL = 0.2
WORDS = {
    "live": frozenset({"live", "prod", "production", "prd"}),
    "test": frozenset({"test", "tests", "testing", "staging", "stage", "stg", "dev", "sandbox", "qa", "uat"}),
}


def named_environment(name: str | None) -> str | None:
    """The environment that a name's words speak of; ``checkout-staging`` is test. None for neither or both."""
    words = set(re.split(r"[^a-z0-9]+", (name or "").lower()))
    spoken = [environment for environment, marks in WORDS.items() if words & marks]
    return spoken[0] if len(spoken) == 1 else None


def contradicting_names(panel: Panel) -> Flags:
    """Whether each key's name speaks of another environment than the one it is registered for."""
    names = [None if pd.isna(name) else str(name) for name in panel.records["name"]]
    spoken = pd.Series([named_environment(name) for name in names], index=panel.records.index, dtype=object)
    registered = panel.records["environment"].astype(object)
    contradicts = spoken.notna() & registered.isin(ENVIRONMENTS) & (spoken != registered)
    flags: Flags = contradicts.to_numpy(dtype=bool)
    return flags


def deployments_known(panel: Panel) -> bool:
    """Whether the source says in which deployments the day's requests were seen."""
    return bool(panel.places(1).days[-1].sum() > 0)


def behaviour_odds(panel: Panel) -> NDArray[np.float64]:
    """Per key the log odds that it belongs to the other environment, by how it is used; NaN where unknown.

    A logistic regression over volume, days in use, weekly rhythm and endpoint mix of the last two weeks
    tells live keys from test keys; each key is judged by a model that has not seen it. NaN for everybody
    where there are too few keys of either kind, or where the two kinds behave alike.
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
    """Per key the probability that it is a live key, from models that have not seen it.

    A first pass finds the keys that behave like the other kind; the second learns without them, since
    the very keys that are looked for would otherwise teach that they are normal.
    """
    order = np.lexsort(features.T)  # folds depend on the order of the keys, what is said of them must not
    probability = np.empty(len(live))
    probability[order] = _in_order(features[order], live[order])
    return probability


def _in_order(features: NDArray[np.float64], live: NDArray[np.bool_]) -> NDArray[np.float64]:
    first = _cross_predict(features, live, np.ones(len(live), bool))
    like_own = np.where(live, first, 1 - first) > DOUBTFUL
    kept = (
        like_own
        if min(like_own[live].sum(), like_own[~live].sum()) >= FEWEST_KEYS / 2
        else np.ones(len(live), bool)
    )
    return _cross_predict(features, live, kept)


def _cross_predict(
    features: NDArray[np.float64], live: NDArray[np.bool_], kept: NDArray[np.bool_]
) -> NDArray[np.float64]:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - heavy, and seldom needed
    from sklearn.model_selection import StratifiedKFold  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    probability = np.full(len(live), 0.5)
    for train, held_out in StratifiedKFold(5, shuffle=True, random_state=0).split(features, live):
        known = train[kept[train]]
        model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
        model.fit(features[known], live[known])
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
            _mix_odds(panel, judged, live),
        ]
    )


def _mix_odds(panel: Panel, judged: NDArray[np.bool_], live: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The mean log odds, over a key's requests, that the live fleet rather than the test fleet made them.

    A key's own requests are left out of its fleet's mix. 0 where endpoints are not known.
    """
    days = panel.mixes(DAYS).days
    total = csr_array(days[0].shape, dtype=np.float64)
    for matrix in days:
        total = total + matrix
    own = total[np.flatnonzero(judged)].toarray() if total.shape[1] <= 2_000 else _busiest(total, judged)
    shares = own / np.maximum(own.sum(axis=1, keepdims=True), 1)
    live_total, test_total = shares[live].sum(axis=0), shares[~live].sum(axis=0)
    live_mix = np.where(live[:, None], live_total - shares, live_total) + 0.5
    test_mix = np.where(live[:, None], test_total, test_total - shares) + 0.5
    odds = np.log(live_mix / live_mix.sum(axis=1, keepdims=True)) - np.log(
        test_mix / test_mix.sum(axis=1, keepdims=True)
    )
    mean: NDArray[np.float64] = (shares * odds).sum(axis=1)
    return mean


def _busiest(total: csr_array, judged: NDArray[np.bool_], most: int = 2_000) -> NDArray[np.float64]:
    """The columns of the busiest endpoints, dense; the rest tells the environments apart no better."""
    order = np.argsort(-np.asarray(total.sum(axis=0)))[:most]
    dense: NDArray[np.float64] = total[np.flatnonzero(judged)][:, np.sort(order)].toarray()
    return dense
