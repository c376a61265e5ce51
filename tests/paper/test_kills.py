"""kill -9 of the exchange's process, twenty times under load: nothing acknowledged is lost, nothing is doubled."""

import multiprocessing
import random
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from market.clock import monotonic_ns
from market.codes import Side, TimeInForce
from market.events import Accepted, Canceled, Event, Executed, Rejected, Triggered
from paper.money.ledger import TRADE_IDS_PER_EPOCH
from paper.money.orders import OrderKind, OrderStatus
from tests.pairs import default_instruments
from tests.paper.desk import DeskEngine
from tests.paper.killed_exchange import COMMISSION, EVERYBODY, ListState, State, live
from tests.paper.money_model import UNIT, ModelOrder, MoneyModel
from tests.reliability import FaultRow

KILLS = 20
MESSAGES = 10, 100  # how many the clients send in one life, at least and at most
BURST_MAX = 40  # how many more they send at once, before the process is killed
BURST_NS_MAX = 20_000_000  # how long after that
LAST_WORDS_S_MAX = 0.1
WAIT_S = 30.0
SEED = 20_260_101


class Life:
    """One life of the exchange's process, seen from the engine and the clients.

    Attributes:
        saved: the engine's epoch and the number of its last report that the exchange had saved when it came up.
        told: what clients were told in this life: status and filled lots by order id.
    """

    def __init__(self, path: Path, engine: DeskEngine) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([live.__module__])
        self._connection, other = context.Pipe()
        self._process: BaseProcess = context.Process(target=live, args=(path, other), daemon=True)
        self._process.start()
        other.close()
        self._engine = engine
        self._unanswered = 0
        self._state: State | None = None
        self.told: dict[int, tuple[str, int]] = {}
        _, self.saved = self._receive()
        self._reported = self.saved[1] if self.saved[0] == engine.epoch else 0
        self._acknowledged = engine.handled_count
        engine.is_connected = True
        self._send("connected", engine.epoch, engine.handled_count, engine.time_ns)

    def ask(self, kind: str, *parts: Any) -> None:
        """Let a client place or cancel an order."""
        self._unanswered += 1
        self._send(kind, *parts)

    def turn(self, *, is_waiting: bool) -> None:
        """Take what the exchange has sent, or wait until it has answered everybody; the engine does its part."""
        while self._connection.poll(WAIT_S if is_waiting and self._unanswered else 0):
            self._take(self._receive())
            self._report()
        self._report()

    def state(self) -> State:
        """Let everything that is on its way arrive, and return what the ledger holds."""
        while True:
            self._state, has_happened = None, False
            self._send("state")
            while self._state is None:
                has_happened |= self._take(self._receive())
            if not self._report() and not has_happened:
                return self._state

    def stir(self) -> None:
        """Let the market move, and the exchange say what follows; nobody takes that.

        So there are legs to be taken out of the engine's book whose other leg has traded, and the engine does not know.
        """
        for side, price in ((Side.SELL, "89990"), (Side.BUY, "90010")):
            self._engine.flow(None, side, price, "0.02")
        self._report()
        self._connection.poll(LAST_WORDS_S_MAX)

    def kill(self, *, is_delivered: bool) -> None:
        """Kill the process; what it has sent is still delivered, or lost with it."""
        self._process.kill()
        self._process.join(WAIT_S)
        while is_delivered:
            try:
                self._take(self._connection.recv())
            except (EOFError, OSError):
                break
        self._engine.handle()
        self._connection.close()

    def _report(self) -> bool:
        """Let the engine handle what waits and tell the exchange of it; say whether there was anything to tell."""
        self._engine.handle()
        events, handled = self._engine.reports_since(self._reported), self._engine.handled_count
        if not events and handled == self._acknowledged:
            return False
        self._reported, self._acknowledged = self._reported + len(events), handled
        self._send("reports", self._engine.epoch, events, self._reported, handled)
        return True

    def _take(self, message: tuple[Any, ...]) -> bool:
        kind, *parts = message
        if kind == "commands":
            self._engine.send(parts[0])
        elif kind == "state":
            (self._state,) = parts
        else:
            self._unanswered -= 1
            if kind == "done" and parts[2] != OrderStatus.REJECTED:
                self.told[parts[1]] = parts[2], parts[3]
        return bool(kind != "state")

    def _receive(self) -> tuple[Any, ...]:
        assert self._connection.poll(WAIT_S), "the exchange says nothing"
        message: tuple[Any, ...] = self._connection.recv()
        return message

    def _send(self, *message: Any) -> None:
        self._connection.send(message)


class Books:
    """What must be in the ledger, by all that it has saved of the engine's reports, life after life."""

    def __init__(self) -> None:
        self.told: dict[int, tuple[str, int]] = {}
        self._events: dict[int, list[Event]] = {}  # by epoch, oldest first

    def saved(self, epoch: int, events: list[Event]) -> None:
        """Take note of all that the ledger has saved of an engine's life."""
        self._events[epoch] = events

    def compare(self, state: State) -> None:
        """Assert that the ledger holds what it must, and nothing else."""
        model, trades = MoneyModel(COMMISSION, EVERYBODY), []
        others = {each: set(of.pair) - {each} for of in state.lists for each in of.pair}
        ended: set[int] = set()
        all_events = [(number, event) for number, events in enumerate(self._events.values()) for event in events]
        entered_at = {event.order_id: at for at, (_, event) in enumerate(all_events) if isinstance(event, Accepted)}
        for at, (number, event) in enumerate(all_events):
            if isinstance(event, Executed):
                mine = []
                for each in (event.maker_order_id, event.taker_order_id):
                    if each in state.orders and each not in ended:
                        mine.append(each)
                        ended |= others.get(each, set())
                trades += [(number * TRADE_IDS_PER_EPOCH + event.trade_id, each) for each in mine]
                model.orders = {each: _part(event, each, state) for each in mine}
                model.apply(event, ())
            elif isinstance(event, Triggered | Canceled | Rejected) and event.order_id not in ended:
                is_for_good = isinstance(event, Triggered) or entered_at.get(event.order_id, -1) < at
                ended |= others.get(event.order_id, set()) if is_for_good else set()
        assert sorted(state.trades) == sorted(trades)
        assert {key: (free + locked) * UNIT for key, (free, locked) in state.owned.items()} == model.owned
        for order_id, (status, filled_lots) in self.told.items():
            _, status_now, filled_now = state.orders[order_id]
            assert filled_now >= filled_lots, order_id
            assert status in (status_now, OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED), order_id


def _part(event: Executed, order_id: int, state: State) -> ModelOrder:
    side = event.taker_side if order_id == event.taker_order_id else 1 - event.taker_side
    account, *_ = state.orders[order_id]
    return ModelOrder(account, default_instruments()[0], Side(side), event.price_ticks, event.qty_lots)


def load(life: Life, engine: DeskEngine, chance: random.Random, open_ids: list[int]) -> None:
    """Let clients and strangers trade for a while; at the end much is on its way, at a random point of it."""
    for _ in range(chance.randint(*MESSAGES)):
        act(life, engine, chance, open_ids)
        life.turn(is_waiting=chance.random() < 0.3)
    for _ in range(chance.randint(0, BURST_MAX)):
        act(life, engine, chance, open_ids)
    until_ns = monotonic_ns() + chance.randint(0, BURST_NS_MAX)
    while monotonic_ns() < until_ns:
        life.turn(is_waiting=False)


def act(life: Life, engine: DeskEngine, chance: random.Random, open_ids: list[int]) -> None:
    """Let a stranger trade, or a client place or cancel."""
    price, stop = (f"{90_000 + chance.randint(-8, 8)}" for _ in range(2))
    qty, side = f"0.00{chance.randint(100, 999)}", chance.choice(list(Side))
    what = chance.random()
    if what < 0.15:
        engine.flow(None, side, price, qty)
    elif what < 0.3:
        life.ask("place list", chance.randrange(10**9), chance.choice(EVERYBODY), engine.time_ns, legs(chance))
    elif what < 0.45 and (ids := [*open_ids, *life.told]):
        life.ask("cancel", chance.randrange(10**9), chance.choice(ids), engine.time_ns)
    else:
        kind = chance.choice([OrderKind.LIMIT, OrderKind.LIMIT, OrderKind.LIMIT_MAKER, OrderKind.STOP_LOSS_LIMIT])
        in_force = chance.choice(list(TimeInForce)) if kind is OrderKind.LIMIT else TimeInForce.GTC
        iceberg = "0.0005" if in_force is TimeInForce.GTC and chance.random() < 0.3 else "0"
        fields = side, kind, in_force, price, qty, stop if kind is OrderKind.STOP_LOSS_LIMIT else "0", iceberg
        life.ask("place", chance.randrange(10**9), chance.choice(EVERYBODY), engine.time_ns, fields)


def legs(chance: random.Random) -> list[tuple[Any, ...]]:
    """Return the fields of the legs of a list: a pair, and at times an order that triggers it."""
    side, qty = chance.choice(list(Side)), f"0.00{chance.randint(100, 999)}"
    low, high = (f"{90_000 + chance.randint(*bounds)}" for bounds in ((-8, -1), (1, 8)))
    aim, stop_at = (high, low) if side is Side.SELL else (low, high)
    target = side, OrderKind.LIMIT_MAKER, TimeInForce.GTC, aim, qty, "0", "0"
    stop = side, OrderKind.STOP_LOSS_LIMIT, TimeInForce.GTC, stop_at, qty, stop_at, "0"
    pair = [target, stop] if side is Side.SELL else [stop, target]
    working = Side(1 - side), OrderKind.LIMIT, TimeInForce.GTC, f"{90_000 + chance.randint(-8, 8)}", qty, "0", "0"
    return [working, *pair] if chance.random() < 0.5 else pair


def whole(lists: list[ListState]) -> bool:
    """Say whether no list is half done: it executes with all that it ties together, or ties nothing any more."""
    for each in lists:
        working = each.legs[0] if each.contingency == "OTO" else None
        tied = [(status, is_held) for order_id, status, is_held in each.legs if order_id in each.pair]
        is_open = [OrderStatus(status).is_open for status, _ in tied]
        if each.status == "ALL_DONE":
            is_whole = sum(is_open) <= 1 and not any(is_held for _, is_held in tied)
        else:
            has_begun = working is None or working[1] == OrderStatus.FILLED
            is_whole = all(is_open) and all(is_held is not has_begun for _, is_held in tied)
            is_whole &= has_begun or (working is not None and OrderStatus(working[1]).is_open)
        if not is_whole:
            print(each)
            return False
    return True


def test_twenty_kills_under_load_lose_and_double_nothing(tmp_path: Path, fault_row: FaultRow) -> None:
    """Balances, orders, trades and the queue are right after each, also when the engine has lost its book as well."""
    print(f"seed {SEED}")
    chance, engine, books = random.Random(SEED), DeskEngine(), Books()
    life = Life(tmp_path / "ledger.sqlite3", engine)
    statuses: set[str] = set()
    try:
        state = life.state()
        for number in range(KILLS):
            load(life, engine, chance, list(state.open_lots))
            is_engine_dying, queue, waiting = number % 3 == 2, None, None
            if is_engine_dying and number % 2:  # nothing is on its way: the new book must be exactly the old one
                life.state()
                queue, waiting = engine.own_resting_lots(), engine.own_waiting_ids()
            is_delivered = chance.random() < 0.5
            if queue is None and not is_delivered:
                life.stir()
            life.kill(is_delivered=is_delivered)
            books.told |= life.told
            old_epoch, old_events = engine.epoch, list(engine.reports_since(0))
            if is_engine_dying:
                engine.restart()
            else:
                engine.lose_commands()
            life = Life(tmp_path / "ledger.sqlite3", engine)
            saved_epoch, saved_number = life.saved
            if saved_epoch == old_epoch:
                books.saved(old_epoch, old_events[:saved_number])
            state = life.state()
            books.saved(engine.epoch, engine.reports_since(0))
            books.compare(state)
            assert whole(state.lists)
            statuses.update(each.status for each in state.lists)
            resting, sleeping = engine.own_resting_lots(), engine.own_waiting_ids()
            assert state.open_lots.keys() == resting.keys() | sleeping
            assert all(state.open_lots[order_id] == lots for order_id, lots in resting.items())
            if queue is not None:
                assert (list(resting.items()), sleeping) == (list(queue.items()), waiting)
        assert len(state.trades) > 500
        assert len(state.lists) > 50
        assert statuses == {"EXECUTING", "ALL_DONE"}, "lists that go on have met kills, too"
        assert len(state.open_lots) > 10
    finally:
        life.kill(is_delivered=False)
    fault_row("paper exchange dies, every third time the engine with it", "SIGKILL under load, at random", KILLS)
