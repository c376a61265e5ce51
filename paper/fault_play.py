"""What an armed fault does to a call."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

from market.clock import NS_PER_SECOND
from paper.access.usage import LIMITS
from paper.calls.call import Call
from paper.calls.endpoints import Endpoint
from paper.errors import ErrorKind, ExchangeError
from paper.faults import Fault, FaultKind, MadeUpError, PageError, ReplyLostError

_STALE_ANSWERS_MAX: Final = 1_000

_KIND_OF_CODE: Final = {kind.code: kind for kind in reversed(ErrorKind)}  # of several the first
_BLANK = re.compile(r"\{\w+\}")


Wait = Callable[[float], Awaitable[Any]]  # waits so many seconds


async def play(
    faults: Sequence[Fault], now_ns: int, carry_out: Callable[[], Awaitable[Any]], wait: Wait = asyncio.sleep
) -> Any:
    """Answer a call that faults meet: delays first, then the first of the others decides.

    Raises:
        ExchangeError: as the call itself, or made up by a fault.
        ReplyLostError: if the call was carried out and its reply is to be lost.
        PageError: if the reply is to be a page of HTML.
    """
    await _wait(faults, "before", wait)
    fault = next((each for each in faults if each.kind is not FaultKind.DELAY), None)
    answer = await (carry_out() if fault is None else _spoil(fault, now_ns, carry_out))
    await _wait(faults, "after", wait)
    return answer


async def play_stale(fault: Fault, endpoint: Endpoint, call: Call) -> Any:
    """Answer a call for market data as it was answered first since the fault was armed."""
    fault.hits += 1
    key = endpoint.name, tuple(sorted((name, str(value)) for name, value in call.values.items()))
    if key not in fault.kept:
        if len(fault.kept) >= _STALE_ANSWERS_MAX:
            raise ExchangeError(ErrorKind.UNKNOWN)
        fault.kept[key] = await endpoint.handler(call)
    return fault.kept[key]


async def _wait(faults: Sequence[Fault], where: str, wait: Wait) -> None:
    for each in faults:
        if each.kind is FaultKind.DELAY and each.options["where"] == where:
            await wait(each.options["ms"] / 1_000)


async def _spoil(fault: Fault, now_ns: int, carry_out: Callable[[], Awaitable[Any]]) -> Any:
    options = fault.options
    match fault.kind:
        case FaultKind.DROP_REPLY:
            with suppress(ExchangeError):  # that the call is refused is part of what is lost
                await carry_out()
            raise ReplyLostError
        case FaultKind.SERVER_ERROR:
            if options["is_executed"]:
                with suppress(ExchangeError):
                    await carry_out()
            if options["is_html"]:
                raise PageError(options["status"])
            unknown = ErrorKind.UNKNOWN
            raise MadeUpError(unknown.code, options["status"], unknown.text)
        case FaultKind.RATE_LIMIT:
            wait_s = options["retry_after_s"]
            if options["status"] == ErrorKind.BANNED.status:
                until_ms = (now_ns // NS_PER_SECOND + wait_s) * 1_000
                raise ExchangeError(ErrorKind.BANNED, retry_after_s=wait_s, until_ms=until_ms)
            weight = LIMITS[0]
            raise ExchangeError(
                ErrorKind.TOO_MUCH_WEIGHT, retry_after_s=wait_s, limit=weight.limit, interval=weight.window
            )
        case FaultKind.REJECT | FaultKind.REJECT_RATE:
            kind = _KIND_OF_CODE.get(options["code"])
            text = kind.text if kind is not None else "A fault switch refuses this call."
            status = kind.status if kind is not None else HTTPStatus.BAD_REQUEST
            raise MadeUpError(options["code"], status, options["msg"] or _BLANK.sub("?", text))
        case _:
            raise AssertionError(f"no fault of calls: {fault}")
