"""The live line: one WebSocket on which a browser is told what changes, `/api/live`.

A message tells everything that has changed since the one before it, as `v` and `after` say; the first one, whose
`after` is 0, tells all. Nobody has a queue: who reads slowly gets fewer messages, each of the newest state. A browser
says how far it has come by sending the `v` of a message now and then; one that says nothing gets no more after a while.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sanic.request import Request

from market.clock import monotonic_ns, time_ns
from market.instrument import venue_spelling
from nodes.api.live_state import LiveSymbol
from nodes.api.sources import DeskView, Source
from nodes.http import HttpApp
from paper.http_bounds import ERROR_FORMAT

PATH: Final = "/api/live"
TICK_S: Final = 0.1
IDLE_TICK_S: Final = 0.5  # while nobody looks: for the bars of those who will
BYTES_PER_S_MAX: Final = 50_000  # of one browser
UNSEEN_MAX: Final = 30  # messages that a browser has not confirmed; then it gets none
BROWSERS_MAX: Final = 32

_POLICY_VIOLATION, _TRY_LATER = 1008, 1013
_CONFIRMED_DIGITS_MAX: Final = 16
Socket = Any  # Sanic's own types are not strict


class LiveLine:
    """All browsers of one api.

    Args:
        symbols: by name, what is told of each.
        hello: by name, what a browser is told of each at first, as JSON with the key `hello`.
        default_symbol: for who names none.
        desk: tells what is known of the desk.
    """

    def __init__(
        self,
        symbols: Mapping[str, LiveSymbol],
        hello: Mapping[str, str],
        default_symbol: str,
        desk: Callable[[], DeskView],
    ) -> None:
        self._symbols = symbols
        self._hello = hello
        self._default_symbol = default_symbol
        self.desk = desk
        self._watched: dict[str, int] = dict.fromkeys(symbols, 0)
        self._tick = asyncio.Event()

    @property
    def browser_count(self) -> int:
        """How many look."""
        return sum(self._watched.values())

    def sources(self) -> dict[str, Sequence[Source]]:
        """Return, by symbol, what is shown and how old that is."""
        desk = self.desk()
        return {symbol: state.sources(monotonic_ns(), time_ns(), desk) for symbol, state in self._symbols.items()}

    def add_to(self, app: HttpApp) -> None:
        """Serve the line on `app`."""
        app.add_websocket_route(self._serve, PATH, name="live", error_format=ERROR_FORMAT)

    async def run(self) -> None:
        """Look at what is watched ten times a second, at the rest twice, for ever."""
        idle_s = 0.0
        while True:
            idle_s += TICK_S
            is_all = idle_s >= IDLE_TICK_S
            for symbol, state in self._symbols.items():
                if is_all or self._watched[symbol]:
                    state.look(monotonic_ns(), time_ns(), self.desk())
                    await asyncio.sleep(0)  # the feed and requests come in turn
            idle_s = 0.0 if is_all else idle_s
            self._tick.set()
            self._tick = asyncio.Event()
            await asyncio.sleep(TICK_S)

    async def _serve(self, request: Request, socket: Socket) -> None:
        symbol = venue_spelling(request.args.get("symbol", self._default_symbol))
        if symbol not in self._symbols:
            await socket.close(_POLICY_VIOLATION, f"there is no symbol {symbol[:20]!r}")
            return
        if self.browser_count >= BROWSERS_MAX:
            await socket.close(_TRY_LATER, f"{BROWSERS_MAX} browsers look already")
            return
        self._watched[symbol] += 1
        sent: deque[int] = deque()  # the versions that were sent and not confirmed
        telling = asyncio.create_task(self._tell(socket, symbol, sent))
        try:
            while not telling.done():
                word = asyncio.ensure_future(socket.recv())
                await asyncio.wait([word, telling], return_when=asyncio.FIRST_COMPLETED)
                if not word.done():
                    word.cancel()
                    break
                if not _confirm(word.result(), sent):
                    await socket.close(_POLICY_VIOLATION, "expected the v of a message")
                    break
        finally:
            self._watched[symbol] -= 1
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await telling

    async def _tell(self, socket: Socket, symbol: str, sent: "deque[int]") -> None:
        """Tell all, and then what changes, no faster than may be."""
        state, seen = self._symbols[symbol], 0
        state.look(monotonic_ns(), time_ns(), self.desk())
        await socket.send(self._hello[symbol])
        while True:
            text = state.message(seen) if len(sent) < UNSEEN_MAX else None
            if text is not None:
                after, seen = seen, state.version
                sent.append(seen)
                await socket.send(text)
                pause_s = len(text) / BYTES_PER_S_MAX if after else 0.0
                if pause_s > TICK_S:
                    await asyncio.sleep(pause_s - TICK_S)
            await self._tick.wait()


def _confirm(word: Any, sent: "deque[int]") -> bool:
    """Take a browser's word on how far it has come; return whether it was one."""
    if not (isinstance(word, str) and word.isascii() and word.isdigit() and len(word) <= _CONFIRMED_DIGITS_MAX):
        return False
    while sent and sent[0] <= int(word):
        sent.popleft()
    return True
