"""How an order ends that the engine cancels: its status, and why it expires, in Binance's words."""

from typing import Final

from market.codes import CancelReason
from paper.money.orders import ExpiryReason, Order, OrderStatus

_STATUS: Final = {
    CancelReason.REQUESTED: OrderStatus.CANCELED,
    CancelReason.MASS_CANCEL: OrderStatus.CANCELED,
    CancelReason.SELF_TRADE_PREVENTION: OrderStatus.EXPIRED_IN_MATCH,
}
_EXPIRY: Final = {
    CancelReason.IMMEDIATE_OR_CANCEL: ExpiryReason.IOC,
    CancelReason.FILL_OR_KILL: ExpiryReason.FOK,
    CancelReason.NO_LIQUIDITY: ExpiryReason.NO_LIQUIDITY,
    CancelReason.PRICE_RANGE: ExpiryReason.PRICE_RANGE,
}


def status_of(reason: CancelReason) -> OrderStatus:
    """Return the status of an order that is cancelled for a reason: where its client did not ask for it, it expires."""
    return _STATUS.get(reason, OrderStatus.EXPIRED)


def expiry_of(order: Order, reason: CancelReason) -> ExpiryReason:
    """Return why an order expires that is cancelled for a reason; for any that has no name the exchange is why."""
    # A purchase at market goes to the engine as a limit order that may not rest.
    reason_of_market = reason is CancelReason.IMMEDIATE_OR_CANCEL and order.kind.is_market
    return ExpiryReason.NO_LIQUIDITY if reason_of_market else _EXPIRY.get(reason, ExpiryReason.EXCHANGE)
