"""The admin's calls that arm, show and clear fault switches."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from itertools import islice
from typing import Any, Final

from sanic import Sanic
from sanic.request import Request

from market.clock import NS_PER_MS
from paper.admin import Admin, AdminError
from paper.errors import ExchangeError
from paper.exchange.exchange import Exchange
from paper.faults import Fault, FaultError, FaultKind, Faults
from paper.streams.sockets import Connections

_AGAIN_S: Final = 1.0

_log = logging.getLogger(__name__)

Halt = Callable[[str, bool], Awaitable[None]]


class FaultCalls:
    """Sets the switches of a running exchange.

    Args:
        faults: what is armed; the front desk asks it.
        exchange: lives in the thread of the app's event loop.
        connections: the open WebSocket connections.
        halt: halts (True) or resumes a symbol in the engine; ConnectionError if the engine does not answer.
        clock: ns since 1970 UTC, never wrong.
    """

    def __init__(
        self, faults: Faults, exchange: Exchange, connections: Connections, halt: Halt, clock: Callable[[], int]
    ) -> None:
        self._faults = faults
        self._exchange = exchange
        self._connections = connections
        self._halt = halt
        self._clock = clock
        self._began_ns = clock()
        self._endings: set[asyncio.Task[None]] = set()

    def add_to(self, app: Sanic[Any, Any], admin: Admin) -> None:
        """Serve the calls on `app`, to whoever has the admin's token."""
        admin.serve(
            app,
            ("GET", "faults", self._show),
            ("POST", "faults", self._set),
            ("DELETE", "faults", self._clear_all),
            ("DELETE", "faults/<number:int>", self._clear_one),
        )

    async def _show(self, _: Request) -> Any:
        return {
            "switches": [
                {
                    "kind": str(kind),
                    "effect": str(kind.effect),
                    "says": kind.says,
                    "options": {option.name: option.expected for option in kind.all_options},
                }
                for kind in FaultKind
            ],
            "since": self._began_ns // NS_PER_MS,
            "armed": [fault.document for fault in self._faults.armed.values()],
        }

    async def _set(self, request: Request) -> Any:
        try:
            fault = self._faults.read(json.loads(request.body))
            match fault.kind:
                case FaultKind.DISCONNECT:
                    return {"disconnected": self._disconnect(fault)}
                case FaultKind.SILENT_CANCEL:
                    return {"cancelled": self._cancel_silently(fault)}
                case FaultKind.WIPE:
                    return {"wiped": self._wipe()}
                case FaultKind.HALT:
                    self._faults.require_room()
                    await self._set_halted(fault.options["symbol"], is_halted=True)
            document = self._faults.arm(fault).document
        except (ValueError, RecursionError):
            raise AdminError(HTTPStatus.BAD_REQUEST, "expected a JSON object") from None
        except FaultError as error:
            raise AdminError(HTTPStatus.BAD_REQUEST, str(error)) from None
        except ExchangeError as error:
            raise AdminError(HTTPStatus.SERVICE_UNAVAILABLE, f"the engine cannot be asked: {error}") from None
        if (for_s := fault.options["for_s"]) is not None:
            ending = asyncio.create_task(self._end_in(fault.number, for_s))
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)
        return document

    async def _end_in(self, number: int, for_s: int) -> None:
        """Clear a fault when its time is up; where an engine does not answer, as soon as it does."""
        await asyncio.sleep(for_s)
        while number in self._faults.armed:
            try:
                await self._clear(number)
            except AdminError as error:
                _log.warning("fault %d is over, but stays: %s", number, error)
                await asyncio.sleep(_AGAIN_S)

    async def _clear_all(self, _: Request) -> Any:
        cleared, silent = [], None
        for number in list(self._faults.armed):
            if number in self._faults.armed:  # its own time may be up meanwhile
                try:
                    cleared.append(await self._clear(number))
                except AdminError as error:  # an engine that is silent keeps nothing but its halts
                    silent = error
        if silent is not None:
            raise silent
        return {"cleared": cleared}

    async def _clear_one(self, _: Request, number: int) -> Any:
        if number not in self._faults.armed:
            raise AdminError(HTTPStatus.NOT_FOUND, f"no fault {number} is armed")
        return await self._clear(number)

    async def _clear(self, number: int) -> dict[str, Any]:
        fault = self._faults.armed[number]
        others = [each for each in self._faults.armed.values() if each.kind is FaultKind.HALT and each is not fault]
        if fault.kind is FaultKind.HALT:
            symbol = fault.options["symbol"]
            if all(each.options["symbol"] != symbol for each in others):
                await self._set_halted(symbol, is_halted=False)
        self._faults.disarm(number)
        return fault.document

    async def _set_halted(self, symbol: str, *, is_halted: bool) -> None:
        if symbol not in self._exchange.symbols:
            raise AdminError(HTTPStatus.BAD_REQUEST, f"expected one of {', '.join(self._exchange.symbols)}")
        is_ours = any(each.options["symbol"] == symbol for each in self._faults.of_kind(FaultKind.HALT))
        if is_halted and symbol in self._exchange.halted and not is_ours:
            raise AdminError(HTTPStatus.CONFLICT, f"{symbol} is halted already, by its operator")
        try:
            await self._halt(symbol, is_halted)
        except ConnectionError as error:
            raise AdminError(HTTPStatus.SERVICE_UNAVAILABLE, f"the engine does not answer: {error}") from None
        (self._exchange.halted.add if is_halted else self._exchange.halted.discard)(symbol)

    def _disconnect(self, fault: Fault) -> int:
        streams = fault.options["streams"]
        return (
            self._connections.end(streams, "a fault switch")
            if fault.options["is_clean"]
            else self._connections.cut(streams)
        )

    def _cancel_silently(self, fault: Fault) -> list[int]:
        """Cancel open orders without a word to anybody, and return their ids; of an order list that is all its legs."""
        ledger, symbol = self._exchange.ledger, fault.options["symbol"]
        fitting = (
            order
            for _, order in sorted(ledger.open_orders.items())
            if fault.is_of(order.account) and symbol in {None, order.symbol.name} and order.engine_epoch
        )
        cancelled: dict[int, None] = {}
        for order in list(islice(fitting, fault.options["count"])):
            order_list = ledger.open_lists.of(order)
            legs = (order,) if order_list is None else order_list.legs
            if order.order_id not in cancelled:
                ids = [leg.order_id for leg in legs if leg.status.is_open]
                self._faults.silenced.update(ids)
                cancelled |= dict.fromkeys(ids)
                (pending,) = self._exchange.cancel([order], self._clock())
                pending.when_done(partial(self._faults.silenced.difference_update, ids))  # a fill may have overtaken it
        return list(cancelled)

    def _wipe(self) -> list[int]:
        accounts = sorted(self._exchange.ledger.wallets.accounts())
        for account in accounts:
            self._exchange.reset_account(account, self._clock())
        return accounts
