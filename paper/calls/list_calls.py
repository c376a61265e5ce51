"""The signed calls of order lists: one cancels the other, one triggers the other."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from paper.calls import documents, list_documents
from paper.calls.call import OVERTAKEN_MAX, Call
from paper.calls.documents import Document
from paper.calls.new_orders import Spelling, leg_parameters, read_order, spelling
from paper.calls.parameters import Parameter, ResponseType
from paper.errors import ErrorKind, ExchangeError, error_of_reject
from paper.exchange.order_lists import NewList, pair_of
from paper.intervals import DAY_MS
from paper.money.history import Span
from paper.money.order_list import Contingency, ListStatus, OrderList
from paper.money.orders import Order, OrderKind, OrderStatus

ABOVE: Final = spelling("above", side="side", quantity="quantity")
BELOW: Final = spelling("below", side="side", quantity="quantity")
WORKING: Final = spelling("working")
PENDING: Final = spelling("pending")
PENDING_ABOVE: Final = spelling("pendingAbove", side="pendingSide", quantity="pendingQuantity")
PENDING_BELOW: Final = spelling("pendingBelow", side="pendingSide", quantity="pendingQuantity")
_OLD_LIMIT: Final[Spelling] = {
    "side": "side",
    "quantity": "quantity",
    "price": "price",
    "newClientOrderId": "limitClientOrderId",
    "icebergQty": "limitIcebergQty",
    "strategyId": "limitStrategyId",
    "strategyType": "limitStrategyType",
}
_OLD_STOP: Final[Spelling] = {
    "side": "side",
    "quantity": "quantity",
    "price": "stopLimitPrice",
    "stopPrice": "stopPrice",
    "timeInForce": "stopLimitTimeInForce",
    "trailingDelta": "trailingDelta",
    "newClientOrderId": "stopClientOrderId",
    "icebergQty": "stopIcebergQty",
    "strategyId": "stopStrategyId",
    "strategyType": "stopStrategyType",
}
OLD_OCO: Final[tuple[Parameter, ...]] = leg_parameters(_OLD_LIMIT, _OLD_STOP)
_WORKING_KINDS: Final = frozenset({OrderKind.LIMIT, OrderKind.LIMIT_MAKER})


async def place_oco(call: Call) -> Document:
    """Place two orders of which one cancels the other."""
    return await _place(call, Contingency.OCO, pair_of(read_order(call, ABOVE), read_order(call, BELOW)))


async def place_old_oco(call: Call) -> Document:
    """Place a limit order and a stop of which one cancels the other, by the names of before 2024."""
    limit = read_order(call, _OLD_LIMIT, OrderKind.LIMIT_MAKER)
    is_limited = "stopLimitPrice" in call.values
    stop = read_order(call, _OLD_STOP, OrderKind.STOP_LOSS_LIMIT if is_limited else OrderKind.STOP_LOSS)
    return await _place(call, Contingency.OCO, (stop, limit))


async def place_oto(call: Call) -> Document:
    """Place an order, and another one that follows when it is filled."""
    return await _place(call, Contingency.OTO, (_read_working(call), read_order(call, PENDING)))


async def place_otoco(call: Call) -> Document:
    """Place an order, and two that follow when it is filled, of which one cancels the other."""
    pair = pair_of(read_order(call, PENDING_ABOVE), read_order(call, PENDING_BELOW))
    return await _place(call, Contingency.OTO, (_read_working(call), *pair))


async def refuse_opo(_: Call) -> Document:
    """Refuse an order that is to pay for another one."""
    raise ExchangeError(ErrorKind.NO_PAYING_ORDERS)


async def refuse_opoco(call: Call) -> Document:
    """Refuse an order that is to pay for two others."""
    return await refuse_opo(call)


async def show_list(call: Call) -> Document:
    """Tell how an order list stands."""
    found = _find_list(call, "origClientOrderId")
    if found is None:
        raise ExchangeError(ErrorKind.NO_SUCH_LIST)
    return list_documents.order_list(found)


async def cancel_list(call: Call) -> Document:
    """Cancel the legs of an order list that executes; where a trade on the way triggers some, those in turn."""
    found = _find_list(call, "listClientOrderId")
    for _ in range(OVERTAKEN_MAX):
        order_list = call.exchange.ledger.open_lists.find(found.list_id) if found is not None else None
        if order_list is None or order_list.symbol is not call.symbol:
            raise ExchangeError(ErrorKind.UNKNOWN_LIST)
        leg = next(leg for leg in order_list.legs if leg.status.is_open)
        (pending,) = call.exchange.cancel([leg], call.now_ns, request_id=call.get("newClientOrderId", ""))
        await call.wait_for_engine(pending)
        if pending.refusal is None:
            return cancelled_list(order_list, pending.request_id)
    raise ExchangeError(ErrorKind.OVERLOADED)


async def all_lists(call: Call) -> list[Document]:
    """Tell the order lists of the account, oldest first."""
    from_id, start_ms, end_ms = call.get("fromId"), call.get("startTime"), call.get("endTime")
    if from_id is not None and (start_ms is not None or end_ms is not None):
        raise ExchangeError(ErrorKind.BAD_COMBINATION)
    if start_ms is not None and end_ms is not None and not 0 <= end_ms - start_ms <= DAY_MS:
        raise ExchangeError(ErrorKind.INTERVAL_TOO_LONG)
    found = call.exchange.ledger.history.order_lists(call.account, Span(call.limit, from_id, start_ms, end_ms))
    return [list_documents.order_list(each) for each in found]


async def open_lists(call: Call) -> list[Document]:
    """Tell the order lists of the account that execute."""
    return [list_documents.order_list(each) for each in call.exchange.ledger.open_lists_of(call.account)]


def cancelled_list(order_list: OrderList, request_id: str) -> Document:
    """Return the answer to a cancel, whose own id is `request_id`, that has ended a list."""
    legs = [leg for leg in order_list.legs if leg.status is OrderStatus.CANCELED]
    reports = [documents.cancelled_order(leg, request_id) for leg in legs]
    done = replace(order_list, status=ListStatus.ALL_DONE)
    return list_documents.reported_list(done, reports, max(leg.update_ms for leg in order_list.legs))


async def _place(call: Call, contingency: Contingency, legs: Sequence[Order]) -> Document:
    """Place a list and tell how it went.

    Raises:
        ExchangeError: if the exchange or the engine refuses it, or the engine does not answer.
    """
    with call.usage.counted(call.account, len(legs), call.now_s):
        return await _place_counted(call, contingency, legs)


async def _place_counted(call: Call, contingency: Contingency, legs: Sequence[Order]) -> Document:
    new = NewList(contingency, call.get("listClientOrderId", ""), tuple(legs))
    placed, pending = call.exchange.place_list(new, call.now_ns)
    held = {leg.order_id: leg.copy() for leg in legs if leg.is_held}
    await call.wait_for_engine(pending[-1])
    # Not of a leg that a fill has triggered meanwhile: that the engine refuses it is what becomes of a list that works.
    if refused := [each.order for each in pending if each.order.reject_reason]:
        raise error_of_reject(refused[0].reject_reason)
    response_type = call.get("newOrderRespType", ResponseType.RESULT)
    is_full = response_type is ResponseType.FULL
    history = call.exchange.ledger.history
    trades_of: Any = history.trades_of_order if is_full else lambda _: []
    # What is triggered at once is told of as it was when it was placed, as Binance does.
    told = [held.get(leg.order_id, leg) for leg in legs]
    reports = [
        documents.new_order(leg, response_type, trades_of(leg.order_id), history.prevented_of(leg)) for leg in told
    ]
    return list_documents.reported_list(placed, reports, placed.time_ms)


def _read_working(call: Call) -> Order:
    if call.values[WORKING["type"]] not in _WORKING_KINDS:
        raise ExchangeError(ErrorKind.BAD_ORDER_TYPE)
    return read_order(call, WORKING)


def _find_list(call: Call, client_id_name: str) -> OrderList | None:
    """Return the list that the call names by one of its ids; where both are sent, both must be right."""
    list_id, client_list_id = call.get("orderListId"), call.get(client_id_name)
    if list_id is None and client_list_id is None:
        raise ExchangeError(ErrorKind.EITHER_PARAMETER, first=client_id_name, second="orderListId")
    found = call.exchange.ledger.history.order_list(call.account, list_id, client_list_id)
    is_other = found is not None and client_list_id not in {None, found.client_list_id}
    return None if is_other else found
