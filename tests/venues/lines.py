"""A trader's line to an exchange, and what it has told so far."""

import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from market.clock import monotonic_ns
from market.codes import Side
from paper.access.accounts import KeyPair
from tests.pairs import default_instruments
from tests.paper.server import Server
from tests.paper.test_admin import ask
from trading import news
from trading.actions import Action, Place
from venues.binance import BinanceVenue
from venues.binance_sockets import BinanceSockets
from venues.ccxt_binance import settings_of
from venues.line_end import LineEnd
from venues.polling_line import VenueCalls
from venues.socket_line import SocketLine

BTC = default_instruments()[0]
WAIT_S = 15.0

Said = TypeVar("Said")


class Line:
    """A line over sockets.

    Attributes:
        told: all that it has told.
    """

    def __init__(self, url: str, keys: KeyPair, timeout_ms: int = 2_000) -> None:
        account = BinanceVenue("paper", url, keys.api_key, keys.secret, timeout_ms)
        settings = settings_of(url, keys.api_key, keys.secret, timeout_ms)
        calls = VenueCalls(account, BTC, monotonic_ns)
        self.line: LineEnd = SocketLine(calls, lambda: BinanceSockets(settings, account, BTC))
        self.told: list[news.News] = []
        self._seen = 0

    def act(self, *actions: Action) -> None:
        """Have actions carried out."""
        self.line.act(actions)

    def hear(self, kind: type[Said], is_wanted: Callable[[Said], Any] = lambda _: True) -> Said:
        """Wait for news of a kind and return it; news that has been returned, or was before it, does not count."""
        deadline_s = time.monotonic() + WAIT_S
        while True:
            while self._seen < len(self.told):
                said = self.told[self._seen]
                self._seen += 1
                if isinstance(said, kind) and is_wanted(said):
                    return said
            assert time.monotonic() < deadline_s, f"no {kind.__name__} among {str(self.told)[-1_500:]}"
            self.listen()

    def listen(self, seconds: float = 0.01) -> None:
        """Take what is told within a time."""
        deadline_s = time.monotonic() + seconds
        while time.monotonic() < deadline_s:
            self.told += self.line.take()
            time.sleep(0.002)

    def all_of(self, kind: type[Said], since: int = 0) -> list[Said]:
        """Return the news of a kind."""
        return [said for said in self.told[since:] if isinstance(said, kind)]


def arm(server: Server, kind: str, **options: Any) -> None:
    """Set a switch of faults."""
    status, document = ask(server, "POST", "faults", {"kind": kind, **options})
    assert status == 200, document


def bid(name: str, price: str = "90000", qty: str = "0.01") -> Place:
    """Return a quote to buy."""
    return _quote(name, Side.BUY, price, qty)


def offer(name: str, price: str = "92000", qty: str = "0.01") -> Place:
    """Return a quote to sell."""
    return _quote(name, Side.SELL, price, qty)


def _quote(name: str, side: Side, price: str, qty: str) -> Place:
    return Place(name, side, BTC.price_to_ticks(Decimal(price)), BTC.qty_to_lots(Decimal(qty)))


def names_of(orders: Sequence[Any]) -> list[str]:
    """Return the client order ids of orders."""
    return [order.client_order_id for order in orders]
