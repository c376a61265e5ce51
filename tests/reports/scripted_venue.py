"""A venue whose account is written by the test: trades, pages and balances as Binance tells them."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from market.account import Balance, VenueAccount, VenueOrder, VenueTrade
from market.codes import Side
from market.depth import Depth, Level
from market.instrument import Instrument
from tests.reports.fills import BTC
from trading.actions import Amend, Move
from venues.venue import Moved, VenueNoSuchPairError, VenueRefusedError


class ScriptedVenue:
    """One account; what it holds follows from its trades.

    Attributes:
        orders_of_all: every order of the account, by number.
        open: those that it tells as open.
        trades_of_all: every trade of the account, in the order in which they happened.
        mids: by symbol; a symbol without one is not traded here.
        refusals: with which code the venue refuses to tell a symbol's mid.
        calls: what was asked of `trades`, as (symbol, limit, from_id, since_ms).
        ahead_ms: by how much its clock is ahead.
        on_account: called before the account is told, to let something happen between two readings.
    """

    def __init__(self, start: Mapping[str, str], instruments: Sequence[Instrument] = (BTC,)) -> None:
        self.start = {asset: Decimal(total) for asset, total in start.items()}
        self.instruments = {one.symbol: one for one in instruments}
        self.trades_of_all: list[VenueTrade] = []
        self.orders_of_all: list[VenueOrder] = []
        self.open: list[VenueOrder] = []
        self.mids = {one.symbol: Decimal(100) for one in instruments}
        self.refusals: dict[str, int] = {}
        self.account_id = "1"
        self.ahead_ms = 0
        self.calls: list[tuple[str, int, int | None, int | None]] = []
        self.on_account: Callable[[], None] = lambda: None

    def depth(self, instrument: Instrument, level_count: int) -> Depth:
        """Return a book one tick wide around the mid."""
        if instrument.symbol not in self.mids:
            raise VenueNoSuchPairError("Invalid symbol.", -1121)
        ticks = instrument.price_to_ticks(self.mids[instrument.symbol])
        return Depth((Level(ticks - 1, 1),), (Level(ticks + 1, 1),))

    def mid(self, symbol: str) -> Decimal | None:
        """Return what is in `mids`, or refuse."""
        code = self.refusals.get(symbol, 0 if symbol in self.mids else -1121)
        if code or symbol in self.refusals:
            kind = VenueNoSuchPairError if code == -1121 else VenueRefusedError
            raise kind("Refused.", code)
        return self.mids[symbol]

    def minute_prices(self, symbol: str, since_ms: int) -> Mapping[int, Decimal]:
        """Remember nothing."""
        return {}

    def open_orders(self, instrument: Instrument) -> Sequence[VenueOrder]:
        """Return those in `open`."""
        return [order for order in self.open if order.symbol == instrument.symbol]

    def place(self, *_: Any, **__: Any) -> VenueOrder:
        """Refuse: a bookkeeper enters no order."""
        raise NotImplementedError

    def cancel(self, instrument: Instrument, order_id: str) -> None:
        """Refuse: a bookkeeper cancels no order."""
        raise NotImplementedError

    def move(self, instrument: Instrument, move: Move) -> Moved:
        """Refuse: a bookkeeper moves no order."""
        raise NotImplementedError

    def amend(self, instrument: Instrument, amend: Amend) -> None:
        """Refuse: a bookkeeper amends no order."""
        raise NotImplementedError

    def find_order(self, instrument: Instrument, client_order_id: str) -> VenueOrder | None:
        """Refuse: a bookkeeper looks for no order."""
        raise NotImplementedError

    def orders(
        self, instrument: Instrument, limit: int = 500, from_id: int | None = None, since_ms: int | None = None
    ) -> Sequence[VenueOrder]:
        """Return the orders in `orders_of_all`, as `trades` does trades."""
        mine = [order for order in self.orders_of_all if order.symbol == instrument.symbol]
        if from_id is not None:
            return [order for order in mine if int(order.order_id) >= from_id][:limit]
        if since_ms is not None:
            return [order for order in mine if order.time_ms >= since_ms][:limit]
        return mine[-limit:]

    def account(self) -> VenueAccount:
        """Return what the trades have made of the start."""
        self.on_account()
        return VenueAccount(self.account_id, self.balances())

    def balances(self) -> Mapping[str, Balance]:
        """Return every asset."""
        totals = dict(self.start)
        for trade in self.trades_of_all:
            instrument, sign = self.instruments[trade.symbol], 1 if trade.side is Side.BUY else -1
            totals[instrument.base] += sign * trade.qty
            totals[instrument.quote] -= sign * trade.quote_qty
            totals[trade.fee_asset] -= trade.fee
        return {asset: Balance(total, Decimal(0)) for asset, total in totals.items()}

    def trades(
        self, instrument: Instrument, limit: int = 100, from_id: int | None = None, since_ms: int | None = None
    ) -> Sequence[VenueTrade]:
        """Return trades as Binance does: by number, the latest, or the first from a number or a time on."""
        if instrument.symbol not in self.mids:
            raise VenueNoSuchPairError("Invalid symbol.", -1121)
        self.calls.append((instrument.symbol, limit, from_id, since_ms))
        mine = [trade for trade in self.trades_of_all if trade.symbol == instrument.symbol]
        mine.sort(key=lambda trade: (trade.trade_id, trade.order_id))
        if from_id is not None:
            return [trade for trade in mine if trade.trade_id >= from_id][:limit]
        if since_ms is not None:
            return [trade for trade in mine if trade.time_ms >= since_ms][:limit]
        return mine[-limit:]
