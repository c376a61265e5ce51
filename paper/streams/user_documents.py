"""The JSON documents of an account's own stream, with Binance's letters; prices and quantities are decimal text."""

from typing import Any, Final

from market.codes import SelfTradePrevention, Side, TimeInForce
from paper.errors import NO_REJECT_NAME, reject_name
from paper.exchange.news import AccountNews, DepositNews, ExecutionType, OrderNews, WalletNews
from paper.money.orders import OrderStatus
from paper.units import format_units

Document = dict[str, Any]

_ZERO: Final = format_units(0)


def event(news: AccountNews) -> Document:
    """Return what an account is told."""
    match news:
        case OrderNews():
            return _execution_report(news)
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
    order, symbol, trade = news.order, news.order.symbol, news.trade
    is_on_book = order.status in {OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED} and not order.is_waiting
    report = {
        "e": "executionReport",
        "E": news.time_ms,
        "s": symbol.name,
        "c": news.request_id or order.client_order_id,
        "S": Side(order.side).name,
        "o": str(order.kind),
        "f": TimeInForce(order.time_in_force).name,
        "q": symbol.qty_text(order.qty_lots),
        "p": _ZERO if order.kind.is_market else symbol.price_text(order.price_ticks),
        "P": symbol.price_text(order.stop_ticks),
        "F": symbol.qty_text(order.display_lots),
        "g": -1,
        "C": news.earlier_client_id or (order.client_order_id if news.request_id else ""),
        "x": str(news.execution),
        "X": str(order.status),
        "r": _reject_text(news),
        "i": order.order_id,
        "l": symbol.qty_text(trade.qty_lots) if trade else _ZERO,
        "z": symbol.qty_text(order.filled_lots),
        "L": symbol.price_text(trade.price_ticks) if trade else _ZERO,
        "n": format_units(trade.fee_units) if trade else "0",
        "N": trade.fee_asset if trade else None,
        "T": news.time_ms,
        "t": trade.trade_id if trade else -1,
        "I": order.order_id,
        "w": is_on_book,
        "m": trade.is_maker if trade else False,
        "M": False,
        "O": order.time_ms,
        "Z": format_units(order.filled_units),
        "Y": format_units(trade.quote_units) if trade else _ZERO,
        "Q": format_units(order.quote_order_units),
        "V": SelfTradePrevention(order.self_trade_prevention).name,
    }
    if order.expiry_reason:
        report["eR"] = order.expiry_reason
    if is_on_book:
        report["W"] = order.working_ms
    if order.prevented_lots:
        report |= {"A": symbol.qty_text(order.prevented_lots), "B": symbol.qty_text(news.prevented_lots)}
    return report


def _reject_text(news: OrderNews) -> str:
    return reject_name(news.order.reject_reason) if news.execution is ExecutionType.REJECTED else NO_REJECT_NAME
