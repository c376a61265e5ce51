"""The one table of REST endpoints: path, method, weight, security, parameters, handler."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from paper.calls import account_calls, list_calls, market_calls
from paper.calls import parameters as p
from paper.calls.call import Call
from paper.calls.new_orders import ORDER_PARAMETERS, leg_parameters
from paper.calls.parameters import Parameter, Values

_BASE: Final = "/api/v3/"

Handler = Callable[[Call], Awaitable[Any]]
Table = tuple[Parameter, ...]
Weight = int | Callable[[Values], int]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row of the table.

    Attributes:
        socket_method: what the WebSocket API calls it; empty where that does not have it.
        weight: what a call costs of the request weight, fixed or by its parameters.
        is_signed: whether it acts for an account; timestamp, recvWindow and signature are parameters then.
        is_order: whether its handler counts orders, and its answer tells of the limits of orders.
        is_free_if_done: whether only a call that fails has its weight.
    """

    method: str
    path: str
    socket_method: str
    weight: Weight
    parameters: Table
    handler: Handler
    is_signed: bool = False
    is_order: bool = False
    is_free_if_done: bool = False

    @property
    def name(self) -> str:
        """Its path without what all paths begin with, `order/test`."""
        return self.path.removeprefix(_BASE)

    @property
    def is_market_data(self) -> bool:
        """Whether it tells how the market stands now or stood, to everybody."""
        return not self.is_signed and self.name not in {"ping", "time", "exchangeInfo"}

    @property
    def security(self) -> str:
        """What it asks of its sender, in Binance's words."""
        return ("USER_DATA" if self.method == "GET" else "TRADE") if self.is_signed else "NONE"

    def weight_of(self, values: Values) -> int:
        """Return what a call with these parameters costs."""
        return self.weight if isinstance(self.weight, int) else self.weight(values)


def _depth_weight(values: Values) -> int:
    limit = values.get("limit", market_calls.DEPTH_LIMIT_DEFAULT)
    return next((weight for most, weight in ((100, 5), (500, 25), (1_000, 50)) if limit <= most), 250)


def _day_ticker_weight(values: Values) -> int:
    if "symbol" in values:
        return 2
    count = len(values["symbols"]) if "symbols" in values else 101
    return next((weight for most, weight in ((20, 2), (100, 40)) if count <= most), 80)


def _by_symbols(each: int, most: int) -> Weight:
    """Return what a call costs by how many symbols it names, and at most, which is also for all of them."""
    return lambda values: each if "symbol" in values else min(each * len(values.get("symbols", ())), most) or most


def _either(name: str, weight: int, weight_without: int) -> Weight:
    """Return what a call costs that names a parameter, and one that does not."""
    return lambda values: weight if name in values else weight_without


def _without_quantity(parameters: Table) -> Table:
    return tuple(parameter for parameter in parameters if parameter.name != "pendingQuantity")


_WINDOW_WEIGHT: Final = _by_symbols(4, 200)
_RULES_WEIGHT: Final = _by_symbols(2, 40)
_TICKER_WEIGHT: Final = _either("symbol", 2, 4)
_OPEN_WEIGHT: Final = _either("symbol", 6, 80)

_INFO: Final = (p.SYMBOL_OR_ALL, p.SYMBOLS, p.PERMISSIONS, p.SHOW_PERMISSION_SETS, p.SYMBOL_STATUS)
_TICKER: Final = (p.SYMBOL_OR_ALL, p.SYMBOLS, p.SYMBOL_STATUS)
_WINDOW: Final = (*_TICKER, p.TICKER_TYPE)
_RANGE: Final = (p.START_TIME, p.END_TIME, p.LIMIT)
_ANSWERED: Final = (p.SELF_TRADE_PREVENTION, p.NEW_ORDER_RESPONSE_TYPE)
_NEW_ORDER: Final = (p.SYMBOL, *ORDER_PARAMETERS, p.QUOTE_ORDER_QTY, *_ANSWERED)
_NEW_LIST: Final = (p.SYMBOL, p.LIST_CLIENT_ORDER_ID, *_ANSWERED)
_PAIR: Final = leg_parameters(list_calls.ABOVE, list_calls.BELOW)
_PENDING_PAIR: Final = leg_parameters(list_calls.PENDING_ABOVE, list_calls.PENDING_BELOW)
_WORKING: Final = leg_parameters(list_calls.WORKING)
_TEST: Final = (*_NEW_ORDER, p.COMPUTE_COMMISSION_RATES)
_ORDER: Final = (p.SYMBOL, p.ORDER_ID, p.ORIG_CLIENT_ORDER_ID)
_AMEND: Final = (*_ORDER, p.NEW_CLIENT_ORDER_ID, p.NEW_QTY)
_CANCEL: Final = (*_ORDER, p.NEW_CLIENT_ORDER_ID, p.CANCEL_RESTRICTIONS)
_REPLACE: Final = (
    *_NEW_ORDER,
    p.CANCEL_REPLACE_MODE,
    p.CANCEL_ORDER_ID,
    p.CANCEL_ORIG_CLIENT_ORDER_ID,
    p.CANCEL_NEW_CLIENT_ORDER_ID,
    p.CANCEL_RESTRICTIONS,
    p.ORDER_RATE_LIMIT_EXCEEDED_MODE,
)
# The legs of a list that pays for its pending orders with what it buys have no quantity of their own.
_OPO: Final = (*_NEW_LIST, *_WORKING, *_without_quantity(leg_parameters(list_calls.PENDING)))
_OPOCO: Final = (*_NEW_LIST, *_WORKING, *_without_quantity(_PENDING_PAIR))
_LIST: Final = (p.ORDER_LIST_ID, p.ORIG_CLIENT_ORDER_ID)
_CANCEL_LIST: Final = (p.SYMBOL, p.ORDER_LIST_ID, p.LIST_CLIENT_ORDER_ID, p.NEW_CLIENT_ORDER_ID)
_AMENDMENTS: Final = (p.SYMBOL, p.AMENDED_ORDER_ID, p.FROM_EXECUTION_ID, p.LIMIT)
_KLINES: Final = (p.SYMBOL, p.INTERVAL, *_RANGE, p.TIME_ZONE)
_ALLOCATIONS: Final = (p.SYMBOL, p.FROM_ALLOCATION_ID, p.ORDER_ID, *_RANGE)
_MY_TRADES: Final = (p.SYMBOL, p.ORDER_ID, p.FROM_ID, *_RANGE)
_PREVENTED: Final = (p.SYMBOL, p.PREVENTED_MATCH_ID, p.ORDER_ID, p.FROM_PREVENTED_MATCH_ID, p.LIMIT)
_BNB_BURN: Final = (p.SPOT_BNB_BURN, p.INTEREST_BNB_BURN)


def _whole(path: str) -> str:
    return path if path.startswith("/") else _BASE + path


def _public(path: str, socket_method: str, weight: Weight, parameters: Table, handler: Handler) -> Endpoint:
    return Endpoint("GET", _whole(path), socket_method, weight, parameters, handler)


def _signed(
    method: str,
    path: str,
    socket_method: str,
    weight: Weight,
    parameters: Table,
    handler: Handler,
) -> Endpoint:
    return Endpoint(method, _whole(path), socket_method, weight, (*parameters, *p.SIGNED), handler, is_signed=True)


def _trade(method: str, path: str, socket_method: str, parameters: Table, handler: Handler) -> Endpoint:
    """Return a call that places or takes away orders: it weighs 1, and nothing if it is done."""
    told = _signed(method, path, socket_method, 1, parameters, handler)
    return replace(told, is_order=method == "POST", is_free_if_done=True)


ENDPOINTS: Final = (
    _public("ping", "ping", 1, (), market_calls.ping),
    _public("time", "time", 1, (), market_calls.server_time),
    _public("exchangeInfo", "exchangeInfo", 20, _INFO, market_calls.exchange_info),
    _public("depth", "depth", _depth_weight, (p.SYMBOL, p.LIMIT, p.SYMBOL_STATUS), market_calls.depth),
    _public("trades", "trades.recent", 25, (p.SYMBOL, p.LIMIT), market_calls.trades),
    _public(
        "historicalTrades", "trades.historical", 25, (p.SYMBOL, p.FROM_ID, p.LIMIT), market_calls.historical_trades
    ),
    _public(
        "historicalBlockTrades",
        "blockTrades.historical",
        25,
        (p.SYMBOL, p.FROM_BLOCK_TRADE_ID, p.LIMIT),
        market_calls.block_trades,
    ),
    _public("aggTrades", "trades.aggregate", 4, (p.SYMBOL, p.FROM_ID, *_RANGE), market_calls.aggregate_trades),
    _public("klines", "klines", 2, _KLINES, market_calls.klines),
    _public("uiKlines", "uiKlines", 2, _KLINES, market_calls.chart_klines),
    _public("avgPrice", "avgPrice", 2, (p.SYMBOL,), market_calls.average_price),
    _public("ticker/24hr", "ticker.24hr", _day_ticker_weight, _WINDOW, market_calls.day_ticker),
    _public("ticker", "ticker", _WINDOW_WEIGHT, (*_WINDOW, p.WINDOW_SIZE), market_calls.window_ticker),
    _public(
        "ticker/tradingDay",
        "ticker.tradingDay",
        _WINDOW_WEIGHT,
        (*_WINDOW, p.TIME_ZONE),
        market_calls.trading_day_ticker,
    ),
    _public("ticker/price", "ticker.price", _TICKER_WEIGHT, _TICKER, market_calls.price_ticker),
    _public("ticker/bookTicker", "ticker.book", _TICKER_WEIGHT, _TICKER, market_calls.book_ticker),
    _public("executionRules", "executionRules", _RULES_WEIGHT, _TICKER, market_calls.execution_rules),
    _public("referencePrice", "referencePrice", 2, (p.SYMBOL,), market_calls.reference_price),
    _public(
        "referencePrice/calculation",
        "referencePrice.calculation",
        2,
        (p.SYMBOL, p.SYMBOL_STATUS),
        market_calls.reference_price_calculation,
    ),
    _trade("POST", "order", "order.place", _NEW_ORDER, account_calls.place_order),
    _signed("POST", "order/test", "order.test", 1, _TEST, account_calls.check_order),
    _trade("POST", "order/cancelReplace", "order.cancelReplace", _REPLACE, account_calls.replace_order),
    _signed("PUT", "order/amend/keepPriority", "order.amend.keepPriority", 4, _AMEND, account_calls.amend_order),
    _signed("GET", "order/amendments", "order.amendments", 4, _AMENDMENTS, account_calls.show_amendments),
    _signed("GET", "order", "order.status", 4, _ORDER, account_calls.show_order),
    _trade("DELETE", "order", "order.cancel", _CANCEL, account_calls.cancel_order),
    _trade("POST", "orderList/oco", "orderList.place.oco", (*_NEW_LIST, *_PAIR), list_calls.place_oco),
    _trade(
        "POST",
        "orderList/oto",
        "orderList.place.oto",
        (*_NEW_LIST, *_WORKING, *leg_parameters(list_calls.PENDING)),
        list_calls.place_oto,
    ),
    _trade(
        "POST",
        "orderList/otoco",
        "orderList.place.otoco",
        (*_NEW_LIST, *_WORKING, *_PENDING_PAIR),
        list_calls.place_otoco,
    ),
    _trade("POST", "order/oco", "orderList.place", (*_NEW_LIST, *list_calls.OLD_OCO), list_calls.place_old_oco),
    _trade("POST", "orderList/opo", "orderList.place.opo", _OPO, list_calls.refuse_opo),
    _trade("POST", "orderList/opoco", "orderList.place.opoco", _OPOCO, list_calls.refuse_opoco),
    _signed("GET", "orderList", "orderList.status", 4, _LIST, list_calls.show_list),
    _trade("DELETE", "orderList", "orderList.cancel", _CANCEL_LIST, list_calls.cancel_list),
    _signed("GET", "allOrderList", "allOrderLists", 20, (p.FROM_ID, *_RANGE), list_calls.all_lists),
    _signed("GET", "openOrderList", "openOrderLists.status", 6, (), list_calls.open_lists),
    _signed("GET", "openOrders", "openOrders.status", _OPEN_WEIGHT, (p.SYMBOL_OR_ALL,), account_calls.open_orders),
    _trade("DELETE", "openOrders", "openOrders.cancelAll", (p.SYMBOL,), account_calls.cancel_open_orders),
    _signed("GET", "allOrders", "allOrders", 20, (p.SYMBOL, p.ORDER_ID, *_RANGE), account_calls.all_orders),
    _signed("GET", "myTrades", "myTrades", _either("orderId", 5, 20), _MY_TRADES, account_calls.my_trades),
    _signed(
        "GET",
        "myPreventedMatches",
        "myPreventedMatches",
        _either("preventedMatchId", 2, 20),
        _PREVENTED,
        account_calls.my_prevented_matches,
    ),
    _signed("GET", "myAllocations", "myAllocations", 20, _ALLOCATIONS, account_calls.my_allocations),
    _signed("GET", "account", "account.status", 20, (p.OMIT_ZERO_BALANCES,), account_calls.show_account),
    _signed("GET", "account/commission", "account.commission", 20, (p.SYMBOL,), account_calls.show_commission),
    _signed("GET", "myFilters", "myFilters", 40, (p.SYMBOL,), account_calls.show_filters),
    _signed("GET", "rateLimit/order", "account.rateLimits.orders", 40, (), account_calls.show_order_limits),
    _signed("GET", "/sapi/v1/asset/tradeFee", "", 1, (p.SYMBOL_OR_ALL,), account_calls.show_trade_fees),
    _signed("GET", "/sapi/v1/bnbBurn", "", 1, (), account_calls.show_bnb_burn),
    _signed("POST", "/sapi/v1/bnbBurn", "", 1, _BNB_BURN, account_calls.set_bnb_burn),
)
