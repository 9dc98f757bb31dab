"""Laws that every detector obeys, as functions that raise AssertionError where one does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from detector.detectors import Detector
from detector.detectors.judgement import JUDGEMENT_COLUMNS, TERM
from detector.model.panel import Mixes, Panel


def check_shape(detector: Detector, panel: Panel) -> None:
    """A judgement has one row a key, in the panel's order, and a reason wherever there is no score."""
    judged = detector.judge(panel).scores
    assert list(judged.index) == list(panel.keys)
    assert tuple(judged.columns[: len(JUDGEMENT_COLUMNS)]) == JUDGEMENT_COLUMNS
    terms = [name for name in judged.columns if name.startswith(TERM)]
    if terms:
        scored = judged["score"].notna()
        assert np.allclose(judged.loc[scored, terms].sum(axis=1), judged.loc[scored, "score"])
    assert (judged["not_judged"].notna() == judged["score"].isna()).all()
    assert np.isfinite(judged["score"].dropna()).all()


def check_repeatable(detector: Detector, panel: Panel) -> None:
    """The same input gives the same output, and is left as it was."""
    before = panel.requests.copy(), panel.errors.copy(), panel.records.copy()
    first, second = detector.judge(panel), detector.judge(panel)
    pd.testing.assert_frame_equal(first.scores, second.scores)
    assert np.array_equal(first.past, second.past) or first.past is second.past is None
    assert np.array_equal(before[0], panel.requests)
    assert np.array_equal(before[1], panel.errors)
    pd.testing.assert_frame_equal(before[2], panel.records)


def check_order_does_not_matter(detector: Detector, panel: Panel) -> None:
    """Shuffling the keys shuffles the scores with them."""
    order = np.random.default_rng(1).permutation(len(panel.keys))
    shuffled = replace(
        panel,
        mixes=lambda count: _reordered(panel.mixes(count), order),
        places=lambda count: _reordered(panel.places(count), order),
        keys=panel.keys[order],
        requests=panel.requests[order],
        errors=panel.errors[order],
        known=panel.known[order],
        records=panel.records.iloc[order],
    )
    straight, mixed = detector.judge(panel).scores["score"], detector.judge(shuffled).scores["score"]
    pd.testing.assert_series_equal(straight, mixed.reindex(straight.index))


def _reordered(mixes: Mixes, order: np.ndarray) -> Mixes:
    return Mixes(mixes.endpoints, [matrix[order] for matrix in mixes.days])


def check_names_do_not_matter(detector: Detector, panel: Panel) -> None:
    """Renaming the keys changes no score."""
    names = pd.Index([f"renamed-{key}" for key in panel.keys], name="key_id", dtype=object)
    renamed = replace(panel, keys=names, records=panel.records.assign(key_id=names.to_numpy()).set_index(names))
    assert np.array_equal(
        detector.judge(panel).scores["score"].to_numpy(),
        detector.judge(renamed).scores["score"].to_numpy(),
        equal_nan=True,
    )


def check_shift_in_time(detector: Detector, panel: Panel) -> None:
    """Moving everything by a whole number of weeks changes no score."""
    week = pd.Timedelta(days=28)
    records = panel.records.assign(last_seen=panel.records["last_seen"] + week)
    later = replace(
        panel,
        days=panel.days + np.timedelta64(28, "D"),
        last_uses=panel.last_uses + np.timedelta64(28, "D"),
        records=records,
    )
    assert np.array_equal(
        detector.judge(panel).scores["score"].to_numpy(),
        detector.judge(later).scores["score"].to_numpy(),
        equal_nan=True,
    )


def check_nothing_to_say_without_history(detector: Detector, panel: Panel) -> None:
    """With the judged day unseen, no key has a score."""
    blind = replace(
        panel,
        missing=np.append(panel.missing[:-1], True),
        requests=np.column_stack([panel.requests[:, :-1], np.zeros(len(panel.keys), np.int64)]),
        records=panel.records.assign(request_count=0, deployments=None, endpoint_distribution=None),
    )
    assert detector.judge(blind).scores["score"].isna().all()


LAWS = (
    check_shape,
    check_repeatable,
    check_order_does_not_matter,
    check_names_do_not_matter,
    check_shift_in_time,
    check_nothing_to_say_without_history,
)
