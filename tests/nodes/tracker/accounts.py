"""An account that trades, and a clock, for the bookkeeper to be tested with."""

from market.account import VenueTrade
from market.clock import Now
from market.codes import Side
from market.exact_json import JsonObject
from tests.reports.fills import DAY_MS, NOON_MS, fill

START = {"BTC": "100", "USDT": "1000000", "BNB": "10", "ETH": "100"}
HOUR_MS = 3_600_000
MIDNIGHT_MS = NOON_MS + DAY_MS // 2
STEPS_MS = [-HOUR_MS, -1_000, 1_000, HOUR_MS]


class SetClock:
    """A clock that stands still until it is set."""

    def __init__(self, ms: int = NOON_MS) -> None:
        self.ms = ms

    def __call__(self) -> Now:
        """Tell the time."""
        ns = self.ms * 1_000_000
        return Now(ns, ns - NOON_MS * 1_000_000)


def made_trades(first: int, count: int, time_ms: int = NOON_MS, symbol: str = "BTCUSDT") -> list[VenueTrade]:
    """Return `count` trades that buy at 100 and sell at 101 in turns, from number `first`, one a ms."""
    return [
        fill(
            number,
            Side.BUY if number % 2 else Side.SELL,
            "1",
            "100" if number % 2 else "101",
            symbol=symbol,
            time_ms=time_ms + index,
            order_id=f"{symbol}{number}",
        )
        for index, number in enumerate(range(first, first + count))
    ]


def ids(document: JsonObject | None) -> list[int]:
    """Return the numbers of the trades on file."""
    assert document is not None
    return [entry["id"] for entry in document["trade_history"]]


def agrees(document: JsonObject) -> bool:
    """Say whether the books agree."""
    return document["reconciliation"]["is_exact"] is True
