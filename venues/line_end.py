"""The trader's end of a line whose work is done in another thread: what is to be done waits here, and what is told."""

import socket
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import Final

from trading import news
from trading.actions import Action, Cancel

TRADES_WAITING_MAX: Final = 1_000


class LineEnd(ABC):
    """A `TradingLine` but for its work, which a thread of a subclass does: with `_next` and `_say`."""

    list_ns: int

    def __init__(self) -> None:
        self.ready, self._bell = socket.socketpair()
        for end in (self.ready, self._bell):
            end.setblocking(False)
        self._lock = threading.Lock()
        self._batches: deque[deque[Action]] = deque()
        self._news: list[news.News] = []
        self._bug: BaseException | None = None
        self._is_closed = False

    def act(self, actions: Sequence[Action]) -> None:
        """Have actions carried out; see `TradingLine`."""
        with self._lock:
            self._batches.append(deque(actions))
        self._wake()

    def take_back(self) -> Sequence[Action]:
        """Return the actions that have not begun; see `TradingLine`."""
        with self._lock:
            taken = [action for batch in self._batches for action in batch]
            for batch in self._batches:
                batch.clear()  # the one that is at work, too
            return taken

    def take(self) -> list[news.News]:
        """Return the news since the last call; see `TradingLine`."""
        with self._lock:
            if self._bug is not None:
                raise self._bug
            if self._news:
                self.ready.recv(1)
            said, self._news = self._news, []
            return said

    def close(self) -> None:
        """Hang up; see `TradingLine`."""
        with self._lock:
            self._is_closed = True
            self.ready.close()
            self._bell.close()
        self._wake()

    # --- for the thread that does the work ---

    @abstractmethod
    def _wake(self) -> None:
        """Let the thread look whether there is something to do, or whether the line is closed."""

    def _next(self) -> tuple[deque[Action], Action] | None:
        """Return the next action with the rest of its batch, None if there is none."""
        with self._lock:
            while self._batches and not self._batches[0]:
                self._batches.popleft()
            return (self._batches[0], self._batches[0].popleft()) if self._batches else None

    def _say(self, said: Sequence[news.News], batch: deque[Action] | None = None) -> None:
        """Tell news; `batch` is the rest of the one that it answers, if it does.

        Of books only the newest waits, of trades the last `TRADES_WAITING_MAX` news: a trader that is held up, by its
        disk for instance, sees the market as it is then. News of orders are never dropped.
        """
        with self._lock:
            if not self._news and said:
                self._ring()
            for each in [with_what_follows(each, batch) for each in said] if batch else said:
                if isinstance(each, news.BookNews):
                    self._drop_oldest(news.BookNews, 0)
                elif isinstance(each, news.TradesNews):
                    self._drop_oldest(news.TradesNews, TRADES_WAITING_MAX - 1)
                self._news.append(each)

    def _drop_oldest(self, kind: type[news.News], kept_max: int) -> None:
        waiting = [number for number, each in enumerate(self._news) if isinstance(each, kind)]
        if len(waiting) > kept_max:
            del self._news[waiting[0]]

    def _fail(self, bug: BaseException) -> None:
        """End with a bug, which the next `take` raises."""
        with self._lock:
            self._bug = bug
            if not self._news:
                self._ring()

    def _ring(self) -> None:
        if not self._is_closed:
            self._bell.send(b"\0")


def with_what_follows(said: news.News, batch: deque[Action]) -> news.News:
    """Return news of an action; if that has failed, what was to follow it in its batch is undone, too.

    After a cancel that was refused that are the quotes: one may be for the order that stands. The other cancels go on.
    """
    if isinstance(said, news.Kept):
        said = said._replace(undone=tuple(action for action in batch if not isinstance(action, Cancel)))
        cancels = [action for action in batch if isinstance(action, Cancel)]
        batch.clear()
        batch.extend(cancels)
    if isinstance(said, news.Failed) and said.undone:
        said = said._replace(undone=(*said.undone, *batch))
        batch.clear()
    return said
