"""What every judgement is made of: scores, and the reasons why there is none."""

from __future__ import annotations

import numpy as np
import pytest

from detector.detectors.judgement import JUDGEMENT_COLUMNS, excuses, score_frame, terms_of, young_or_revoked
from tests.panels import panel

SUBJECT = panel({"a": [1, 2, 3], "b": [4, 5, 6], "c": [7, 8, 9]})
FIRST = np.array([True, False, False])
FIRST_TWO = np.array([True, True, False])


def test_of_several_reasons_the_last_one_counts() -> None:
    """A detector lists them from the weakest to the strongest."""
    given = excuses(SUBJECT, (FIRST_TWO, "too few"), (FIRST, "unknown"))
    assert given.tolist() == ["unknown", "too few", None]


@pytest.mark.parametrize(("holds", "given"), [(True, ["none"] * 3), (False, [None] * 3)])
def test_a_reason_may_hold_for_all_keys_or_for_none(holds: bool, given: list[str | None]) -> None:
    """Such as a fleet without a history."""
    assert excuses(SUBJECT, (holds, "none")).tolist() == given


def test_a_day_without_data_excuses_every_key_whatever_else_holds() -> None:
    """Nothing else can be said of such a day."""
    blind = panel({"a": [1, 2, 0], "b": [4, 5, 0], "c": [7, 8, 0]}, missing=[2])
    assert set(excuses(blind, (FIRST, "unknown"))) == {"no data for the day"}


def test_a_revoked_key_is_excused_as_revoked_also_where_it_is_young() -> None:
    """It will not grow older."""
    subject = panel({"a": [1, 2, 3], "b": [4, 5, 6], "c": [7, 8, 9]})
    subject.records["active"] = [False, True, False]
    given = excuses(subject, *young_or_revoked(subject, FIRST_TWO, 8))
    assert given.tolist() == ["revoked", "too young: fewer than 8 observed days", "revoked"]


def test_a_key_with_a_reason_has_no_score() -> None:
    """Whatever the detector computed for it; the terms of the others are kept by name."""
    parts = {"own": np.array([1.0, 2.0, 3.0]), "fleet": np.array([0.5, 0.5, 0.5])}
    total = parts["own"] + parts["fleet"]
    not_judged = excuses(SUBJECT, (FIRST, "unknown"))
    scores = score_frame(SUBJECT, total, observed=total, not_judged=not_judged, terms=parts)
    assert np.isnan(scores["score"]["a"])
    assert scores["score"]["b"] == 2.5
    assert tuple(scores.columns[: len(JUDGEMENT_COLUMNS)]) == JUDGEMENT_COLUMNS
    assert terms_of(scores.loc["c"]) == {"own": 3.0, "fleet": 0.5}
