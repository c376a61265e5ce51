"""An order as the exchange keeps it, and a share of a trade as an account keeps it."""

from dataclasses import dataclass, fields
from enum import StrEnum
from operator import attrgetter
from typing import Final, Self

from market.codes import OrderType, SelfTradePrevention, Side, TimeInForce, Trigger
from market.commands import NewOrder
from paper.money.commission import NO_FEES, Terms
from paper.money.prevented_match import NO_MATCH
from paper.units import Symbol


class OrderKind(StrEnum):
    """The order types of Binance Spot that the exchange offers."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"
    LIMIT_MAKER = "LIMIT_MAKER"
    STOP_LOSS = "STOP_LOSS"
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_LIMIT = "TAKE_PROFIT_LIMIT"

    @property
    def is_market(self) -> bool:
        """Say whether the client gives no limit, once it acts."""
        return self in _MARKETS

    @property
    def trigger(self) -> Trigger:
        """What it waits for."""
        return _TRIGGERS.get(self, Trigger.NONE)


_MARKETS = frozenset({OrderKind.MARKET, OrderKind.STOP_LOSS, OrderKind.TAKE_PROFIT})
_TRIGGERS = {
    OrderKind.STOP_LOSS: Trigger.STOP,
    OrderKind.STOP_LOSS_LIMIT: Trigger.STOP,
    OrderKind.TAKE_PROFIT: Trigger.TAKE_PROFIT,
    OrderKind.TAKE_PROFIT_LIMIT: Trigger.TAKE_PROFIT,
}


class OrderStatus(StrEnum):
    """Where an order is in its life, in Binance's words."""

    PENDING_NEW = "PENDING_NEW"  # kept and funded, not yet confirmed by the engine
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"  # never stored: a rejected order leaves no trace
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"

    @property
    def is_open(self) -> bool:
        """Say whether the order may still trade."""
        return self in _OPEN


class Reserve(StrEnum):
    """Whether money is set aside for an order."""

    OWN = "OWN"
    PAIRED = "PAIRED"  # the other leg of its pair holds the money for both: only one of them can trade
    HELD = "HELD"  # nothing yet: it waits for another order to fill, and the engine does not know of it


class ExpiryReason(StrEnum):
    """Why what was left of an order expired, in Binance's words."""

    IOC = "UNFILLED_IOC_QUANTITY_EXPIRED"
    FOK = "UNFILLED_FOK_ORDER_EXPIRED"
    NO_LIQUIDITY = "INSUFFICIENT_LIQUIDITY"
    PRICE_RANGE = "EXECUTION_RULE_PRICE_RANGE_EXCEEDED"
    EXCHANGE = "EXCHANGE_CANCELED"  # neither its client nor the market ended it
    OTHER_LEG = "OCO_TRIGGER"  # the other leg of its pair has begun to work, or has ended
    WORKING_LEG = "OTO_PHASE_ONE_EXPIRED"  # the order that it waited for has ended before it was filled
    REFUSED = "REJECTED"  # funds, a filter or the engine refused it when its turn came


NO_LIST: Final = -1
_OPEN = frozenset({OrderStatus.PENDING_NEW, OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED})


# The fields that change during an order's life.
CHANGING: Final = (
    "client_order_id", "qty_lots", "update_ms", "status", "filled_lots", "prevented_lots", "filled_units",
    "engine_epoch", "working_ms", "next_client_order_id", "queue_number", "expiry_reason", "price_ticks", "reserve",
    "trail_ticks", "trailing_ms", "prevented_match_id",
)  # fmt: skip


@dataclass(slots=True)
class Order:
    """An order of an account: what it asks for, what the exchange adds when it takes it, and how it goes.

    Attributes:
        price_ticks: the limit; for a market buy the most that it may pay, for a market sell 0.
        qty_lots: 0 at first if the size of a market order is given in quote units.
        quote_order_units: what such an order may spend or should earn, else 0.
        client_order_id: empty at first lets the exchange choose.
        stop_ticks: the last price that wakes it, or lets it trail the price; 0 for an order that acts at once, and for
            one that trails from its entry.
        display_lots: how much of it the book shows, 0 for all.
        terms: what its fills are charged.
        prevented_lots: what self-trade prevention took away.
        filled_units: quote units paid or received so far.
        engine_epoch: the life of the engine that has it, as it has confirmed, 0 for none; below zero after reports of
            that life were lost, until the engine has said how the order stands.
        working_ms: since when it acts or rests in the book, ms since 1970 UTC; 0 while it waits.
        next_client_order_id: what an amend on its way will call it, once the engine confirms it; empty for none.
        queue_number: rises with every order that takes its place at the back of a queue, in the book or among those
            that wait; 0 before the engine has accepted it.
        expiry_reason: why it expired, empty if it did not.
        list_id: the order list that it is a leg of, NO_LIST for none.
        reserve: whether money is set aside for it.
        trailing_bps: how far behind the best price it trails, 0 for an order that does not.
        trail_ticks: the best price since it tracks the price, as its engine has told, 0 before.
        trailing_ms: since when it tracks the price, ms since 1970 UTC; 0 before.
        prevented_match_id: the last match with another order of its account that was prevented, NO_MATCH for none.
        reject_reason: why a rejected order was rejected, in `market.codes.RejectReason`; it is not stored.
    """

    account: int
    symbol: Symbol
    side: Side
    kind: OrderKind
    time_in_force: TimeInForce = TimeInForce.GTC
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.EXPIRE_MAKER
    price_ticks: int = 0
    qty_lots: int = 0
    quote_order_units: int = 0
    client_order_id: str = ""
    stop_ticks: int = 0
    display_lots: int = 0
    order_id: int = 0
    terms: Terms = NO_FEES
    time_ms: int = 0
    update_ms: int = 0
    status: OrderStatus = OrderStatus.PENDING_NEW
    filled_lots: int = 0
    prevented_lots: int = 0
    filled_units: int = 0
    engine_epoch: int = 0
    working_ms: int = 0
    next_client_order_id: str = ""
    queue_number: int = 0
    expiry_reason: str = ""
    list_id: int = NO_LIST
    reserve: Reserve = Reserve.OWN
    trailing_bps: int = 0
    trail_ticks: int = 0
    trailing_ms: int = 0
    prevented_match_id: int = NO_MATCH
    reject_reason: int = 0

    @property
    def leaves_lots(self) -> int:
        """What may still trade."""
        return self.qty_lots - self.filled_lots - self.prevented_lots if self.status.is_open else 0

    @property
    def is_held(self) -> bool:
        """Say whether it waits, outside of the engine, for another order to fill."""
        return self.reserve is Reserve.HELD

    @property
    def has_trigger(self) -> bool:
        """Say whether it acts only once the price has gone somewhere."""
        return self.kind.trigger is not Trigger.NONE

    @property
    def has_known_price(self) -> bool:
        """Say whether what it trades as a maker trades at its limit, and no amend is on its way that changes it."""
        return not self.kind.is_market and not self.next_client_order_id

    @property
    def is_waiting(self) -> bool:
        """Say whether it waits for its trigger."""
        return self.has_trigger and self.working_ms == 0

    @property
    def was_accepted(self) -> bool:
        """Say whether an engine has ever confirmed it, be it in none now."""
        return self.engine_epoch != 0 or self.queue_number != 0

    @property
    def is_doubtful(self) -> bool:
        """Say whether the engine may know more of it than was ever reported."""
        return self.engine_epoch <= 0

    @property
    def is_out(self) -> bool:
        """Say whether no engine has said that it has it, though it is at work: it must be entered, perhaps again."""
        return self.engine_epoch == 0 and self.status is not OrderStatus.PENDING_NEW and not self.is_held

    @property
    def may_rest(self) -> bool:
        """Say whether its open part may stay in the book."""
        return self.is_waiting or (not self.kind.is_market and self.time_in_force is TimeInForce.GTC)

    def would_wake_at(self, last_ticks: int) -> bool:
        """Say whether a last price of `last_ticks` meets the condition that it is to wait for."""
        if not self.stop_ticks:
            return False
        is_upward = (self.kind.trigger is Trigger.STOP) is (self.side is Side.BUY)
        return last_ticks >= self.stop_ticks if is_upward else last_ticks <= self.stop_ticks

    @property
    def locked_asset(self) -> str:
        """The asset that it pays with."""
        return self.symbol.quote if self.side is Side.BUY else self.symbol.base

    def locked_units(self, gone_lots: int = 0) -> int:
        """Return what is set aside for the open part, or for what is left of it without `gone_lots`."""
        return self.needed_units(gone_lots) if self.reserve is Reserve.OWN else 0

    def needed_units(self, gone_lots: int = 0) -> int:
        """Return what the open part, without `gone_lots`, costs, in units of `locked_asset`, and the fee on top."""
        lots, symbol = self.leaves_lots - gone_lots, self.symbol
        cost = symbol.notional(self.price_ticks, lots) if self.side is Side.BUY else lots * symbol.lot_units
        return self.terms.with_reserve(self.side, cost)

    def engine_command(self, owner: int, time_ns: int) -> NewOrder:
        """Return the command that puts the open part into the engine's book.

        A market buy goes as a limit that is cancelled at once: the limit keeps it within its locked funds.
        An order that was in the book before comes back as it was given: post-only stays post-only, an iceberg shows
        no more than before. One that waits comes back with its trigger, one that tracks the price with the best price
        that it had, one that was woken without either.
        """
        order_type, time_in_force = OrderType.LIMIT, self.time_in_force
        if self.kind.is_market:
            time_in_force = TimeInForce.IOC
            order_type = OrderType.LIMIT if self.side is Side.BUY else OrderType.MARKET
        elif self.kind is OrderKind.LIMIT_MAKER:
            order_type = OrderType.POST_ONLY
        trigger, trigger_price_ticks = self.kind.trigger, self.stop_ticks
        if self.trailing_bps and (self.trail_ticks or not self.stop_ticks):
            trigger, trigger_price_ticks = Trigger.TRAIL, self.trail_ticks
        return NewOrder(
            order_id=self.order_id,
            symbol_id=self.symbol.symbol_id,
            side=self.side,
            price_ticks=self.price_ticks,
            qty_lots=self.leaves_lots,
            order_type=order_type,
            time_in_force=time_in_force,
            self_trade_prevention=self.self_trade_prevention,
            display_lots=min(self.display_lots, self.leaves_lots),
            trigger=trigger if self.is_waiting else Trigger.NONE,
            trigger_price_ticks=trigger_price_ticks if self.is_waiting else 0,
            owner=owner,
            time_ns=time_ns,
            trailing_bps=self.trailing_bps if self.is_waiting else 0,
        )

    def copy(self) -> Self:
        """Return the order as it is now; dataclasses.replace would take ten times as long."""
        return type(self)(*_ALL_FIELDS(self))

    def restore(self, earlier: Self) -> None:
        """Become `earlier` again, as far as an order changes during its life."""
        for name in CHANGING:
            setattr(self, name, getattr(earlier, name))


_ALL_FIELDS = attrgetter(*(each.name for each in fields(Order)))


@dataclass(frozen=True, slots=True)
class AccountTrade:
    """An account's share of a trade.

    Attributes:
        trade_id: the symbol's number of the trade; in a trade with itself an account has two shares of one number.
        quote_units: price x quantity.
        fee_units: what the exchange took, in units of `fee_asset`.
        list_id: the order list of its order, NO_LIST for none.
    """

    trade_id: int
    account: int
    symbol: Symbol
    order_id: int
    side: Side
    price_ticks: int
    qty_lots: int
    quote_units: int
    fee_units: int
    fee_asset: str
    time_ms: int
    is_maker: bool
    list_id: int = NO_LIST
