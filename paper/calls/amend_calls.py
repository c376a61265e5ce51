"""The call that makes an open order smaller without losing its place in the queue."""

import secrets
from typing import Final

from market.codes import RejectReason
from paper.calls import account_calls, documents
from paper.calls.call import Call
from paper.calls.documents import Document
from paper.errors import ErrorKind, ExchangeError, error_of_reject

_TRIES_MAX: Final = 5


async def amend_order(call: Call) -> Document:
    """Make an order smaller and tell how it stands.

    Each fill that overtakes the amend makes the engine refuse it; with what is open now it is asked again.

    Raises:
        ExchangeError: if there is no such open order, it is not to get smaller, or it trades too fast.
    """
    found = account_calls.find_order(call, call.get("orderId"), call.get("origClientOrderId"))
    order = call.exchange.ledger.open_orders.get(found.order_id) if found is not None else None
    if order is None:
        raise ExchangeError(ErrorKind.NO_SUCH_ORDER)
    earlier_id = order.client_order_id
    client_order_id = call.get("newClientOrderId") or secrets.token_urlsafe(16)
    for _ in range(_TRIES_MAX):
        pending = call.exchange.amend(order, call.values["newQty"], client_order_id, call.now_ns)
        await call.wait_for_engine(pending)
        if pending.is_applied:
            return documents.amended_order(order, earlier_id)
        if pending.refusal is None:
            raise ExchangeError(ErrorKind.DISCONNECTED)  # the engine that was asked is gone; the order is as it was
        if pending.refusal is RejectReason.UNKNOWN_ORDER or not order.status.is_open:
            raise ExchangeError(ErrorKind.NO_SUCH_ORDER)
        if pending.refusal is not RejectReason.LEAVES_CHANGED:
            raise error_of_reject(pending.refusal)
    raise ExchangeError(ErrorKind.OVERLOADED)
