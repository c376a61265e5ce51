"""The public past: trades, bars, averages."""

import random
from datetime import UTC, datetime

import pytest

from market.codes import Side
from paper.exchange.tape import PublicTrade, Tape
from paper.intervals import DAY_MS, INTERVALS, MINUTE_MS

START_MS = 1_770_000_000_000 // DAY_MS * DAY_MS


def tape_of(*trades: tuple[int, int, int]) -> Tape:
    """Return a tape with trades given as (ms after START_MS, price, qty), buys and sells in turn."""
    tape = Tape()
    for number, (after_ms, price, qty) in enumerate(trades, 1):
        tape.add([PublicTrade(number, price, qty, Side(number % 2), (START_MS + after_ms) * 1_000_000)])
    return tape


def test_a_bar_holds_open_high_low_close_and_sums() -> None:
    """Of exactly the trades inside it."""
    tape = tape_of((0, 100, 1), (1_000, 110, 2), (59_999, 90, 3), (60_000, 95, 4))
    first, second = tape.bars(INTERVALS["1m"], START_MS + 61_000, None, None, 10)
    assert (first.open_ticks, first.high_ticks, first.low_ticks, first.close_ticks) == (100, 110, 90, 90)
    assert (first.qty_lots, first.notional_ticks_lots, first.count) == (6, 100 + 220 + 270, 3)
    assert (first.bought_lots, first.first_trade_id, first.last_trade_id) == (2, 1, 3)
    assert (second.open_ms, second.qty_lots) == (START_MS + 60_000, 4)


def test_bars_have_no_gaps() -> None:
    """Where nothing traded, a bar stands flat at the last close, up to now."""
    tape = tape_of((0, 100, 1), (3 * MINUTE_MS, 120, 1))
    bars = tape.bars(INTERVALS["1m"], START_MS + 5 * MINUTE_MS, None, None, 10)
    assert [bar.open_ms - START_MS for bar in bars] == [minute * MINUTE_MS for minute in range(6)]
    assert [bar.close_ticks for bar in bars] == [100, 100, 100, 120, 120, 120]
    assert [bar.count for bar in bars] == [1, 0, 0, 1, 0, 0]


def test_longer_bars_add_up_minutes() -> None:
    """All intervals tell the same story."""
    tape = tape_of(*((minute * MINUTE_MS, 100 + minute, 1) for minute in range(120)))
    now_ms = START_MS + 119 * MINUTE_MS
    for interval, count in (("1m", 120), ("5m", 24), ("1h", 2), ("1d", 1), ("1w", 1)):
        bars = tape.bars(INTERVALS[interval], now_ms, None, None, 1_000)
        assert len(bars) == count
        assert sum(bar.qty_lots for bar in bars) == 120
        assert (bars[0].open_ticks, bars[-1].close_ticks) == (100, 219)


def test_bars_are_chosen_by_time() -> None:
    """The latest without a start, the first from a start, none after an end."""
    tape = tape_of(*((minute * MINUTE_MS, 100 + minute, 1) for minute in range(10)))
    now_ms = START_MS + 9 * MINUTE_MS
    assert [bar.open_ticks for bar in tape.bars(INTERVALS["1m"], now_ms, None, None, 2)] == [108, 109]
    start_ms = START_MS + 3 * MINUTE_MS
    assert [bar.open_ticks for bar in tape.bars(INTERVALS["1m"], now_ms, start_ms, None, 2)] == [103, 104]
    assert [bar.open_ticks for bar in tape.bars(INTERVALS["1m"], now_ms, start_ms, start_ms + MINUTE_MS, 9)] == [
        103,
        104,
    ]


def test_long_bars_outlive_the_minutes_that_they_were_made_of() -> None:
    """From the first trade on: hours for more than a year, days for ten; months are those of the calendar."""
    tape = tape_of(*((day * DAY_MS, 100 + day, 1) for day in range(100)))
    now_ms = START_MS + 99 * DAY_MS
    for interval in ("1h", "1d", "3d", "1w", "1M"):
        bars = tape.bars(INTERVALS[interval], now_ms, START_MS - 31 * DAY_MS, None, 10_000)
        assert sum(bar.qty_lots for bar in bars) == (100 if bars[0].open_ms >= START_MS - 31 * DAY_MS else 0), interval
    months = [
        datetime.fromtimestamp(bar.open_ms / 1_000, UTC) for bar in tape.bars(INTERVALS["1M"], now_ms, None, None, 10)
    ]
    assert [(month.day, month.hour) for month in months] == [(1, 0)] * 4
    assert [month.month for month in months] == [2, 3, 4, 5]
    ends = [INTERVALS["1M"].end_of(int(month.timestamp()) * 1_000) for month in months]
    assert ends[:-1] == [int(month.timestamp()) * 1_000 for month in months[1:]]


def test_seconds_of_a_quiet_market_are_bounded() -> None:
    """One trade a day must not make bars of a second for all the time between."""
    tape = tape_of(*((day * DAY_MS, 100 + day, 1) for day in range(30)))
    bars = tape.bars(INTERVALS["1s"], START_MS + 29 * DAY_MS, None, None, 1_000_000)
    assert len(bars) == 3_601
    assert (bars[0].close_ticks, bars[-1].close_ticks) == (128, 129)


def test_the_average_is_weighted_and_forgets() -> None:
    """By quantity within the time; the last price when nothing traded in it; None before the first trade."""
    tape = tape_of((0, 100, 1), (1_000, 200, 3))
    assert tape.average_ticks(START_MS + 2_000, 5 * MINUTE_MS) == 175
    assert tape.average_ticks(START_MS + 6 * MINUTE_MS, 5 * MINUTE_MS) == 200
    assert Tape().average_ticks(START_MS, 5 * MINUTE_MS) is None


def test_the_day_forgets_yesterday() -> None:
    """Twenty-four hours, to the minute."""
    tape = tape_of((0, 100, 1), (DAY_MS // 2, 200, 1), (DAY_MS + MINUTE_MS, 300, 1))
    day = tape.day(START_MS + DAY_MS + MINUTE_MS)
    assert day is not None
    assert (day.open_ticks, day.close_ticks, day.count) == (200, 300, 2)


def test_a_trade_is_counted_once() -> None:
    """A snapshot of the feed brings old trades again."""
    tape = tape_of((0, 100, 1))
    assert tape.add([tape.trades[0]]) == []
    assert len(tape.trades) == 1
    assert tape.bars(INTERVALS["1m"], START_MS, None, None, 10)[0].count == 1


def test_trades_at_once_make_the_bars_that_they_make_one_by_one() -> None:
    """Over the bounds of seconds and minutes, some of them already there."""
    drawn = random.Random(5)
    trades, time_ms = [], START_MS
    for number in range(1, 400):
        time_ms += drawn.choice((0, 0, 7, 900, 2_500, 61_000))
        price, side = drawn.randrange(90, 110), drawn.choice(list(Side))
        trades.append(PublicTrade(number, price, drawn.randrange(1, 9), side, time_ms * 1_000_000))
    one_by_one, at_once = Tape(), Tape()
    for trade in trades:
        assert one_by_one.add([trade]) == [trade]
    at_once.add(trades[:10])
    assert at_once.add(trades[5:]) == trades[10:]
    assert at_once.trades == one_by_one.trades
    for name in INTERVALS:
        assert at_once.bars(INTERVALS[name], time_ms, None, None, 500) == one_by_one.bars(
            INTERVALS[name], time_ms, None, None, 500
        ), name


@pytest.mark.parametrize("name", ["1s", "1m", "5m", "1h", "1d", "1M"])
@pytest.mark.parametrize("limit", [1, 500])
def test_nothing_was_before_the_first_trade_or_will_be_after_now(name: str, limit: int) -> None:
    """An end before the first bar, a start in the future, a start behind the end: no bar, not the first."""
    tape = tape_of((0, 100, 1), (90_000, 110, 1))
    now_ms, first_ms = START_MS + 120_000, INTERVALS[name].open_of(START_MS)
    assert tape.bars(INTERVALS[name], now_ms, None, first_ms - 1, limit) == []
    assert tape.bars(INTERVALS[name], now_ms, 0, first_ms - 1, limit) == []
    assert tape.bars(INTERVALS[name], now_ms, 0, 0, limit) == []
    assert tape.bars(INTERVALS[name], now_ms, now_ms + 1, None, limit) == []
    assert tape.bars(INTERVALS[name], now_ms, START_MS + 60_000, START_MS + 59_999, limit) == []
    (first,) = tape.bars(INTERVALS[name], now_ms, None, first_ms, limit)
    assert (first.open_ms, first.open_ticks) == (first_ms, 100)
    assert tape.bars(INTERVALS[name], now_ms, first_ms, first_ms, limit) == [first]


def test_an_end_inside_a_bar_gives_the_whole_bar() -> None:
    """A bar belongs to a window by its beginning, as on Binance; what traded in it after the end is in it."""
    tape = tape_of((0, 100, 1), (59_999, 120, 2), (60_000, 130, 4))
    (bar,) = tape.bars(INTERVALS["1m"], START_MS + 70_000, None, START_MS + 1, 500)
    assert (bar.close_ticks, bar.qty_lots) == (120, 3)


def test_a_bar_whose_beginning_is_forgotten_is_left_out() -> None:
    """Minutes are kept for a week: a longer bar at that edge would be told with a part of its trades."""
    minutes = 7 * 24 * 60 + 7
    tape = tape_of(*((minute * MINUTE_MS, 100, 1) for minute in range(minutes)))
    bars = tape.bars(INTERVALS["15m"], START_MS + (minutes - 1) * MINUTE_MS, 0, None, 1_000)
    assert bars[0].open_ms == START_MS + 15 * MINUTE_MS
    assert {bar.count for bar in bars[:-1]} == {15}


def test_a_clock_that_steps_back_changes_no_bar_that_has_ended() -> None:
    """Its trades belong to the current bar."""
    tape = tape_of((0, 100, 1), (61_000, 110, 1), (30_000, 90, 1))
    first, second = tape.bars(INTERVALS["1m"], START_MS + 62_000, None, None, 500)
    assert (first.count, first.close_ticks) == (1, 100)
    assert (second.count, second.low_ticks, second.close_ticks) == (2, 90, 90)


def test_a_window_after_the_last_trade_stands_flat_at_its_price() -> None:
    """That of the last trade before it, not of the first one in that minute."""
    tape = tape_of((0, 100, 1), (1_000, 120, 1))
    bars = tape.bars(INTERVALS["1m"], START_MS + 5 * MINUTE_MS, START_MS + 3 * MINUTE_MS, None, 10)
    assert [(bar.open_ticks, bar.close_ticks, bar.count) for bar in bars] == [(120, 120, 0)] * 3


def test_an_average_holds_its_first_second_and_none_before() -> None:
    """The second that began as long ago as the average goes back."""
    tape = tape_of((0, 100, 1), (1_000, 300, 1))
    assert tape.average_ticks(START_MS + 5 * MINUTE_MS, 5 * MINUTE_MS) == 200
    assert tape.average_ticks(START_MS + 5 * MINUTE_MS + 1, 5 * MINUTE_MS) == 300
