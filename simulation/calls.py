"""Calls of the paper exchange without HTTP and waiting: method, path and parameters as text go in.

What comes out is the document or the refusal that a client of Binance gets. So filters, funds, rate limits, error codes
and fault switches are those of the real exchange.
"""

import json
from collections.abc import Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from market.clock import NS_PER_MS, NS_PER_SECOND, NS_PER_US
from paper.access.accounts import FIRST_ACCOUNT
from paper.access.signing import RECV_WINDOW_US_DEFAULT, check_timestamp
from paper.access.usage import Usage
from paper.calls.call import Call
from paper.calls.endpoints import ENDPOINTS, Endpoint
from paper.calls.parameters import read_values, without_signature
from paper.errors import ExchangeError
from paper.exchange.exchange import Exchange
from paper.fault_play import play
from paper.faults import Channel, Faults, PageError, ReplyLostError
from simulation.heap import Happening
from venues.binance_account import BinanceAccount
from venues.binance_errors import BinanceErrors
from venues.venue import VenueError

ADDRESS: Final = "127.0.0.1"
_VENUE: Final = "paper"
ERRORS: Final = BinanceErrors(_VENUE, None, ())
_ENDPOINTS: Final = {(each.method, each.name): each for each in ENDPOINTS}


class Clock(Protocol):
    """The time, and what is to happen in a while."""

    @property
    def now_ns(self) -> int: ...
    def after(self, delay_ns: int, happening: Happening, /) -> None: ...


class Caller(Protocol):
    """Takes calls of the desk's account."""

    def begin(self, method: str, path: str, asked: Mapping[str, object], done: Callable[[Any], None]) -> None:
        """Begin a call; `done` gets the document, or the ExchangeError, once the engine has answered.

        A signed one has its caller's `timestamp`, ms since 1970 UTC; without one its time is the exchange's.
        """


class _Awaited(Protocol):
    """What a call waits for."""

    def when_done(self, callback: Callable[[], None], /) -> None: ...


class _UntilDone:
    """Waits by giving what is awaited to whoever drives the call."""

    def __init__(self, awaited: _Awaited) -> None:
        self._awaited = awaited

    def __await__(self) -> Generator[_Awaited]:
        yield self._awaited


@dataclass(frozen=True, slots=True)
class _Pause:
    """So much time."""

    clock: Clock
    pause_ns: int

    def when_done(self, callback: Callable[[], None]) -> None:
        """Call `callback` once it has passed."""
        self.clock.after(self.pause_ns, callback)


class Calls:
    """What an exchange is asked, call by call; a Caller.

    Args:
        exchange: what is asked.
        usage: counts the calls of the one address that they come from.
        clock: of the exchange, as long as no fault makes it wrong.
        account: whose calls they are.

    Attributes:
        faults: the exchange's fault switches; those that meet calls, hide orders or make the clock wrong act here.
    """

    def __init__(self, exchange: Exchange, usage: Usage, clock: Clock, account: int = FIRST_ACCOUNT) -> None:
        self._exchange = exchange
        self._account = account
        self._usage = usage
        self._clock = clock
        self.faults = Faults()

    def begin(self, method: str, path: str, asked: Mapping[str, object], done: Callable[[Any], None]) -> None:
        """Begin a call; see `Caller`. Of faults `done` may get a PageError, or nothing ever: the reply is lost."""
        self._drive(self._answer(_ENDPOINTS[method, path], asked), done)

    @property
    def now_ns(self) -> int:
        """The exchange's time."""
        return self._clock.now_ns + self.faults.clock_offset_ns

    async def _answer(self, endpoint: Endpoint, asked: Mapping[str, object]) -> Any:
        faults = self.faults.take(endpoint.method, endpoint.name, Channel.SOCKET, self._account)
        if not faults:
            return await self._call(endpoint, asked)
        return await play(faults, self.now_ns, lambda: self._call(endpoint, asked), self._wait)

    async def _wait(self, seconds: float) -> None:
        await _UntilDone(_Pause(self._clock, round(seconds * NS_PER_SECOND)))

    async def _call(self, endpoint: Endpoint, asked: Mapping[str, object]) -> Any:
        now_ns = self.now_ns
        texts = {name: str(value) for name, value in asked.items() if value is not None}
        table = endpoint.parameters
        if endpoint.is_signed:
            texts.setdefault("timestamp", str(now_ns // NS_PER_MS))
            table = without_signature(table)
        values = read_values(texts, table)
        account = self._account if endpoint.is_signed else 0
        weight, is_free = endpoint.weight_of(values), endpoint.is_free_if_done
        with self._usage.charged(ADDRESS, weight, lambda: self.now_ns // NS_PER_SECOND, is_free=is_free):
            if endpoint.is_signed:
                window_us = values.get("recvWindow", RECV_WINDOW_US_DEFAULT)
                check_timestamp(values["timestamp"], window_us, now_ns // NS_PER_US)
            try:
                unseen_ms = self.faults.unseen_ms(account)
                call = Call(self._exchange, account, values, now_ns, _UntilDone, self._usage, unseen_ms=unseen_ms)
                document = await endpoint.handler(call)
            except ExchangeError:
                self._exchange.saves.save()
                raise
            self._exchange.saves.save()  # whatever an answer tells, a refusal as well, must last
            return document

    def _drive(self, call: Coroutine[_Awaited, None, Any], done: Callable[[Any], None]) -> None:
        """Take a call up to where it waits, and on from there when that has come."""
        try:
            awaited = call.send(None)
        except StopIteration as end:
            done(end.value)
        except ReplyLostError:
            return  # whoever asked waits for an answer that never comes
        except (ExchangeError, PageError) as error:
            done(error)
        else:
            # Not at once: whoever has the answer must first end what it is at, as in a loop of tasks.
            awaited.when_done(lambda: self._clock.after(0, lambda: self._drive(call, done)))


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


def refusal_of(method: str, error: ExchangeError | PageError) -> VenueError:
    """Return what a client makes of a refusal, or of a page of HTML in its place."""
    if isinstance(error, PageError):
        return ERRORS.refusal(method, error.status, "", error.page)
    return ERRORS.refusal(method, error.status, str(error.retry_after_s or ""), json.dumps(error.document))


def lost_reply(method: str, why: str) -> VenueError:
    """Return what a client makes of a call that it gets no answer to."""
    return ERRORS.unanswered(method, why)
