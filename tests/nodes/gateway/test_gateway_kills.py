"""Killed gateways and engines under load: a client with a name loses nothing and gets nothing twice.

`KILLS=all` kills twenty times; without it seven times.
"""

import os
import random
import time
from collections import defaultdict
from collections.abc import Iterator

import pytest

from market.codes import Side, Tag
from market.commands import CancelOrder, NewOrder
from market.events import Accepted, Canceled, Event, Executed, Rejected, Rested
from tests.desk.desk_process import short_directory, until
from tests.lanes import LANES
from tests.nodes.gateway.engine_book import EngineBook
from tests.nodes.gateway.gateway_process import Pair
from tests.reliability import FaultRow
from venues.gateway import GatewayError, GatewaySession

SEED = 4
KILLS = 20 if os.environ.get("KILLS") == "all" else 7
BURSTS_MAX = 600 // KILLS  # between two kills: as many orders, however often it is killed
JOURNAL_BYTES = 1 << 20  # so little that the gateway begins its journal anew several times
BTC = 0


@pytest.fixture(params=LANES)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """An engine and a gateway."""
    settings = {"TICKBUS_GATEWAY__JOURNAL_BYTES": str(JOURNAL_BYTES), **LANES[request.param]}
    with short_directory() as path, Pair(path, **settings).working() as one:
        yield one


class Bot:
    """A client that keeps count of all that it is told."""

    def __init__(self, port: int, dice: random.Random) -> None:
        self.session = GatewaySession("load", port=port, reconnect_s=60)
        self.dice = dice
        self.first_replies: defaultdict[int, list[Event]] = defaultdict(list)
        self.open: dict[int, int] = {}  # what should be in the book: order id to lots
        self.cancels_asked: set[int] = set()

    def burst(self) -> None:
        """Send some orders, of which some trade with each other, and cancel some."""
        commands: list[NewOrder | CancelOrder] = []
        first = self.session.state.last_order_id + 1
        for order_id in range(first, first + self.dice.randint(1, 300)):
            side = self.dice.choice((Side.BUY, Side.SELL))
            price = 9_000_000 + self.dice.randint(-30, 30) + (-20 if side == Side.BUY else 20)
            commands.append(NewOrder(order_id, BTC, side, price, self.dice.randint(1, 50)))
        gone = [order_id for order_id in self.open if self.dice.random() < 0.3]
        self.cancels_asked.update(gone)
        commands += [CancelOrder(order_id, BTC) for order_id in gone]
        try:
            self.session.send(commands)
        except GatewayError:
            return  # the cancels may be lost, the orders are not
        finally:
            self.take(self.session.receive())

    def take(self, events: list[Event]) -> None:
        """Keep the book of our orders, report by report."""
        for event in events:
            if isinstance(event, Accepted):
                self.first_replies[event.order_id].append(event)
                if event.resting_lots:
                    self.open[event.order_id] = event.resting_lots
            elif isinstance(event, Rested):
                self.open[event.order_id] = event.leaves_lots
            elif isinstance(event, Executed) and event.maker_order_id:
                self._reduce(event.maker_order_id, event.maker_leaves_lots)
            elif isinstance(event, Canceled):
                self._reduce(event.order_id, event.leaves_lots)
            elif isinstance(event, Rejected) and event.command == Tag.NEW_ORDER:
                self.first_replies[event.order_id].append(event)

    def _reduce(self, order_id: int, leaves_lots: int) -> None:
        self.open[order_id] = leaves_lots
        if not leaves_lots:
            del self.open[order_id]


@pytest.mark.slow
def test_kills_lose_nothing_and_double_nothing(pair: Pair, fault_row: FaultRow) -> None:
    """Each order has one first report, reports have no gap, and the engine's book is the client's and the journal's."""
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    bot = Bot(pair.port, dice)
    for _ in range(KILLS):
        for _ in range(dice.randint(1, BURSTS_MAX)):
            bot.burst()
        victim = dice.choice(("engine", "gateway"))
        if victim == "engine":
            pair.pause(victim)
            bot.burst()  # which it has not taken when it is killed
        pair.kill(victim)
        if victim == "engine":
            bot.burst()  # into the void
        pair.start(victim)
    deadline = time.monotonic() + 60
    while bot.session.state.unanswered_count and time.monotonic() < deadline:
        bot.take(bot.session.receive(0.1))
    count = bot.session.state.last_order_id
    assert bot.session.state.lost_count == 0
    lost = [order_id for order_id in range(1, count + 1) if not bot.first_replies[order_id]]
    assert not lost, f"{len(lost)} of {count} orders were never answered: {lost[:9]}"
    doubled = [replies for replies in bot.first_replies.values() if len(replies) > 1]
    assert not doubled, f"{len(doubled)} orders were answered twice: {doubled[:3]}"
    _assert_book_is(pair, bot)
    replayed = pair.cli("replay", "--verify")
    assert replayed.returncode == 0, replayed.stderr
    assert "the live engine says the same" in replayed.stdout
    folder = pair.run_dir / "gateway"
    (journal,) = folder.glob("reports-*")
    assert int(journal.name.partition("-")[2]) > 1, "it begins anew in the middle of all this"
    on_disk = sum(path.stat().st_size for path in journal.iterdir())
    assert on_disk < 2 * JOURNAL_BYTES, "what is on disk is bounded"
    print(f"{count} orders, {bot.session.state.last_sequence} reports, {len(bot.open)} open")
    bot.session.close()
    fault_row("gateway or engine dies", "SIGKILL under bursts of a client's orders", KILLS)


def _assert_book_is(pair: Pair, bot: Bot) -> None:
    """Compare what the client believes with a fresh snapshot of the engine's book, order by order."""
    book = EngineBook(pair.run_dir)

    def agrees() -> bool:
        bot.take(bot.session.receive(0.01))
        orders = book.orders_of("load")
        return orders is not None and {own_id: order.resting_lots for own_id, order in orders.items()} == bot.open

    try:
        until("the books agree", agrees)
    finally:
        book.close()
