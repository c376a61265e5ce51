"""What an account hears of its orders and money, in the order in which it happened, after it was saved."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from paper.money.order_list import OrderList
from paper.money.orders import AccountTrade, Order
from paper.money.prevented_match import PreventedMatch
from paper.money.wallets import Wallet


class ExecutionType(StrEnum):
    """What happened to an order, in Binance's words."""

    NEW = "NEW"
    CANCELED = "CANCELED"
    REPLACED = "REPLACED"
    REJECTED = "REJECTED"
    TRADE = "TRADE"
    EXPIRED = "EXPIRED"
    TRADE_PREVENTION = "TRADE_PREVENTION"


class Prevention(NamedTuple):
    """What self-trade prevention has taken from an order at once, and in which match, if that is known."""

    lots: int
    match: PreventedMatch | None


@dataclass(frozen=True, slots=True)
class OrderNews:
    """Something happened to an order.

    Attributes:
        order: the order as it was right after.
        trade: the account's share, if it traded.
        request_id: the client id of the request that ended it, if that is another than the order's.
        prevention: what self-trade prevention took away this time.
        earlier_client_id: the order's client id before it was amended.
    """

    order: Order
    execution: ExecutionType
    time_ms: int
    trade: AccountTrade | None = None
    request_id: str = ""
    prevention: Prevention | None = None
    earlier_client_id: str = ""

    @property
    def account(self) -> int:
        """Whose order it is."""
        return self.order.account

    @property
    def assets(self) -> set[str]:
        """What may have moved in the account's wallets."""
        symbol = self.order.symbol
        return {symbol.base, symbol.quote} | ({self.trade.fee_asset} if self.trade is not None else set())


class ListStatusType(StrEnum):
    """What happened to an order list, in Binance's words."""

    RESPONSE = "RESPONSE"  # what was asked for was refused
    EXEC_STARTED = "EXEC_STARTED"
    UPDATED = "UPDATED"  # a leg is called otherwise
    ALL_DONE = "ALL_DONE"


@dataclass(frozen=True, slots=True)
class ListNews:
    """Something happened to an order list; what `order_list` says of itself is as it was right after.

    Attributes:
        order_list: the list; its legs are as they stand, and keep what they are called but when it is UPDATED.
    """

    order_list: OrderList
    status_type: ListStatusType
    time_ms: int

    @property
    def account(self) -> int:
        """Whose list it is."""
        return self.order_list.account


@dataclass(frozen=True, slots=True)
class WalletNews:
    """Orders have moved money; `wallets` are as they are now, by asset."""

    account: int
    wallets: Mapping[str, Wallet]
    time_ms: int


@dataclass(frozen=True, slots=True)
class DepositNews:
    """Units came from outside or, below zero, went there."""

    account: int
    asset: str
    units: int
    time_ms: int


AccountNews = OrderNews | ListNews | WalletNews | DepositNews
AccountListener = Callable[[AccountNews], None]
