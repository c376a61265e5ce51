"""One account at a look-alike of Binance Spot, over plain HTTP: what commands ask and do, one call at a time.

The maker and the tracker go through ccxt. To import that takes four times as long as such a command may take in all.
Signing and errors are those of Binance Spot API docs, "Request Security" and "Errors".
"""

import hashlib
import hmac
import http.client
import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import urlencode, urlsplit

from market.account import Balance, VenueAccount, VenueOrder, VenueTrade
from market.clock import NS_PER_MS, time_ns
from market.codes import Side
from market.depth import Depth
from market.instrument import Instrument
from venues.binance_documents import (
    KEY_CODES,
    UNKNOWN_EXECUTION_CODES,
    UNKNOWN_ORDER_CODES,
    UNREADABLE,
    account_of,
    depth_of,
    mid_of,
    minute_prices_of,
    order_of,
    orders_of,
    retry_after_s,
    trades_of,
)
from venues.venue import (
    RECV_WINDOW_MS,
    VenueBusyError,
    VenueError,
    VenueKeysError,
    VenueRefusedError,
    VenueUnavailableError,
    VenueUnknownError,
)

BODY_BYTES_MAX: Final = 16 << 20

_BAD_TIME: Final = -1021

Result = TypeVar("Result")


class BinanceRest:
    """One account at `url`, with the calls of `venues.venue.Venue` and those of a person.

    Args:
        name: what to call it.
        url: scheme, host and port.
        api_key: the account's key.
        secret: its secret; neither ever appears in an error's text.
        timeout_ms: for each request.
    """

    def __init__(self, name: str, url: str, api_key: str, secret: str, timeout_ms: int) -> None:
        self._name = name
        self._url = url
        parts = urlsplit(url)
        self._is_encrypted, self._host, self._port = parts.scheme == "https", parts.hostname or "", parts.port
        self._api_key, self._secret = api_key, secret
        self._timeout_s = timeout_ms / 1_000
        self._ahead_ms = 0  # the venue's clock, of ours

    @property
    def name(self) -> str:
        """What to call the venue in logs and reports."""
        return self._name

    def load(self, instrument: Instrument) -> None:
        """Check that the venue trades `instrument` in our ticks and lots.

        Raises:
            VenueError: if it cannot be reached, or does not.
        """

        def steps(document: Any) -> tuple[Decimal, Decimal]:
            (symbol,) = document["symbols"]
            found = {each["filterType"]: each for each in symbol["filters"]}
            return Decimal(found["PRICE_FILTER"]["tickSize"]), Decimal(found["LOT_SIZE"]["stepSize"])

        theirs = self._asked("GET", "exchangeInfo", {"symbol": instrument.symbol}, steps, is_signed=False)
        if theirs != (instrument.tick_size, instrument.lot_size):
            ours = f"{instrument.tick_size} and {instrument.lot_size}"
            raise VenueRefusedError(
                f"{self._name} trades {instrument.symbol} in ticks and lots of {theirs[0]} and {theirs[1]}, not {ours}"
            )

    def depth(self, instrument: Instrument, level_count: int) -> Depth:
        """Return the best levels of the book, our own orders among them."""
        asked = {"symbol": instrument.symbol, "limit": level_count}
        return self._asked("GET", "depth", asked, partial(depth_of, instrument=instrument), is_signed=False)

    def mid(self, symbol: str) -> Decimal | None:
        """Return the middle of the best prices of any pair of the venue; None while a side of its book is empty."""
        return self._asked("GET", "ticker/bookTicker", {"symbol": symbol}, mid_of, is_signed=False)

    def open_orders(self, instrument: Instrument) -> Sequence[VenueOrder]:
        """Return the account's open orders, oldest first."""
        return self._asked("GET", "openOrders", {"symbol": instrument.symbol}, orders_of)

    def every_open_order(self) -> Sequence[VenueOrder]:
        """Return the account's open orders in all pairs."""
        return self._asked("GET", "openOrders", {}, orders_of)

    def orders(
        self, instrument: Instrument, limit: int = 500, from_id: int | None = None, since_ms: int | None = None
    ) -> Sequence[VenueOrder]:
        """Return orders, open and ended, oldest first: the latest `limit`, or the first from an id or a time on."""
        asked = {"symbol": instrument.symbol, "limit": limit, "orderId": from_id, "startTime": since_ms}
        return self._asked("GET", "allOrders", asked, orders_of)

    def account(self) -> VenueAccount:
        """Return the account's id and every asset of it."""
        return self._asked("GET", "account", {}, account_of)

    def balances(self) -> Mapping[str, Balance]:
        """Return every asset of the account."""
        return self.account().balances

    def trades(
        self, instrument: Instrument, limit: int = 100, from_id: int | None = None, since_ms: int | None = None
    ) -> Sequence[VenueTrade]:
        """Return trades, oldest first: the latest `limit`, or the first `limit` from a trade id or a time on."""
        asked = {"symbol": instrument.symbol, "limit": limit, "fromId": from_id, "startTime": since_ms}

        return self._asked("GET", "myTrades", asked, partial(trades_of, symbol=instrument.symbol))

    def minute_prices(self, symbol: str, since_ms: int) -> Mapping[int, Decimal]:
        """Return what `symbol` cost in each of up to 1,000 minutes from `since_ms` on, by the minute's first ms."""
        asked = {"symbol": symbol, "interval": "1m", "startTime": since_ms, "limit": 1_000}
        return self._asked("GET", "klines", asked, minute_prices_of, is_signed=False)

    def find_order(self, instrument: Instrument, client_order_id: str) -> VenueOrder | None:
        """Return the order of that client order id, open or ended, or None if the venue has never had it."""
        return self._found({"symbol": instrument.symbol, "origClientOrderId": client_order_id})

    def order(self, instrument: Instrument, order_id: str) -> VenueOrder | None:
        """Return the order of that id, open or ended, or None if the account has never had it."""
        return self._found({"symbol": instrument.symbol, "orderId": order_id})

    def enter(self, instrument: Instrument, side: Side, terms: Mapping[str, str], client_order_id: str) -> VenueOrder:
        """Enter an order of any type; `terms` are Binance's parameters of it: type, price, quantity and so on.

        Raises:
            VenueUnknownError: if the reply was lost; ask with `find_order`, and do not just enter it again.
        """
        asked = {
            "symbol": instrument.symbol,
            "side": side.name,
            **terms,
            "newClientOrderId": client_order_id,
            "newOrderRespType": "RESULT",
        }
        return self._asked("POST", "order", asked, order_of, is_order=True)

    def cancel_order(self, instrument: Instrument, order_id: str) -> VenueOrder | None:
        """Cancel an order and return it as it ended, or None if it was not open."""
        try:
            return self._asked("DELETE", "order", {"symbol": instrument.symbol, "orderId": order_id}, order_of)
        except VenueRefusedError as error:
            if error.code not in UNKNOWN_ORDER_CODES:
                raise
            return None

    def _found(self, asked: Mapping[str, object]) -> VenueOrder | None:
        try:
            return self._asked("GET", "order", asked, order_of)
        except VenueRefusedError as error:
            if error.code not in UNKNOWN_ORDER_CODES:
                raise
            return None

    def _asked(
        self,
        method: str,
        path: str,
        asked: Mapping[str, object],
        read: Callable[[Any], Result],
        *,
        is_signed: bool = True,
        is_order: bool = False,
    ) -> Result:
        """Ask, again if only our clock was wrong, and read the answer."""
        try:
            document = self._answer(method, path, asked, is_signed=is_signed, is_order=is_order)
        except VenueRefusedError as error:
            if error.code != _BAD_TIME:
                raise
            now_ms = time_ns() // NS_PER_MS
            their_ms = self._asked("GET", "time", {}, lambda told: int(told["serverTime"]), is_signed=False)
            self._ahead_ms = their_ms - now_ms
            document = self._answer(method, path, asked, is_signed=is_signed, is_order=is_order)
        try:
            return read(document)
        except UNREADABLE as error:
            raise self._senseless(type(error).__name__, is_order=is_order) from None

    def _answer(self, method: str, path: str, asked: Mapping[str, object], *, is_signed: bool, is_order: bool) -> Any:
        values = {name: value for name, value in asked.items() if value is not None}
        if is_signed:
            values |= {"recvWindow": RECV_WINDOW_MS, "timestamp": time_ns() // NS_PER_MS + self._ahead_ms}
        query = urlencode(values)
        if is_signed:
            query += f"&signature={hmac.new(self._secret.encode(), query.encode(), hashlib.sha256).hexdigest()}"
        kind = http.client.HTTPSConnection if self._is_encrypted else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=self._timeout_s)
        try:
            try:
                connection.connect()
            except OSError as error:  # nothing has left
                raise self._out_of_reach(error) from None
            connection.request(method, f"/api/v3/{path}?{query}", headers={"X-MBX-APIKEY": self._api_key})
            answer = connection.getresponse()
            body = answer.read(BODY_BYTES_MAX)
        except (OSError, http.client.HTTPException) as error:
            if is_order:
                raise VenueUnknownError(f"{self._name}: the reply to an order was lost ({_words(error)})") from None
            raise self._out_of_reach(error) from None
        finally:
            connection.close()
        if answer.status in (http.HTTPStatus.TOO_MANY_REQUESTS, http.HTTPStatus.IM_A_TEAPOT):
            wait_s = retry_after_s(answer.headers.get("Retry-After", ""))
            is_ban = answer.status == http.HTTPStatus.IM_A_TEAPOT
            raise VenueBusyError.of(self._name, wait_s, is_ban=is_ban)
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            raise self._senseless(f"status {answer.status}", is_order=is_order) from None
        if answer.status != http.HTTPStatus.OK:
            raise self._refusal(answer, document, is_order=is_order)
        return document

    def _refusal(self, answer: http.client.HTTPResponse, document: Any, *, is_order: bool) -> VenueError:
        try:
            code, said = int(document["code"]), self._redacted(str(document["msg"]))
        except UNREADABLE:
            return self._senseless(f"status {answer.status}", is_order=is_order)
        is_unknown = code in UNKNOWN_EXECUTION_CODES or answer.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR
        if is_unknown and is_order:
            return VenueUnknownError(f"{self._name} does not know what became of an order ({code})")
        if is_unknown:
            return VenueUnavailableError(f"{self._name} cannot answer: {said} ({code})")
        if code in KEY_CODES:
            return VenueKeysError(f"{self._name} does not accept the API key: {said}", code)
        return VenueRefusedError(f"{self._name}: {said} ({code})", code)

    def _out_of_reach(self, error: Exception) -> VenueUnavailableError:
        return VenueUnavailableError(f"{self._name} is out of reach at {self._url} ({_words(error)})")

    def _senseless(self, what: str, *, is_order: bool) -> VenueError:
        kind = VenueUnknownError if is_order else VenueUnavailableError
        return kind(f"{self._name} at {self._url} answered with something else ({what})")

    def _redacted(self, text: str) -> str:
        for secret in (self._api_key, self._secret):
            if secret:
                text = text.replace(secret, "...")
        return text[:200]


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
