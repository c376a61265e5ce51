"""A venue that changes its rules of the pair while a trader quotes: no order is lost, doubled, or refused for ever."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from market.account import VenueOrder
from market.clock import NS_PER_SECOND
from market.codes import Side
from market.depth import Depth, Level
from tests.trading.test_trader import ASK, BID, BOOK, BTCUSDT, HELD, INTERVAL_NS, Driven, order_of
from trading import news, notes
from trading.actions import Action, AskRules, Cancel, FindOrder, ListOrders, Place
from trading.guard import Guard
from trading.limits import Limits
from trading.order_rules import MarketRules, OrderRules
from trading.own_orders import OwnOrders
from trading.pair_rules import DOUBT_NS, RULES_NS, UNFIT_NS
from trading.position import Position
from trading.reasons import Rule
from trading.strategy import Wanted

OURS = BTCUSDT.tick_size, BTCUSDT.lot_size
SAME = news.RulesNews(MarketRules(*OURS, OrderRules()))
COARSER = news.RulesNews(MarketRules(OURS[0], 10 * OURS[1], OrderRules()))
DEARER = OrderRules(notional_min=Decimal(10), orders_max=3)


class Answered(Driven):
    """A trader at a venue that answers all but the question for its rules, which the test does.

    Attributes:
        refusal: of every order; None: each is taken.
        notes: what was told.
    """

    def __init__(self, rules_ns: int = RULES_NS) -> None:
        super().__init__(can_move=False, rules_ns=rules_ns)
        self.refusal: news.Refused | None = None
        self.notes: list[notes.Note] = []

    def go_on(self, *said: news.News, after_ns: int = 0) -> list[type[Action]]:
        """Let it go on until it asks for nothing, or for the rules; return what it has commanded, and that question."""
        asked: list[type[Action]] = []
        outbox = self.hear(*said, after_ns=after_ns)
        while True:
            self.notes += outbox.notes
            asked += [type(each) for each in outbox.actions if isinstance(each, Place | Cancel | AskRules)]
            if not outbox.actions or AskRules in asked:
                return asked
            outbox = self.hear(*map(self._answer, outbox.actions))

    @property
    def standing(self) -> Sequence[VenueOrder]:
        """The orders that stand."""
        return list(self.trader.orders.standing.values())

    def _answer(self, action: Action) -> news.News:
        match action:
            case Place(name):
                refused = self.refusal and self.refusal._replace(client_order_id=name)
                return refused or news.OrderNews(order_of(action))
            case Cancel(name):
                return news.OrderNews(replace(self.trader.orders.open[name], status="CANCELED"))
            case ListOrders():
                return self.listed(*self.standing)
            case FindOrder(name):
                return news.Found(name, self.trader.orders.open.get(name), self.now_ns)
        return HELD


@pytest.fixture
def one() -> Answered:
    """One whose quotes stand."""
    made = Answered()
    made.quotes()
    return made


def test_rules_are_read_again_at_their_time_and_gone_by_without_touching_an_order(one: Answered) -> None:
    """A changed filter was seen at the next start of the maker, days later perhaps."""
    orders = one.standing
    assert one.go_on(BOOK, after_ns=RULES_NS - NS_PER_SECOND) == []
    assert one.go_on(BOOK, after_ns=NS_PER_SECOND) == [AskRules]
    assert one.go_on(news.RulesNews(MarketRules(*OURS, DEARER))) == []
    assert [note for note in one.notes if isinstance(note, notes.Ruled)] == [
        notes.Ruled(["notional_min 0 -> 10", "orders_max none -> 3"])
    ]
    assert one.go_on(BOOK, after_ns=INTERVAL_NS) == []
    assert one.inboxes[-1].rules == DEARER
    assert one.standing == orders
    assert one.go_on(BOOK, after_ns=RULES_NS) == [AskRules]
    one.go_on(news.RulesNews(MarketRules(*OURS, DEARER)))
    assert sum(isinstance(note, notes.Ruled) for note in one.notes) == 1


def test_other_steps_take_every_order_away_until_they_are_ours_again(one: Answered) -> None:
    """Each quote was refused, or what it was filled by lay between two lots; one wrong answer is asked again."""
    part = replace(one.standing[0], filled_qty=BTCUSDT.lots_to_qty(3), status="PARTIALLY_FILLED")
    assert one.go_on(news.OrderNews(part), after_ns=INTERVAL_NS) == []
    assert one.go_on(BOOK, after_ns=RULES_NS) == [AskRules]
    asked_ns = one.now_ns
    assert one.go_on(COARSER) == [Cancel, Cancel]
    assert one.standing == []
    ended = [note for note in one.notes if isinstance(note, notes.Ended)]
    assert [(note.why.rule, note.is_by_us) for note in ended] == [(Rule.OTHER_STEPS, True)] * 2
    assert ended[0].why.text == (
        "the venue trades BTCUSDT in ticks of 0.01 and lots of 0.0001 now, and the desk in ticks of 0.01 and lots of "
        "0.00001: it needs these, and a start"
    )
    looked = one.notes[-1]
    assert isinstance(looked, notes.Looked)
    assert {side: why.rule for side, why in looked.idle.items()} == dict.fromkeys(Side, Rule.OTHER_STEPS)
    while (asked := one.go_on(BOOK, after_ns=5 * NS_PER_SECOND)) == []:
        assert one.now_ns - asked_ns < UNFIT_NS
    assert (asked, one.now_ns - asked_ns >= UNFIT_NS) == ([AskRules], True)
    assert one.go_on(SAME) == [Place, Place]
    assert len(one.standing) == 2


@pytest.mark.parametrize("is_of_rules", [True, False])
def test_refusal_for_the_rules_has_them_read_again_soon_and_not_each_time(one: Answered, *, is_of_rules: bool) -> None:
    """Whatever else is refused, as for want of money, says nothing of them."""
    one.refusal = news.Refused("", "Filter failure: NOTIONAL", -1013, is_of_rules=is_of_rules)
    asked, began_ns = 0, one.now_ns
    for number in range(240):
        one.wanted = Wanted([replace(BID, price_ticks=80 + number % 9), ASK])
        if AskRules in one.go_on(BOOK, after_ns=INTERVAL_NS):
            asked += 1
            one.go_on(SAME)
    assert asked <= (one.now_ns - began_ns) // DOUBT_NS
    assert (asked > 1) is is_of_rules


def test_look_that_fails_is_made_again_soon(one: Answered) -> None:
    """A venue that was busy for a moment would have been asked ten minutes later."""
    assert one.go_on(BOOK, after_ns=RULES_NS) == [AskRules]
    assert one.go_on(news.Failed("busy", (AskRules(),), 1.0)) == []
    asked_ns = one.now_ns
    while one.go_on(BOOK, after_ns=NS_PER_SECOND) == []:
        assert one.now_ns - asked_ns < DOUBT_NS
    assert len(one.standing) == 2


def test_market_of_which_nothing_can_be_told_has_the_rules_read(one: Answered) -> None:
    """In other ticks no book can be read: who looks for the reason is told the ticks."""
    assert one.go_on(news.Silent("it tells no book to go by"), after_ns=DOUBT_NS) == [Cancel, Cancel, AskRules]
    assert one.go_on(COARSER) == []
    looked = one.notes[-1]
    assert isinstance(looked, notes.Looked)
    assert {why.rule for why in looked.idle.values()} == {Rule.OTHER_STEPS}


def test_rules_that_never_change_are_not_asked_for() -> None:
    """In a simulation."""
    one = Answered(rules_ns=0)
    one.quotes()
    assert one.go_on(news.Refused("tb-9", "Filter failure", -1013, is_of_rules=True)) == []
    assert one.go_on(BOOK, after_ns=100 * RULES_NS) == []


def test_no_more_orders_are_wanted_than_the_venue_lets_be() -> None:
    """Of four quotes three, though our own limit is five; each further one was refused."""
    guard = Guard(Limits(open_orders=5), BTCUSDT, OrderRules())
    guard.go_by(DEARER)
    position = Position(BTCUSDT, Decimal(0))
    position.ask(0)
    assert position.hear(HELD.balances)
    guard.look(0, Depth((Level(9_000_000, 1),), (Level(9_000_002, 1),)), position, OwnOrders(0))
    quotes = [replace(BID, price_ticks=9_000_000 - level, qty_lots=1_000) for level in range(4)]
    cut = guard.cut(Wanted(quotes))
    assert len(cut.quotes) == 3
    (why,) = guard.binding[Side.BUY]
    assert (why.rule, why.numbers["open_orders_max"]) == (Rule.OPEN_ORDERS_LIMIT, 3)
