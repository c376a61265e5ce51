"""The front desk: every request, however it came, is read, charged, checked for who asks, and handed on."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from market.clock import NS_PER_SECOND
from paper.access.accounts import Accounts
from paper.access.signing import RECV_WINDOW_US_DEFAULT, authenticate, check_timestamp
from paper.access.usage import Usage
from paper.calls.call import Call
from paper.calls.endpoints import Endpoint
from paper.calls.parameters import Values, read_values, without_signature
from paper.errors import ErrorKind, ExchangeError
from paper.exchange.exchange import Exchange
from paper.exchange.news import AccountNews, ExecutionType, OrderNews
from paper.exchange.pending import Pending
from paper.fault_play import play, play_stale
from paper.faults import Channel, Faults
from paper.latency import Latency

ENGINE_TIMEOUT_S: Final = 3.0

_NS_PER_US: Final = 1_000


@dataclass(slots=True)
class Inquiry:
    """A request as it came.

    Attributes:
        texts: its parameters by name.
        address: where it came from.
        api_key: whose it claims to be.
        payload: what was signed.
        session_account: the account that its connection is logged on to, if any.
        account: whose it is, once that is known.
        channel: how it came.
    """

    texts: Mapping[str, str]
    address: str
    api_key: str = ""
    payload: str = ""
    session_account: int | None = None
    account: int | None = None
    channel: Channel = Channel.REST

    @property
    def is_of_session(self) -> bool:
        """Say whether the connection's session speaks for it instead of a signature."""
        return self.session_account is not None and not self.api_key and "signature" not in self.texts


class FrontDesk:
    """Answers requests.

    Args:
        clock: the exchange's time, ns since 1970 UTC.
        engine_timeout_s: how long an order may wait for the engine before the client is told that its fate is unknown.
        faults: what is to go wrong.
        latency: how long calls travel.
    """

    def __init__(
        self,
        exchange: Exchange,
        accounts: Accounts,
        *,
        clock: Callable[[], int],
        engine_timeout_s: float,
        usage: Usage,
        faults: Faults,
        latency: Latency,
    ) -> None:
        self.clock = clock
        self.usage = usage
        self.accounts = accounts
        self.faults = faults
        self.latency = latency
        self._exchange = exchange
        self._engine_timeout_s = engine_timeout_s
        exchange.account_listeners.append(self._on_news)

    async def answer(self, endpoint: Endpoint, inquiry: Inquiry, now_ns: int) -> Any:
        """Return the document that answers an inquiry, or what faults make of it.

        Raises:
            ExchangeError: whatever is wrong with it.
            ReplyLostError: if nobody is to learn what became of it.
            PageError: if the answer is to be a page of HTML.
        """
        if await self.latency.arrive(self.sender(inquiry), is_signed=endpoint.is_signed):
            now_ns = self.clock()
        return await self.through_faults(
            endpoint.method, endpoint.name, inquiry, now_ns, lambda at_ns: self._answer(endpoint, inquiry, at_ns)
        )

    def sender(self, inquiry: Inquiry) -> int | str:
        """Return who sends an inquiry, as far as can be told before it is read: an account, else an address."""
        account = self._claimed_account(inquiry)
        return inquiry.address if account is None else account

    def _claimed_account(self, inquiry: Inquiry) -> int | None:
        found = self.accounts.find(inquiry.api_key)
        return found[0] if found is not None else inquiry.session_account

    async def through_faults(
        self, method: str, path: str, inquiry: Inquiry, now_ns: int, carry_out: Callable[[int], Awaitable[Any]]
    ) -> Any:
        """Carry out a call at a time, unless faults meet it; raises as `answer` does."""
        faults = self.faults.take(method, path, inquiry.channel, self._claimed_account(inquiry))
        if not faults:
            return await carry_out(now_ns)
        return await play(faults, now_ns, lambda: carry_out(self.clock()))

    async def _answer(self, endpoint: Endpoint, inquiry: Inquiry, now_ns: int) -> Any:
        now_s = now_ns // NS_PER_SECOND
        table = endpoint.parameters
        if endpoint.is_signed and inquiry.is_of_session:
            table = without_signature(table)
        try:
            values = read_values(inquiry.texts, table)
        except Exception:
            self.usage.charge_weight(inquiry.address, 1, now_s)
            raise
        weight = endpoint.weight_of(values)
        with self.usage.charged(inquiry.address, weight, self._clock_s, is_free=endpoint.is_free_if_done):
            if endpoint.is_signed:
                self.identify(inquiry, values, now_ns)
            account, is_on_socket = inquiry.account or 0, inquiry.channel is Channel.SOCKET
            unseen_ms = self.faults.unseen_ms(account)
            call = Call(self._exchange, account, values, now_ns, self._until_done, self.usage, is_on_socket, unseen_ms)
            stale = self.faults.stale_market if endpoint.is_market_data else None
            try:
                document = await (endpoint.handler(call) if stale is None else play_stale(stale, endpoint, call))
            except ExchangeError:
                self._exchange.saves.save()
                raise
            self._exchange.saves.save()  # whatever an answer tells, a refusal as well, must last
            return document

    def _clock_s(self) -> int:
        return self.clock() // NS_PER_SECOND

    async def _until_done(self, pending: Pending) -> None:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bool] = loop.create_future()  # a third of what an event and asyncio.timeout take
        pending.when_done(partial(_settle, answer, True))
        timer = loop.call_later(self._engine_timeout_s, _settle, answer, False)
        try:
            is_done = await answer
        finally:
            timer.cancel()
        if not is_done:
            raise ExchangeError(ErrorKind.TIMEOUT)

    def identify(self, inquiry: Inquiry, values: Values, now_ns: int) -> int:
        """Find out, note and return whose a signed inquiry is.

        Raises:
            ExchangeError: if its key, its signature or its time is wrong.
        """
        if inquiry.is_of_session:
            inquiry.account = inquiry.session_account
        else:
            inquiry.account = authenticate(self.accounts, inquiry.api_key, inquiry.payload, values["signature"])
        check_timestamp(values["timestamp"], values.get("recvWindow", RECV_WINDOW_US_DEFAULT), now_ns // _NS_PER_US)
        assert inquiry.account is not None, "a session without an account"
        return inquiry.account

    def _on_news(self, news: AccountNews) -> None:
        give_back_traded(self.usage, news, self._clock_s())


def give_back_traded(usage: Usage, news: AccountNews, now_s: int) -> None:
    """Give an order that trades for the first time back: only unfilled orders count."""
    if isinstance(news, OrderNews) and news.execution is ExecutionType.TRADE:
        assert news.trade is not None, f"a trade without a trade: {news}"
        if news.order.filled_lots == news.trade.qty_lots:
            usage.give_back_orders(news.account, 1, now_s)


def _settle(answer: asyncio.Future[bool], is_done: bool) -> None:
    if not answer.done():  # whoever waited may be gone
        answer.set_result(is_done)
