"""Charts: a missing day is a gap, zero has no bar, and each picture has a description."""

from datetime import date, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.reports.page import charts
from detector.reports.page.charts import Series

LAST = date(2026, 11, 22)


def series(counts, missing=(), **limits):
    days = [LAST - timedelta(days=len(counts) - 1 - i) for i in range(len(counts))]
    return Series(days, counts, [i in missing for i in range(len(counts))], **limits)


def drawings(data, label="Requests", chart_id="c"):
    """The two drawings, wide and narrow, as parsed elements."""
    return list(ElementTree.fromstring(f"<p>{charts.days_chart(data, label, chart_id)}</p>"))


def of_class(svg, name):
    return [element for element in svg.iter() if element.get("class") == name]


def test_judged_day_is_the_only_coloured_bar():
    """One bar has the judged class, and it is the last bar."""
    wide, _ = drawings(series([5, 6, 7, 40]))
    assert len(of_class(wide, "bar")) == 3
    [judged] = of_class(wide, "judged")
    assert judged[0].text == "22 Nov: 40"


def test_zero_has_no_bar_and_one_request_can_be_seen():
    """A count of zero has no bar; the smallest other count is at least one pixel high."""
    wide, _ = drawings(series([0, 1, 100_000]))
    [bar] = of_class(wide, "bar")
    assert float(bar.get("height")) == 1.0


def test_missing_day_is_marked_and_has_no_bar():
    """A day without data is a dotted line, whatever its number is."""
    wide, _ = drawings(series([5, 99, 7], missing={1}))
    assert len(of_class(wide, "gap")) == 1
    assert [bar[0].text for bar in of_class(wide, "bar")] == ["20 Nov: 5"]


def test_days_before_the_key_existed_are_empty():
    """There is no bar, no gap and no zero line left of a key's first day."""
    wide, _ = drawings(series([None, None, 5, 7], missing={0}))
    assert not of_class(wide, "gap")
    assert of_class(wide, "floor")[0].get("x1") == "50.00%"


def test_missing_judged_day_shows_no_value():
    """If the evaluated day has no data, the chart shows no count."""
    data = series([5, 6, 0], missing={2})
    wide, _ = drawings(data)
    assert not of_class(wide, "value")
    assert "The evaluated day: no data." in charts.summary(data)


def test_band_is_drawn_only_where_there_is_a_range():
    """The band needs both ends, and a range from zero to zero is not drawn."""
    assert of_class(drawings(series([5, 6], low=4, high=8, expected=5))[0], "band")
    assert not of_class(drawings(series([5, 6]))[0], "band")
    assert not of_class(drawings(series([5, 6], low=0, high=0, expected=0))[0], "band")


def test_phone_gets_fewer_bars_and_larger_letters():
    """The narrow drawing has half the days and a larger type; it is not a scaled picture."""
    wide, narrow = drawings(series([5] * 80))
    assert [len(of_class(svg, "bar")) + 1 for svg in (wide, narrow)] == [56, 28]
    assert int(narrow.get("font-size")) > int(wide.get("font-size"))
    assert wide.get("viewBox") is None


def test_chart_has_a_description():
    """The drawing refers to its title and its description, which has the numbers."""
    wide, _ = drawings(series([4, 9, 40], low=2, high=12, expected=6), label="Requests of <b>&\u202e")
    title, text = wide[0], wide[1]
    assert wide.get("role") == "img"
    assert wide.get("aria-labelledby") == f"{title.get('id')} {text.get('id')}"
    assert title.text == "Requests of <b>&[U+202E]"
    assert text.text == (
        "3 days to 22 November 2026. The evaluated day: 40 requests. "
        "Expected between 2 and 12. Days before: 4 to 9."
    )


@given(st.floats(min_value=1, max_value=1e12))
def test_axis_has_few_round_steps_that_stay_below_the_top(top):
    """From one request to a trillion, the axis has zero and one to three whole steps, none above the top."""
    steps = charts.ticks(top)
    assert steps[0] == 0
    assert 2 <= len(steps) <= 4
    assert steps[-1] <= top
    assert all(step == int(step) for step in steps)


@given(
    st.lists(st.one_of(st.none(), st.integers(0, 10**9)), min_size=1, max_size=70),
    st.sets(st.integers(0, 69)),
    st.one_of(st.none(), st.floats(0, 1e9)),
)
def test_any_series_can_be_drawn(counts, missing, high):
    """A history of any length and size gives well-formed drawings."""
    data = series(counts, missing, low=None if high is None else 0.0, high=high)
    assert len(drawings(data)) == 2
    ElementTree.fromstring(charts.sparkline(data))


@pytest.mark.parametrize(
    ("value", "words"), [(0, "0"), (950, "950"), (1500, "1.5k"), (20_000, "20k"), (3e6, "3M"), (4e9, "4bn")]
)
def test_axis_labels_are_short(value, words):
    """The labels abbreviate thousands, millions and billions."""
    assert charts.compact(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "–"), (float("nan"), "–"), (18240, "18,240"), (0.06, "0.06"), (4.44, "4.4"), (1150.4, "1,150")],
)
def test_numbers_are_grouped_and_not_overprecise(value, words):
    """Numbers have thousands separators, decimals only if they are small, and a dash if there is no number."""
    assert charts.number(value) == words


def test_shares_add_up_and_mark_the_new_endpoint():
    """The shares of both rows sum to one; a new endpoint has the colour of the evaluated day."""
    usual = {f"GET /{i}": 100 - i for i in range(9)}
    shares = charts.endpoint_shares(usual, {"GET /0": 10, "POST /new": 90})
    assert sum(share.usual for share in shares) == pytest.approx(1)
    assert sum(share.current for share in shares) == pytest.approx(1)
    assert [share.endpoint for share in shares if share.new] == ["POST /new"]
    assert shares[-1].endpoint == "all others"
    svg = ElementTree.fromstring(charts.endpoint_chart(shares, "Endpoints", "m"))
    assert len(of_class(svg, "judged")) == 2
