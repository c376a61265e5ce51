"""Makers to test with, and what they tell."""

import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from desk.settings import load_settings
from desk.strategy import strategy_of
from nodes.maker.elsewhere import Elsewhere
from nodes.maker.ids import SentOrders
from nodes.maker.maker import Maker
from nodes.node import Node
from tests.nodes.maker.scripted_venue import ScriptedVenue
from trading import news
from trading.actions import Action
from trading.order_rules import OrderRules
from venues.line_end import with_what_follows
from venues.polling_line import VenueCalls, polled
from venues.trading_line import TradingLine
from venues.venue import (
    VenueUnavailableError,
    VenueUnknownError,
)

PREFIX = "tb-mine-"
RULES = OrderRules(notional_min=Decimal(5))
LOST = VenueUnknownError("lost")
AWAY = VenueUnavailableError("out of reach")
Told = list[Any]


class ScriptedLine:
    """A line that makes its calls when its news is taken, in the thread of who takes it."""

    list_ns = 0

    def __init__(self, calls: VenueCalls) -> None:
        self._calls = calls
        self._batch: deque[Action] = deque()
        self.ready = socket.socket()

    def act(self, actions: Sequence[Action]) -> None:
        """Keep actions until somebody wants to know of them."""
        self._batch.extend(actions)

    def take_back(self) -> Sequence[Action]:
        """Return those of which nobody has wanted to know."""
        taken = list(self._batch)
        self._batch.clear()
        return taken

    def take(self) -> list[news.News]:
        """Carry all out and tell."""
        said: list[news.News] = []
        while self._batch:
            said += [with_what_follows(each, self._batch) for each in polled(self._calls, self._batch.popleft())]
        return said

    def close(self) -> None:
        """Close the socket."""
        self.ready.close()


class ScriptedMaker:
    """A maker whose time is the test's.

    Attributes:
        maker: the node.
    """

    def __init__(self, maker: Maker) -> None:
        self.maker = maker
        self._trader = maker._trader

    @property
    def paused_until_ns(self) -> int:
        """Until when it waits after a failure."""
        return self._trader._backoff.until_ns

    @paused_until_ns.setter
    def paused_until_ns(self, until_ns: int) -> None:
        self._trader._backoff.until_ns = until_ns

    def cycle(self) -> None:
        """Go through a whole round that begins now, whatever it waits for."""
        self.maker.follow_halt()
        self.paused_until_ns = 0
        self.on_time()

    def on_time(self) -> None:
        """Go through a round, as if the last one had begun long ago."""
        self._trader._begin_anew()
        self._go_on()

    def _go_on(self) -> None:
        while self.maker.step().actions:
            continue

    def on_look(self) -> None:
        """Look for an operator's halt, and do what that makes due."""
        if self.maker.follow_halt():
            self._go_on()

    def stop(self) -> None:
        """Stop it."""
        self.maker.stop()

    def figures(self) -> dict[str, Any]:
        """Return what `status` shows."""
        return self.maker._node._figures


@contextmanager
def a_maker(
    run_dir: Path,
    venue: ScriptedVenue,
    rules: OrderRules = RULES,
    make_line: Callable[[VenueCalls], TradingLine] = ScriptedLine,
    **settings: Any,
) -> Iterator[ScriptedMaker]:
    """Make a maker at that venue."""
    options = {f"maker.{name}": value for name, value in settings.items()}
    settings_of_maker = load_settings({"run_dir": run_dir, **options}).settings
    node = Node(settings_of_maker.plan.named(["maker"])[0], settings_of_maker)
    line = make_line(VenueCalls(venue, settings_of_maker.instrument, venue.clock))
    sent = SentOrders(run_dir, PREFIX, settings_of_maker.symbol, "scripted", node.log)
    elsewhere = Elsewhere(venue, sent, node.log, venue.clock, venue.wait)
    yield ScriptedMaker(Maker(node, line, strategy_of(settings_of_maker), rules, venue.clock, sent, elsewhere))
    line.close()
    node.close()


def lines(told: Told, event: str) -> Told:
    """Return the lines of one event."""
    return [line for line in told if line["event"] == event]


def figures(one: ScriptedMaker) -> dict[str, Any]:
    """Return what `status` shows."""
    return one.figures()
