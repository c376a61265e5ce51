"""The others' mid in a simulated market."""

from pathlib import Path

from desk.settings import load_settings
from engine.capacity import Capacity
from engine.fast.engine import FastEngine
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from market.commands import CancelOrder, NewOrder
from paper.exchange.news import ExecutionType, OrderNews
from paper.money.orders import Order, OrderKind, OrderStatus
from paper.units import Symbol
from simulation.delays import Delays
from simulation.desk import SimulatedDesk
from simulation.looks import Looks
from simulation.market import FlowMarket
from simulation.others_mids import OthersMids
from tests.pairs import default_instruments
from tests.simulation.test_desk import START_NS

LOOK_NS = 100 * NS_PER_MS
BTCUSDT, *_ = default_instruments()
OTHERS, OURS = 1, 2


class Book:
    """A book in which others and we have orders, seen every 100 ms."""

    def __init__(self) -> None:
        engine = FastEngine(Capacity(1))
        self.looks = Looks(engine, 0, LOOK_NS, LOOK_NS)
        self.market = FlowMarket(engine, None, OTHERS, 0, looks=self.looks)
        self.others = OthersMids(self.looks, 0)
        self.now_ns = 0
        for order_id, side, price in ((1, Side.BUY, 100), (2, Side.SELL, 110)):
            self.market.submit([NewOrder(order_id, 0, side, price, 5, owner=OTHERS)])

    def rest(self, order_id: int, side: Side, price: int, qty: int) -> None:
        """Rest an order of ours, of which we hear at once."""
        self.market.submit([NewOrder(order_id, 0, side, price, qty, owner=OURS)])
        self._tell(order_id, side, price, qty, OrderStatus.NEW)

    def cancel(self, order_id: int, side: Side, price: int, qty: int) -> None:
        """End it likewise."""
        self.market.submit([CancelOrder(order_id, 0, OURS)])
        self._tell(order_id, side, price, qty, OrderStatus.CANCELED)

    def look(self) -> int | None:
        """Let 100 ms pass, and return the others' mid then, in half ticks."""
        self.now_ns, _ = self.market.advance(self.now_ns + LOOK_NS)
        self.others.pass_to(self.now_ns)
        return self.others.mids.at(self.now_ns)

    def _tell(self, order_id: int, side: Side, price: int, qty: int, status: OrderStatus) -> None:
        order = Order(0, Symbol.of(BTCUSDT), side, OrderKind.LIMIT, price_ticks=price, qty_lots=qty)
        order.order_id, order.status = order_id, status
        self.others.hear(OrderNews(order, ExecutionType.NEW, 0))


def test_our_orders_are_not_the_market() -> None:
    """Guards the mid that a fill is held against: with our own bid in it every quote of ours would look better."""
    book = Book()
    assert book.look() == 210
    book.rest(7, Side.BUY, 104, 3)
    assert book.look() == 210
    book.market.submit([NewOrder(3, 0, Side.BUY, 104, 1, owner=OTHERS)])
    assert book.look() == 214  # somebody joins us
    book.cancel(7, Side.BUY, 104, 3)
    assert book.look() == 214


def test_what_was_seen_is_seen_with_our_orders_as_they_were_then() -> None:
    """Looks that nobody has asked for yet are taken before an order of ours goes."""
    book = Book()
    book.rest(7, Side.BUY, 104, 3)
    book.now_ns, _ = book.market.advance(5 * LOOK_NS)
    book.cancel(7, Side.BUY, 104, 3)
    assert book.look() == 210
    assert [book.others.mids.at(number * LOOK_NS) for number in range(1, 7)] == [210] * 6


def test_a_side_of_ours_alone_is_no_market() -> None:
    """Then nobody knows what it is worth."""
    book = Book()
    book.market.submit([CancelOrder(1, 0, OTHERS)])
    book.rest(7, Side.BUY, 104, 3)
    assert book.look() is None


def test_on_a_desk_it_is_the_book_s_without_our_orders_at_each_look(tmp_path: Path) -> None:
    """Against the engine's book and the account's open orders, asked at the same moments."""
    sets = {"flow.preset": "normal", "flow.opening_s": 2, "maker.half_spread": "0.000001"}
    settings = load_settings({"run_dir": tmp_path, "flow.seed": 3, **sets}).settings
    instrument = settings.instrument
    desk = SimulatedDesk(settings, START_NS, tmp_path / "reports", Delays(venue_ns=NS_PER_MS))
    expected: dict[int, int | None] = {}

    def look() -> None:
        depth = desk.market.engine.depth(instrument.symbol_id, 5)
        own: dict[tuple[int, int], int] = {}
        for order in desk.account.open_orders(instrument):
            level = order.side.value, instrument.price_to_ticks(order.price)
            own[level] = own.get(level, 0) + instrument.qty_to_lots(order.leaves_qty)
        expected[desk.heap.now_ns] = depth.without(own).mid_ticks_x2

    for number in range(1, 300):
        desk.heap.at(START_NS + number * LOOK_NS, look)
    desk.run(START_NS + 30 * NS_PER_SECOND)
    desk.others.pass_to(desk.heap.now_ns)
    assert {at_ns: desk.others.mids.at(at_ns) for at_ns in expected} == expected
    assert len({*expected.values()}) > 10
