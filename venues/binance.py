"""Binance Spot, its testnet, or anything that speaks like it (our paper exchange), through ccxt."""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import ccxt

from market.account import Balance, VenueAccount, VenueOrder, VenueTrade
from market.codes import Side
from market.depth import Depth, Level
from market.instrument import Instrument
from venues.venue import (
    VenueBusyError,
    VenueError,
    VenueKeysError,
    VenueRefusedError,
    VenueUnavailableError,
    VenueUnknownError,
)

UNKNOWN_ORDER_CODES = frozenset({-2011, -2013})
UNKNOWN_EXECUTION_CODES = frozenset({-1000, -1001, -1006, -1007})  # those that Binance sends with a 5xx
KEY_CODES = frozenset({-2014, -2015, -1022})
RETRY_AFTER_DEFAULT_S = 10.0
RECV_WINDOW_MS = 10_000

Result = TypeVar("Result")


class BinanceVenue:
    """One account at Binance Spot's testnet, or at `url`.

    Args:
        name: what to call it.
        url: scheme, host and port of a look-alike; None is the testnet itself.
        api_key: the account's key.
        secret: its secret; neither ever appears in an error's text.
        timeout_ms: for each HTTP request.
    """

    def __init__(self, name: str, url: str | None, api_key: str, secret: str, timeout_ms: int) -> None:
        self._name = name
        self._secrets = (api_key, secret)
        config: dict[str, Any] = {
            "apiKey": api_key,
            "secret": secret,
            "timeout": timeout_ms,
            "sandbox": True,
            "options": {
                "defaultType": "spot",
                "fetchMarkets": {"types": ["spot"]},
                "recvWindow": RECV_WINDOW_MS,
                "warnOnFetchOpenOrdersWithoutSymbol": False,
            },
        }
        if url is not None:
            # Overriding urls['api'] alone would still sign a request to the real host.
            rest, stream = f"{url}/api", url.replace("http", "ws", 1)
            config["urls"] = {
                "test": {
                    "public": f"{rest}/v3",
                    "private": f"{rest}/v3",
                    "v1": f"{rest}/v1",
                    "ws": {"spot": f"{stream}/ws", "ws-api": {"spot": f"{stream}/ws-api/v3"}},
                }
            }
        self._exchange: Any = ccxt.binance(config)

    @property
    def name(self) -> str:
        """What to call the venue in logs and reports."""
        return self._name

    def load(self, instrument: Instrument) -> None:
        """Fetch the venue's markets, and check that it trades `instrument` in our ticks and lots.

        Raises:
            VenueError: if it cannot be reached, or does not.
        """
        self._call(self._exchange.load_markets, is_order=False)
        market = self._exchange.markets.get(_pair(instrument))
        if market is None:
            raise VenueRefusedError(f"{self._name} does not trade {instrument.symbol}")
        theirs = tuple(Decimal(str(market["precision"][kind])) for kind in ("price", "amount"))
        if theirs != (instrument.tick_size, instrument.lot_size):
            ours = f"{instrument.tick_size} and {instrument.lot_size}"
            raise VenueRefusedError(
                f"{self._name} trades {instrument.symbol} in ticks and lots of {theirs[0]} and {theirs[1]}, not {ours}"
            )

    def depth(self, instrument: Instrument, level_count: int) -> Depth:
        """Return the best levels of the book, our own orders among them."""
        request = {"symbol": instrument.symbol, "limit": level_count}
        document = self._call(self._exchange.public_get_depth, request, is_order=False)
        bids, asks = (
            tuple(
                Level(instrument.price_to_ticks(Decimal(price)), instrument.qty_to_lots(Decimal(qty)))
                for price, qty, *_ in document[side]
            )
            for side in ("bids", "asks")
        )
        return Depth(bids, asks)

    def open_orders(self, instrument: Instrument) -> Sequence[VenueOrder]:
        """Return our open orders, oldest first."""
        orders = self._call(self._exchange.fetch_open_orders, _pair(instrument), is_order=False)
        return [_order(order["info"]) for order in orders]

    def place(
        self, instrument: Instrument, side: Side, price_ticks: int, qty_lots: int, client_order_id: str
    ) -> VenueOrder:
        """Enter a post-only limit order."""
        order = self._call(
            self._exchange.create_order,
            _pair(instrument),
            "limit",
            side.name.lower(),
            f"{instrument.lots_to_qty(qty_lots):f}",
            f"{instrument.ticks_to_price(price_ticks):f}",
            {"postOnly": True, "newClientOrderId": client_order_id, "newOrderRespType": "RESULT"},
            is_order=True,
        )
        if not order.get("id"):  # a proxy's page with status 200 passes for an order without an id
            raise VenueUnknownError(f"{self._name} answered an order with something else")
        return _order(order["info"])

    def cancel(self, instrument: Instrument, order_id: str) -> None:
        """Cancel an order; that it is already gone is not an error."""
        try:
            self._call(self._exchange.cancel_order, order_id, _pair(instrument), is_order=False)
        except VenueRefusedError as error:
            if error.code not in UNKNOWN_ORDER_CODES:
                raise

    def find_order(self, instrument: Instrument, client_order_id: str) -> VenueOrder | None:
        """Return the order of that client order id, open or ended, or None if the venue has never had it."""
        params = {"origClientOrderId": client_order_id}
        try:
            order = self._call(self._exchange.fetch_order, None, _pair(instrument), params, is_order=False)
        except VenueRefusedError as error:
            if error.code not in UNKNOWN_ORDER_CODES:
                raise
            return None
        return _order(order["info"])

    def account(self) -> VenueAccount:
        """Return the account's id and every asset of it."""
        document = self._call(self._exchange.fetch_balance, is_order=False)["info"]
        balances = {
            balance["asset"]: Balance(Decimal(balance["free"]), Decimal(balance["locked"]))
            for balance in document["balances"]
        }
        return VenueAccount(str(document.get("uid", "")), balances)

    def balances(self) -> Mapping[str, Balance]:
        """Return every asset of the account."""
        return self.account().balances

    def trades(
        self, instrument: Instrument, limit: int = 100, from_id: int | None = None, since_ms: int | None = None
    ) -> Sequence[VenueTrade]:
        """Return our trades, oldest first: the latest `limit`, or the first `limit` from a trade id or a time on."""
        params = {} if from_id is None else {"fromId": from_id}
        trades = self._call(self._exchange.fetch_my_trades, _pair(instrument), since_ms, limit, params, is_order=False)
        return [_trade(trade["info"], instrument.symbol) for trade in trades]

    def orders(
        self, instrument: Instrument, limit: int = 500, from_id: int | None = None, since_ms: int | None = None
    ) -> Sequence[VenueOrder]:
        """Return our orders, open or ended, oldest first: the latest, or the first from an order id or a time on."""
        params = {} if from_id is None else {"orderId": from_id}
        orders = self._call(self._exchange.fetch_orders, _pair(instrument), since_ms, limit, params, is_order=False)
        return [_order(order["info"]) for order in orders]

    def _call(self, method: Callable[..., Result], *args: Any, is_order: bool) -> Result:
        """Call ccxt, and turn what it raises into a VenueError without secrets.

        A lost reply to an order is VenueUnknownError; to anything else it is VenueUnavailableError, for asking again
        does no harm.
        """
        try:
            return method(*args)
        except ccxt.InvalidNonce:
            try:
                self._exchange.options["adjustForTimeDifference"] = True
                self._exchange.load_time_difference()
                return method(*args)  # refused for its time, so it was not done
            except ccxt.BaseError as error:
                raise self._translated(error, is_order=is_order) from None
        except ccxt.BaseError as error:
            raise self._translated(error, is_order=is_order) from None

    def _translated(self, error: ccxt.BaseError, *, is_order: bool) -> VenueError:
        text = str(error)
        code = int(match[1]) if (match := re.search(r'"code":\s*(-\d+)', text)) else 0
        said = match[1] if (match := re.search(r'"msg":\s*"([^"]*)"', text)) else ""
        if isinstance(error, ccxt.RateLimitExceeded | ccxt.DDoSProtection) and code not in KEY_CODES:
            return VenueBusyError(f"{self._name} asks us to slow down", self._retry_after_s())
        if code in UNKNOWN_EXECUTION_CODES and is_order:
            return VenueUnknownError(f"{self._name} does not know what became of an order ({code})")
        if code in KEY_CODES or isinstance(error, ccxt.AuthenticationError):
            return VenueKeysError(f"{self._name} does not accept the API key: {self._redacted(said) or code}", code)
        if code:
            return VenueRefusedError(f"{self._name}: {self._redacted(said)} ({code})", code)
        if is_order and isinstance(error, ccxt.NetworkError) and not _never_left(error):
            return VenueUnknownError(f"{self._name}: the reply to an order was lost ({type(error).__name__})")
        if isinstance(error, ccxt.NetworkError):
            hint = "; is the desk up?" if self._name == "paper" else ""
            return VenueUnavailableError(f"{self._name} is out of reach ({type(error).__name__}){hint}")
        # For some refusals ccxt gives the venue's words alone; a text with a URL may hold a signature or a key.
        words = text.removeprefix("binance ")
        said = type(error).__name__ if "://" in words else self._redacted(words)
        return VenueRefusedError(f"{self._name}: {said}")

    def _redacted(self, text: str) -> str:
        for secret in self._secrets:
            if secret:
                text = text.replace(secret, "...")
        return text[:200]

    def _retry_after_s(self) -> float:
        headers = self._exchange.last_response_headers or {}
        value = str(headers.get("Retry-After", ""))
        return float(value) if value.isdigit() else RETRY_AFTER_DEFAULT_S


def _never_left(error: BaseException) -> bool:
    """Whether no connection was made, so that nothing can have been done."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionRefusedError) or "Connection refused" in str(cause):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _pair(instrument: Instrument) -> str:
    return f"{instrument.base}/{instrument.quote}"


def _order(info: Mapping[str, Any]) -> VenueOrder:
    return VenueOrder(
        order_id=str(info["orderId"]),
        client_order_id=info["clientOrderId"],
        symbol=info["symbol"],
        side=Side[info["side"]],
        price=Decimal(info["price"]),
        qty=Decimal(info["origQty"]),
        filled_qty=Decimal(info["executedQty"]),
        status=info["status"],
        time_ms=int(info.get("time") or info["transactTime"]),
    )


def _trade(info: Mapping[str, Any], symbol: str) -> VenueTrade:
    return VenueTrade(
        trade_id=int(info["id"]),
        order_id=str(info["orderId"]),
        symbol=symbol,
        side=Side.BUY if info["isBuyer"] else Side.SELL,
        price=Decimal(info["price"]),
        qty=Decimal(info["qty"]),
        quote_qty=Decimal(info["quoteQty"]),
        fee=Decimal(info["commission"]),
        fee_asset=info["commissionAsset"],
        time_ms=int(info["time"]),
        is_maker=bool(info["isMaker"]),
    )
