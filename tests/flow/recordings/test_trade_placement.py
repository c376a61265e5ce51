"""Trades are put before the best prices that show their effect, and nothing else moves."""

from pathlib import Path

from flow.recordings.recording import BookTicker, Record, RecordedTrade, read_recording
from flow.recordings.trade_placement import place_trades
from market.clock import NS_PER_MS
from market.codes import Side
from market.depth import Level
from tests.pairs import default_instruments


def ticker(at_ns: int, bid: tuple[int, int], ask: tuple[int, int]) -> BookTicker:
    return BookTicker(at_ns, at_ns, Level(*bid), Level(*ask))


def order_of(records: list[Record], window_ns: int = 50) -> list[tuple[int, int]]:
    """Return due time and receive time of each placed record."""
    return [(due_ns, record.received_ns) for due_ns, record in place_trades(records, window_ns)]


FIRST = ticker(100, (10, 5), (12, 5))


def test_puts_a_trade_before_the_quantity_that_it_took() -> None:
    """Guards the usual case: the best bid shrinks, then comes the trade; the rise between explains nothing."""
    records: list[Record] = [
        FIRST,
        ticker(110, (10, 9), (12, 5)),
        ticker(120, (10, 7), (12, 5)),
        RecordedTrade(130, 1, 10, 2, Side.SELL),
    ]
    assert order_of(records) == [(100, 100), (110, 110), (120, 130), (120, 120)]


def test_puts_all_trades_of_a_sweep_before_the_prices_that_left() -> None:
    """Guards sweeps: every level between the old and the new best ask was traded."""
    trades = [RecordedTrade(130 + index, index, price, 3, Side.BUY) for index, price in enumerate((12, 13, 14))]
    records: list[Record] = [FIRST, ticker(120, (10, 5), (14, 1)), *trades]
    assert order_of(records) == [(100, 100), (120, 130), (120, 131), (120, 120), (132, 132)]


def test_leaves_a_trade_that_nothing_explains_or_that_came_first() -> None:
    """Guards against moving what fits no change, is too large for it, or is too far away."""
    trade = RecordedTrade(130, 1, 10, 3, Side.SELL)
    assert order_of([FIRST, ticker(120, (10, 3), (12, 5)), trade])[-1] == (130, 130)
    assert order_of([FIRST, ticker(120, (10, 2), (12, 5)), trade])[1] == (120, 130)
    assert order_of([FIRST, ticker(120, (10, 2), (12, 5)), trade], window_ns=9)[-1] == (130, 130)
    assert order_of([FIRST, trade, ticker(140, (10, 2), (12, 5))])[1] == (130, 130)


def test_a_trade_that_is_told_twice_counts_once() -> None:
    """Collectors listen on two connections, to lose nothing, and write down what comes over either."""
    trade = RecordedTrade(130, 1, 12, 3, Side.BUY)
    again = [trade, trade._replace(received_ns=131), trade._replace(received_ns=190)]
    explained = order_of([FIRST, ticker(120, (10, 5), (13, 1)), *again])
    assert explained == [(100, 100), (120, 130), (120, 120)]
    assert order_of([FIRST, *again]) == [(100, 100), (130, 130)]


def test_keeps_every_record_once_and_time_in_order(recording: Path) -> None:
    """Guards against lost or doubled records on a whole recording."""
    records = list(read_recording(recording, default_instruments()[0]))
    placed = list(place_trades(records, 50 * NS_PER_MS))
    assert sorted(map(id, records)) == sorted(id(record) for _, record in placed)
    times = [due_ns for due_ns, _ in placed]
    assert times == sorted(times)
    assert all(0 <= record.received_ns - due_ns <= 50 * NS_PER_MS for due_ns, record in placed)
