"""What a venue keeps for an account, in exact decimals: balances, orders, trades."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from market.codes import Side

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
