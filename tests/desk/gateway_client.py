"""A client at a desk's gateway that asks again while it is refused because the gateway has no engine, or no price."""

from typing import Any

from market.codes import OrderType, RejectReason
from market.commands import CancelOrder
from market.events import Accepted, Canceled, Event, Rejected
from tests.desk.desk_process import until
from venues.gateway import GatewaySession


def accepted(session: GatewaySession, symbol: str, price: str, qty: str) -> int:
    """Enter a bid until one is accepted, and return its id.

    A gateway may have its engine again and not yet the price it compares orders with: then it still refuses them.
    """

    def is_accepted() -> int | None:
        order_id = session.buy(symbol, price, qty, order_type=OrderType.LIMIT)
        report = until(f"order {order_id} is answered", lambda: _report(session, order_id, Accepted))
        return order_id if isinstance(report, Accepted) else None

    entered: int = until(f"an order for {symbol} is accepted", is_accepted)
    return entered


def cancel(session: GatewaySession, order_id: int, symbol_id: int = 0) -> None:
    """Cancel an order, again until it is."""

    def is_canceled() -> bool:
        session.send([CancelOrder(order_id, symbol_id)])
        report = until(f"the cancel of {order_id} is answered", lambda: _report(session, order_id, Canceled))
        return isinstance(report, Canceled)

    until(f"order {order_id} is canceled", is_canceled)


def _report(session: GatewaySession, order_id: int, kind: type[Event]) -> Any:
    """Return the next report of that kind, or the refusal for want of an engine; fail on any other refusal."""
    for event in session.receive(0.05):
        if getattr(event, "order_id", 0) != order_id:
            continue
        if isinstance(event, kind):
            return event
        if isinstance(event, Rejected):
            assert event.reason == RejectReason.ENGINE_UNAVAILABLE, event
            return event
    return None
