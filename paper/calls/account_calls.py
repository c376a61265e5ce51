"""The signed calls: orders, their history, the account."""

from typing import Any, Final

from market.codes import RejectReason
from paper.calls import commission_documents, documents, list_documents, prevented_documents
from paper.calls.call import OVERTAKEN_MAX, Call
from paper.calls.documents import Document
from paper.calls.list_calls import cancelled_list
from paper.calls.new_orders import read_order
from paper.calls.parameters import ResponseType
from paper.errors import ErrorKind, ExchangeError, error_of_reject
from paper.exchange.filters import filter_documents, qty_to_lots
from paper.intervals import DAY_MS
from paper.money.history import Span
from paper.money.order_list import OrderList
from paper.money.orders import Order, OrderKind, OrderStatus

_KINDS_TOLD_IN_FULL: Final = frozenset({OrderKind.LIMIT, OrderKind.MARKET})


async def place_order(call: Call) -> Document:
    """Place an order and tell how it went, once the engine has handled it."""
    with call.usage.counted(call.account, 1, call.now_s):
        return await _place(call, read_order(call))


async def check_order(call: Call) -> Document:
    """Check an order without placing it."""
    call.exchange.check(read_order(call), call.now_ns)
    return (
        commission_documents.order_commission(await show_commission(call)) if call.get("computeCommissionRates") else {}
    )


async def show_order(call: Call) -> Document:
    """Tell how an order stands."""
    order = _find_order(call)
    if order is None and call.values.keys() >= {"orderId", "origClientOrderId"}:
        raise ExchangeError(ErrorKind.OTHER_CLIENT_ORDER_ID)
    if order is None or not call.may_see(order):
        raise ExchangeError(ErrorKind.NO_SUCH_ORDER)
    return documents.order(order)


async def cancel_order(call: Call) -> Document:
    """Cancel an open order."""
    return await _cancel(call, "orderId", "origClientOrderId", "newClientOrderId")


async def amend_order(call: Call) -> Document:
    """Make an order smaller, which keeps its place in the queue, and tell how it stands.

    Each fill that overtakes the amend makes the engine refuse it; with what is open now it is asked again.

    Raises:
        ExchangeError: if there is no such open order, it is not to get smaller, or it trades too fast.
    """
    order = _open_order(call, ErrorKind.NO_SUCH_ORDER)
    qty_lots = qty_to_lots(order.symbol, call.values["newQty"])
    client_order_id = call.get("newClientOrderId") or f"tb-{order.order_id:x}-{qty_lots:x}"  # new: it is ever smaller
    for _ in range(OVERTAKEN_MAX):
        pending = call.exchange.amend(order, qty_lots, client_order_id, call.now_ns)
        await call.wait_for_engine(pending)
        if pending.is_applied:
            call.exchange.saves.save()  # a leg that is held is amended at once
            last = call.exchange.ledger.history.amendments(call.account, order.symbol, order.order_id, Span(1))
            assert last, f"an amend that was applied is not saved: {order}"
            told = documents.amended_order(order, last[0])
            order_list = call.exchange.ledger.open_lists.of(order)
            return told if order_list is None else told | {"listStatus": list_documents.list_status(order_list)}
        if pending.refusal is None:
            raise ExchangeError(ErrorKind.DISCONNECTED)  # the engine that was asked is gone; the order is as it was
        if pending.refusal is RejectReason.UNKNOWN_ORDER or not order.status.is_open:
            raise ExchangeError(ErrorKind.NO_SUCH_ORDER)
        if pending.refusal is not RejectReason.LEAVES_CHANGED:
            raise error_of_reject(pending.refusal)
    raise ExchangeError(ErrorKind.OVERLOADED)


async def show_amendments(call: Call) -> list[Document]:
    """Tell how an order got smaller, oldest first."""
    span = Span(call.limit, call.get("fromExecutionId", 0))
    found = call.exchange.ledger.history.amendments(call.account, call.symbol, call.values["orderId"], span)
    return [documents.amendment(call.symbol, each) for each in found]


async def replace_order(call: Call) -> Document:
    """Cancel an order and place another.

    The new order is read, filtered and counted before anything is cancelled, so that a fault in it leaves the old one
    alone. Only what depends on the cancel, above all the funds, is found out after it.

    Raises:
        ExchangeError: REPLACE_FAILED if nothing was done, REPLACE_HALF_DONE if one half was; the data tell of both.
            TIMEOUT if the engine has not answered one half: to call that failed would let a client place it again.
    """
    order = read_order(call)
    call.exchange.check(order, call.now_ns)
    may_place = _may_place(call)
    cancelled: Any = None
    placed: Any = None
    cancel_result, new_result = "SUCCESS", "NOT_ATTEMPTED"
    try:
        cancelled = await _cancel(call, "cancelOrderId", "cancelOrigClientOrderId", "cancelNewClientOrderId")
    except ExchangeError as error:
        if error.kind is ErrorKind.TIMEOUT:
            raise
        cancelled, cancel_result = error.document, "FAILURE"
    if may_place and (cancel_result == "SUCCESS" or call.values["cancelReplaceMode"] == "ALLOW_FAILURE"):
        try:
            with call.usage.giving_back(call.account, 1, call.now_s):
                placed, new_result = await _place(call, order), "SUCCESS"
        except ExchangeError as error:
            if error.kind is ErrorKind.TIMEOUT:
                raise
            placed, new_result = error.document, "FAILURE"
    document = {
        "cancelResult": cancel_result,
        "newOrderResult": new_result,
        "cancelResponse": cancelled,
        "newOrderResponse": placed,
    }
    if cancel_result == new_result == "SUCCESS":
        return document
    is_half_done = "SUCCESS" in {cancel_result, new_result}
    raise ExchangeError(ErrorKind.REPLACE_HALF_DONE if is_half_done else ErrorKind.REPLACE_FAILED, data=document)


async def cancel_open_orders(call: Call) -> list[Document]:
    """Cancel all open orders of a symbol, and all order lists.

    A trade on the way may end a list by one leg, or trigger others: what is still open then is cancelled in turn.
    """
    ledger = call.exchange.ledger
    orders = ledger.open_orders_of(call.account, call.symbol)
    if not orders:
        raise ExchangeError(ErrorKind.UNKNOWN_ORDER)
    told: list[Document] = []
    for _ in range(OVERTAKEN_MAX):
        lists = {each.list_id: each for each in ledger.open_lists_of(call.account, call.symbol)}
        first_legs = {next(leg.order_id for leg in each.legs if leg.status.is_open) for each in lists.values()}
        alone = [order for order in orders if order.list_id not in lists or order.order_id in first_legs]
        cancels = call.exchange.cancel(alone, call.now_ns)
        await call.wait_for_engine(cancels[-1])
        done = [each for each in cancels if each.refusal is None]
        told += [_cancelled(each.order, lists.get(each.order.list_id), each.request_id) for each in done]
        orders = [order for order in orders if order.status.is_open]
        if not orders:
            return told
    raise ExchangeError(ErrorKind.OVERLOADED)


async def open_orders(call: Call) -> list[Document]:
    """Tell the open orders of a symbol, or of all."""
    orders = call.exchange.ledger.open_orders_of(call.account, call.symbol_or_all)
    return [documents.order(each) for each in orders if call.may_see(each)]


async def all_orders(call: Call) -> list[Document]:
    """Tell the orders of a symbol, oldest first."""
    span = _span(call, call.get("orderId"))
    orders = call.exchange.ledger.history.orders(call.account, call.symbol, span)
    return [documents.order(each) for each in orders if call.may_see(each)]


async def my_trades(call: Call) -> list[Document]:
    """Tell the account's trades of a symbol, oldest first."""
    order_id, from_id = call.get("orderId"), call.get("fromId")
    is_by_time = "startTime" in call.values or "endTime" in call.values
    if is_by_time and (order_id is not None or from_id is not None):
        raise ExchangeError(ErrorKind.BAD_COMBINATION)
    span = _span(call, from_id)
    trades = call.exchange.ledger.history.trades(call.account, call.symbol, order_id, span)
    return [documents.account_trade(trade) for trade in trades]


async def my_prevented_matches(call: Call) -> list[Document]:
    """Tell which matches of an order were prevented, oldest first, or one that is named."""
    match_id, order_id, from_id = (call.get(name) for name in ("preventedMatchId", "orderId", "fromPreventedMatchId"))
    history = call.exchange.ledger.history
    if match_id is not None and order_id is None and from_id is None:
        found = history.prevented_match(call.account, call.symbol, match_id)
    elif match_id is None and order_id is not None:
        found = history.prevented_matches(call.account, call.symbol, order_id, Span(call.limit, from_id))
    else:
        raise ExchangeError(ErrorKind.BAD_COMBINATION)
    return [prevented_documents.prevented_match(each) for each in found]


async def my_allocations(call: Call) -> list[Document]:
    """Tell that there are none: no order is filled but in the book of its own symbol."""
    call.check_symbol()
    _span(call, call.get("fromAllocationId"))
    return []


async def show_account(call: Call) -> Document:
    """Tell what the account owns."""
    wallets = call.exchange.ledger.wallets.of(call.account)
    if call.get("omitZeroBalances", False):
        wallets = {asset: wallet for asset, wallet in wallets.items() if wallet.free or wallet.locked}
    uid = call.exchange.ledger.records.of(call.account).uid(call.account)
    return documents.account(uid, wallets, call.exchange.commission.terms(), call.now_ms)


async def show_commission(call: Call) -> Document:
    """Tell what the exchange takes of a trade."""
    exchange = call.exchange
    return commission_documents.commission(
        call.symbol,
        exchange.commission,
        is_bnb_payer=exchange.is_bnb_payer(call.account),
        has_bnb_price=exchange.has_bnb_price(call.symbol),
    )


async def show_trade_fees(call: Call) -> list[Document]:
    """Tell what the exchange takes of a trade in one symbol, or in each."""
    symbols = [call.symbol] if "symbol" in call.values else call.exchange.symbols.values()
    return [commission_documents.trade_fee(symbol, call.exchange.commission) for symbol in symbols]


async def show_bnb_burn(call: Call) -> Document:
    """Tell whether the account pays its fees in BNB."""
    return {"spotBNBBurn": call.exchange.is_bnb_payer(call.account), "interestBNBBurn": False}


async def set_bnb_burn(call: Call) -> Document:
    """Let the account pay its fees in BNB, or not; interest is nothing that the exchange knows."""
    if "spotBNBBurn" not in call.values:
        raise ExchangeError(ErrorKind.MANDATORY_PARAMETER, name="spotBNBBurn")
    call.exchange.set_bnb_payer(call.account, call.values["spotBNBBurn"])
    return await show_bnb_burn(call)


async def show_filters(call: Call) -> Document:
    """Tell the filters that bind the account in a symbol; no account, and no asset, has filters of its own."""
    return {"exchangeFilters": [], "symbolFilters": filter_documents(call.symbol), "assetFilters": []}


async def show_order_limits(call: Call) -> list[Document]:
    """Tell how many orders the account has given."""
    return call.usage.documents(None, call.account, call.now_s)


async def _place(call: Call, order: Order) -> Document:
    """Place an order and tell how it went.

    Raises:
        ExchangeError: if the exchange or the engine refuses it, or the engine does not answer.
    """
    await call.wait_for_engine(call.exchange.place(order, call.now_ns))
    if order.status is OrderStatus.REJECTED:
        raise error_of_reject(order.reject_reason)
    default = ResponseType.FULL if order.kind in _KINDS_TOLD_IN_FULL else ResponseType.ACK
    response_type = call.get("newOrderRespType", default)
    is_full = response_type is ResponseType.FULL
    trades = call.exchange.ledger.history.trades_of_order(order.order_id) if is_full else []
    return documents.new_order(order, response_type, trades, call.exchange.ledger.history.prevented_of(order))


def _may_place(call: Call) -> bool:
    """Count the new order; over the limit the client may still want the cancel.

    Raises:
        ExchangeError: TOO_MANY_ORDERS if it wants nothing then.
    """
    try:
        call.usage.charge_orders(call.account, 1, call.now_s)
    except ExchangeError:
        if call.get("orderRateLimitExceededMode") != "CANCEL_ONLY":
            raise
        return False
    return True


async def _cancel(call: Call, id_name: str, client_id_name: str, request_id_name: str) -> Document:
    """Cancel the open order that parameters of these names give and tell how it stands.

    A leg that waits for another one is cancelled with that; if a trade fills that first, it is cancelled in turn.

    Raises:
        ExchangeError: if there is none, or the call's restrictions do not allow it.
    """
    order = _open_order(call, ErrorKind.UNKNOWN_ORDER, id_name, client_id_name)
    if call.get("cancelRestrictions", order.status) is not order.status:
        raise ExchangeError(ErrorKind.CANCEL_RESTRICTED)
    for _ in range(OVERTAKEN_MAX):
        order_list = call.exchange.ledger.open_lists.of(order)
        (pending,) = call.exchange.cancel([order], call.now_ns, request_id=call.get(request_id_name, ""))
        await call.wait_for_engine(pending)
        if pending.refusal is None:
            return _cancelled(order, order_list, pending.request_id)
        if not order.status.is_open:
            raise ExchangeError(ErrorKind.UNKNOWN_ORDER)
    raise ExchangeError(ErrorKind.OVERLOADED)


def _cancelled(order: Order, order_list: OrderList | None, request_id: str) -> Document:
    """Return the answer to a cancel of an order, which has ended the whole list that it was a leg of."""
    if order_list is None:
        return documents.cancelled_order(order, request_id)
    return cancelled_list(order_list, request_id)


def _open_order(
    call: Call, otherwise: ErrorKind, id_name: str = "orderId", client_id_name: str = "origClientOrderId"
) -> Order:
    """Return the open order that the call names by one of its ids; where both are sent, both must be right.

    Raises:
        ExchangeError: EITHER_PARAMETER if it names none, else of the kind `otherwise` if there is none.
    """
    ledger, symbol = call.exchange.ledger, call.symbol
    order_id, client_order_id = call.get(id_name), call.get(client_id_name)
    if order_id is not None:
        order = ledger.open_orders.get(order_id)
    elif client_order_id is not None:
        order = ledger.open_order_by_client_id(call.account, client_order_id)
    else:
        raise ExchangeError(ErrorKind.EITHER_PARAMETER, first="origClientOrderId", second="orderId")
    if order is None or order.account != call.account or order.symbol is not symbol:
        raise ExchangeError(otherwise)
    if client_order_id not in {None, order.client_order_id}:
        raise ExchangeError(otherwise)
    return order


def _find_order(call: Call) -> Order | None:
    """Return the order, open or not, that the call names by one of its ids; where both are sent, both must be right."""
    history = call.exchange.ledger.history
    order_id, client_order_id = call.get("orderId"), call.get("origClientOrderId")
    if order_id is not None:
        order = history.order(call.account, call.symbol, order_id)
        is_other = order is not None and client_order_id not in {None, order.client_order_id}
        return None if is_other else order
    if client_order_id is not None:
        return history.order_by_client_id(call.account, call.symbol, client_order_id)
    raise ExchangeError(ErrorKind.EITHER_PARAMETER, first="origClientOrderId", second="orderId")


def _span(call: Call, from_id: int | None) -> Span:
    start_ms, end_ms = call.get("startTime"), call.get("endTime")
    if start_ms is not None and end_ms is not None and not 0 <= end_ms - start_ms <= DAY_MS:
        raise ExchangeError(ErrorKind.INTERVAL_TOO_LONG)
    return Span(call.limit, from_id, start_ms, end_ms)
