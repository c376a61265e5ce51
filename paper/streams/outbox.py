"""What waits to be written to one WebSocket client: bounded, and the client is dropped, never a single message."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from paper.latency import Line

MESSAGES_WAITING_MAX: Final = 10_000
BYTES_WAITING_MAX: Final = 8 << 20


class Outbox:
    """A queue of texts; one too many calls `on_full`, once, and from then on it takes nothing.

    With a `line`, a text can be taken once it has travelled over that; `spell` has the last word on how it is written.
    """

    def __init__(
        self, on_full: Callable[[], None], line: Line | None = None, *, spell: Callable[[str], str] = str
    ) -> None:
        self._on_full = on_full
        self._line = line
        self._spell = spell
        self._texts: deque[tuple[str, float]] = deque()  # with when they arrive
        self._byte_count = 0
        self._has_news = asyncio.Event()
        self._is_full = False

    def put(self, text: str) -> None:
        """Add a text."""
        if self._is_full:
            return
        text = self._spell(text)
        self._texts.append((text, self._line.arrival_s() if self._line is not None else 0.0))
        self._byte_count += _size(text)
        self._has_news.set()
        if len(self._texts) > MESSAGES_WAITING_MAX or self._byte_count > BYTES_WAITING_MAX:
            self._is_full = True
            self._on_full()

    async def take(self) -> str:
        """Wait for the oldest text and return it."""
        await self._has_news.wait()
        if self._line is not None and (wait_s := self._texts[0][1] - time.monotonic()) > 0:
            await asyncio.sleep(wait_s)
        text, _ = self._texts.popleft()
        self._byte_count -= _size(text)
        if not self._texts:
            self._has_news.clear()
        return text


def _size(text: str) -> int:
    """Return how many bytes a text has when it is written."""
    return len(text) if text.isascii() else len(text.encode())
