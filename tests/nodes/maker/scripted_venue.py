"""A venue that does what a test says, for the maker: orders, answers that get lost, orders that arrive late."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from market.account import Balance, VenueAccount, VenueOrder, VenueTrade
from market.clock import NS_PER_SECOND
from market.codes import Side
from market.depth import Depth, Level
from market.instrument import Instrument
from trading.actions import Amend, Move
from trading.order_rules import MarketRules, OrderRules
from venues.venue import Moved, VenueRefusedError


class ScriptedVenue:
    """Keeps orders like a venue.

    Attributes:
        orders: the open ones by id.
        ended: the others, by id.
        mid_ticks: of the others' book, which is one tick wide on each side; None: nobody is there.
        fates: by call, what it raises, the first one first; None: nothing.
        does_arrive: whether an order whose reply is lost is taken in at once.
        late: orders whose reply was lost and that have not arrived; `arrive` takes them in.
        hidden: ids of open orders that the list of open orders does not show yet.
        before: by call, what happens just before it.
        calls: every call by name.
        now: the time, ns, in a list that the test may change.
        rules: of the pair; None: its steps, and no bounds but 5 of the quote asset.
    """

    def __init__(self) -> None:
        self.now = [10**15]
        self.orders: dict[str, VenueOrder] = {}
        self.ended: dict[str, VenueOrder] = {}
        self.mid_ticks: int | None = 9_138_500
        self.fates: dict[str, list[BaseException | None]] = defaultdict(list)
        self.does_arrive = False
        self.late: list[VenueOrder] = []
        self.hidden: set[str] = set()
        self.before: dict[str, Callable[[], object]] = {}
        self.calls: list[str] = []
        self.cancels: list[str] = []
        self.totals = {"BTC": "10", "USDT": "1000000"}
        self.rules: MarketRules | None = None
        self._order_count = 0

    @property
    def places(self) -> int:
        """How often an order was entered, taken or not."""
        return self.calls.count("place")

    def clock(self) -> int:
        """Return the time."""
        return self.now[0]

    def prices(self) -> dict[Side, Decimal]:
        """Return the price of the open order of each side."""
        return {order.side: order.price for order in self.orders.values()}

    def fill(self, order_id: str, qty: Decimal | None = None) -> None:
        """Trade with an open order, with all of it without `qty`."""
        order = self.orders[order_id]
        filled = replace(order, filled_qty=order.qty if qty is None else order.filled_qty + qty)
        if filled.leaves_qty:
            self.orders[order_id] = replace(filled, status="PARTIALLY_FILLED")
        else:
            self.end(order_id, "FILLED", filled)

    def end(self, order_id: str, status: str, order: VenueOrder | None = None) -> VenueOrder:
        """Take an order out of the book."""
        ended = self.ended[order_id] = replace(order or self.orders[order_id], status=status)
        del self.orders[order_id]
        return ended

    def arrive(self) -> None:
        """Take in what was on its way."""
        self.orders |= {order.order_id: order for order in self.late}
        self.late.clear()

    def depth(self, instrument: Instrument, level_count: int) -> Depth:
        """Return the others' book with our orders in it."""
        self._call("depth")
        sides: dict[Side, list[tuple[int, int]]] = {Side.BUY: [], Side.SELL: []}
        if self.mid_ticks is not None:
            sides = {Side.BUY: [(self.mid_ticks - 1, 100)], Side.SELL: [(self.mid_ticks + 1, 100)]}
        for order in self.orders.values():
            sides[order.side].append((instrument.price_to_ticks(order.price), instrument.qty_to_lots(order.leaves_qty)))
        bids, asks = sorted(sides[Side.BUY], reverse=True), sorted(sides[Side.SELL])
        return Depth(tuple(Level(*level) for level in bids), tuple(Level(*level) for level in asks))

    def mid(self, symbol: str) -> Decimal | None:
        """Refuse: nobody asks it for a mid."""
        raise NotImplementedError

    def minute_prices(self, symbol: str, since_ms: int) -> Mapping[int, Decimal]:
        """Remember nothing."""
        return {}

    def open_orders(self, instrument: Instrument | None = None) -> Sequence[VenueOrder]:
        """Return the open orders, of one pair or of all, but for the hidden ones."""
        self._call("open_orders" if instrument else "all_open_orders")
        symbols = {instrument.symbol} if instrument else {order.symbol for order in self.orders.values()}
        listed = [order for order_id, order in self.orders.items() if order_id not in self.hidden]
        return [order for order in listed if order.symbol in symbols]

    def place(
        self,
        instrument: Instrument,
        side: Side,
        price_ticks: int,
        qty_lots: int,
        client_order_id: str,
        *,
        is_taking: bool = False,
    ) -> VenueOrder:
        """Take an order in."""
        self._order_count += 1
        order = VenueOrder(
            str(self._order_count),
            client_order_id,
            instrument.symbol,
            side,
            instrument.ticks_to_price(price_ticks),
            instrument.lots_to_qty(qty_lots),
            Decimal(0),
            "NEW",
            self._order_count,
        )
        try:
            self._call("place")
        except BaseException:  # a maker that is killed meanwhile, too
            if self.does_arrive:
                self.orders[order.order_id] = order
            else:
                self.late.append(order)
            raise
        self.orders[order.order_id] = order
        if is_taking:  # nobody is there to trade with
            return self.end(order.order_id, "EXPIRED")
        return order

    def cancel(self, instrument: Instrument, order_id: str) -> VenueOrder | None:
        """End an order."""
        self._call("cancel")
        self.cancels.append(order_id)
        return self.end(order_id, "CANCELED") if order_id in self.orders else None

    def move(self, instrument: Instrument, move: Move) -> Moved:
        """End an order and take another in, as calls of their own would."""
        if (ended := self.cancel(instrument, move.cancel.order_id)) is None:
            return Moved(None, None)
        name, side, price_ticks, qty_lots, *_ = move.place
        try:
            return Moved(ended, self.place(instrument, side, price_ticks, qty_lots, name))
        except VenueRefusedError as refused:
            return Moved(ended, refused)

    def amend(self, instrument: Instrument, amend: Amend) -> VenueOrder | None:
        """Make an order smaller."""
        self._call("amend")
        if (order := self.orders.get(amend.order_id)) is None:
            return None
        self.orders[amend.order_id] = replace(order, qty=instrument.lots_to_qty(amend.qty_lots))
        return self.orders[amend.order_id]

    def market_rules(self, instrument: Instrument) -> MarketRules:
        """Return the rules."""
        self._call("market_rules")
        bounds = OrderRules(notional_min=Decimal(5))
        return self.rules or MarketRules(instrument.tick_size, instrument.lot_size, bounds)

    def cancel_in(self, symbol: str, order_id: str) -> VenueOrder | None:
        """End an order in any pair."""
        self._call("cancel_in")
        self.cancels.append(order_id)
        return self.end(order_id, "CANCELED") if order_id in self.orders else None

    def find_in(self, symbol: str, client_order_id: str) -> VenueOrder | None:
        """Return an order in any pair, open or ended."""
        self._call("find_in")
        known = (*self.orders.values(), *self.ended.values())
        return next((each for each in known if (each.symbol, each.client_order_id) == (symbol, client_order_id)), None)

    def wait(self, wait_s: float) -> None:
        """Let time pass."""
        self.now[0] += int(wait_s * NS_PER_SECOND)

    def find_order(self, instrument: Instrument, client_order_id: str) -> VenueOrder | None:
        """Return an order, open or ended."""
        self._call("find_order")
        known = (*self.orders.values(), *self.ended.values())
        return next((order for order in known if order.client_order_id == client_order_id), None)

    def account(self) -> VenueAccount:
        """Return the balances."""
        return VenueAccount("", self.balances())

    def balances(self) -> Mapping[str, Balance]:
        """Return what `totals` says, all of it free."""
        self._call("balances")
        return {asset: Balance(Decimal(total), Decimal(0)) for asset, total in self.totals.items()}

    def trades(
        self, instrument: Instrument, limit: int = 100, from_id: int | None = None, since_ms: int | None = None
    ) -> Sequence[VenueTrade]:
        """Return none: the maker asks for none."""
        return []

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.before:
            self.before[name]()
        if self.fates[name] and (error := self.fates[name].pop(0)) is not None:
            raise error
