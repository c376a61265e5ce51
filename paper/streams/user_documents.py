"""The JSON documents of an account's own stream, with Binance's letters; prices and quantities are decimal text."""

from typing import Any, Final

from paper.calls import documents, list_documents
from paper.calls.prevented_documents import NO_TRADE_GROUP
from paper.errors import NO_REJECT_NAME, reject_name
from paper.exchange.news import AccountNews, DepositNews, ExecutionType, ListNews, OrderNews, WalletNews
from paper.money.orders import Order, OrderStatus
from paper.money.prevented_match import PreventedMatch
from paper.streams.documents import in_letters
from paper.units import format_units

Document = dict[str, Any]

_ZERO: Final = format_units(0)
_ORDER_LETTERS: Final = {
    "s": "symbol", "S": "side", "o": "type", "f": "timeInForce", "q": "origQty", "p": "price", "P": "stopPrice",
    "F": "icebergQty", "g": "orderListId", "X": "status", "i": "orderId", "z": "executedQty", "O": "time",
    "Z": "cummulativeQuoteQty", "Q": "origQuoteOrderQty", "V": "selfTradePreventionMode",
}  # fmt: skip
_TRADE_LETTERS: Final = {
    "n": "commission", "N": "commissionAsset", "l": "qty", "L": "price", "Y": "quoteQty", "t": "id", "m": "isMaker",
}  # fmt: skip
_LIST_LETTERS: Final = {
    "s": "symbol", "g": "orderListId", "c": "contingencyType", "L": "listOrderStatus", "C": "listClientOrderId",
}  # fmt: skip
_LEG_LETTERS: Final = {"s": "symbol", "i": "orderId", "c": "clientOrderId"}


def event(news: AccountNews) -> Document:
    """Return what an account is told."""
    match news:
        case OrderNews():
            return _execution_report(news)
        case ListNews():
            return _list_status(news)
        case WalletNews():
            return {
                "e": "outboundAccountPosition",
                "E": news.time_ms,
                "u": news.time_ms,
                "B": [
                    {"a": asset, "f": format_units(wallet.free), "l": format_units(wallet.locked)}
                    for asset, wallet in news.wallets.items()
                ],
            }
        case DepositNews():
            return {
                "e": "balanceUpdate",
                "E": news.time_ms,
                "a": news.asset,
                "d": format_units(news.units),
                "T": news.time_ms,
            }


def terminated(now_ms: int) -> Document:
    """Return the last event of a stream."""
    return {"e": "eventStreamTerminated", "E": now_ms}


def _execution_report(news: OrderNews) -> Document:
    order, trade = news.order, news.trade
    is_on_book = order.status in {OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED} and not order.is_waiting
    told = documents.order(order)
    share = {"n": "0", "N": None, "l": _ZERO, "L": _ZERO, "Y": _ZERO, "t": -1, "m": False}
    if trade is not None:
        share = in_letters(_TRADE_LETTERS, documents.account_trade(trade))
    report = {
        "e": "executionReport",
        "E": news.time_ms,
        **in_letters(_ORDER_LETTERS, told),
        "c": news.request_id or order.client_order_id,
        "C": news.earlier_client_id or (order.client_order_id if news.request_id else ""),
        "x": str(news.execution),
        "r": _reject_text(news),
        **share,
        "T": news.time_ms,
        "I": order.order_id,
        "w": is_on_book,
        "M": False,
    }
    if order.expiry_reason:
        report["eR"] = order.expiry_reason
    if order.trailing_bps:
        report |= {"d": told["trailingDelta"], "D": told["trailingTime"]}
    if is_on_book:
        report["W"] = order.working_ms
    if order.prevented_lots:
        report["A"] = told["preventedQuantity"]
    if news.prevention is not None:
        report |= _prevention(order, *news.prevention)
    return report


def _prevention(order: Order, lots: int, match: PreventedMatch | None) -> Document:
    """Return what is told of a match that self-trade prevention has just prevented; no account is in a group."""
    symbol = order.symbol
    document: Document = {"B": symbol.qty_text(lots)}
    if match is not None:
        document |= {
            "v": match.match_id,
            "u": NO_TRADE_GROUP,
            "U": match.counter_of(order.order_id),
            "Cs": symbol.name,
            "pl": symbol.qty_text(match.lots),
            "pL": symbol.price_text(match.price_ticks),
            "pY": format_units(symbol.notional(match.price_ticks, match.lots)),
        }
    return document


def _list_status(news: ListNews) -> Document:
    told = list_documents.order_list(news.order_list)
    return {
        "e": "listStatus",
        "E": news.time_ms,
        **in_letters(_LIST_LETTERS, told),
        "l": str(news.status_type),
        "r": NO_REJECT_NAME,
        "T": news.time_ms,
        "O": [in_letters(_LEG_LETTERS, leg) for leg in told["orders"]],
    }


def _reject_text(news: OrderNews) -> str:
    return reject_name(news.order.reject_reason) if news.execution is ExecutionType.REJECTED else NO_REJECT_NAME
