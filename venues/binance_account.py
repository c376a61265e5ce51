"""One account at Binance Spot, or at what speaks like it: the calls that a desk makes of it, whoever carries them."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final, TypeVar

from market.account import Balance, VenueAccount, VenueOrder, VenueTrade
from market.clock import NS_PER_MS, time_ns
from market.codes import Side
from market.depth import Depth
from market.instrument import Instrument, format_decimal
from trading.actions import Amend, Move
from trading.order_rules import MarketRules, OrderRules
from venues import binance_documents as documents
from venues.binance_errors import BinanceErrors, NotMovedError
from venues.binance_requests import amending, kind_of_order, moving
from venues.venue import Moved, VenueNoSuchOrderError, VenueNoSuchPairError, VenueRefusedError

PUBLIC_PATHS: Final = frozenset({"depth", "exchangeInfo", "klines", "ticker/bookTicker", "time"})

Result = TypeVar("Result")


class BinanceAccount(ABC):
    """The calls of `venues.venue.Venue`, and those of a person.

    Args:
        name: what to call the venue.
        url: scheme, host and port; None for those that whoever carries the calls knows.
        api_key: the account's key.
        secret: its secret; neither ever appears in an error's text.

    Attributes:
        errors: tells what a refusal or a failure means.
        ahead_ms: by how much the venue's clock is ahead of ours, as far as we know.
    """

    def __init__(self, name: str, url: str | None, api_key: str, secret: str) -> None:
        self._name = name
        self._api_key = api_key
        self._secret = secret
        self.errors = BinanceErrors(name, url, (api_key, secret))
        self.ahead_ms = 0

    @property
    def account_name(self) -> str:
        """What tells this account from others in a note on disk: the venue's name, and a digest of the key."""
        return f"{self._name} {hashlib.sha256(self._api_key.encode()).hexdigest()[:8]}"

    def load(self, instrument: Instrument) -> OrderRules:
        """Check that the venue trades `instrument` in our ticks and lots, and return its rules.

        Raises:
            VenueError: if it cannot be reached, or does not.
        """
        symbol = instrument.symbol
        tick_size, lot_size, rules = self.market_rules(instrument)
        if (tick_size, lot_size) != (instrument.tick_size, instrument.lot_size):
            raise VenueRefusedError(
                f"{self._name} trades {symbol} in ticks and lots of {format_decimal(tick_size)} and "
                f"{format_decimal(lot_size)}, not {instrument.tick_size} and {instrument.lot_size}"
            )
        return rules

    def market_rules(self, instrument: Instrument) -> MarketRules:
        """Return the venue's rules of a pair as they are now.

        Raises:
            VenueError: if it cannot be reached, or does not trade the pair.
        """
        symbol = instrument.symbol
        try:
            return self._ask("GET", "exchangeInfo", {"symbol": symbol}, documents.market_of)
        except VenueNoSuchPairError as error:
            raise VenueNoSuchPairError(f"{self._name} does not trade {symbol}", error.code) from None

    def depth(self, instrument: Instrument, level_count: int) -> Depth:
        """Return the best levels of the book, our own orders among them."""
        asked = {"symbol": instrument.symbol, "limit": level_count}
        return self._ask("GET", "depth", asked, partial(documents.depth_of, instrument=instrument))

    def mid(self, symbol: str) -> Decimal | None:
        """Return the middle of the best prices of any pair of the venue; None while a side of its book is empty."""
        return self._ask("GET", "ticker/bookTicker", {"symbol": symbol}, documents.mid_of)

    def minute_prices(self, symbol: str, since_ms: int) -> Mapping[int, Decimal]:
        """Return what `symbol` cost in each of up to 1,000 minutes from `since_ms` on, by the minute's first ms.

        That is the middle of the minute's first and last price; a minute without a trade may be missing.
        """
        asked = {"symbol": symbol, "interval": "1m", "startTime": since_ms, "limit": 1_000}
        return self._ask("GET", "klines", asked, documents.minute_prices_of)

    def account(self) -> VenueAccount:
        """Return the account's id and every asset of it."""
        return self._ask("GET", "account", {}, documents.account_of)

    def balances(self) -> Mapping[str, Balance]:
        """Return every asset of the account."""
        return self.account().balances

    def open_orders(self, instrument: Instrument | None = None) -> Sequence[VenueOrder]:
        """Return our open orders, of one pair or of all, oldest first."""
        return self._ask("GET", "openOrders", {"symbol": instrument and instrument.symbol}, documents.orders_of)

    def orders(
        self, instrument: Instrument, limit: int = 500, from_id: int | None = None, since_ms: int | None = None
    ) -> Sequence[VenueOrder]:
        """Return our orders, open or ended, oldest first: the latest, or the first from an order id or a time on."""
        asked = {"symbol": instrument.symbol, "limit": limit, "orderId": from_id, "startTime": since_ms}
        return self._ask("GET", "allOrders", asked, documents.orders_of)

    def trades(
        self, instrument: Instrument, limit: int = 100, from_id: int | None = None, since_ms: int | None = None
    ) -> Sequence[VenueTrade]:
        """Return our trades, oldest first: the latest `limit`, or the first `limit` from a trade id or a time on."""
        asked = {"symbol": instrument.symbol, "limit": limit, "fromId": from_id, "startTime": since_ms}
        return self._ask("GET", "myTrades", asked, partial(documents.trades_of, symbol=instrument.symbol))

    def order(self, instrument: Instrument, order_id: str) -> VenueOrder | None:
        """Return the order of that id, open or ended, or None if the account has never had it."""
        return self._known("GET", {"symbol": instrument.symbol, "orderId": order_id})

    def find_order(self, instrument: Instrument, client_order_id: str) -> VenueOrder | None:
        """Return the order of that client order id, open or ended, or None if the venue has never had it."""
        return self.find_in(instrument.symbol, client_order_id)

    def find_in(self, symbol: str, client_order_id: str) -> VenueOrder | None:
        """Find an order in any pair of the venue; see `find_order`."""
        return self._known("GET", {"symbol": symbol, "origClientOrderId": client_order_id})

    def cancel(self, instrument: Instrument, order_id: str) -> VenueOrder | None:
        """Cancel an order and return it as it ended; None if it was already gone, which is not an error."""
        return self.cancel_in(instrument.symbol, order_id)

    def cancel_in(self, symbol: str, order_id: str) -> VenueOrder | None:
        """Cancel an order in any pair of the venue; see `cancel`."""
        return self._known("DELETE", {"symbol": symbol, "orderId": order_id})

    def place(
        self,
        instrument: Instrument,
        side: Side,
        price_ticks: int,
        qty_lots: int,
        client_order_id: str,
        *,
        is_taking: bool = False,
    ) -> VenueOrder:
        """Enter a limit order: a post-only one, or if `is_taking` one that trades at once or ends."""
        terms = {
            **kind_of_order(is_taking=is_taking),
            "quantity": f"{instrument.lots_to_qty(qty_lots):f}",
            "price": f"{instrument.ticks_to_price(price_ticks):f}",
        }
        return self.enter(instrument, side, terms, client_order_id)

    def enter(self, instrument: Instrument, side: Side, terms: Mapping[str, str], client_order_id: str) -> VenueOrder:
        """Enter an order of any type; `terms` are Binance's parameters of it: type, price, quantity and so on.

        Raises:
            VenueUnknownError: if the reply was lost; ask with `find_order`, and do not just enter it again.
        """
        names = {"newClientOrderId": client_order_id, "newOrderRespType": "RESULT"}
        asked = {"symbol": instrument.symbol, "side": side.name, **terms, **names}
        return self._ask("POST", "order", asked, documents.order_of)

    def move(self, instrument: Instrument, move: Move) -> Moved:
        """Cancel an order and enter another one for it; see `venues.venue.Venue`."""
        try:
            return self._ask("POST", "order/cancelReplace", moving(instrument, move), self.errors.moved)
        except NotMovedError as error:
            return error.moved

    def amend(self, instrument: Instrument, amend: Amend) -> VenueOrder | None:
        """Make an order smaller in its place; see `venues.venue.Venue`."""
        asked = amending(instrument, amend)
        return self._unless_gone("PUT", "order/amend/keepPriority", asked, documents.amended_of)

    def look_at_the_clock(self) -> None:
        """Learn by how much the venue's clock is ahead of ours."""
        told_ms = self._ask("GET", "time", {}, lambda told: int(told["serverTime"]))
        self.ahead_ms = told_ms - time_ns() // NS_PER_MS

    def _known(self, method: str, asked: Mapping[str, object]) -> VenueOrder | None:
        return self._unless_gone(method, "order", asked, documents.order_of)

    def _unless_gone(
        self, method: str, path: str, asked: Mapping[str, object], read: Callable[[Any], VenueOrder]
    ) -> VenueOrder | None:
        try:
            return self._ask(method, path, asked, read)
        except VenueNoSuchOrderError:
            return None

    def _ask(self, method: str, path: str, asked: Mapping[str, object], read: Callable[[Any], Result]) -> Result:
        """Ask and read the answer; what is asked as None is left out.

        Raises:
            VenueError: with a text without secrets.
        """
        given = {name: value for name, value in asked.items() if value is not None}
        try:
            try:
                document = self._answer(method, path, given)
            except VenueRefusedError as error:
                if error.code != documents.BAD_TIME_CODE:
                    raise
                self.look_at_the_clock()
                document = self._answer(method, path, given)
            return read(document)
        except documents.UNREADABLE as error:  # a proxy's page with status 200, or another service behind the port
            raise self.errors.senseless(method, type(error).__name__) from None

    @abstractmethod
    def _answer(self, method: str, path: str, given: Mapping[str, object]) -> Any:
        """Ask, signed by the venue's clock unless the path is public, and return the document of the answer.

        Raises:
            VenueError: if there is no answer, or it is a refusal.
            UNREADABLE: if it is no document.
        """
