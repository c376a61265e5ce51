"""The JSON documents of the REST calls, with Binance's names, also the misspelt ones; every number is decimal text."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from market.codes import SelfTradePrevention, Side, TimeInForce
from market.depth import Depth, Level
from paper.access.usage import Limit
from paper.calls import prevented_documents
from paper.calls.commission_documents import rates_of
from paper.calls.parameters import ResponseType
from paper.exchange.filters import filter_documents
from paper.exchange.tape import Bar, PublicTrade
from paper.money.account_records import AccountRecord
from paper.money.amendments import Amendment
from paper.money.commission import Terms
from paper.money.orders import AccountTrade, Order, OrderKind
from paper.money.prevented_match import NO_MATCH, PreventedMatch
from paper.money.wallets import Wallet
from paper.units import Symbol, format_units

Document = dict[str, Any]

_ZERO: Final = format_units(0)
_NOT_WORKING: Final = -1
_NO_LEVEL: Final = Level(0, 0)


def exchange_info(
    symbols: Sequence[Symbol],
    limits: Sequence[Limit],
    now_ms: int,
    halted: Collection[str] = (),
    *,
    has_permission_sets: bool = True,
) -> Document:
    """Return what is traded, by which rules; `halted` symbols are not, for now."""
    sets = {"permissionSets": [["SPOT"]]} if has_permission_sets else {}
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": [limit.document() for limit in limits],
        "exchangeFilters": [],
        "symbols": [_symbol(symbol, is_halted=symbol.name in halted) | sets for symbol in symbols],
    }


def _symbol(symbol: Symbol, *, is_halted: bool) -> Document:
    return {
        "symbol": symbol.name,
        "status": "CANCEL_ONLY" if is_halted else "TRADING",
        "baseAsset": symbol.base,
        "baseAssetPrecision": 8,
        "quoteAsset": symbol.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": [str(kind) for kind in OrderKind],
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": True,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": filter_documents(symbol),
        "permissions": ["SPOT"],
        "defaultSelfTradePreventionMode": SelfTradePrevention.EXPIRE_MAKER.name,
        "allowedSelfTradePreventionModes": [mode.name for mode in SelfTradePrevention],
    }


def depth(symbol: Symbol, book: Depth, update_id: int) -> Document:
    """Return both sides of the book, best price first."""
    return {"lastUpdateId": update_id, "bids": levels(symbol, book.bids), "asks": levels(symbol, book.asks)}


def levels(symbol: Symbol, side: Sequence[Level]) -> list[list[str]]:
    """Return price and quantity of every level."""
    return [[symbol.price_text(price), symbol.qty_text(qty)] for price, qty in side]


def public_trade(symbol: Symbol, trade: PublicTrade) -> Document:
    """Return a trade as everybody sees it."""
    return {
        "id": trade.trade_id,
        "price": symbol.price_text(trade.price_ticks),
        "qty": symbol.qty_text(trade.qty_lots),
        "quoteQty": format_units(symbol.notional(trade.price_ticks, trade.qty_lots)),
        "time": trade.time_ms,
        "isBuyerMaker": trade.taker_side is Side.SELL,
        "isBestMatch": True,
    }


def aggregate_trade(symbol: Symbol, trades: Sequence[PublicTrade]) -> Document:
    """Return trades of one moment, price and direction as one, numbered by the first of them."""
    first, last = trades[0], trades[-1]
    return {
        "a": first.trade_id,
        "p": symbol.price_text(first.price_ticks),
        "q": symbol.qty_text(sum(trade.qty_lots for trade in trades)),
        "f": first.trade_id,
        "l": last.trade_id,
        "T": first.time_ms,
        "m": first.taker_side is Side.SELL,
        "M": True,
    }


def kline(symbol: Symbol, bar: Bar, end_ms: int) -> list[Any]:
    """Return a bar as the array that Binance makes of it."""
    return [
        bar.open_ms,
        symbol.price_text(bar.open_ticks),
        symbol.price_text(bar.high_ticks),
        symbol.price_text(bar.low_ticks),
        symbol.price_text(bar.close_ticks),
        symbol.qty_text(bar.qty_lots),
        end_ms - 1,
        format_units(bar.notional_ticks_lots * symbol.notional_units),
        bar.count,
        symbol.qty_text(bar.bought_lots),
        format_units(bar.bought_ticks_lots * symbol.notional_units),
        "0",
    ]


def book_ticker(symbol: Symbol, book: Depth) -> Document:
    """Return the best prices; a side without orders has price and quantity 0."""
    bid, ask = (side[0] if side else _NO_LEVEL for side in (book.bids, book.asks))
    return {
        "symbol": symbol.name,
        "bidPrice": symbol.price_text(bid.price_ticks),
        "bidQty": symbol.qty_text(bid.qty_lots),
        "askPrice": symbol.price_text(ask.price_ticks),
        "askQty": symbol.qty_text(ask.qty_lots),
    }


def mini_ticker(symbol: Symbol, day: Bar, now_ms: int) -> Document:
    """Return the last 24 hours, or another bar that ends now, in short."""
    return {
        "symbol": symbol.name,
        "openPrice": symbol.price_text(day.open_ticks),
        "highPrice": symbol.price_text(day.high_ticks),
        "lowPrice": symbol.price_text(day.low_ticks),
        "lastPrice": symbol.price_text(day.close_ticks),
        "volume": symbol.qty_text(day.qty_lots),
        "quoteVolume": format_units(day.notional_ticks_lots * symbol.notional_units),
        "openTime": day.open_ms,
        "closeTime": now_ms,
        "firstId": day.first_trade_id,
        "lastId": day.last_trade_id,
        "count": day.count,
    }


def ticker(symbol: Symbol, bar: Bar, end_ms: int) -> Document:
    """Return what happened from the beginning of a bar to `end_ms`, and how the price has changed."""
    change = bar.close_ticks - bar.open_ticks
    average = bar.notional_ticks_lots // bar.qty_lots if bar.qty_lots else 0
    return {
        "symbol": symbol.name,
        "priceChange": symbol.price_text(change),
        "priceChangePercent": f"{100 * change / bar.open_ticks if bar.open_ticks else 0:.3f}",
        "weightedAvgPrice": symbol.price_text(average),
        **mini_ticker(symbol, bar, end_ms),
    }


def day_ticker(symbol: Symbol, day: Bar, last_qty_lots: int, book: Depth, now_ms: int) -> Document:
    """Return the last 24 hours and the best prices."""
    return {
        **ticker(symbol, day, now_ms),
        **book_ticker(symbol, book),
        "prevClosePrice": symbol.price_text(day.open_ticks),
        "lastQty": symbol.qty_text(last_qty_lots),
    }


def order(order: Order) -> Document:
    """Return an order as a question about it is answered."""
    return {
        **_identity(order),
        "clientOrderId": order.client_order_id,
        **_progress(order),
        "stopPrice": order.symbol.price_text(order.stop_ticks),
        "icebergQty": order.symbol.qty_text(order.display_lots),
        **_trail(order),
        **_prevention(order),
        "time": order.time_ms,
        "updateTime": order.update_ms,
        "isWorking": not (order.is_waiting or order.is_held),
        "workingTime": order.working_ms or _NOT_WORKING,
    }


def new_order(
    order: Order,
    response_type: ResponseType,
    trades: Sequence[AccountTrade],
    prevented: Sequence[PreventedMatch] = (),
) -> Document:
    """Return the answer to a new order; `trades` are its own, for the type FULL, `prevented` those of others."""
    document = {**_identity(order), "clientOrderId": order.client_order_id, "transactTime": order.time_ms}
    if response_type is not ResponseType.ACK:
        document |= _progress(order) | _conditions(order) | {"workingTime": order.working_ms or _NOT_WORKING}
    if response_type is ResponseType.FULL:
        document["fills"] = [_fill(trade) for trade in trades]
    if prevented and response_type is not ResponseType.ACK:
        document["preventedMatches"] = [prevented_documents.of_taker(match) for match in prevented]
    return document


def cancelled_order(order: Order, client_order_id: str) -> Document:
    """Return the answer to a cancel, whose own id is `client_order_id`."""
    return {
        **_identity(order),
        "origClientOrderId": order.client_order_id,
        "clientOrderId": client_order_id,
        "transactTime": order.update_ms,
        **_progress(order),
        **_conditions(order),
    }


def amended_order(order: Order, amendment: Amendment) -> Document:
    """Return the answer to an amend; its quantities are spelt in its own way, not as other orders'."""
    told = _progress(order)
    return {
        "transactTime": order.update_ms,
        "executionId": amendment.execution_id,
        "amendedOrder": {
            **_identity(order),
            "origClientOrderId": amendment.earlier_client_id,
            "clientOrderId": order.client_order_id,
            "price": told["price"],
            "qty": told["origQty"],
            "executedQty": told["executedQty"],
            "preventedQty": order.symbol.qty_text(order.prevented_lots),
            "quoteOrderQty": told["origQuoteOrderQty"],
            "cumulativeQuoteQty": told["cummulativeQuoteQty"],
            **{name: told[name] for name in ("status", "timeInForce", "type", "side", "selfTradePreventionMode")},
            "workingTime": order.working_ms or _NOT_WORKING,
            **_conditions(order),
        },
    }


def amendment(symbol: Symbol, amendment: Amendment) -> Document:
    """Return how an order got smaller once."""
    return {
        "symbol": symbol.name,
        "orderId": amendment.order_id,
        "executionId": amendment.execution_id,
        "origClientOrderId": amendment.earlier_client_id,
        "newClientOrderId": amendment.client_order_id,
        "origQty": symbol.qty_text(amendment.earlier_lots),
        "newQty": symbol.qty_text(amendment.qty_lots),
        "time": amendment.time_ms,
    }


def account_trade(trade: AccountTrade) -> Document:
    """Return an account's share of a trade."""
    return {
        "symbol": trade.symbol.name,
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "orderListId": trade.list_id,
        "price": trade.symbol.price_text(trade.price_ticks),
        "qty": trade.symbol.qty_text(trade.qty_lots),
        "quoteQty": format_units(trade.quote_units),
        "commission": format_units(trade.fee_units),
        "commissionAsset": trade.fee_asset,
        "time": trade.time_ms,
        "isBuyer": trade.side is Side.BUY,
        "isMaker": trade.is_maker,
        "isBestMatch": True,
    }


def account(uid: int, wallets: dict[str, Wallet], terms: Terms, update_ms: int) -> Document:
    """Return an account with its balances."""
    return {
        "makerCommission": terms.maker_rate // 10_000,  # in hundredths of a percent
        "takerCommission": terms.taker_rate // 10_000,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": rates_of(terms),
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": update_ms,
        "accountType": "SPOT",
        "balances": balances(wallets),
        "permissions": ["SPOT"],
        "uid": uid,
    }


def balances(wallets: Mapping[str, Wallet]) -> list[Document]:
    """Return what an account has of each asset."""
    return [
        {"asset": asset, "free": format_units(wallet.free), "locked": format_units(wallet.locked)}
        for asset, wallet in wallets.items()
    ]


def listed_account(number: int, record: AccountRecord, wallets: Mapping[str, Wallet], open_count: int) -> Document:
    """Return an account as the admin's list shows it, but for its API keys."""
    return {
        "account": number,
        "uid": record.uid(number),
        "apiKeys": [],
        "openOrders": open_count,
        "resets": record.reset_count,
        "resetTime": record.reset_ms,
        "paysInBnb": bool(record.is_bnb_payer),
        "balances": {asset: format_units(wallet.free + wallet.locked) for asset, wallet in wallets.items()},
    }


def _identity(order: Order) -> Document:
    return {"symbol": order.symbol.name, "orderId": order.order_id, "orderListId": order.list_id}


def _progress(order: Order) -> Document:
    symbol = order.symbol
    document = {
        "price": _ZERO if order.kind.is_market else symbol.price_text(order.price_ticks),
        "origQty": symbol.qty_text(order.qty_lots),
        "executedQty": symbol.qty_text(order.filled_lots),
        "origQuoteOrderQty": format_units(order.quote_order_units),
        "cummulativeQuoteQty": format_units(order.filled_units),
        "status": str(order.status),
        "timeInForce": TimeInForce(order.time_in_force).name,
        "type": str(order.kind),
        "side": Side(order.side).name,
        "selfTradePreventionMode": SelfTradePrevention(order.self_trade_prevention).name,
    }
    if order.expiry_reason:
        document["expiryReason"] = order.expiry_reason
    if order.prevented_lots:
        document["preventedQuantity"] = symbol.qty_text(order.prevented_lots)
    return document


def _conditions(order: Order) -> Document:
    """Return what only some orders have."""
    document = {}
    if order.stop_ticks:
        document["stopPrice"] = order.symbol.price_text(order.stop_ticks)
    if order.display_lots:
        document["icebergQty"] = order.symbol.qty_text(order.display_lots)
    return document | _trail(order)


def _prevention(order: Order) -> Document:
    """Return what only questions about orders tell that have lost something to a prevented match."""
    is_told = order.prevented_lots and order.prevented_match_id != NO_MATCH
    return {"preventedMatchId": order.prevented_match_id} if is_told else {}


def _trail(order: Order) -> Document:
    """Return what only orders have that trail the price."""
    if not order.trailing_bps:
        return {}
    return {"trailingDelta": order.trailing_bps, "trailingTime": order.trailing_ms or _NOT_WORKING}


def _fill(trade: AccountTrade) -> Document:
    told = account_trade(trade)
    return {**{name: told[name] for name in ("price", "qty", "commission", "commissionAsset")}, "tradeId": told["id"]}
