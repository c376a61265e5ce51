"""One REST call on its way through the exchange."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from market.clock import NS_PER_MS, NS_PER_SECOND
from paper.access.usage import Usage
from paper.calls.parameters import Values
from paper.errors import ErrorKind, ExchangeError
from paper.exchange.exchange import Exchange
from paper.exchange.pending import Pending
from paper.money.orders import Order
from paper.units import Symbol

OVERTAKEN_MAX: Final = 5  # how often a command is sent that trades overtake, at most

_LIMIT_DEFAULT: Final = 500
_LIMIT_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Call:
    """What a handler has to work with.

    Attributes:
        account: whose call it is, 0 for a public call.
        values: the parameters that were sent, parsed, by name.
        now_ns: when the call came, ns since 1970 UTC.
        until_done: waits for the engine; an ExchangeError, TIMEOUT, if that takes too long.
        usage: what clients have used of the rate limits.
        is_on_socket: whether it came over the WebSocket API.
        unseen_ms: how old an order must be to be told of, by a fault.
    """

    exchange: Exchange
    account: int
    values: Values
    now_ns: int
    until_done: Callable[[Pending], Awaitable[None]]
    usage: Usage
    is_on_socket: bool = False
    unseen_ms: int = 0

    @property
    def now_s(self) -> int:
        """When the call came, s since 1970 UTC."""
        return self.now_ns // NS_PER_SECOND

    @property
    def now_ms(self) -> int:
        """When the call came, ms since 1970 UTC."""
        return self.now_ns // NS_PER_MS

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a parameter, or the default if it was not sent."""
        return self.values.get(name, default)

    @property
    def limit(self) -> int:
        """How many entries it wants at most."""
        limit: int = self.get("limit", _LIMIT_DEFAULT)
        return min(limit, _LIMIT_MAX)

    @property
    def symbol(self) -> Symbol:
        """The symbol of the call.

        Raises:
            ExchangeError: BAD_SYMBOL.
        """
        return self._symbol(self.values["symbol"])

    def check_symbol(self) -> None:
        """Raise ExchangeError, BAD_SYMBOL, if the symbol of the call is not traded."""
        self._symbol(self.values["symbol"])

    @property
    def symbol_or_all(self) -> Symbol | None:
        """The symbol of the call, or None if it names none."""
        return self.symbol if "symbol" in self.values else None

    @property
    def symbols(self) -> list[Symbol]:
        """The symbols of a call that may name one, several or none, which means all; of the status that it asks for.

        Raises:
            ExchangeError: BAD_SYMBOL, BAD_COMBINATION if it names both one and several, or OTHER_SYMBOL_STATUS
                of the one that it names.
        """
        if "symbol" in self.values and "symbols" in self.values:
            raise ExchangeError(ErrorKind.BAD_COMBINATION)
        if "symbol" in self.values:
            named = [self.symbol]
        elif "symbols" in self.values:
            named = [self._symbol(name) for name in self.values["symbols"]]
        else:
            named = list(self.exchange.symbols.values())
        found = [symbol for symbol in named if self._has_status(symbol)]
        if "symbol" in self.values and not found:
            raise ExchangeError(ErrorKind.OTHER_SYMBOL_STATUS)
        return found

    def _has_status(self, symbol: Symbol) -> bool:
        status = "CANCEL_ONLY" if symbol.name in self.exchange.halted else "TRADING"
        return bool(self.get("symbolStatus", status) == status)

    def may_see(self, order: Order) -> bool:
        """Say whether an order is told of yet."""
        return self.now_ms - order.time_ms >= self.unseen_ms

    async def wait_for_engine(self, pending: Pending) -> None:
        """Wait until the engine has handled a command.

        Raises:
            ExchangeError: TIMEOUT; the command may still be executed, or it was and the engine's word of it is lost.
        """
        if not pending.is_done:
            await self.until_done(pending)
        if pending.is_lost:
            raise ExchangeError(ErrorKind.TIMEOUT)

    def _symbol(self, name: str) -> Symbol:
        symbol = self.exchange.symbols.get(name)
        if symbol is None:
            raise ExchangeError(ErrorKind.BAD_SYMBOL)
        return symbol
