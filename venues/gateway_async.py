"""A client of the TCP gateway for asyncio."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Self

from market.codec import encode_all
from market.codes import Side
from market.commands import NewOrder
from market.events import Event
from venues.gateway import HEARTBEATS_PER_IDLE, PIECE_BYTES, RECONNECT_PAUSE_S, SessionClient
from venues.gateway_session import ClientCommand, GatewayError, SessionRefusedError


class AsyncGatewaySession(SessionClient):
    """A GatewaySession for asyncio; the arguments are the same. Use it with `async with`."""

    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        await self._connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def buy(self, symbol: str, price: Decimal | str, qty: Decimal | str, **options: int) -> int:
        """Enter a bid and return its id; see `SessionEnd.new_order` for the arguments and errors."""
        return await self._enter(symbol, Side.BUY, price, qty, options)

    async def sell(self, symbol: str, price: Decimal | str, qty: Decimal | str, **options: int) -> int:
        """Enter an offer, as `buy` does."""
        return await self._enter(symbol, Side.SELL, price, qty, options)

    async def cancel(self, order_id: int) -> None:
        """Cancel an order of ours; raises KeyError if it is not open, else as `send`."""
        await self.send([self.state.cancel(order_id)])

    async def amend(self, order_id: int, price: Decimal | str, qty: Decimal | str) -> None:
        """Give an order of ours a new price and a new open quantity; raises as `cancel` and `buy`."""
        await self.send([self.state.amend(order_id, Decimal(price), Decimal(qty))])

    async def cancel_all(self, symbol: str | None = None, side: Side | None = None) -> None:
        """Cancel all our open orders, of one symbol or side if wanted."""
        await self.send([self.state.cancel_all(symbol, side)])

    async def send(self, commands: Sequence[ClientCommand]) -> None:
        """Send commands; ids of new orders must rise.

        A new order that gets lost with a connection is sent again by the next one, other commands are not.
        """
        for command in commands:
            if isinstance(command, NewOrder):
                self.state.remember(command)
        await self._send(encode_all(commands))

    async def events(self) -> AsyncIterator[Event]:
        """Yield reports for ever, each once and in order; heartbeats are sent while it waits.

        Who stops to listen gets the next one when he listens again.

        Raises:
            SessionRefusedError: if the gateway has ended the session.
            GatewayError: if it is gone, and does not come back.
        """
        while True:
            while self._waiting:
                yield self._waiting.popleft()
            self._raise_refusal()
            try:
                await self._take_news()
            except SessionRefusedError as error:
                await self.close()
                if not self._waiting:
                    raise
                self._refusal = error

    async def _take_news(self) -> None:
        try:
            await self._receive(self.state.idle_ms / 1_000 / HEARTBEATS_PER_IDLE)
        except SessionRefusedError:
            raise
        except GatewayError:
            await self._connect()

    async def logout(self, *, is_final: bool = False) -> None:
        """Leave; with `is_final` the gateway cancels what is open and forgets the session."""
        await self._send(self.state.logout(is_final=is_final))
        await self.close()

    async def close(self) -> None:
        """Hang up; the session goes on, and its orders unless they are cancelled on disconnect."""
        if self._streams is not None:
            _, writer = self._streams
            self._streams = None
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _enter(
        self, symbol: str, side: Side, price: Decimal | str, qty: Decimal | str, options: dict[str, int]
    ) -> int:
        order = self.state.new_order(symbol, side, Decimal(price), Decimal(qty), **options)
        await self._send(encode_all([order]))
        return order.order_id

    async def _send(self, data: bytes) -> None:
        """Send; that the connection is lost is for who receives to see."""
        if self._streams is not None:
            with contextlib.suppress(OSError):
                self._streams[1].write(data)
                await self._streams[1].drain()

    async def _receive(self, timeout_s: float) -> None:
        """Take new reports; after a while without any send a heartbeat."""
        if self._streams is None:
            raise GatewayError("not connected")
        try:
            async with asyncio.timeout(timeout_s):
                piece = await self._streams[0].read(PIECE_BYTES)
        except TimeoutError:
            await self._send(self.state.heartbeat())
            return
        except OSError as error:
            raise GatewayError(f"the gateway hung up: {error.strerror or error}") from None
        if not piece:
            raise GatewayError("the gateway hung up")
        await self._send(self._take(piece))

    async def _connect(self) -> None:
        since_s = time.monotonic()
        while True:
            await self.close()
            try:
                return await self._log_on()
            except GatewayError as error:
                await self.close()
                self._still_waiting(since_s, error)
            await asyncio.sleep(RECONNECT_PAUSE_S)

    async def _log_on(self) -> None:
        host, port = self._address
        try:
            async with asyncio.timeout(self._reconnect_s):
                self._streams = await asyncio.open_connection(host, port)
        except (TimeoutError, OSError) as error:
            raise GatewayError(f"no gateway at {host}:{port}: {error}") from None
        await self._send(self.state.logon())
        deadline = time.monotonic() + self._reconnect_s
        while not self.state.is_logged_on:
            await self._receive(self._reconnect_s)
            if time.monotonic() > deadline:
                raise GatewayError("the gateway does not answer")
