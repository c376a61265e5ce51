"""Charts: round labels, every peak drawn, and a bounded size."""

import random

from hypothesis import given
from hypothesis import strategies as st

from pages.plot import Plot, amounts_axis, clock_axis, falls, names_axis, thinned
from pages.words import short

_MINUTE_MS = 60_000.0


@given(st.lists(st.floats(-1e9, 1e9), max_size=20), st.booleans())
def test_an_axis_holds_all_values_at_a_few_round_labels(values: list[float], has_zero: bool) -> None:
    """Guards values of any size, one value, and none."""
    axis = amounts_axis(values, short, has_zero=has_zero)
    assert all(-1e-6 <= axis.share(value) <= 1 + 1e-6 for value in values)
    assert 2 <= len(axis.ticks) <= 7
    if has_zero:
        assert any(value == 0 for value, _ in axis.ticks)


def test_amounts_on_an_axis_are_short() -> None:
    """Guards the room beside a chart, and that zero has no sign."""
    assert [text for _, text in amounts_axis([-30, 60], short).ticks] == ["-50", "-25", "0", "25", "50", "75"]
    assert [text for _, text in amounts_axis([90_950, 91_950], short, has_zero=False).ticks][:2] == ["90,750", "91,000"]
    assert [text for _, text in amounts_axis([0, 4e6], short).ticks] == ["0", "1M", "2M", "3M", "4M"]
    assert short(-0.0000001, 0.5) == "0.0"


def test_a_clock_axis_is_labelled_at_round_times() -> None:
    """Guards a whole day, and minutes of it."""
    day = clock_axis(0, 24 * 60 * _MINUTE_MS)
    assert [text for _, text in day.ticks] == ["00:00", "06:00", "12:00", "18:00", "00:00"]
    assert [text for _, text in clock_axis(_MINUTE_MS, 4 * _MINUTE_MS).ticks] == ["00:01", "00:02", "00:03", "00:04"]
    assert [text for _, text in clock_axis(0, 0).ticks] == ["00:00:00", "00:00:01"]


def test_names_that_have_no_room_have_no_label() -> None:
    """Guards 31 days under one chart."""
    labels = [text for _, text in names_axis([f"11-{day:02d}" for day in range(1, 32)]).ticks]
    assert labels[0] == "11-01"
    assert 5 <= sum(bool(text) for text in labels) <= 7


def test_a_drawn_line_keeps_every_peak_and_its_ends() -> None:
    """Guards the honesty of 100,000 points in 300 pixels: one fill that lost much is seen."""
    dice = random.Random(3)
    points = [(float(index), dice.gauss(0, 1)) for index in range(100_000)]
    points[54_321] = (54_321.0, -500.0)
    kept = thinned(points, 0, 100_000)
    assert len(kept) < 1_300
    assert (54_321.0, -500.0) in kept
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert max(kept, key=lambda each: each[1]) == max(points, key=lambda each: each[1])
    assert [x for x, _ in kept] == sorted(x for x, _ in kept)


def test_falls_are_from_the_highest_until_then() -> None:
    """Guards the drawdown: 3 below after the second peak."""
    assert falls([(0, 0.0), (1, 2.0), (2, 1.0), (3, 4.0), (4, 1.0)]) == [(0, 0), (1, 0), (2, -1), (3, 0), (4, -3)]


def test_a_chart_says_in_words_what_it_shows() -> None:
    """Guards the text alternative, escaped."""
    plot = Plot(clock_axis(0, 1_000), amounts_axis([1], short))
    plot.steps([(0.0, 1.0)], "plain", is_filled=True)
    plot.bars([], "buy")
    plot.marks([], "buy")
    assert 'role="img" aria-label="&lt;b&gt;"' in plot.svg("<b>")
