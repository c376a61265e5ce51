"""A paper exchange with a real engine behind it, in one process: the harness of these tests."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from engine.capacity import Capacity
from engine.reference.engine import ReferenceEngine
from market.codes import OrderType, SelfTradePrevention, Side, TimeInForce
from market.commands import Command, HaltSymbol, NewOrder
from market.depth import Depth
from market.events import Event, Executed
from market.feed_messages import BookTrade
from market.instrument import Instrument
from market.kernels.rows import read_event, write_command
from paper.exchange.exchange import Exchange
from paper.exchange.filters import price_to_ticks, qty_to_lots
from paper.exchange.pending import Pending
from paper.exchange.public_market import Touched
from paper.exchange.saves import Action, at_once
from paper.money.commission import Commission
from paper.money.ledger import Ledger
from paper.money.orders import Order, OrderKind
from paper.units import parse_units
from tests.pairs import default_instruments

FIRST_ORDER_ID = 2 * 10**12
FIRST_OWNER = 2 * 65_536
START_NS = 1_770_000_000_000_000_000
ALICE, BOB, CAROL = 1, 2, 3
LEVELS_MAX = 1_000_000  # all of them
INSTRUMENTS: tuple[Instrument, ...] = default_instruments()
ONE_ENGINE = dict.fromkeys((each.symbol for each in INSTRUMENTS), "engine")
BNBUSDT = next(instrument for instrument in INSTRUMENTS if instrument.symbol == "BNBUSDT")


class DeskEngine:
    """The engine, and the exchange's link end at it: queues commands, matches when pumped, reports like an order link.

    It is also the view of the public book, and may be replaced by a new, empty engine (`restart`).
    """

    def __init__(self, name: str = "engine", epoch: int = 1_000) -> None:
        self.name = name
        self.epoch = epoch
        self.on_send: Callable[[], None] = lambda: None
        self.is_connected = False
        self.is_refusing = False
        self._engine = ReferenceEngine(Capacity(len(INSTRUMENTS), orders_max=4_096, command_slots=1_024))
        self._waiting: list[Command] = []
        self._sent = 0
        self._handled = 0
        self._reports: list[Event] = []
        self._foreign_count = 0
        self.time_ns = START_NS
        self._seen: dict[int, tuple[dict[int, int], dict[int, int]]] = {}

    def send(self, commands: Sequence[Command]) -> int:
        """Queue commands, as `paper.exchange.engine_orders.LinkEnd` wants it."""
        if self.is_refusing or not self.is_connected:
            raise ConnectionError("the engine is far behind")
        self._waiting.extend(commands)
        self._sent += len(commands)
        self.on_send()
        return self._sent

    def depth(self, symbol_id: int, level_count: int) -> Depth:
        """Return the best levels, as `paper.exchange.exchange.BookView` wants it."""
        return self._engine.depth(symbol_id, level_count)

    def level_lots(self, symbol_id: int, side: Side, price_ticks: int) -> int:
        """Return what is shown at a price."""
        return self._levels(symbol_id)[side].get(price_ticks, 0)

    def take_touched(self, symbol_id: int) -> Touched:
        """Return the levels that differ from the last call's: the exchange looks after whatever anybody can see."""
        before, now = self._seen.get(symbol_id, ({}, {})), self._levels(symbol_id)
        self._seen[symbol_id] = now
        return Touched(
            *({price for price, _ in old.items() ^ new.items()} for old, new in zip(before, now, strict=True))
        )

    def _levels(self, symbol_id: int) -> tuple[dict[int, int], dict[int, int]]:
        bids, asks = self._engine.depth(symbol_id, LEVELS_MAX)
        return dict(bids), dict(asks)

    def reports_since(self, number: int) -> list[Event]:
        """Return what this engine has had to report after a number."""
        return self._reports[number:]

    @property
    def handled_count(self) -> int:
        """How many commands it has handled completely."""
        return self._handled

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be handled."""
        return not self._waiting

    def own_resting_lots(self) -> dict[int, int]:
        """Return what is open of each resting order of the exchange, by order id."""
        rows = [row for symbol_id in range(len(INSTRUMENTS)) for row in self._engine.orders(symbol_id).tolist()]
        return {order_id: leaves for order_id, _, _, _, leaves, _ in rows if _is_own_id(order_id)}

    def own_waiting_ids(self) -> set[int]:
        """Return the ids of the exchange's orders that wait for their trigger."""
        waiting = (order for book in self._engine._books for order in book.waiting())
        return {order.order_id for order in waiting if _is_own_id(order.order_id)}

    def restart(self) -> None:
        """Die, and come back with an empty book and a new epoch; commands on their way are lost."""
        self.epoch += 1
        self._engine = ReferenceEngine(Capacity(len(INSTRUMENTS), orders_max=4_096, command_slots=1_024))
        self._reports.clear()
        self.lose_commands()

    def lose_commands(self) -> None:
        """Forget what was sent and not yet handled, as when the exchange's process dies."""
        self._waiting.clear()
        self._sent = self._handled

    def connect(self, exchange: Exchange, handled: int | None = None, **told: int) -> None:
        """Shake hands."""
        self.is_connected = True
        count = self._handled if handled is None else handled
        exchange.engines[self.name].on_connected(self.epoch, count, self.time_ns, **told)

    def handle(self) -> list[Event]:
        """Match everything that waits; return, and keep to report, what concerns the exchange's orders."""
        events = self._match(self._waiting)
        self._handled += len(self._waiting)
        self._waiting.clear()
        return events

    def pump(self, exchange: Exchange) -> list[Event]:
        """Match everything that waits, until nothing does, and report it to the exchange."""
        seen: list[Event] = []
        while self._waiting:
            seen += self.handle()
            self.report(exchange)
        return seen

    def report(self, exchange: Exchange, *, after: int | None = None) -> None:
        """Deliver every report after a number, by default after the last that the exchange has saved."""
        first = exchange.ledger.last_report(self.name)[1] if after is None else after
        exchange.engines[self.name].on_reports(self.epoch, self._reports[first:], len(self._reports), self._handled)

    def flow(self, exchange: Exchange | None, side: Side, price: str, qty: str, *, symbol_id: int = 0) -> list[Event]:
        """Let a stranger give a limit order; report what it does, unless there is no exchange to report to."""
        self._foreign_count += 1
        instrument = INSTRUMENTS[symbol_id]
        command = NewOrder(
            order_id=3 * 10**12 + self._foreign_count,
            symbol_id=symbol_id,
            side=side,
            price_ticks=instrument.price_to_ticks(Decimal(price)),
            qty_lots=instrument.qty_to_lots(Decimal(qty)),
            order_type=OrderType.LIMIT,
            time_ns=self.time_ns,
        )
        events = self._match([command])
        if exchange is None:
            return events
        self.report(exchange)
        self.publish(exchange, events)
        return events

    def publish(self, exchange: Exchange, events: Sequence[Event]) -> None:
        """Tell the exchange of the book and of the trades among the events, as the book feed does."""
        for event in events:
            if isinstance(event, Executed):
                trade = BookTrade(event.trade_id, event.price_ticks, event.qty_lots, event.taker_side, event.time_ns)
                exchange.market.on_trades(self.epoch, event.symbol_id, [trade], event.time_ns)
        exchange.market.on_book()

    def _match(self, commands: Sequence[Command]) -> list[Event]:
        events: list[Event] = []
        for command in commands:
            ring = self._engine.commands
            write_command(ring.rows, ring.claim(), command)
            ring.publish()
            self._engine.match()
            while len(self._engine.events):
                rows = self._engine.events.readable()
                events += [read_event(row) for row in rows]
                self._engine.events.consume(len(rows))
        self._reports += [event for event in events if _is_ours(event)]
        return events


class _Books:
    """The public books, each as the engine of its symbol has it."""

    def __init__(self, engines: Mapping[int, DeskEngine]) -> None:
        self._engines = engines

    def depth(self, symbol_id: int, level_count: int) -> Depth:
        return self._engines[symbol_id].depth(symbol_id, level_count)

    def level_lots(self, symbol_id: int, side: Side, price_ticks: int) -> int:
        return self._engines[symbol_id].level_lots(symbol_id, side, price_ticks)

    def take_touched(self, symbol_id: int) -> Touched:
        return self._engines[symbol_id].take_touched(symbol_id)


class Desk:
    """An exchange with two accounts, its ledger in `folder`, and the engine, or two: then `second` has ETHUSDT."""

    def __init__(
        self,
        folder: Path,
        *,
        commission: Commission | None = None,
        engine: DeskEngine | None = None,
        second: DeskEngine | None = None,
        instruments: Sequence[Instrument] = INSTRUMENTS,
        soon: Callable[[Action], object] = at_once,
    ) -> None:
        self.instruments = instruments
        self.soon = soon
        self.path = folder / "paper.sqlite"
        self.commission = commission
        self.engine = engine or DeskEngine()
        self.engines = [self.engine] if second is None else [self.engine, second]
        self.places = ONE_ENGINE if second is None else ONE_ENGINE | {"ETHUSDT": second.name}
        self.open()

    def open(self) -> None:
        """Start the exchange's process on what the ledger holds; it is not connected yet."""
        self.ledger = Ledger(self.path, self.instruments, self.places)
        engines = {engine.name: engine for engine in self.engines}
        for engine in self.engines:
            engine.is_connected = False
        self.exchange = Exchange(
            self.ledger,
            engines,
            _Books({symbol.symbol_id: engines[symbol.engine] for symbol in self.ledger.symbols.values()}),
            first_order_id=FIRST_ORDER_ID,
            first_owner=FIRST_OWNER,
            commission=self.commission,
            soon=self.soon,
        )
        for account in (ALICE, BOB):
            self.exchange.open_account(account)

    def connect(self) -> "Desk":
        """Connect the exchange to every engine and let it settle."""
        for engine in self.engines:
            engine.connect(self.exchange)
            engine.pump(self.exchange)
        return self

    def kill(self) -> None:
        """Let the exchange's process die and start again; commands that the engine has not taken are lost."""
        self.ledger.close()
        for engine in self.engines:
            engine.lose_commands()
        self.open()

    def place(self, account: int, order: Order) -> Order:
        """Place an order and let the engine handle it."""
        pending = self.send(account, order)
        self.pump()
        assert pending.is_done, "the engine has not answered"
        return pending.order

    def send(self, account: int, order: Order) -> Pending:
        """Place an order like the given one; the engine has not handled it yet."""
        return self.exchange.place(replace(order, account=account), self.engine.time_ns)

    def amend(self, order: Order, qty: str, client_order_id: str) -> Pending:
        """Make an order smaller; the engine has not handled it yet."""
        lots = qty_to_lots(order.symbol, parse_units(qty))
        return self.exchange.amend(order, lots, client_order_id, self.engine.time_ns)

    def cancel(self, order: Order) -> Pending:
        """Cancel an order and let the engine handle it."""
        (pending,) = self.exchange.cancel([order], self.engine.time_ns)
        self.pump()
        return pending

    def pump(self) -> None:
        """Let every engine match and report all that it was sent."""
        for engine in self.engines:
            engine.pump(self.exchange)

    async def halt(self, symbol: str, is_halted: bool) -> None:
        """Halt or resume a symbol in the engine, as the operator does."""
        symbol_id = self.exchange.symbols[symbol].symbol_id
        self.engine._match([HaltSymbol(symbol_id, int(is_halted), self.engine.time_ns)])

    def wallet(self, account: int, asset: str) -> tuple[int, int]:
        """Return what is free and what is locked, in units."""
        wallet = self.ledger.wallets.of(account)[asset]
        return wallet.free, wallet.locked

    def request(
        self,
        side: Side,
        price: str = "0",
        qty: str = "0",
        *,
        kind: OrderKind = OrderKind.LIMIT,
        quote: str = "0",
        time_in_force: TimeInForce = TimeInForce.GTC,
        client_order_id: str = "",
        self_trade_prevention: SelfTradePrevention = SelfTradePrevention.EXPIRE_MAKER,
        symbol: str = "BTCUSDT",
        stop: str = "0",
        iceberg: str = "0",
        trailing: int = 0,
    ) -> Order:
        """Return an order that is nobody's yet, from text."""
        traded = self.exchange.symbols[symbol]
        return Order(
            account=0,
            symbol=traded,
            side=side,
            kind=kind,
            time_in_force=time_in_force,
            price_ticks=price_to_ticks(traded, parse_units(price)),
            qty_lots=qty_to_lots(traded, parse_units(qty)),
            quote_order_units=parse_units(quote),
            client_order_id=client_order_id,
            self_trade_prevention=self_trade_prevention,
            stop_ticks=price_to_ticks(traded, parse_units(stop)),
            display_lots=qty_to_lots(traded, parse_units(iceberg)),
            trailing_bps=trailing,
        )


def _is_ours(event: Event) -> bool:
    ids = (
        (event.taker_order_id, event.maker_order_id)
        if isinstance(event, Executed)
        else (getattr(event, "order_id", 0),)
    )
    return any(_is_own_id(order_id) for order_id in ids)


def _is_own_id(order_id: int) -> bool:
    return FIRST_ORDER_ID < order_id < FIRST_ORDER_ID + 10**12
