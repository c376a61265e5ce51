"""The feed in words."""

import pytest

from market.codes import Side
from market.feed_messages import (
    BestPrices,
    BookChecksum,
    BookOrder,
    BookTrade,
    DepthLevel,
    EngineHealth,
    FeedMessage,
    ReferencePrice,
)
from screens.feed import feed_line
from tests.pairs import default_instruments

BTC = default_instruments()[0]
TIME_NS = 1_795_347_573_844_000_000
BID, ASK = 9_138_450, 9_138_550


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (BookOrder(7, Side.BUY, BID, 1_094), "BUY order 7: 0.01094 at 91,384.50"),
        (BookOrder(7, Side.SELL, ASK, 0), "SELL order 7 at 91,385.50 is gone"),
        (BookTrade(3, ASK, 1_094, Side.BUY, TIME_NS), "trade 3: BUY 0.01094 at 91,385.50"),
        (BestPrices(BID, 5, ASK, 100_000), "bid 0.00005 at 91,384.50, ask 1.00000 at 91,385.50"),
        (BestPrices(0, 0, ASK, 6), "no bid, ask 0.00006 at 91,385.50"),
        (DepthLevel(Side.SELL, ASK, 6), "SELL level 91,385.50: 0.00006"),
        (DepthLevel(Side.BUY, BID, 0), "BUY level 91,384.50 is gone"),
        (BookChecksum(255), "checksum 000000ff"),
        (EngineHealth(1_000, 2_000, 30), "1,000 commands, 2,000 events, 30 open orders"),
        (EngineHealth(1, 1, 1), "1 command, 1 event, 1 open order"),
        (ReferencePrice(BID), "reference price 91,384.50"),
        (ReferencePrice(0), "no reference price"),
    ],
)
def test_writes_numbers_as_people_do(message: FeedMessage, words: str) -> None:
    """Ticks, lots and side=1 are for programs."""
    assert feed_line("x.BTCUSDT", 9, TIME_NS, message, BTC) == f"11:39:33.844 x.BTCUSDT 9 {words}"
