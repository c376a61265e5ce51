"""Calls of the paper exchange without HTTP and waiting: method, path and parameters as text go in.

What comes out is the document or the refusal that a client of Binance gets. So filters, funds, rate limits and error
codes are those of the real exchange.
"""

import json
from collections.abc import Callable, Coroutine, Generator, Mapping
from typing import Any, Final, Protocol

from market.clock import NS_PER_MS, NS_PER_SECOND
from paper.access.accounts import FIRST_ACCOUNT
from paper.access.usage import Usage
from paper.calls.call import Call
from paper.calls.endpoints import ENDPOINTS, Endpoint
from paper.calls.parameters import read_values, without_signature
from paper.errors import ExchangeError
from paper.exchange.exchange import Exchange
from paper.exchange.pending import Pending
from paper.faults import Faults
from simulation.heap import Happening
from venues.binance_account import BinanceAccount
from venues.binance_errors import BinanceErrors
from venues.venue import VenueError

ADDRESS: Final = "127.0.0.1"
_VENUE: Final = "paper"
_ERRORS: Final = BinanceErrors(_VENUE, None, ())
_ENDPOINTS: Final = {(each.method, each.name): each for each in ENDPOINTS}


class Clock(Protocol):
    """The time, and what is to happen in a while."""

    @property
    def now_ns(self) -> int: ...
    def after(self, delay_ns: int, happening: Happening, /) -> None: ...


class Caller(Protocol):
    """Takes calls of the desk's account."""

    def begin(self, method: str, path: str, asked: Mapping[str, object], done: Callable[[Any], None]) -> None:
        """Begin a call; `done` gets the document, or the ExchangeError, once the engine has answered."""


class _UntilDone:
    """Waits for the engine by giving the pending command to whoever drives the call."""

    def __init__(self, pending: Pending) -> None:
        self._pending = pending

    def __await__(self) -> Generator[Pending]:
        yield self._pending


class Calls:
    """What an exchange is asked, call by call; a Caller.

    Args:
        exchange: what is asked.
        usage: counts the calls of the one address that they come from.
        clock: of the exchange.
        account: whose calls they are.

    Attributes:
        faults: the exchange's fault switches; of those that are armed, the ones that hide orders act here.
    """

    def __init__(self, exchange: Exchange, usage: Usage, clock: Clock, account: int = FIRST_ACCOUNT) -> None:
        self._exchange = exchange
        self._account = account
        self._usage = usage
        self._clock = clock
        self.faults = Faults()

    def begin(self, method: str, path: str, asked: Mapping[str, object], done: Callable[[Any], None]) -> None:
        """Begin a call; `done` gets the document, or the ExchangeError, once the engine has answered."""
        self._drive(self._call(_ENDPOINTS[method, path], asked), done)

    async def _call(self, endpoint: Endpoint, asked: Mapping[str, object]) -> Any:
        now_ns = self._clock.now_ns
        texts = {name: str(value) for name, value in asked.items() if value is not None}
        table = endpoint.parameters
        if endpoint.is_signed:
            texts["timestamp"], table = str(now_ns // NS_PER_MS), without_signature(table)
        values = read_values(texts, table)
        account = self._account if endpoint.is_signed else 0
        weight, is_free = endpoint.weight_of(values), endpoint.is_free_if_done
        with self._usage.charged(ADDRESS, weight, lambda: self._clock.now_ns // NS_PER_SECOND, is_free=is_free):
            try:
                unseen_ms = self.faults.unseen_ms(account)
                call = Call(self._exchange, account, values, now_ns, _UntilDone, self._usage, unseen_ms=unseen_ms)
                document = await endpoint.handler(call)
            except ExchangeError:
                self._exchange.saves.save()
                raise
            self._exchange.saves.save()  # whatever an answer tells, a refusal as well, must last
            return document

    def _drive(self, call: Coroutine[Pending, None, Any], done: Callable[[Any], None]) -> None:
        """Take a call up to where it waits, and on from there when that has come."""
        try:
            pending = call.send(None)
        except StopIteration as end:
            done(end.value)
        except ExchangeError as error:
            done(error)
        else:
            # Not at once: whoever has the answer must first end what it is at, as in a loop of tasks.
            pending.when_done(lambda: self._clock.after(0, lambda: self._drive(call, done)))


class SimulatedAccount(BinanceAccount):
    """The desk's account at the simulated exchange: what the tracker reads its books from.

    What it asks for no engine has to answer, so that it has the answer at once.
    """

    def __init__(self, caller: Caller) -> None:
        super().__init__(_VENUE, None, "", "")
        self._caller = caller

    def _answer(self, method: str, path: str, given: Mapping[str, object]) -> Any:
        answers: list[Any] = []
        self._caller.begin(method, path, given, answers.append)
        assert answers, f"{method} {path} waits for the engine"
        if isinstance(answers[0], ExchangeError):
            raise refusal_of(method, answers[0])
        return answers[0]


def refusal_of(method: str, error: ExchangeError) -> VenueError:
    """Return what a client makes of a refusal."""
    return _ERRORS.refusal(method, error.status, str(error.retry_after_s or ""), json.dumps(error.document))
