"""A trader step by step: when it asks, what it waits for, and what a strategy sees of it."""

from collections import deque
from dataclasses import replace
from decimal import Decimal
from itertools import count

import pytest

from market.account import Balance, VenueOrder
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from market.depth import Depth, Level
from tests.pairs import default_instruments
from trading import news, notes
from trading.actions import Action, AskBalances, Cancel, FindOrder, ListOrders, Place
from trading.keeping import Requoting
from trading.limits import Limits
from trading.looking import UNSURE_NS
from trading.order_rules import OrderRules
from trading.outbox import Outbox
from trading.pauses import REFUSED_PAUSE_NS
from trading.position import SEEN_NS_MAX, Held
from trading.quoting import Quote
from trading.reasons import DENIED, FATE_UNKNOWN, HALTED, OFF_GRID, PENDING, STOPPING, Reason, Rule
from trading.sending_rate import SendingLimits
from trading.strategy import Inbox, ObstacleError, Wanted
from trading.terms import Terms
from trading.trader import KEPT_PAUSE_NS, Trader
from venues.line_end import with_what_follows

BTCUSDT = default_instruments()[0]
NO_LIMITS = Limits()
INTERVAL_NS, LIST_NS, ARRIVAL_NS = 250 * NS_PER_MS, 5 * NS_PER_SECOND, 6 * NS_PER_SECOND
START_NS = 10**18
BOOK = news.BookNews(Depth((Level(99, 5),), (Level(101, 5),)))
BID, ASK = Quote(Side.BUY, 90, 10), Quote(Side.SELL, 110, 10)
HELD = news.Balances({"BTC": Balance(Decimal(1), Decimal(2)), "USDT": Balance(Decimal(1_000), Decimal(0))})


class Driven:
    """A trader whose every step the test makes.

    Attributes:
        wanted: what the strategy wants.
        inboxes: what it has seen.
    """

    def __init__(
        self, *, can_move: bool = True, replace_below: str = "0", limits: Limits = NO_LIMITS, rules_ns: int = 0
    ) -> None:
        self.now_ns = START_NS
        self.wanted = Wanted([BID, ASK])
        self.inboxes: list[Inbox] = []
        self.trader = Trader(
            self,
            BTCUSDT,
            OrderRules(),
            Terms(
                Requoting(Decimal(0), Decimal(replace_below)),
                "tb-",
                INTERVAL_NS,
                LIST_NS,
                ARRIVAL_NS,
                can_move=can_move,
                limits=limits,
                rules_ns=rules_ns,
            ),
            (f"tb-{number}" for number in count(1)),
        )

    def step(self, _: int, inbox: Inbox, /) -> Wanted:
        """Want what the test says."""
        self.inboxes.append(inbox)
        return self.wanted

    def hear(self, *said: news.News, after_ns: int = 0) -> Outbox:
        """Let the trader make a step."""
        self.now_ns += after_ns
        return self.trader.step(self.now_ns, said)

    def quotes(self) -> list[VenueOrder]:
        """Bring it to where both quotes stand."""
        self.hear(BOOK)
        self.hear(self.listed())
        orders = [order_of(action) for action in self.hear(HELD).actions]
        self.hear(*map(news.OrderNews, orders))
        return orders

    def listed(self, *orders: VenueOrder) -> news.Listed:
        """Return the answer of a list that was asked for now."""
        return news.Listed(orders, self.now_ns)


def order_of(action: Action) -> VenueOrder:
    """Return the order that an action has entered."""
    assert isinstance(action, Place)
    name, side, price_ticks, qty_lots, *_ = action
    price, qty = BTCUSDT.ticks_to_price(price_ticks), BTCUSDT.lots_to_qty(qty_lots)
    return VenueOrder(name.removeprefix("tb-"), name, "BTCUSDT", side, price, qty, Decimal(0), "NEW", 0)


def _kinds(outbox: Outbox) -> list[type[Action]]:
    return [type(action) for action in outbox.actions]


@pytest.fixture
def one() -> Driven:
    """A trader at its beginning."""
    return Driven()


def test_asks_what_is_true_before_it_quotes(one: Driven) -> None:
    """Orders of an earlier run, what is held, the book: then quotes, and a round ends when they stand."""
    assert _kinds(one.hear()) == [ListOrders]
    assert _kinds(one.hear(one.listed())) == [AskBalances]
    assert _kinds(one.hear(HELD)) == []
    outbox = one.hear(BOOK)
    assert _kinds(outbox) == [Place, Place]
    assert not one.trader.is_started
    told = one.hear(*(news.OrderNews(order_of(action)) for action in outbox.actions)).notes
    assert [type(note) for note in told] == [notes.Quoted, notes.Quoted, notes.Looked]
    assert one.trader.is_started
    assert (one.inboxes[0].position, one.inboxes[0].orders) == (0, [])


def test_waits_for_an_answer_however_long_it_takes(one: Driven) -> None:
    """A list that took longer than it may be old was asked for again and again, and nothing was ever quoted."""
    one.hear(BOOK)
    asked = one.listed()
    assert one.hear(after_ns=2 * LIST_NS).actions == ()
    assert _kinds(one.hear(asked)) == [AskBalances]
    assert _kinds(one.hear(HELD)) == [Place, Place]


def test_steps_when_something_happens_but_not_more_often_than_it_may(one: Driven) -> None:
    """Nothing happens: it sleeps until its list is old. The book changes: at once, if the interval is over."""
    one.quotes()
    outbox = one.hear()
    assert outbox.wake_ns == START_NS + LIST_NS
    assert one.hear(BOOK).wake_ns == START_NS + INTERVAL_NS
    assert len(one.inboxes) == 1
    one.hear(after_ns=INTERVAL_NS)
    assert len(one.inboxes) == 2
    one.hear(BOOK, after_ns=3 * INTERVAL_NS)
    assert len(one.inboxes) == 3


def test_strategy_is_woken_when_it_wants(one: Driven) -> None:
    """Time is news to some."""
    one.wanted = Wanted([BID, ASK], wake_ns=START_NS + NS_PER_SECOND)
    one.quotes()
    assert one.hear().wake_ns == START_NS + NS_PER_SECOND
    one.hear(after_ns=NS_PER_SECOND)
    assert len(one.inboxes) == 2
    one.wanted = Wanted([BID, ASK], wake_ns=0)
    one.hear(BOOK, after_ns=INTERVAL_NS)
    assert one.hear().wake_ns == one.now_ns + INTERVAL_NS, "it would never sleep again"


def test_strategy_sees_trades_and_fills_once(one: Driven) -> None:
    """And its own orders known apart: the book that it sees is that of others."""
    bid, _ = one.quotes()
    trade = news.MarketTrade(1, 99, 3, Side.SELL, START_NS)
    part = replace(bid, filled_qty=BTCUSDT.lots_to_qty(4), status="PARTIALLY_FILLED")
    ours = news.BookNews(Depth((Level(99, 5), Level(90, 8)), (Level(101, 5), Level(110, 10))))
    assert _kinds(one.hear(news.TradesNews([trade]), news.OrderNews(part), ours, after_ns=INTERVAL_NS)) == [AskBalances]
    seen = one.inboxes[-1]
    assert seen.trades == (trade,)
    assert [(each.client_order_id, each.price_ticks, each.qty_lots) for each in seen.fills] == [("tb-1", 90, 4)]
    assert [(each.side, each.leaves_lots) for each in seen.orders] == [(Side.BUY, 6), (Side.SELL, 10)]
    assert seen.depth == Depth((Level(99, 5), Level(90, 2)), (Level(101, 5),))
    assert seen.position == part.filled_qty, "before the venue has told"
    one.hear(HELD)
    one.hear(BOOK, after_ns=INTERVAL_NS)
    assert (one.inboxes[-1].trades, one.inboxes[-1].fills) == ((), ())


def test_failure_in_the_midst_of_a_batch_leaves_nothing_awaited() -> None:
    """What did not begin is known not to be there; the next round goes by what is."""
    one = Driven(can_move=False)
    bid, ask = one.quotes()
    one.wanted = Wanted([replace(BID, price_ticks=91), replace(ASK, price_ticks=109)])
    batch = one.hear(BOOK, after_ns=INTERVAL_NS).actions
    assert [type(action) for action in batch] == [Cancel, Cancel, Place, Place]
    gone = news.OrderNews(replace(bid, status="CANCELED"))
    outbox = one.hear(gone, news.Failed("away", batch[1:]))
    assert one.trader.orders.unsettled() == {}
    assert one.trader.guard.rate.short_count(one.now_ns) == 2, "those that have left"
    assert outbox.wake_ns == one.now_ns + 2 * INTERVAL_NS
    assert [type(note) for note in outbox.notes] == [notes.Ended, notes.Kept, notes.Paused]
    again = one.hear(after_ns=2 * INTERVAL_NS).actions
    assert [action.client_order_id for action in again if isinstance(action, Cancel)] == [ask.client_order_id]
    assert [type(action) for action in again] == [Cancel, Place, Place]


def test_a_mid_that_moves_by_a_tick_does_not_give_the_room_of_a_quote_to_the_other_side() -> None:
    """With room for one order the bid left for a nearer ask, which found no room until the mid was back: for ever."""
    one = Driven(limits=Limits(open_orders=1))
    one.hear(BOOK)
    one.hear(one.listed())
    (place,) = one.hear(HELD).actions
    one.hear(news.OrderNews(order_of(place)))
    for best_bid in (98, 99, 100, 97):
        moved = news.BookNews(Depth((Level(best_bid, 5),), (Level(101, 5),)))
        assert one.hear(moved, after_ns=INTERVAL_NS).actions == ()
    assert list(one.trader.orders.standing) == ["tb-1"]


def test_a_refused_cancel_keeps_its_order_and_the_quote_for_it_and_no_other_cancel() -> None:
    """Any refusal of a cancel counted as its end, and a second bid was placed beside the one that stood."""
    one = Driven(can_move=False)
    bid, ask = one.quotes()
    one.wanted = Wanted([replace(BID, price_ticks=91), replace(ASK, price_ticks=109)])
    batch = deque(one.hear(BOOK, after_ns=INTERVAL_NS).actions)
    batch.popleft()
    kept = with_what_follows(news.Kept(bid.client_order_id, "Market is closed."), batch)
    assert list(map(type, batch)) == [Cancel]
    outbox = one.hear(kept, news.OrderNews(replace(ask, status="CANCELED")))
    assert notes.Kept(bid, Reason(Rule.REFUSED, "Market is closed."), is_refused=True) in outbox.notes
    assert list(one.trader.orders.standing) == [bid.client_order_id]
    assert one.trader.orders.unsettled() == {}
    assert one.hear(BOOK, after_ns=INTERVAL_NS).actions == (), "not at once again"
    again = one.hear(after_ns=KEPT_PAUSE_NS).actions
    assert [type(action) for action in again] == [Cancel, Place, Place]


def test_a_refused_cancel_ends_no_look_of_a_maker_that_leaves(one: Driven) -> None:
    """What only a list shows would have stayed behind the order that cannot be cancelled."""
    bid, ask = one.quotes()
    cancels = one.hear(news.Silent("away")).actions
    assert _kinds(Outbox(cancels, None, [])) == [Cancel, Cancel]
    later = replace(bid, client_order_id="tb-9", order_id="9")
    outbox = one.hear(news.Kept("tb-1", "no"), news.OrderNews(replace(ask, status="CANCELED")))
    assert _kinds(outbox) == [ListOrders]
    (cancel,) = one.hear(one.listed(bid, later)).actions
    assert isinstance(cancel, Cancel)
    assert cancel.order_id == "9"


def test_refused_cancels_of_a_maker_that_leaves_are_not_sent_again_and_again(one: Driven) -> None:
    """Each counts at the venue: a halted maker with many levels was on its way to a ban, four times a second each."""
    orders = one.quotes()
    one.trader.leave(HALTED, one.now_ns)
    began_ns, said, cancels = one.now_ns, list[news.News](), 0
    while one.now_ns - began_ns < 10 * NS_PER_SECOND:
        outbox = one.hear(*said)
        said = [
            news.Kept(action.client_order_id, "Market is closed.")
            if isinstance(action, Cancel)
            else one.listed(*orders)
            for action in outbox.actions
        ]
        cancels += sum(isinstance(action, Cancel) for action in outbox.actions)
        if not said:
            assert outbox.wake_ns is not None
            one.now_ns = max(one.now_ns, outbox.wake_ns)
    assert 8 * len(orders) <= cancels <= 11 * len(orders)


@pytest.mark.parametrize(
    ("fate", "is_late"),
    [
        ("taken back", False),
        ("refused", False),
        ("busy", False),
        ("behind a failure", False),
        ("lost", True),
        ("", True),
    ],
)
def test_only_a_fill_after_a_cancel_that_left_and_was_not_refused_is_picked_off(fate: str, *, is_late: bool) -> None:
    """The reason of a cancel that came to nothing stayed with its order, whose next fill seemed to come too late."""
    one = Driven(can_move=False)
    bid, _ = one.quotes()
    one.wanted = Wanted([replace(BID, price_ticks=91), replace(ASK, price_ticks=109)])
    batch = one.hear(BOOK, after_ns=INTERVAL_NS).actions
    assert isinstance(batch[0], Cancel)
    match fate:
        case "taken back":
            one.trader.leave(HALTED, one.now_ns, batch)
            one.trader.come_back()
        case "refused":
            one.hear(news.Kept(bid.client_order_id, "no", tuple(batch[2:])))
        case "busy":
            one.hear(news.Failed("busy", batch, 1.0))
        case "behind a failure":
            one.hear(news.Failed("away", [AskBalances(), *batch], may_be_done=True))
        case "lost":
            one.hear(news.Failed("away", batch, may_be_done=True))
    filled = replace(bid, filled_qty=bid.qty / 2, status="PARTIALLY_FILLED")
    (note,) = [note for note in one.hear(news.OrderNews(filled)).notes if isinstance(note, notes.Filled)]
    assert note.is_picked_off is is_late


@pytest.mark.parametrize(
    ("fate", "of", "rule"),
    [
        ("refused", [0], Rule.REFUSED),
        ("busy", [0, 1], Rule.FAILED),
        ("behind a failure", [0, 1], Rule.FAILED),
        ("lost", [1], Rule.FAILED),
        ("taken back", [0, 1], Rule.HALTED),
    ],
)
def test_every_cancel_that_is_not_carried_out_is_told_and_no_other(fate: str, of: list[int], rule: Rule) -> None:
    """Only of one that the venue had refused; each other order was cancelled twice as far as the journal knew."""
    one = Driven(can_move=False)
    orders = one.quotes()
    one.wanted = Wanted([replace(BID, price_ticks=91), replace(ASK, price_ticks=109)])
    batch = one.hear(BOOK, after_ns=INTERVAL_NS).actions
    assert [type(action) for action in batch] == [Cancel, Cancel, Place, Place]
    said: dict[str, news.News] = {
        "refused": news.Kept(orders[0].client_order_id, "no", tuple(batch[2:])),
        "busy": news.Failed("busy", batch, 1.0),
        "behind a failure": news.Failed("away", [AskBalances(), *batch], may_be_done=True),
        "lost": news.Failed("away", batch, may_be_done=True),
    }
    if fate == "taken back":
        one.trader.leave(HALTED, one.now_ns, batch)
    outbox = one.hear(*([said[fate]] if fate in said else []))
    told = [(note.order, note.why.rule, note.is_refused) for note in outbox.notes if isinstance(note, notes.Kept)]
    assert told == [(orders[each], rule, fate == "refused") for each in of]


@pytest.mark.parametrize("is_found", [True, False])
def test_order_without_an_answer_is_looked_for_and_holds_its_side(one: Driven, is_found: bool) -> None:
    """It is asked for twice a second, before the list; its side gets nothing until it is found or cannot come."""
    one.hear(BOOK)
    one.hear(one.listed())
    bid, ask = (order_of(action) for action in one.hear(HELD).actions)
    outbox = one.hear(news.Unknown("tb-1", "lost"), news.OrderNews(ask))
    looked = outbox.notes[-1]
    assert isinstance(looked, notes.Looked)
    assert looked.idle == {Side.BUY: FATE_UNKNOWN}
    assert one.trader.orders.unsettled() == {"tb-1": BID}
    assert one.hear(after_ns=INTERVAL_NS).actions == [FindOrder("tb-1"), ListOrders()]
    one.hear(news.Found("tb-1", None, one.now_ns), one.listed(ask))
    assert one.trader.orders.unsettled() == {"tb-1": BID}, "it may still come"
    assert one.hear(BOOK, after_ns=INTERVAL_NS).actions == (), "nothing has changed so soon, and each look has a price"
    one.hear(after_ns=ARRIVAL_NS)
    found = news.Found("tb-1", bid if is_found else None, one.now_ns)
    outbox = one.hear(found, one.listed(*([bid] if is_found else []), ask))
    if not is_found:
        assert one.trader.orders.unsettled() == {"tb-1": BID}, "one answer may be of a database that lags"
        assert one.hear(after_ns=UNSURE_NS).actions == [FindOrder("tb-1"), ListOrders()]
        outbox = one.hear(found._replace(asked_ns=one.now_ns), one.listed(ask))
    assert notes.Settled("tb-1", is_found) in outbox.notes
    assert _kinds(outbox) == ([] if is_found else [Place, AskBalances])


def test_one_denial_of_an_order_that_the_venue_took_makes_no_second_quote(one: Driven) -> None:
    """Lists and answers lag for 3 s: the order was forgotten, and one more bid placed beside it; both were filled."""
    bid, ask = one.quotes()
    one.hear(after_ns=LIST_NS)
    assert one.hear(one.listed(ask)).actions == [FindOrder("tb-1")]
    assert one.hear(news.Found("tb-1", None, one.now_ns)).actions == ()
    assert one.inboxes[-1].orders == one.inboxes[0].orders or len(one.inboxes[-1].orders) == 2
    filled = replace(bid, filled_qty=bid.qty, status="FILLED")
    told = one.hear(news.OrderNews(filled)).notes
    assert [note.qty for note in told if isinstance(note, notes.Filled)] == [bid.qty]


def test_order_that_is_denied_for_too_long_is_cancelled_which_tells_whether_it_was_there(one: Driven) -> None:
    """Cancels are answered by what matches, and so is this question; its side waits for the answer."""
    bid, ask = one.quotes()
    one.hear(after_ns=ARRIVAL_NS + 1)
    assert one.hear(one.listed(ask)).actions == [FindOrder("tb-1")]
    assert one.hear(news.Found("tb-1", None, one.now_ns)).actions == [Cancel("tb-1", "1", DENIED)]
    outbox = one.hear(news.OrderNews(replace(bid, status="CANCELED")))
    assert [(note.why, note.is_by_us) for note in outbox.notes if isinstance(note, notes.Ended)] == [(DENIED, True)]
    assert _kinds(outbox) == [Place]


def test_order_that_cannot_be_cancelled_holds_its_side_until_it_is_found_or_surely_nowhere(one: Driven) -> None:
    """It was filled just now, and whoever is asked has not heard of the order yet: one more would be one too many."""
    _, ask = one.quotes()
    one.wanted = Wanted([ASK])
    one.hear(BOOK, after_ns=INTERVAL_NS)
    one.wanted = Wanted([BID, ASK])
    assert one.hear(news.Gone("tb-1")).actions == [FindOrder("tb-1")]
    denied = news.Found("tb-1", None, one.now_ns)
    looked = one.hear(denied).notes[-1]
    assert isinstance(looked, notes.Looked)
    assert looked.idle == {Side.BUY: FATE_UNKNOWN}
    for wait_ns, is_given_up in ((INTERVAL_NS, False), (ARRIVAL_NS, False), (UNSURE_NS, True)):
        actions = one.hear(after_ns=wait_ns).actions
        assert actions[:2] == [FindOrder("tb-1"), ListOrders()]
        outbox = one.hear(denied._replace(asked_ns=one.now_ns), one.listed(ask), BOOK)
        assert (Place in _kinds(outbox)) is is_given_up
    assert [note.order.client_order_id for note in outbox.notes if isinstance(note, notes.Forgotten)] == ["tb-1"]
    assert one.trader._position.held == Held(Decimal(0), BTCUSDT.lots_to_qty(BID.qty_lots)), "it may have been filled"


def test_order_that_was_given_up_and_is_listed_is_ours_again(one: Driven) -> None:
    """It was an orphan until the next start: nobody cancelled it, nobody counted it."""
    one.hear(BOOK)
    one.hear(one.listed())
    bid, ask = (order_of(action) for action in one.hear(HELD).actions)
    one.hear(news.Unknown("tb-1", "lost"), news.OrderNews(ask))
    for wait_ns in (ARRIVAL_NS + 1, UNSURE_NS):
        one.hear(after_ns=wait_ns)
        outbox = one.hear(news.Found("tb-1", None, one.now_ns), one.listed(ask))
    successor = order_of(outbox.actions[0])
    one.hear(news.OrderNews(successor), HELD)
    one.hear(after_ns=LIST_NS)
    outbox = one.hear(one.listed(bid, successor, ask))
    assert [action.client_order_id for action in outbox.actions if isinstance(action, Cancel)] == ["tb-1"]
    assert Place not in _kinds(outbox)


def test_order_can_arrive_for_as_long_after_it_was_sent_however_late_it_is_given_up(one: Driven) -> None:
    """Its side had no quote for a timeout longer: the time was counted from the end of the wait for an answer."""
    one.hear(BOOK)
    one.hear(one.listed())
    _, ask = (order_of(action) for action in one.hear(HELD).actions)
    sent_ns = one.now_ns
    one.hear(news.OrderNews(ask), after_ns=ARRIVAL_NS - 1)
    one.hear(news.Unknown("tb-1", "no answer in time", age_ns=one.now_ns - sent_ns))
    settled: list[notes.Note] = []
    for wait_ns in (0, 2, INTERVAL_NS):
        one.hear(after_ns=wait_ns)
        outbox = one.hear(news.Found("tb-1", None, one.now_ns), one.listed(ask))
        settled += [note for note in outbox.notes if isinstance(note, notes.Settled)]
    assert settled == [notes.Settled("tb-1", has_arrived=False)]
    assert one.now_ns - sent_ns < ARRIVAL_NS + 2 * INTERVAL_NS


def test_out_is_said_after_a_list_of_after_the_last_cancel_that_has_nothing_of_ours(one: Driven) -> None:
    """Orders stayed at the venue after `down` had said `stopped`: the list lagged that it went by."""
    bid, ask = one.quotes()
    one.trader.leave(STOPPING, one.now_ns)
    one.hear()
    ended = [news.OrderNews(replace(order, status="CANCELED")) for order in (bid, ask)]
    assert _kinds(one.hear(*ended)) == [ListOrders]
    hidden = replace(bid, order_id="9", client_order_id="tb-of-before")
    assert one.hear(one.listed(ask)).actions == [ListOrders()], "it is of before the cancel"
    one.hear(one.listed(ask))
    assert not one.trader.is_out
    assert _kinds(one.hear(after_ns=INTERVAL_NS)) == [ListOrders]
    assert _kinds(one.hear(one.listed(hidden))) == [Cancel]
    assert _kinds(one.hear(news.OrderNews(replace(hidden, status="CANCELED")))) == [ListOrders]
    assert not one.trader.is_out
    one.hear(one.listed())
    assert one.trader.is_out


def test_out_is_said_after_one_more_list_where_an_order_was_found_that_no_list_had(one: Driven) -> None:
    """A list that lacks one order may lack others: the last look is one of after the last cancel."""
    one.hear(BOOK)
    one.hear(one.listed())
    bid, ask = (order_of(action) for action in one.hear(HELD).actions)
    one.hear(news.Unknown("tb-1", "lost"), news.OrderNews(ask))
    one.trader.leave(HALTED, one.now_ns)
    one.hear()
    assert one.hear(news.OrderNews(replace(ask, status="CANCELED"))).actions == [FindOrder("tb-1"), ListOrders()]
    assert _kinds(one.hear(news.Found("tb-1", bid, one.now_ns), one.listed())) == [FindOrder]
    assert _kinds(one.hear(news.Found("tb-1", bid, one.now_ns))) == [Cancel]
    assert _kinds(one.hear(news.OrderNews(replace(bid, status="CANCELED")))) == [ListOrders]
    assert not one.trader.is_out
    one.hear(one.listed())
    assert one.trader.is_out


def test_answer_that_is_lost_after_the_news_came_is_no_loss(one: Driven) -> None:
    """`an order's fate is unknown` was said of an order that stood."""
    one.hear(BOOK)
    one.hear(one.listed())
    bid, ask = (order_of(action) for action in one.hear(HELD).actions)
    told = one.hear(news.OrderNews(bid), news.Unknown("tb-1", "lost"), news.OrderNews(ask)).notes
    assert [type(note) for note in told] == [notes.Quoted, notes.Quoted, notes.Looked]


def test_side_whose_quote_was_filled_as_it_came_is_pending(one: Driven) -> None:
    """Nothing stands there, and a quote is wanted: that was told as if nothing were."""
    one.hear(BOOK)
    one.hear(one.listed())
    bid, ask = (order_of(action) for action in one.hear(HELD).actions)
    filled = replace(bid, filled_qty=bid.qty, status="FILLED")
    looked = one.hear(news.OrderNews(filled), news.OrderNews(ask)).notes[-1]
    assert isinstance(looked, notes.Looked)
    assert looked.idle == {Side.BUY: PENDING}


def test_side_that_waits_for_room_to_send_is_limited_and_the_one_that_stands_is_not() -> None:
    """No line was told of a limit that took the quotes away."""
    one = Driven(limits=Limits(sending=SendingLimits(2)))
    one.quotes()
    one.wanted = Wanted([replace(BID, price_ticks=BID.price_ticks // 2), ASK])
    told = one.hear(BOOK, after_ns=INTERVAL_NS).notes
    (limited,) = (note for note in told if isinstance(note, notes.Limited))
    assert (limited.side, limited.why.rule) == (Side.BUY, Rule.RATE_LIMIT)
    assert list(one.trader.guard.binding) == [Side.BUY]


def test_orders_on_their_way_to_a_slow_venue_are_told_by_side(one: Driven) -> None:
    """`PENDING` said that the next round would place what was on its way for three seconds."""
    one.hear(BOOK)
    one.hear(one.listed())
    one.wanted = Wanted([BID, replace(BID, price_ticks=BID.price_ticks - 1), ASK])
    one.hear(HELD)
    assert one.trader.slow(one.now_ns + NS_PER_SECOND - 1) == ""
    told = one.trader.slow(one.now_ns + NS_PER_SECOND)
    assert told.startswith("the venue has not answered since ")
    assert told.endswith(" UTC to: 2 x place BUY, place SELL")


def test_refused_side_is_quoted_again_when_its_pause_is_over(one: Driven) -> None:
    """Even if nothing happens meanwhile."""
    one.hear(BOOK)
    one.hear(one.listed())
    _, ask = (order_of(action) for action in one.hear(HELD).actions)
    outbox = one.hear(news.Refused("tb-1", "no funds", -2010), news.OrderNews(ask))
    looked = outbox.notes[-1]
    assert isinstance(looked, notes.Looked)
    assert looked.idle == {Side.BUY: Reason(Rule.REFUSED, "refused: no funds")}
    assert outbox.wake_ns == one.now_ns + REFUSED_PAUSE_NS
    outbox = one.hear(after_ns=REFUSED_PAUSE_NS)
    assert _kinds(outbox) == [Place]
    looked = one.hear(news.OrderNews(order_of(outbox.actions[0]))).notes[-1]
    assert isinstance(looked, notes.Looked)
    assert looked.idle == {}


def test_what_is_known_leaves_at_once_and_the_rest_after_a_look(one: Driven) -> None:
    """A halt waits for no list; each order is cancelled once, and out is said when surely nothing is there."""
    bid, ask = one.quotes()
    other = replace(bid, order_id="9", client_order_id="tb-of-before")
    one.trader.leave(HALTED, one.now_ns)
    assert [action for action in one.hear().actions if isinstance(action, Cancel)] == [
        Cancel("tb-1", "1", HALTED),
        Cancel("tb-2", "2", HALTED),
    ]
    ended = [news.OrderNews(replace(order, status="CANCELED")) for order in (bid, ask)]
    assert _kinds(one.hear(*ended)) == [ListOrders]
    assert one.hear(one.listed(other)).actions == [Cancel("tb-of-before", "9", HALTED)]
    assert not one.trader.is_out
    told = one.hear(news.OrderNews(replace(other, status="CANCELED"))).notes
    assert [note.is_by_us for note in told if isinstance(note, notes.Ended)] == [True]
    assert not one.trader.is_out, "the list of before had one"
    one.hear(one.listed())
    assert one.trader.is_out
    one.trader.come_back()
    assert _kinds(one.hear()) == [Place, Place]


def test_actions_that_are_taken_back_are_waited_for_no_more(one: Driven) -> None:
    """A stop comes while a batch waits behind a call that hangs."""
    one.hear(BOOK)
    one.hear(one.listed())
    first, second = one.hear(HELD).actions
    one.trader.leave(STOPPING, one.now_ns, [second])
    assert one.trader.orders.unsettled() == {"tb-1": BID}
    assert one.hear().actions == (), "the first is on its way"
    assert _kinds(one.hear(news.OrderNews(order_of(first)))) == [Cancel]


def test_silence_takes_the_quotes_away_until_all_is_known_again(one: Driven) -> None:
    """A market that we do not see moves all the same."""
    bid, ask = one.quotes()
    outbox = one.hear(news.Silent("the stream has ended"))
    assert _kinds(outbox) == [Cancel, Cancel]
    one.hear(*(news.OrderNews(replace(order, status="CANCELED")) for order in (bid, ask)))
    looked = one.hear(one.listed()).notes[-1]
    assert isinstance(looked, notes.Looked)
    assert looked.idle == dict.fromkeys(Side, Reason(Rule.SILENT, "the stream has ended"))
    assert one.hear(BOOK, after_ns=INTERVAL_NS).actions != [], "it looks, blind as it is"
    assert _kinds(one.hear(one.listed(), news.Following())) == [ListOrders]
    assert len(one.inboxes) == 1
    assert _kinds(one.hear(one.listed(), BOOK)) == [Place, Place]


@pytest.mark.parametrize("last", [news.Gone("tb-1"), None])
def test_order_that_is_missing_is_asked_for_before_it_is_forgotten(one: Driven, last: news.News | None) -> None:
    """A cancel that came too late, or a list without it: filled, most likely."""
    bid, ask = one.quotes()
    if last is None:
        one.hear(after_ns=LIST_NS)
        outbox = one.hear(one.listed(ask))
    else:
        one.wanted = Wanted([ASK])
        one.hear(BOOK, after_ns=INTERVAL_NS)
        outbox = one.hear(last)
    assert outbox.actions == [FindOrder("tb-1")]
    filled = replace(bid, filled_qty=bid.qty, status="FILLED")
    told = one.hear(news.Found("tb-1", filled, one.now_ns)).notes
    assert [note.qty for note in told if isinstance(note, notes.Filled)] == [bid.qty]
    assert not any(isinstance(note, notes.Ended) for note in told)


def test_limits_that_bind_are_told_of_the_round_alone() -> None:
    """With the strategy's quotes, as a quote stands; and no more once nothing may stand."""
    one = Driven(limits=Limits(open_orders=1))
    (bid,) = one.quotes()
    one.hear(BOOK, after_ns=INTERVAL_NS)
    one.wanted = Wanted([BID, ASK])
    (looked,) = [note for note in one.hear(BOOK, after_ns=INTERVAL_NS).notes if isinstance(note, notes.Looked)]
    assert [why.rule for why in looked.bound[Side.SELL]] == [Rule.OPEN_ORDERS_LIMIT]
    assert looked.idle[Side.SELL].rule == Rule.OPEN_ORDERS_LIMIT
    one.trader.leave(HALTED, one.now_ns)
    one.hear()
    one.hear(news.OrderNews(replace(bid, status="CANCELED")))
    (looked,) = [note for note in one.hear(one.listed()).notes if isinstance(note, notes.Looked)]
    assert (looked.idle, looked.bound) == (dict.fromkeys(Side, HALTED), {})


def test_obstacle_ends_the_beginning_and_later_only_the_quotes(one: Driven) -> None:
    """At the start somebody is there to mend a setting."""
    one.wanted = Wanted((), obstacle="maker.notional is 1")
    one.hear(BOOK)
    one.hear(one.listed())
    with pytest.raises(ObstacleError, match=r"^maker\.notional is 1$"):
        one.hear(HELD)
    one.wanted = Wanted([BID, ASK])
    orders = [order_of(action) for action in one.hear(after_ns=INTERVAL_NS).actions]
    one.hear(*map(news.OrderNews, orders))
    one.wanted = Wanted((), obstacle="maker.notional is 1")
    assert _kinds(one.hear(BOOK, after_ns=INTERVAL_NS)) == [Cancel, Cancel]


def test_order_of_a_run_with_finer_steps_is_cancelled(one: Driven) -> None:
    """The pair's tick has grown since: the maker ended in a bug at each start, and the order stayed for ever."""
    one.hear(BOOK)
    left = order_of(Place("tb-7", Side.BUY, 90, 10))
    left = replace(left, price=left.price + BTCUSDT.tick_size / 2)
    one.hear(one.listed(left))
    outbox = one.hear(HELD)
    assert [action for action in outbox.actions if isinstance(action, Cancel)] == [Cancel("tb-7", "7", OFF_GRID)]
    assert one.inboxes[-1].orders == []
    filled = replace(left, filled_qty=left.qty / 2)
    one.hear(news.OrderNews(filled))
    assert one.trader.position == left.qty / 2
    one.hear(news.OrderNews(replace(filled, status="CANCELED")))
    assert not one.trader.orders.open


def test_partly_filled_order_of_a_run_with_finer_lots_is_cancelled_and_ends_nobody(one: Driven) -> None:
    """What was left of it was of whole lots, and it of none: the amend that made it smaller ended the maker."""
    one.hear(BOOK)
    half = BTCUSDT.lot_size / 2
    left = order_of(Place("tb-7", Side.BUY, 90, 20))
    left = replace(left, qty=left.qty + half, filled_qty=half, status="PARTIALLY_FILLED")
    one.hear(one.listed(left))
    assert Cancel("tb-7", "7", OFF_GRID) in one.hear(HELD).actions
    assert one.inboxes[-1].orders == []
    one.hear(news.OrderNews(replace(left, status="CANCELED")))
    assert not one.trader.orders.open


def test_orders_that_are_not_ours_are_none_of_our_business(one: Driven) -> None:
    """Another prefix: another desk, or a person."""
    one.hear(BOOK)
    foreign = replace(order_of(Place("tb-7", Side.BUY, 90, 10)), client_order_id="by-hand")
    one.hear(one.listed(foreign), news.OrderNews(foreign))
    assert one.trader.orders.is_none


def test_what_was_filled_while_the_balances_were_on_their_way_is_asked_for_again(one: Driven) -> None:
    """The answer may be from before the second fill: the position would be wrong until the next one."""
    bid, ask = one.quotes()
    first = news.OrderNews(replace(bid, filled_qty=BTCUSDT.lots_to_qty(4), status="PARTIALLY_FILLED"))
    assert _kinds(one.hear(first, after_ns=INTERVAL_NS)) == [AskBalances]
    second = news.OrderNews(replace(ask, filled_qty=BTCUSDT.lots_to_qty(4), status="PARTIALLY_FILLED"))
    one.hear(second, HELD)
    assert _kinds(one.hear(after_ns=INTERVAL_NS)) == [AskBalances]
    one.hear(news.Failed("away", [AskBalances()]))
    assert _kinds(one.hear(after_ns=2 * INTERVAL_NS)) == [AskBalances]
    one.hear(HELD)
    assert one.hear(after_ns=INTERVAL_NS).actions == ()


def test_an_order_that_has_just_ended_is_not_taken_for_somebody_elses(one: Driven) -> None:
    """The last book still has it: news of an order comes at once, the book ten times a second."""
    bid, _ = one.quotes()
    one.wanted = Wanted([ASK])
    one.hear(news.BookNews(Depth((Level(99, 5), Level(90, 10)), (Level(101, 5), Level(110, 10)))))
    one.hear(news.OrderNews(replace(bid, status="CANCELED")), after_ns=INTERVAL_NS)
    assert one.inboxes[-1].orders != one.inboxes[-2].orders
    assert one.inboxes[-1].depth == BOOK.depth
    one.hear(news.BookNews(Depth((Level(99, 5), Level(90, 7)), (Level(101, 5), Level(110, 10)))), after_ns=INTERVAL_NS)
    assert one.inboxes[-1].depth.bids == (Level(99, 5), Level(90, 7))  # that is another's now


def test_an_order_that_has_just_come_takes_nothing_of_a_book_from_before_it(one: Driven) -> None:
    """Others' quantity at its price was missing until the next book."""
    one.wanted = Wanted([Quote(Side.BUY, 99, 3)])
    one.quotes()
    one.hear(news.TradesNews([]), after_ns=INTERVAL_NS)
    assert len(one.inboxes) == 2
    assert [order.leaves_lots for order in one.inboxes[-1].orders] == [3]
    assert one.inboxes[-1].depth == BOOK.depth


def test_an_order_of_an_earlier_run_is_taken_out_of_the_book_that_came_before_its_list(one: Driven) -> None:
    """It was in the book all along, and nobody knew."""
    one.hear(news.BookNews(Depth((Level(99, 5), Level(90, 10)), (Level(101, 5),))))
    left = VenueOrder("7", "tb-7", "BTCUSDT", Side.BUY, Decimal("0.90"), Decimal("0.00010"), Decimal(0), "NEW", 0)
    one.hear(one.listed(left))
    one.hear(HELD)
    assert one.inboxes[0].depth == BOOK.depth


def test_looks_at_what_it_holds_though_nothing_of_its_own_trades(one: Driven) -> None:
    """Whoever else trades on the account moves its position, and its losses: a quiet maker never heard of them."""
    one.hear(BOOK)
    one.hear(one.listed())
    standing = [order_of(action) for action in one.hear(HELD).actions]
    one.hear(*map(news.OrderNews, standing))
    asked = 0
    for _ in range(8):
        outbox = one.hear(BOOK, after_ns=LIST_NS)
        while outbox.actions:
            asked += AskBalances in _kinds(outbox)
            outbox = one.hear(HELD if AskBalances in _kinds(outbox) else one.listed(*standing))
    assert asked == 8 * LIST_NS // SEEN_NS_MAX
