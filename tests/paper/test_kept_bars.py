"""Bars, windows and the last price after a death of the exchange; an engine may tell of trades again."""

import sqlite3
from pathlib import Path
from typing import Any

from market.clock import NS_PER_MS
from market.codes import Side
from market.feed_messages import BookTrade
from paper.exchange.public_market import PublicMarket
from paper.intervals import DAY_MS, HOUR_MS, INTERVALS, MINUTE_MS, PIECES_KEPT_MS, SECOND_MS, WINDOWS_MS
from paper.money.tables import SCHEMA_VERSION
from tests.paper.desk import Desk
from tests.paper.old_ledgers import TO_VERSION_9

START_MS = 1_770_000_000_000 // DAY_MS * DAY_MS
NOW_MS = START_MS + 10 * DAY_MS
LAST = 40
TRADES = [
    BookTrade(
        number, 9_000_000 + number * number, number, Side(number % 2), (START_MS + number * 6 * HOUR_MS) * NS_PER_MS
    )
    for number in range(1, LAST + 1)
]


def hear(desk: Desk, first: int, last: int) -> None:
    """Let the exchange hear of trades from one number to another."""
    desk.exchange.market.on_trades(desk.engine.epoch, 0, TRADES[first - 1 : last], NOW_MS * NS_PER_MS)


def told(market: PublicMarket) -> dict[str, Any]:
    """Return whatever is made of the trades of the past."""
    tape, symbol = market.tapes[0], market.symbols["BTCUSDT"]
    bars = {name: tape.bars(each, NOW_MS, 0, None, 1_000) for name, each in INTERVALS.items()}
    windows = {name: market.window(symbol, NOW_MS, each) for name, each in WINDOWS_MS.items()}
    return {**bars, **windows, "day": market.day(symbol, NOW_MS), "last": market.last_ticks(symbol, NOW_MS + HOUR_MS)}


def test_the_past_is_the_same_after_a_death(desk: Desk) -> None:
    """Also when no engine tells any of it again, and when one does."""
    hear(desk, 1, LAST)
    desk.exchange.market.save_bars()
    before = told(desk.exchange.market)
    desk.kill()
    assert told(desk.exchange.market) == before
    assert (before["day"].count, before["last"]) == (5, TRADES[-1].price_ticks)
    assert not desk.exchange.market.tapes[0].trades
    hear(desk, 3, LAST)
    assert told(desk.exchange.market) == before
    assert len(desk.exchange.market.tapes[0].trades) == LAST - 2
    desk.exchange.market.save_bars()
    desk.kill()
    assert told(desk.exchange.market) == before


def test_what_was_not_kept_yet_is_what_the_engine_tells_again(desk: Desk, tmp_path: Path) -> None:
    """A death in the middle of a bar: no trade is lost and none counts twice, wherever it comes."""
    folder = tmp_path / "living"
    folder.mkdir()
    living = Desk(folder)
    hear(living, 1, LAST)
    for kept in range(1, LAST, 3):
        hear(desk, 1, kept)
        desk.exchange.market.save_bars()
        hear(desk, 1, min(kept + 2, LAST))
        desk.kill()
        hear(desk, 1, kept + 2)
        desk.exchange.market.save_bars()
    hear(desk, 1, LAST)
    assert told(desk.exchange.market) == told(living.exchange.market)
    living.ledger.close()


def test_the_reference_price_is_the_same_after_a_death(desk: Desk) -> None:
    """Whether an engine tells none of its trades again, some or all; what was not kept yet counts once."""
    trades = [
        BookTrade(number, 9_000_000 + number * number, 7, Side.BUY, NOW_MS * NS_PER_MS + number * 250 * NS_PER_MS)
        for number in range(1, 401)
    ]
    symbol, now_ms = desk.exchange.symbols["BTCUSDT"], NOW_MS + 301 * SECOND_MS

    def hear_of(told: list[BookTrade]) -> None:
        desk.exchange.market.on_trades(desk.engine.epoch, 0, told, now_ms * NS_PER_MS)

    assert desk.exchange.market.reference_price(symbol, now_ms) is None
    hear_of(trades[:300])
    desk.exchange.market.save_bars()
    kept = desk.exchange.market.reference_price(symbol, NOW_MS + 80 * SECOND_MS)
    hear_of(trades)
    before = desk.exchange.market.reference_price(symbol, now_ms)
    assert before is not None
    assert before.price_units is not None
    for first in (300, 200, 0):
        desk.kill()
        assert desk.exchange.market.reference_price(symbol, NOW_MS + 80 * SECOND_MS) == kept
        hear_of(trades[first:])
        assert desk.exchange.market.reference_price(symbol, now_ms) == before
    desk.exchange.market.save_bars()
    desk.kill()
    assert desk.exchange.market.reference_price(symbol, now_ms + HOUR_MS) == (None, now_ms + HOUR_MS)


def test_a_new_engine_trades_on_in_the_same_bar(desk: Desk) -> None:
    """Its trades are numbered behind all earlier ones."""
    hear(desk, 1, LAST)
    desk.exchange.market.save_bars()
    desk.kill()
    desk.engine.restart()
    desk.connect()
    trade = BookTrade(1, 5, 7, Side.BUY, TRADES[-1].time_ns + NS_PER_MS)
    desk.exchange.market.on_trades(desk.engine.epoch, 0, [trade], NOW_MS * NS_PER_MS)
    bar = desk.exchange.market.tapes[0].bars(INTERVALS["1m"], NOW_MS, TRADES[-1].time_ns // NS_PER_MS, None, 1)[0]
    assert (bar.count, bar.low_ticks, bar.qty_lots) == (2, 5, LAST + 7)


def test_sums_of_any_size_are_kept(desk: Desk) -> None:
    """Price times quantity outgrows 64 bits in a long day."""
    trades = [BookTrade(number, 10**12, 10**12, Side.BUY, TRADES[0].time_ns) for number in (1, 2)]
    desk.exchange.market.on_trades(desk.engine.epoch, 0, trades, NOW_MS * NS_PER_MS)
    desk.exchange.market.save_bars()
    desk.kill()
    (bar,) = desk.exchange.market.tapes[0].bars(INTERVALS["1M"], START_MS + DAY_MS, None, None, 9)
    assert bar.notional_ticks_lots == 2 * 10**24


def test_no_more_is_kept_than_is_of_use(desk: Desk) -> None:
    """An hour of seconds, a week of minutes: what is older goes with the next save."""

    def kept(length_ms: int) -> list[int]:
        return [bar.open_ms for bar in desk.ledger.bars.read("BTCUSDT") if bar.piece_ms == length_ms]

    most = PIECES_KEPT_MS[SECOND_MS] // SECOND_MS
    for first in range(1, 2 * most, most // 2):
        trades = [
            BookTrade(number, 100, 1, Side.BUY, (START_MS + number * SECOND_MS) * NS_PER_MS)
            for number in range(first, first + most // 2)
        ]
        desk.exchange.market.on_trades(desk.engine.epoch, 0, trades, NOW_MS * NS_PER_MS)
        desk.exchange.market.save_bars()
    assert kept(SECOND_MS) == [START_MS + number * SECOND_MS for number in range(most + 1, 2 * most + 1)]
    assert len(kept(MINUTE_MS)) == 2 * most // 60 + 1


def test_a_ledger_without_bars_gets_them(desk: Desk) -> None:
    """Version 9 knew of none."""
    desk.ledger.close()
    connection = sqlite3.connect(desk.path, isolation_level=None)
    connection.executescript(TO_VERSION_9)
    connection.close()
    desk.open()
    hear(desk, 1, LAST)
    desk.exchange.market.save_bars()
    before = told(desk.exchange.market)
    desk.kill()
    desk.connect()
    assert told(desk.exchange.market) == before
    connection = sqlite3.connect(desk.path)
    assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    connection.close()
