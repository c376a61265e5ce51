"""A whole trader over its line: whatever happens to connections and replies, no order is doubled and no fill missed."""

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from typing import Final

import pytest

from market.clock import NS_PER_MS, NS_PER_SECOND, monotonic_ns, time_ns
from market.codes import Side
from tests.paper.desk import ALICE
from tests.paper.desk import Desk as PaperDesk
from tests.paper.server import Server
from tests.paper.test_admin import ask
from tests.venues.lines import BTC, WAIT_S, Line, arm
from trading import notes
from trading.keeping import Requoting
from trading.order_rules import OrderRules
from trading.quoting import Quote
from trading.reasons import STOPPING
from trading.strategy import Inbox, Wanted
from trading.terms import Terms
from trading.trader import Trader
from venues.binance import BinanceVenue

QTY: Final = 1_000
TERMS: Final = Terms(
    Requoting(Decimal(0), Decimal("0.5")), "mine-", 20 * NS_PER_MS, NS_PER_SECOND, arrival_ns=6 * NS_PER_SECOND
)
SEEDS: Final = range(1, 11) if os.environ.get("ROUGH") == "all" else (1, 3)
TROUBLES: Final[list[Callable[[Server], None]]] = [
    lambda server: arm(server, "drop_reply", method="POST", channel="socket"),
    lambda server: arm(server, "drop_reply", method="DELETE", channel="socket"),
    lambda server: arm(server, "server_error", method="POST", channel="socket", is_executed=True),
    lambda server: arm(server, "rate_limit", channel="socket"),
    lambda server: arm(server, "delay", ms=200, where="after"),
    lambda server: arm(server, "disconnect", streams="all"),
    lambda server: arm(server, "disconnect", streams="account"),
    lambda server: arm(server, "disconnect", streams="market", is_clean=True),
    lambda server: trade(server, Side.BUY, 0.4),
    lambda server: trade(server, Side.BUY, 1.0),
    lambda server: trade(server, Side.SELL, 0.7),
    lambda server: trade(server, Side.SELL, 1.0),
]


def trade(server: Server, side: Side, part: float) -> None:
    """Let a stranger trade with a part of our quote on a side, if there is one."""

    def fill(desk: PaperDesk) -> None:
        for order in desk.ledger.open_orders_of(ALICE):
            if order.side == side:
                qty = BTC.lots_to_qty(max(1, int(part * order.leaves_lots)))
                price = BTC.ticks_to_price(order.price_ticks)
                desk.engine.time_ns = time_ns()
                desk.engine.flow(desk.exchange, Side(1 - side), str(price), str(qty))
        desk.exchange.market.on_book()

    server.call(fill)


class BothSides:
    """Wants one quote a side, always the same."""

    def step(self, _: int, inbox: Inbox) -> Wanted:
        """Return them."""
        prices = {Side.BUY: Decimal(90_000), Side.SELL: Decimal(92_000)}
        return Wanted([Quote(side, inbox.instrument.price_to_ticks(price), QTY) for side, price in prices.items()])


class Desk:
    """A trader, its line and what it has told.

    Attributes:
        filled: base asset by client order id, as the trader has told it fill by fill.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._line = Line(server.url, server.keys[ALICE], timeout_ms=1_000).line
        ids = (f"mine-{number}" for number in count())
        self.trader = Trader(BothSides(), BTC, OrderRules(), TERMS, ids)
        self.filled: Counter[str] = Counter()

    def drive(self, until: Callable[[], bool], seconds: float) -> None:
        """Carry between trader and line, until something is true or for that long; look at the exchange meanwhile."""
        deadline_s = time.monotonic() + seconds
        while not until() and time.monotonic() < deadline_s:
            outbox = self.trader.step(monotonic_ns(), self._line.take())
            if outbox.actions:
                self._line.act(outbox.actions)
            for note in outbox.notes:
                if isinstance(note, notes.Filled):
                    self.filled[note.order.client_order_id] += BTC.qty_to_lots(note.qty)
            sides = [order.side for order in self._server.call(lambda desk: desk.ledger.open_orders_of(ALICE))]
            assert len(set(sides)) == len(sides), f"an order was doubled: {sides}"
            time.sleep(0.002)

    def quotes(self) -> bool:
        """Say whether there is a quote on each side."""
        return len(self._server.call(lambda desk: desk.ledger.open_orders_of(ALICE))) == len(Side)

    def close(self) -> None:
        """Hang up."""
        self._line.close()


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_through_any_trouble_no_order_is_doubled_and_every_fill_is_told_once(server: Server, seed: int) -> None:
    """Lost replies, cuts of either connection, refusals and fills, drawn and thrown at it."""
    print(f"seed {seed}")
    chance = random.Random(seed)
    desk = Desk(server)
    try:
        desk.drive(desk.quotes, WAIT_S)
        for number in range(40):
            if number % 5 == 0:
                desk.drive(desk.quotes, WAIT_S)
            chance.choice(TROUBLES)(server)
            desk.drive(lambda: False, chance.choice([0.0, 0.02, 0.1]))
        ask(server, "DELETE", "faults")
        desk.drive(desk.quotes, 2 * WAIT_S)
        assert desk.quotes(), "it comes back to the book"
        desk.trader.leave(STOPPING, monotonic_ns())
        desk.drive(lambda: desk.trader.is_out, WAIT_S)
        assert desk.trader.is_out
    finally:
        desk.close()
    keys = server.keys[ALICE]
    orders = BinanceVenue("paper", server.url, keys.api_key, keys.secret, 5_000).orders(BTC)
    at_venue = {each.client_order_id: BTC.qty_to_lots(each.filled_qty) for each in orders if each.filled_qty}
    assert desk.filled == at_venue
    assert not any(order.is_open for order in orders)
    assert sum(at_venue.values()), "something was traded"
