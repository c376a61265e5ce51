"""Request weight: what a trader and those before it spend in any minute stays far below what the venue gives."""

from collections import deque
from dataclasses import replace

import pytest

from market.clock import NS_PER_SECOND
from market.codes import Side
from tests.trading.test_trader import ARRIVAL_NS, BOOK, HELD, INTERVAL_NS, START_NS, Driven
from trading import news, notes
from trading.actions import Action, AskBalances, Cancel, FindOrder, ListOrders, Place, apart
from trading.looking import UNSURE_NS
from trading.quoting import Quote
from trading.reasons import HALTED, Rule
from trading.sending_rate import NOTHING_SENT
from trading.spending import LEAVING_MAX, QUOTING_MAX, START_WEIGHT, WINDOW_NS, Spending, weight_of
from trading.strategy import Wanted

OF_VENUE = 6_000  # a minute
PART_MAX = 0.6


class Spender(Driven):
    """A trader whose venue never finds an order of unknown fate, nor denies it for good."""

    def __init__(self) -> None:
        super().__init__()
        self.spent: deque[tuple[int, int]] = deque()
        self.asked: list[Action] = []

    def spend_all(self, seconds: int) -> int:
        """Let it live; return the most that it has spent in any 60 s."""
        most, until_ns = 0, self.now_ns + seconds * NS_PER_SECOND
        outbox = self.hear(BOOK)
        while self.now_ns < until_ns:
            if outbox.actions:
                self.note(outbox.actions)
                outbox = self.hear(*(said for action in apart(outbox.actions) for said in self.answers(action)))
            else:
                outbox = self.hear(BOOK, after_ns=INTERVAL_NS)
            while self.now_ns - self.spent[0][0] >= WINDOW_NS:
                self.spent.popleft()
            most = max(most, sum(weight for _, weight in self.spent))
        return most

    def note(self, actions: object) -> None:
        """Count what leaves."""
        assert isinstance(actions, list | tuple)
        self.asked += actions
        self.spent.append((self.now_ns, weight_of(actions)))

    def answers(self, action: Action) -> list[news.News]:
        """Lose what is placed, and know of nothing."""
        match action:
            case Place(name):
                return [news.Unknown(name, "lost")]
            case Cancel(name):
                return [news.Gone(name)]
            case FindOrder(name):
                return [news.Found(name, None, 0)]
            case ListOrders():
                return [news.Listed((), self.now_ns)]
            case AskBalances():
                return [HELD]
        raise AssertionError(action)


def _levels(count_of_side: int) -> Wanted:
    bids = [Quote(Side.BUY, 90 - level, 10) for level in range(count_of_side)]
    return Wanted([*bids, *(Quote(Side.SELL, 110 + level, 10) for level in range(count_of_side))])


@pytest.mark.parametrize("level_count", [1, 5, 10])
def test_a_maker_that_is_unsure_for_minutes_stays_below_its_part(level_count: int) -> None:
    """It asked for each order in each round: with ten levels that was four times what a minute has."""
    one = Spender()
    one.wanted = _levels(level_count)
    assert 0 < one.spend_all(150) <= PART_MAX * OF_VENUE
    times = [action for action in one.asked if isinstance(action, ListOrders)]
    assert len(times) > 10, "it goes on looking"


def test_it_looks_for_an_order_twice_a_second() -> None:
    """Looks every quarter of a second spent 60 % of a minute, and had their answer no sooner."""
    one = Spender()
    one.spend_all(30)
    looks = sum(isinstance(action, ListOrders) for action in one.asked)
    assert 25 * NS_PER_SECOND // UNSURE_NS <= looks <= 32 * NS_PER_SECOND // UNSURE_NS


def test_starts_and_what_was_spent_before_a_kill_count() -> None:
    """Fourteen starts a minute, each with its own list of all pairs, began each with nothing spent."""
    left, most = NOTHING_SENT, 0
    spent: deque[tuple[int, int]] = deque()
    now_ns = START_NS
    while now_ns < START_NS + 3 * WINDOW_NS:
        before = Spending()
        before.take_over(left.spent, now_ns)
        if not before.may_start():
            now_ns += NS_PER_SECOND
            continue
        one = Spender()
        one.now_ns, one.spent = now_ns, spent
        one.wanted = _levels(10)
        one.trader.take_over({}, left, now_ns)
        spent.append((now_ns, START_WEIGHT))
        most = max(most, one.spend_all(4))
        left, now_ns, spent = one.trader.to_leave(), one.now_ns, one.spent
    assert QUOTING_MAX / 2 < most <= PART_MAX * OF_VENUE
    assert sum(weight for _, weight in left.spent) >= sum(weight for _, weight in spent), "nothing is forgotten"


def test_a_start_without_room_waits_and_says_why() -> None:
    """It quotes nothing beside orders that it may not ask for, and asks when there is room."""
    one = Driven()
    one.trader.take_over({}, NOTHING_SENT._replace(spent=((START_NS - NS_PER_SECOND, QUOTING_MAX),)), START_NS)
    outbox = one.hear(BOOK)
    assert not outbox.actions
    looked = outbox.notes[-1]
    assert isinstance(looked, notes.Looked)
    weight = QUOTING_MAX + START_WEIGHT
    room_s = WINDOW_NS // NS_PER_SECOND - 1
    assert set(looked.idle) == set(Side)
    assert looked.idle[Side.BUY].rule == Rule.RATE_LIMIT
    assert looked.idle[Side.BUY].numbers == {"weight": weight, "weight_max": QUOTING_MAX, "room_in_s": room_s}
    assert f"{weight} of request weight were used within 60 s, at most {QUOTING_MAX}" in looked.idle[Side.BUY].text
    assert outbox.wake_ns == START_NS + WINDOW_NS - NS_PER_SECOND
    one.now_ns = START_NS + WINDOW_NS - NS_PER_SECOND
    assert one.hear().actions == [ListOrders()]


def test_without_room_it_still_cancels_and_who_leaves_may_ask_more() -> None:
    """Nobody's order is to stay because of a count: cancels weigh nothing, and a halt has a reserve."""
    one = Driven()
    orders = one.quotes()
    one.trader.take_over({}, NOTHING_SENT._replace(spent=((START_NS, QUOTING_MAX - START_WEIGHT),)), START_NS)
    one.wanted = Wanted(())
    outbox = one.hear(BOOK, after_ns=ARRIVAL_NS)
    assert {type(action) for action in outbox.actions} == {Cancel}, "neither a list nor balances, but cancels"
    one.trader.leave(HALTED, one.now_ns, outbox.actions)
    assert {type(action) for action in one.hear().actions} == {Cancel}
    outbox = one.hear(*(news.OrderNews(replace(order, status="CANCELED")) for order in orders))
    assert outbox.actions == [ListOrders()]


def test_what_is_spent_is_forgotten_after_a_minute_and_a_clock_set_back_does_not_count_for_longer() -> None:
    """As the count of orders does: a time to come is now."""
    spending = Spending()
    spending.take_over([(START_NS + 10**15, LEAVING_MAX)], START_NS)
    assert not spending.may_ask([ListOrders()], is_leaving=True)
    assert spending.room_ns([ListOrders()]) == START_NS + WINDOW_NS
    spending.step(START_NS + WINDOW_NS)
    assert spending.may_ask([ListOrders()])
