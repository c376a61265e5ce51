"""The signed calls: orders, their history, the account."""

from typing import Final

from market.codes import TimeInForce
from paper.calls import documents
from paper.calls.call import Call
from paper.calls.documents import Document
from paper.calls.parameters import CancelRestriction, ResponseType
from paper.errors import ErrorKind, ExchangeError, error_of_reject
from paper.intervals import DAY_MS
from paper.money.history import Span
from paper.money.orders import Order, OrderKind, OrderRequest, OrderStatus

# What each type of order needs besides side and symbol; what it neither needs nor allows is refused.
_NEEDED: Final = {
    OrderKind.LIMIT: ("timeInForce", "quantity", "price"),
    OrderKind.MARKET: (),
    OrderKind.LIMIT_MAKER: ("quantity", "price"),
    OrderKind.STOP_LOSS: ("quantity", "stopPrice"),
    OrderKind.STOP_LOSS_LIMIT: ("timeInForce", "quantity", "price", "stopPrice"),
    OrderKind.TAKE_PROFIT: ("quantity", "stopPrice"),
    OrderKind.TAKE_PROFIT_LIMIT: ("timeInForce", "quantity", "price", "stopPrice"),
}
_FORBIDDEN: Final = {
    OrderKind.LIMIT: ("quoteOrderQty", "stopPrice", "trailingDelta"),
    OrderKind.MARKET: ("timeInForce", "price", "stopPrice", "trailingDelta", "icebergQty"),
    OrderKind.LIMIT_MAKER: ("timeInForce", "quoteOrderQty", "stopPrice", "trailingDelta"),
    OrderKind.STOP_LOSS: ("timeInForce", "price", "quoteOrderQty", "icebergQty"),
    OrderKind.STOP_LOSS_LIMIT: ("quoteOrderQty",),
    OrderKind.TAKE_PROFIT: ("timeInForce", "price", "quoteOrderQty", "icebergQty"),
    OrderKind.TAKE_PROFIT_LIMIT: ("quoteOrderQty",),
}
# The parameters of a new order, and the fields of a request that they are.
_FIELDS: Final = {
    "side": "side",
    "timeInForce": "time_in_force",
    "price": "price_units",
    "quantity": "qty_units",
    "quoteOrderQty": "quote_units",
    "newClientOrderId": "client_order_id",
    "selfTradePreventionMode": "self_trade_prevention",
    "stopPrice": "stop_units",
    "icebergQty": "iceberg_units",
    "trailingDelta": "trailing_delta",
}
_KINDS_TOLD_IN_FULL: Final = frozenset({OrderKind.LIMIT, OrderKind.MARKET})
_STATUS_OF_RESTRICTION: Final = {
    CancelRestriction.ONLY_NEW: OrderStatus.NEW,
    CancelRestriction.ONLY_PARTIALLY_FILLED: OrderStatus.PARTIALLY_FILLED,
}


async def place_order(call: Call) -> Document:
    """Place an order and tell how it went, once the engine has handled it."""
    call.usage.charge_order(call.account, call.now_s)
    return await place(call, read_request(call))


async def check_order(call: Call) -> Document:
    """Check an order without placing it."""
    call.exchange.check(call.account, read_request(call), call.now_ns)
    return documents.order_commission(await show_commission(call)) if call.get("computeCommissionRates") else {}


async def show_order(call: Call) -> Document:
    """Tell how an order stands."""
    order = find_order(call, call.get("orderId"), call.get("origClientOrderId"))
    if order is None:
        raise ExchangeError(ErrorKind.NO_SUCH_ORDER)
    return documents.order(order)


async def cancel_order(call: Call) -> Document:
    """Cancel an open order."""
    return await cancel_named(
        call,
        order_id=call.get("orderId"),
        client_order_id=call.get("origClientOrderId"),
        request_id=call.get("newClientOrderId", ""),
    )


async def cancel_open_orders(call: Call) -> list[Document]:
    """Cancel all open orders of a symbol."""
    orders = call.exchange.ledger.open_orders_of(call.account, call.symbol)
    if not orders:
        raise ExchangeError(ErrorKind.UNKNOWN_ORDER)
    cancels = call.exchange.cancel(orders, call.now_ns)
    await call.wait_for_engine(cancels[-1])
    return [documents.cancelled_order(each.order, each.request_id) for each in cancels if each.refusal is None]


async def open_orders(call: Call) -> list[Document]:
    """Tell the open orders of a symbol, or of all."""
    return [documents.order(each) for each in call.exchange.ledger.open_orders_of(call.account, call.symbol_or_all)]


async def all_orders(call: Call) -> list[Document]:
    """Tell the orders of a symbol, oldest first."""
    span = _span(call, call.get("orderId"))
    return [documents.order(each) for each in call.exchange.ledger.history.orders(call.account, call.symbol, span)]


async def my_trades(call: Call) -> list[Document]:
    """Tell the account's trades of a symbol, oldest first."""
    order_id, from_id = call.get("orderId"), call.get("fromId")
    is_by_time = "startTime" in call.values or "endTime" in call.values
    if is_by_time and (order_id is not None or from_id is not None):
        raise ExchangeError(ErrorKind.BAD_COMBINATION)
    span = _span(call, from_id)
    trades = call.exchange.ledger.history.trades(call.account, call.symbol, order_id, span)
    return [documents.account_trade(trade) for trade in trades]


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
    return documents.commission(
        call.symbol,
        exchange.commission,
        is_bnb_payer=exchange.is_bnb_payer(call.account),
        has_bnb_price=exchange.has_bnb_price(call.symbol),
    )


async def show_trade_fees(call: Call) -> list[Document]:
    """Tell what the exchange takes of a trade in one symbol, or in each."""
    symbols = [call.symbol] if "symbol" in call.values else call.exchange.symbols.values()
    return [documents.trade_fee(symbol, call.exchange.commission) for symbol in symbols]


async def show_bnb_burn(call: Call) -> Document:
    """Tell whether the account pays its fees in BNB."""
    return {"spotBNBBurn": call.exchange.is_bnb_payer(call.account), "interestBNBBurn": False}


async def set_bnb_burn(call: Call) -> Document:
    """Let the account pay its fees in BNB, or not; interest is nothing that the exchange knows."""
    if "spotBNBBurn" not in call.values:
        raise ExchangeError(ErrorKind.MANDATORY_PARAMETER, name="spotBNBBurn")
    call.exchange.set_bnb_payer(call.account, call.values["spotBNBBurn"])
    return await show_bnb_burn(call)


async def show_order_limits(call: Call) -> list[Document]:
    """Tell how many orders the account has given."""
    return call.usage.documents(None, call.account, call.now_s)


def read_request(call: Call) -> OrderRequest:
    """Return the new order that a call asks for.

    Raises:
        ExchangeError: for a parameter that its type of order needs, or does not know.
    """
    kind = call.values["type"]
    for name in _NEEDED[kind]:
        is_given = name in call.values or (name == "stopPrice" and "trailingDelta" in call.values)
        if not is_given:
            raise ExchangeError(ErrorKind.MANDATORY_PARAMETER, name=name)
    for name in _FORBIDDEN[kind]:
        if name in call.values:
            raise ExchangeError(ErrorKind.NOT_REQUIRED, name=name)
    quantity, quote_quantity = call.get("quantity", 0), call.get("quoteOrderQty", 0)
    if quantity and quote_quantity:
        raise ExchangeError(ErrorKind.BAD_COMBINATION)
    if not quantity and not quote_quantity:
        raise ExchangeError(ErrorKind.EITHER_PARAMETER, first="quantity", second="quoteOrderQty")
    iceberg_quantity = call.get("icebergQty", 0)
    if iceberg_quantity and call.get("timeInForce", TimeInForce.GTC) is not TimeInForce.GTC:
        raise ExchangeError(ErrorKind.NOT_REQUIRED, name="icebergQty")
    if iceberg_quantity > quantity:
        raise ExchangeError(ErrorKind.ICEBERG_TOO_LARGE)
    sent = {field: call.values[name] for name, field in _FIELDS.items() if name in call.values}
    return OrderRequest(symbol=call.symbol, kind=kind, **sent)


async def place(call: Call, request: OrderRequest) -> Document:
    """Place an order and tell how it went.

    Raises:
        ExchangeError: if the exchange or the engine refuses it, or the engine does not answer.
    """
    pending = call.exchange.place(call.account, request, call.now_ns)
    await call.wait_for_engine(pending)
    order = pending.order
    if order.status is OrderStatus.REJECTED:
        raise error_of_reject(order.reject_reason)
    default = ResponseType.FULL if order.kind in _KINDS_TOLD_IN_FULL else ResponseType.ACK
    response_type = call.get("newOrderRespType", default)
    is_full = response_type is ResponseType.FULL
    trades = call.exchange.ledger.history.trades_of_order(order.order_id) if is_full else []
    return documents.new_order(order, response_type, trades)


async def cancel_named(call: Call, *, order_id: int | None, client_order_id: str | None, request_id: str) -> Document:
    """Cancel the open order of one of the ids and tell how it stands.

    Raises:
        ExchangeError: if there is none, or the call's restrictions do not allow it.
    """
    found = find_order(call, order_id, client_order_id)
    order = call.exchange.ledger.open_orders.get(found.order_id) if found is not None else None
    if order is None:
        raise ExchangeError(ErrorKind.UNKNOWN_ORDER)
    restriction = call.get("cancelRestrictions")
    if restriction is not None and order.status is not _STATUS_OF_RESTRICTION[restriction]:
        raise ExchangeError(ErrorKind.CANCEL_RESTRICTED)
    (pending,) = call.exchange.cancel([order], call.now_ns, request_id=request_id)
    await call.wait_for_engine(pending)
    if pending.refusal is not None:
        raise ExchangeError(ErrorKind.UNKNOWN_ORDER)
    return documents.cancelled_order(order, pending.request_id)


def find_order(call: Call, order_id: int | None, client_order_id: str | None) -> Order | None:
    """Return the order that the call names by one of its ids; where both are sent, both must be right."""
    history = call.exchange.ledger.history
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
