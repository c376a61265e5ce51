"""All the rules by which quotes are replaced or left, at a venue that does all that one may do."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from itertools import count

from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from market.depth import Depth, Level
from tests.trading.markets import BTCUSDT, symmetric
from tests.trading.rough_venue import ARRIVAL_NS, RoughVenue
from trading import news, notes
from trading.actions import Cancel, Place, apart
from trading.execution import Execution
from trading.keeping import Requoting
from trading.model_strategy import ModelStrategy
from trading.order_rules import OrderRules
from trading.outbox import Outbox
from trading.quoting import Quote
from trading.reasons import Reason, flaw_of_reason
from trading.refills import Refilling
from trading.strategy import OwnOrder
from trading.terms import Terms
from trading.trader import Trader

RUN_NS, CALM_NS = 60 * NS_PER_SECOND, 120 * NS_PER_SECOND  # a breaker may be open for long
TERMS = Terms(
    Requoting(Decimal("0.0003"), Decimal("0.5"), Decimal("0.5"), NS_PER_SECOND, 5 * NS_PER_SECOND),
    "tb-rough-",
    250 * NS_PER_MS,
    5 * NS_PER_SECOND,
    ARRIVAL_NS,
    Decimal(10),
    refilling=Refilling(NS_PER_SECOND // 2, 2, 2 * NS_PER_SECOND),
    hanging=Decimal("0.0006"),
)


class Watched:
    """A trader whose every step is looked at.

    Attributes:
        codes: how often each was given.
    """

    def __init__(self, terms: Terms = TERMS) -> None:
        strategy = ModelStrategy(symmetric(Decimal("0.0001"), Decimal(1_000)), 300, 2 * NS_PER_SECOND)
        ids = (f"{TERMS.prefix}{number}" for number in count(1))
        self.trader = Trader(strategy, BTCUSDT, OrderRules(), terms, ids)
        self.codes: Counter[str] = Counter()

    def step(self, now_ns: int, said: Sequence[news.News]) -> Outbox:
        """Let it make a step; each action and each idle side has a code, and no new order crosses one of ours."""
        outbox = self.trader.step(now_ns, said)
        cancelled = {action.client_order_id for action in apart(outbox.actions) if isinstance(action, Cancel)}
        open_orders = self.trader.orders.standing.items()
        standing = [
            (each.side, BTCUSDT.price_to_ticks(each.price)) for name, each in open_orders if name not in cancelled
        ]
        for action in apart(outbox.actions):
            if isinstance(action, Place):
                standing.append((action.side, action.price_ticks))
                bids, asks = ([ticks for side, ticks in standing if side == one] for one in Side)
                assert max(bids, default=0) < min(asks, default=10**9)
            if isinstance(action, Place | Cancel):
                self._count(action.why)
        for note in outbox.notes:
            if isinstance(note, notes.Looked):
                sides = {each.side for each in self.trader.orders.standing.values()}
                assert sides | note.idle.keys() == set(Side), "neither quoted nor said why not"
                for why in note.idle.values():
                    self._count(why)
        return outbox

    def _count(self, why: Reason) -> None:
        assert not flaw_of_reason(why)
        self.codes[why.rule] += 1


def test_each_action_has_a_code_none_crosses_our_own_and_both_sides_are_quoted_in_the_end() -> None:
    """Young, old, hanging and half filled orders, sides that wait, lost answers: ten seeds, a minute each."""
    codes: Counter[str] = Counter()
    for seed in range(10):
        venue, watched = RoughVenue(BTCUSDT, seed, trouble=0.2), Watched()
        venue.whole = 0.5
        venue.live(venue.now_ns + RUN_NS)
        venue.run(watched, venue.now_ns + RUN_NS)
        venue.trouble = 0.0
        venue.run(watched, venue.now_ns + CALM_NS)
        assert {order.side for order in venue.open_orders()} == set(Side), f"seed {seed}"
        codes += watched.codes
    rules = {
        "WANTED",
        "TOLERANCE",
        "TOP_UP",
        "AGE",
        "CROSSING",
        "HANGING",
        "JUST_FILLED",
        "RUN_OVER",
        "REFUSED",
        "UNKNOWN",
    }
    assert rules <= codes.keys(), f"never struck: {rules - codes.keys()}"


def test_order_that_grows_too_old_is_replaced_though_nothing_happens() -> None:
    """The book stands still, and the list of our orders need not be asked for: only the clock says so."""
    venue, watched = RoughVenue(BTCUSDT, 1, trouble=0.0), Watched(TERMS._replace(list_ns=60 * NS_PER_SECOND))
    venue.live(venue.now_ns + NS_PER_SECOND // 10)
    venue.run(watched, venue.now_ns + 17 * NS_PER_SECOND)
    assert watched.codes["AGE"] == 3 * 2 * 2, "three times two sides: a cancel and a place"


def test_side_that_waits_after_a_fill_is_quoted_when_the_wait_is_over() -> None:
    """To the interval, though nothing happens."""
    terms = TERMS._replace(list_ns=60 * NS_PER_SECOND, requoting=Requoting(Decimal("0.0003")), hanging=Decimal(0))
    venue, watched = RoughVenue(BTCUSDT, 1, trouble=0.0), Watched(terms._replace(refilling=Refilling(NS_PER_SECOND)))
    venue.live(venue.now_ns + NS_PER_SECOND // 10)
    venue.run(watched, venue.now_ns + NS_PER_SECOND)
    venue.fill_whole(Side.BUY)
    venue.run(watched, venue.now_ns + NS_PER_SECOND - 300 * NS_PER_MS)
    assert [order.side for order in venue.open_orders()] == [Side.SELL]
    assert watched.codes["JUST_FILLED"] > 0
    venue.run(watched, venue.now_ns + 600 * NS_PER_MS)
    assert {order.side for order in venue.open_orders()} == set(Side)


def test_tolerance_is_one_of_the_last_mid_while_there_is_none() -> None:
    """With a side of the book gone, quotes around the last best price were cancelled for a tick."""
    quote = Quote(Side.BUY, 99_000, 10)
    execution = Execution(Requoting(Decimal("0.0001")), Refilling(), Decimal(0), BTCUSDT)
    bids = (Level(99_999, 5),)
    execution.plan(0, Depth(bids, (Level(100_001, 5),)), [quote], [], (), {})
    order = OwnOrder("tb-1", Side.BUY, 98_990, 10)
    assert execution.plan(1, Depth(bids, ()), [quote], [order], (), {}) == ({}, [], [])
