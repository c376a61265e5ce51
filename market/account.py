"""What a venue keeps for an account, in exact decimals: balances, orders, trades."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from market.clock import iso_time
from market.codes import Side
from market.exact_json import JsonObject
from market.instrument import plain

OPEN_STATUSES = frozenset({"NEW", "PARTIALLY_FILLED", "PENDING_NEW", "PENDING_CANCEL"})


@dataclass(frozen=True, slots=True)
class Balance:
    """One asset of an account: what can be used, and what open orders hold."""

    free: Decimal
    locked: Decimal

    @property
    def total(self) -> Decimal:
        """All that the account owns of the asset."""
        return self.free + self.locked


@dataclass(frozen=True, slots=True)
class VenueAccount:
    """An account at one moment.

    Attributes:
        account_id: the venue's id of it, another one after the venue has reset it; empty if the venue tells none.
        balances: every asset.
    """

    account_id: str
    balances: Mapping[str, Balance]


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """An order as the venue holds it; `status` in the venue's words (NEW, PARTIALLY_FILLED, FILLED, CANCELED ...)."""

    order_id: str
    client_order_id: str
    symbol: str
    side: Side
    price: Decimal
    qty: Decimal
    filled_qty: Decimal
    status: str
    time_ms: int
    filled_quote: Decimal = Decimal(0)  # what the filled quantity was traded for; 0 where nobody says so

    @property
    def is_open(self) -> bool:
        """Whether something of it may still trade."""
        return self.status in OPEN_STATUSES

    @property
    def leaves_qty(self) -> Decimal:
        """What has not traded."""
        return self.qty - self.filled_qty

    @property
    def fill_price(self) -> Decimal | None:
        """The average price of what has traded, None where nothing has, or nobody knows."""
        return self.filled_quote / self.filled_qty if self.filled_quote > 0 and self.filled_qty else None


@dataclass(frozen=True, slots=True)
class VenueTrade:
    """Our share of one trade.

    Attributes:
        trade_id: the venue's number, rising with time within a symbol.
        quote_qty: price x qty, in the quote asset.
        fee: what the venue took, in `fee_asset`; never negative but for a rebate.
        time_ms: when, ms since 1970 UTC.
    """

    trade_id: int
    order_id: str
    symbol: str
    side: Side
    price: Decimal
    qty: Decimal
    quote_qty: Decimal
    fee: Decimal
    fee_asset: str
    time_ms: int
    is_maker: bool


def order_json(order: VenueOrder, number: Callable[[Decimal], Decimal] = plain) -> JsonObject:
    """Return an order as every document of orders holds it, its numbers with the zeros that `number` leaves them."""
    return {
        "id": order.order_id,
        "client_order_id": order.client_order_id,
        "time": iso_time(order.time_ms),
        "symbol": order.symbol,
        "side": order.side.name,
        "price": number(order.price),
        "qty": number(order.qty),
        "filled_qty": number(order.filled_qty),
        "status": order.status,
    }


def trade_json(
    trade: VenueTrade, number: Callable[[Decimal], Decimal] = plain, kept: JsonObject | None = None
) -> JsonObject:
    """Return a trade likewise; one that is kept for good with its `time_ms` and, before `is_maker`, what is `kept`."""
    return {
        "id": trade.trade_id,
        "order_id": trade.order_id,
        "time": iso_time(trade.time_ms),
        **({} if kept is None else {"time_ms": trade.time_ms}),
        "symbol": trade.symbol,
        "side": trade.side.name,
        "price": number(trade.price),
        "qty": number(trade.qty),
        "quote_qty": number(trade.quote_qty),
        "fee": number(trade.fee),
        "fee_asset": trade.fee_asset,
        **(kept or {}),
        "is_maker": trade.is_maker,
    }
