"""A trader's line to the simulated exchange: what leaves when, and which of two answers counts."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from desk.settings import load_settings
from market.clock import NS_PER_SECOND
from market.codes import Side
from market.instrument import Instrument
from paper.errors import ErrorKind, ExchangeError
from simulation.desk import SimulatedDesk
from simulation.heap import EventHeap
from simulation.line import CUT_NS, SimulatedLine
from tests.simulation.test_desk import START_NS
from trading import news
from trading.actions import Action, ListOrders, Place
from trading.strategy import Inbox, Wanted

WAY_NS = 5
INSTRUMENT = Instrument(0, "BTCUSDT", "BTC", "USDT", Decimal("0.01"), Decimal("0.00001"))
PLACES = [Place("a", Side.BUY, 100, 10), Place("b", Side.BUY, 99, 10)]


class Exchange:
    """Answers each call at once; a Caller."""

    def __init__(self, heap: EventHeap, answer: Callable[[Mapping[str, object]], Any]) -> None:
        self.calls: list[tuple[int, object]] = []
        self._heap = heap
        self._answer = answer

    def begin(self, method: str, path: str, asked: Mapping[str, object], done: Callable[[Any], None]) -> None:
        """Begin a call."""
        self.calls.append((self._heap.now_ns, asked.get("newClientOrderId", path)))
        done(self._answer(asked))


class Lines:
    """A line, what is heard over it, and the clock."""

    def __init__(self, answer: Callable[[Mapping[str, object]], Any]) -> None:
        self.heap = EventHeap(0)
        self.exchange = Exchange(self.heap, answer)
        self.heard: list[tuple[int, news.News]] = []
        self.line = SimulatedLine(self.exchange, self.heap, INSTRUMENT, lambda: WAY_NS, self._hear)

    def run(self, actions: list[Action]) -> None:
        """Have actions carried out, until nothing happens any more."""
        self.line.act(actions)
        while (next_ns := self.heap.next_ns) is not None:
            self.heap.now_ns = next_ns
            self.heap.run_due()

    def _hear(self, said: Any) -> None:
        self.heard += [(self.heap.now_ns, each) for each in said]


def placed(asked: Mapping[str, object]) -> dict[str, object]:
    """Return the reply to an order that is in the book."""
    terms = {"symbol": "BTCUSDT", "side": asked["side"], "price": asked["price"], "origQty": asked["quantity"]}
    return {
        **terms,
        "orderId": 1,
        "clientOrderId": asked["newClientOrderId"],
        "executedQty": "0",
        "status": "NEW",
        "transactTime": 1,
    }


def test_call_leaves_when_the_one_before_it_is_answered() -> None:
    """As on a line over sockets: each takes its way there and back."""
    lines = Lines(placed)
    lines.run([*PLACES])
    assert lines.exchange.calls == [(WAY_NS, "a"), (3 * WAY_NS, "b")]
    told = [when_ns for when_ns, said in lines.heard if isinstance(said, news.OrderNews)]
    assert told == [2 * WAY_NS, 4 * WAY_NS]


def test_account_stream_that_says_nothing_of_what_answers_tell_is_connected_anew() -> None:
    """As on a line over sockets, with pauses that grow: a maker must not go on with fills by lists alone."""
    lines = Lines(placed)
    pauses = []
    for number in range(5):
        lines.heard.clear()
        lines.run([Place(f"tb-{number}", Side.BUY, 100, 10)])
        (silent_ns, silent), (following_ns, following) = lines.heard[1:]
        assert isinstance(silent, news.Silent)
        assert isinstance(following, news.Following)
        assert silent_ns - lines.heard[0][0] < 4 * NS_PER_SECOND, "with a list every 5 s that is within 10 s"
        pauses.append(following_ns - silent_ns)
    assert pauses == [CUT_NS << number for number in range(5)]


def test_first_that_fails_ends_what_was_to_follow() -> None:
    """It is told what was not done, and the rest never leaves."""
    lines = Lines(lambda _: ExchangeError(ErrorKind.TOO_MUCH_WEIGHT, limit=6_000))
    lines.run([ListOrders(), *PLACES])
    assert lines.exchange.calls == [(WAY_NS, "openOrders")]
    ((_, said),) = lines.heard
    assert isinstance(said, news.Failed)
    assert said.undone == (ListOrders(), *PLACES)


def test_nothing_leaves_a_line_that_is_closed() -> None:
    """Its trader is dead: what is on its way arrives, what waits does not leave."""
    lines = Lines(placed)
    lines.heap.at(WAY_NS + 1, lines.line.close)
    lines.run([*PLACES])
    assert lines.exchange.calls == [(WAY_NS, "a")]
    assert lines.heard == []


class Onlooker:
    """A strategy that wants nothing and notes the trades of the market."""

    def __init__(self) -> None:
        self.trades: list[news.MarketTrade] = []

    def step(self, _: int, inbox: Inbox) -> Wanted:
        """Look."""
        self.trades += inbox.trades
        return Wanted(())


def test_strategy_hears_of_every_trade_once(tmp_path: Path) -> None:
    """Guards what a strategy sees here against what it sees on a desk."""
    onlooker = Onlooker()
    settings = load_settings({"run_dir": tmp_path, "flow.opening_s": 0}).settings
    desk = SimulatedDesk(settings, START_NS, tmp_path / "reports", strategy=onlooker)
    desk.run(START_NS + 20 * NS_PER_SECOND)
    tape = list(desk.exchange.exchange.market.tapes[settings.instrument.symbol_id].trades)
    assert len(onlooker.trades) > 10
    assert [trade.trade_id for trade in onlooker.trades] == [t.trade_id for t in tape][: len(onlooker.trades)]
    assert len(tape) - len(onlooker.trades) < 20, "of the last round"


def test_run_in_pieces_is_the_same_run(tmp_path: Path) -> None:
    """How often somebody looks how far it is, is nothing that a desk knows of."""
    settings = load_settings({"run_dir": tmp_path, "flow.opening_s": 0}).settings
    digests = []
    for pieces in (1, 7):
        desk = SimulatedDesk(settings, START_NS, tmp_path / str(pieces))
        for piece in range(1, pieces + 1):
            desk.run(START_NS + 3 * NS_PER_SECOND * piece // pieces)
        desk.close_books()
        digests.append(desk.digest.hexdigest())
    assert digests[0] == digests[1]
