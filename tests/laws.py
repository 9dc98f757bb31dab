"""Laws that every detector obeys, as functions that raise AssertionError where one does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import block_array, csr_array, diags_array

from detector.detectors import Detector
from detector.detectors.judgement import JUDGEMENT_COLUMNS, TERM, Judgement
from detector.judging.finding_types import finding_types
from detector.judging.thresholds import calibrate, keys_above
from detector.model.panel import DailyCounts, Panel
from detector.model.usage import INSTANT


def named(judgement: Judgement) -> list[str]:
    """The keys that a detector names at an alert budget of one in 1,000 for itself, the strangest first."""
    threshold = 0.0 if judgement.past is None else calibrate(judgement.past, 1).score
    return keys_above(judgement.scores, threshold)


def same(first: Judgement, second: Judgement) -> bool:
    """Whether two judgements hold the same scores, bit for bit, and say the same of the keys they name."""
    keys = named(first)
    return (
        first.scores.equals(second.scores)
        and (first.past is None) == (second.past is None)
        and (first.past is None or np.array_equal(np.sort(first.past), np.sort(second.past)))
        and first.describe(keys) == second.describe(keys)
    )


def check_shape(detector: Detector, panel: Panel) -> None:
    """A judgement has one row a key, in the panel's order, and a score or else the reason why there is none."""
    judged = detector.judge(panel).scores
    assert list(judged.index) == list(panel.keys)
    assert tuple(judged.columns[: len(JUDGEMENT_COLUMNS)]) == JUDGEMENT_COLUMNS
    terms = [name for name in judged.columns if name.startswith(TERM)]
    if terms:
        scored = judged["score"].notna()
        assert np.allclose(judged.loc[scored, terms].sum(axis=1), judged.loc[scored, "score"])
    assert (judged["not_judged"].notna() == judged["score"].isna()).all()
    assert np.isfinite(judged["score"].dropna()).all()


def check_past(detector: Detector, panel: Panel) -> None:
    """A rule has no past scores; a statistical detector has them, and each is a number."""
    past = detector.judge(panel).past
    if detector.is_rule:
        assert past is None
    else:
        assert np.isfinite(past).all()


def check_types(detector: Detector, panel: Panel) -> None:
    """Every key is named for a type that somebody states, with a severity that the type can have, and by a rule
    only for types that are found by rules."""
    judgement = detector.judge(panel)
    keys = named(judgement)
    for key, description in judgement.describe(keys).items():
        kind = judgement.scores["type"][key] if "type" in judgement.scores else detector.kind
        stated = finding_types()[kind]
        assert description.severity in stated.severities
        assert stated.is_rule is detector.is_rule


def check_repeatable(detector: Detector, panel: Panel) -> None:
    """Judging twice, also by another one of its kind, gives the same."""
    first = detector.judge(panel)
    assert same(first, detector.judge(panel))
    assert same(first, type(detector)(detector.settings).judge(panel))


def check_nothing_is_changed(detector: Detector, panel: Panel) -> None:
    """Judging and describing leave the panel as it was."""
    days = len(panel.days)
    kept = replace(
        panel,
        endpoint_counts=_remembered(panel.endpoint_counts(days)),
        deployment_counts=_remembered(panel.deployment_counts(days)),
    )
    before = _contents(kept)
    judgement = detector.judge(kept)
    judgement.describe(named(judgement))
    after = _contents(kept)
    for name, value in before.items():
        assert value == after[name], name


def _remembered(whole: DailyCounts) -> Any:
    """A reader of counts that are in memory once, so that who changes them changes them for everybody."""
    return lambda count: DailyCounts(whole.names, whole.days[-count:])


def _contents(panel: Panel) -> Mapping[str, Any]:
    """What a panel holds, as values that can be compared."""
    days = len(panel.days)
    arrays = {
        name: value.tobytes()
        for name, value in vars(panel).items()
        if isinstance(value, np.ndarray) and value.dtype != object
    }
    matrices = [
        (matrix.shape, matrix.data.tobytes(), matrix.indices.tobytes(), matrix.indptr.tobytes())
        for counts in (panel.endpoint_counts(days), panel.deployment_counts(days))
        for matrix in counts.days
    ]
    return {**arrays, "keys": list(panel.keys), "records": panel.records.to_csv(), "matrices": matrices}


def check_order_does_not_matter(detector: Detector, panel: Panel) -> None:
    """Shuffling the keys shuffles the scores with them."""
    order = np.random.default_rng(1).permutation(len(panel.keys))
    shuffled = replace(
        panel,
        endpoint_counts=lambda count: _reordered(panel.endpoint_counts(count), order),
        deployment_counts=lambda count: _reordered(panel.deployment_counts(count), order),
        keys=panel.keys[order],
        requests=panel.requests[order],
        errors=panel.errors[order],
        known=panel.known[order],
        records=panel.records.iloc[order],
    )
    straight = detector.judge(panel).scores["score"]
    mixed = detector.judge(shuffled).scores["score"]
    pd.testing.assert_series_equal(straight, mixed.reindex(straight.index))


def _reordered(counts: DailyCounts, order: np.ndarray) -> DailyCounts:
    return DailyCounts(counts.names, [matrix[order] for matrix in counts.days])


def check_names_do_not_matter(detector: Detector, panel: Panel) -> None:
    """Renaming the keys changes no score."""
    names = pd.Index([f"renamed-{key}" for key in panel.keys], name="key_id", dtype=object)
    renamed = replace(panel, keys=names, records=panel.records.assign(key_id=names.to_numpy()).set_index(names))
    straight = detector.judge(panel).scores["score"].to_numpy()
    assert np.array_equal(straight, detector.judge(renamed).scores["score"].to_numpy(), equal_nan=True)


def check_shift_in_time(detector: Detector, panel: Panel) -> None:
    """Moving everything by a whole number of weeks moves the findings: the same keys, scores and severities."""
    first = detector.judge(panel)
    for weeks in (1, 4, 53):
        second = detector.judge(later(panel, weeks))
        assert first.scores.equals(second.scores)
        assert first.past is second.past is None or np.array_equal(first.past, second.past)
        keys = named(first)
        straight, shifted = first.describe(keys), second.describe(keys)
        for key in keys:
            assert _undated(asdict(straight[key])) == _undated(asdict(shifted[key]))


def _undated(description: Mapping[str, Any]) -> Mapping[str, Any]:
    """A description without the sentences that name a date."""
    return {name: value for name, value in description.items() if name not in ("reason", "changes")}


def later(panel: Panel, weeks: int) -> Panel:
    """The panel with every day and instant in it moved by so many weeks."""
    step = np.timedelta64(7 * weeks, "D")
    instants = [name for name, kind in panel.records.dtypes.items() if kind == INSTANT]
    moved = {name: panel.records[name] + pd.Timedelta(weeks=weeks) for name in instants}
    return replace(
        panel, days=panel.days + step, last_uses=panel.last_uses + step, records=panel.records.assign(**moved)
    )


def check_reads_no_more_days_than_it_asks_for(detector: Detector, panel: Panel) -> None:
    """A statistical detector scores a day by as many days before it as it asks for, and by no other."""
    asked: list[int] = []
    read = panel.endpoint_counts, panel.deployment_counts

    def counting(reader: Any) -> Any:
        def counted(count: int) -> DailyCounts:
            asked.append(count - 1)
            return reader(count)

        return counted

    whole = detector.judge(replace(panel, endpoint_counts=counting(read[0]), deployment_counts=counting(read[1])))
    most = detector.days_before(detector.settings)
    assert max(asked, default=0) <= most
    if not detector.is_rule and not panel.missing.any():
        short = detector.judge(last_days(panel, most + 1))
        assert whole.scores.equals(short.scores)
        assert np.array_equal(np.sort(whole.past), np.sort(short.past))


def last_days(panel: Panel, count: int) -> Panel:
    """The panel with its last days alone."""
    kept = slice(-count, None)
    return replace(
        panel,
        days=panel.days[kept],
        requests=panel.requests[:, kept],
        errors=panel.errors[:, kept],
        known=panel.known[:, kept],
        missing=panel.missing[kept],
        last_uses=panel.last_uses[kept],
        maps=lambda column, keys: panel.maps(column, keys)[-count + 1 :],
        endpoint_counts=lambda wanted: panel.endpoint_counts(min(wanted, count)),
        deployment_counts=lambda wanted: panel.deployment_counts(min(wanted, count)),
    )


def check_nothing_to_say_without_history(detector: Detector, panel: Panel) -> None:
    """With the judged day unseen, no key has a score, and each says why."""
    blind = replace(
        panel,
        missing=np.append(panel.missing[:-1], True),
        requests=np.column_stack([panel.requests[:, :-1], np.zeros(len(panel.keys), np.int64)]),
        records=panel.records.assign(request_count=0, deployments=None, endpoint_distribution=None),
    )
    judged = detector.judge(blind).scores
    assert judged["score"].isna().all()
    assert set(judged["not_judged"]) == {"no data for the day"}


STRANGERS = 60


def check_strangers_move_nothing(detector: Detector, panel: Panel) -> None:
    """Names that somebody invents change no score, no threshold and no finding of the keys of a register."""
    for requests in (100, 10**6):
        _check_same_of_own_keys(detector, panel, with_strangers(panel, requests))


def check_new_names_move_nothing_without_a_register(detector: Detector, panel: Panel) -> None:
    """A name of less than four weeks changes nothing of others even where nobody says which names are real."""
    nameless = replace(panel, records=panel.records.assign(registered=False))
    _check_same_of_own_keys(detector, nameless, with_strangers(nameless, requests=5))


def _check_same_of_own_keys(detector: Detector, panel: Panel, among_strangers: Panel) -> None:
    """The keys of a panel, which come first among the strangers, are judged alike without and with them."""
    alone = detector.judge(panel)
    crowded = detector.judge(among_strangers)
    own = crowded.scores.head(len(panel.keys))
    pd.testing.assert_frame_equal(_told(alone.scores), _told(own))
    assert alone.past is crowded.past is None or np.allclose(np.sort(alone.past), np.sort(crowded.past))
    keys = named(alone)
    assert [key for key in named(crowded) if key in own.index] == keys
    assert alone.describe(keys) == crowded.describe(keys)


def _told(scores: pd.DataFrame) -> pd.DataFrame:
    """The scores with an empty text where there is no reason: pandas reads no reason in two ways."""
    return scores.assign(not_judged=scores["not_judged"].fillna("").astype(object))


def with_strangers(panel: Panel, requests: int) -> Panel:
    """The panel with names outside its register: a refused request a day since twelve days, and many that day."""
    names = [f"stranger-{number:03d}" for number in range(STRANGERS)]
    counts = np.zeros((STRANGERS, len(panel.days)), dtype=np.int64)
    counts[:, -12:] = 1
    counts[:, -1] = requests
    record = {
        "registered": False,
        "active": True,
        "environment": "unknown",
        "request_count": requests,
        "error_count": requests,
        "longest_silence": 0,
    }
    strangers = pd.DataFrame([{**record, "key_id": name} for name in names], index=pd.Index(names, dtype=object))
    records = pd.concat([panel.records, strangers.reindex(columns=panel.records.columns)])
    return replace(
        panel,
        keys=pd.Index([*panel.keys, *names], dtype=object, name="key_id"),
        requests=np.vstack([panel.requests, counts]),
        errors=np.vstack([panel.errors, counts]),
        known=np.vstack([panel.known, counts > 0]),
        records=records.astype(dict(panel.records.dtypes)).rename_axis("key_id"),
        endpoint_counts=lambda count: _strange(panel.endpoint_counts(count), counts),
        deployment_counts=lambda count: _strange(panel.deployment_counts(count), counts),
    )


def _strange(daily: DailyCounts, strangers: np.ndarray) -> DailyCounts:
    """The counts with rows of strangers, each of which has an endpoint or a deployment of its own."""
    own = csr_array((strangers.shape[0], len(daily.names)), dtype=np.int64)
    days = []
    for matrix, counts in zip(daily.days, strangers.T[-len(daily.days) :], strict=True):
        days.append(csr_array(block_array([[matrix, None], [own, diags_array(counts, dtype=np.int64)]])))
    return DailyCounts(daily.names.append(pd.Index([f"strange {row}" for row in range(STRANGERS)])), days)


LAWS = (
    check_shape,
    check_past,
    check_types,
    check_repeatable,
    check_nothing_is_changed,
    check_order_does_not_matter,
    check_names_do_not_matter,
    check_shift_in_time,
    check_reads_no_more_days_than_it_asks_for,
    check_nothing_to_say_without_history,
    check_strangers_move_nothing,
    check_new_names_move_nothing_without_a_register,
)
