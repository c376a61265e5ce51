"""When what a live trader did was at the engine."""

from benchmarks.parity_live import timed
from benchmarks.parity_records import OURS
from market.clock import NS_PER_MS
from market.codes import Side
from market.commands import NewOrder
from trading.actions import Place
from trading.news import Refused
from trading.outbox import Outbox


def test_order_that_the_exchange_refused_is_not_taken_for_the_next_of_its_price() -> None:
    """Without funds an order reaches no engine; held for the next one, its answer came half a second late."""
    one, other = Place("a", Side.BUY, 90, 5), Place("b", Side.BUY, 90, 5)
    refused = [Refused("a", "insufficient balance")]
    steps = [
        (0, (), Outbox([one], None, ())),
        (5 * NS_PER_MS, refused, Outbox([], None, ())),
        (500 * NS_PER_MS, (), Outbox([other], None, ())),
    ]
    arrived = [(502 * NS_PER_MS, NewOrder(1, 0, Side.BUY, 90, 5, owner=OURS.start))]
    first, _, last = timed(steps, arrived, lambda at_ns: at_ns)
    assert first.acts == ((one, 0),)
    assert last.acts == ((other, 502 * NS_PER_MS),)


def test_order_that_its_engine_refused_was_there_before_the_answer() -> None:
    """A quote that would trade at once is refused by the engine, which has it in its journal."""
    place = Place("a", Side.BUY, 90, 5)
    steps = [
        (0, (), Outbox([place], None, ())),
        (5 * NS_PER_MS, [Refused("a", "would match")], Outbox([], None, ())),
    ]
    arrived = [(2 * NS_PER_MS, NewOrder(1, 0, Side.BUY, 90, 5, owner=OURS.start))]
    assert timed(steps, arrived, lambda at_ns: at_ns)[0].acts == ((place, 2 * NS_PER_MS),)
