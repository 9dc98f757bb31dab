"""Few findings on keys that anybody can invent, however many stand out."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd

from detector.detectors.judgement import score_frame
from detector.judging.strangers import LEFT_OUT, MOST_TOLD, keys_to_tell
from detector.model.panel import Panel
from tests.panels import DAY, panel

INVENTED = [f"junk{index:02d}" for index in range(20)]


def crowd(*, registered: list[str]) -> Panel:
    """Twenty invented keys and two others."""
    return panel({key: [1] * 30 for key in ("mine", "yours", *INVENTED)}, registered=registered)


def scores_of(judged: Panel) -> pd.DataFrame:
    """Every key stands out, and an invented one more than a key of the organization."""
    score = np.array([50.0 - row if key in INVENTED else 5.0 for row, key in enumerate(judged.keys)])
    nothing = np.full(len(score), None, dtype=object)
    return score_frame(judged, score, observed=score, not_judged=nothing)


def test_keys_outside_the_register_drown_nothing() -> None:
    """Those with the highest scores are told, and the others are not judged, for a reason that says so."""
    judged = crowd(registered=["mine", "yours"])
    scores = scores_of(judged)
    assert keys_to_tell(judged, scores, 4.0) == [*INVENTED[:MOST_TOLD], "mine", "yours"]
    left_out = scores[scores["score"].isna()]
    assert left_out.index.tolist() == INVENTED[MOST_TOLD:]
    assert set(left_out["not_judged"]) == {LEFT_OUT}


def test_without_a_register_new_keys_drown_nothing() -> None:
    """A key that was there before is told beside any number of new ones."""
    judged = crowd(registered=[])
    old = [key in ("mine", "yours") for key in judged.keys]
    first = [DAY - timedelta(days=90 if is_old else 2) for is_old in old]
    judged.records["first_seen"] = pd.Series(first, index=judged.keys, dtype=judged.records["first_seen"].dtype)
    assert keys_to_tell(judged, scores_of(judged), 4.0) == [*INVENTED[:MOST_TOLD], "mine", "yours"]


def test_where_all_keys_are_new_all_are_told() -> None:
    """Nobody is a stranger to a source of a few days."""
    judged = crowd(registered=[])
    assert len(keys_to_tell(judged, scores_of(judged), 4.0)) == 22
