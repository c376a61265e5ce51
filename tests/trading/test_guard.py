"""What stands between a strategy and the venue: what it lets through, what it tells, and how often."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from desk.settings import load_settings
from market.account import Balance, VenueOrder
from market.clock import NS_PER_SECOND
from market.codes import Side
from market.depth import Depth, Level
from simulation.desk import SimulatedDesk
from tests.cases import some
from tests.pairs import default_instruments
from tests.simulation.test_desk import START_NS
from trading import notes
from trading.actions import Place
from trading.escalation import Account, Stage, Triggers
from trading.guard import Guard
from trading.limits import Limits
from trading.news import Refused
from trading.order_rules import OrderRules
from trading.own_orders import OwnOrders
from trading.position import Position
from trading.post_only import PAUSE_NS
from trading.quoting import Quote
from trading.reasons import NO_MID, NO_PRICE, Reason, Rule, joined, reason_of, together
from trading.sending_rate import SHORT_NS, SendingLimits
from trading.strategy import OwnOrder, Wanted

BTCUSDT = default_instruments()[0]
MID_X2 = 20_000_000
BOOK = Depth((Level(MID_X2 // 2 - 1, 1),), (Level(MID_X2 // 2 + 1, 1),))
BID, ASK = Quote(Side.BUY, 9_990_000, 1_000), Quote(Side.SELL, 10_010_000, 1_000)
NOTHING = OwnOrders(0)


def holding(has: str, quote: str = "1") -> Position:
    """Return a position of so much, on an account with so much of the quote asset."""
    position = Position(BTCUSDT, Decimal(0))
    position.hear({"BTC": Balance(Decimal(has), Decimal(0)), "USDT": Balance(Decimal(quote), Decimal(0))})
    return position


def a_guard(limits: Limits, has: str = "0") -> Guard:
    """Return one that has looked at a mid of 100,000."""
    guard = Guard(limits, BTCUSDT, OrderRules())
    guard.look(0, BOOK, holding(has), NOTHING)
    return guard


def refuse(guard: Guard, why: str, now_ns: int, quote: Quote = BID, *, would_take: bool = False) -> int:
    """Let a quote be refused; return for how long its side pauses."""
    guard.refused(quote, Refused("1", why, -2010, would_take), now_ns)
    return max(at_ns for at_ns in guard.wakes_ns(now_ns) if at_ns > now_ns) - now_ns


def test_limit_is_told_when_it_begins_to_bind_and_its_side_is_idle() -> None:
    """A line in each round would fill the log."""
    guard = a_guard(Limits(position=Decimal("0.1")), "0.1")
    texts = {"position": "0.11", "position_max": "0.1", "held": "0.1", "of_orders": "0.01"}
    numbers = {name: Decimal(number) for name, number in texts.items()}
    text = "the position could be 0.11 BTC, at most 0.1; 0.1 held, and 0.01 in orders"
    why = Reason(Rule.POSITION_LIMIT, text, numbers)
    for told in (1, 0):
        wanted = guard.cut(Wanted([BID, ASK]))
        assert (wanted.quotes, wanted.idle) == ([ASK], {Side.BUY: why})
        assert guard.take_notes() == [notes.Limited(Side.BUY, why)] * told
    guard.look(0, BOOK, holding("0"), NOTHING)
    assert set(guard.cut(Wanted([BID, ASK])).quotes) == {BID, ASK}
    guard.look(0, BOOK, holding("0.1"), NOTHING)
    guard.cut(Wanted([BID, ASK]))
    assert len(guard.take_notes()) == 1


def test_all_that_binds_a_side_is_told_as_it_begins_to_and_the_hardest_leads() -> None:
    """The mid moves: first the limit by value leads, then the one by quantity, then that there is no money left."""
    guard = Guard(Limits(Decimal("0.1"), Decimal(9_999), Decimal(500)), BTCUSDT, OrderRules())
    rich, poor, told, leading = holding("0.1"), holding("0", "0.5"), list[str](), list[str]()
    for mid_x2, position in ((MID_X2, rich), (MID_X2, rich), (MID_X2 * 9 // 10, rich), (MID_X2 * 9 // 10, poor)):
        depth = Depth((Level(mid_x2 // 2 - 1, 1),), (Level(mid_x2 // 2 + 1, 1),))
        guard.balances(position.balances, 0, position, NOTHING)
        guard.look(0, depth, position, NOTHING)
        bid = replace(BID, price_ticks=mid_x2 // 2 - 1)
        wanted = guard.cut(Wanted([bid, replace(bid, price_ticks=bid.price_ticks - 1)]))
        told += [note.why.rule for note in guard.take_notes() if isinstance(note, notes.Limited)]
        why = reason_of(wanted.idle[Side.BUY])
        leading.append(why.rule)
        assert str(why) == "; ".join(map(str, guard.binding[Side.BUY]))
    assert told == [Rule.EXPOSURE_LIMIT, Rule.POSITION_LIMIT, Rule.ORDER_LIMIT, Rule.NO_FUNDS]
    assert leading == [Rule.EXPOSURE_LIMIT, Rule.EXPOSURE_LIMIT, Rule.POSITION_LIMIT, Rule.NO_FUNDS]


def withdrawn_to(stage: Stage, limits: Limits, has: str = "0", widen_by: int = 2) -> Guard:
    """Return one that has withdrawn so far."""
    guard = Guard(limits, BTCUSDT, OrderRules(), Triggers(widen_by=Decimal(widen_by)))
    guard.escalation.account = Account(0, Decimal(0), Decimal(0), Decimal(0), stage, "a loss", 1)
    guard.look(0, BOOK, holding(has), NOTHING)
    return guard


def test_withdrawn_side_is_idle_for_that_and_not_for_the_limit_that_it_meets_by_it() -> None:
    """Twice as far from the mid is out of the band: BAND_LIMIT was said, and nobody thought of `resume`."""
    guard = withdrawn_to(Stage.WIDENS, Limits(band=Decimal("0.0015")))
    wanted = guard.cut(Wanted([BID, ASK]))
    assert wanted.quotes == []
    assert wanted.idle == {side: joined([guard.escalation.why, *guard.binding[side]]) for side in Side}
    assert reason_of(wanted.idle[Side.BUY]).rule == Rule.WITHDRAWN
    assert "BAND_LIMIT: the quote at 99800 is 0.0020 of the mid from it" in reason_of(wanted.idle[Side.BUY]).text
    guard = withdrawn_to(Stage.WIDENS, Limits(position=Decimal("0.1")), "0.1")
    assert reason_of(guard.cut(Wanted([BID, ASK])).idle[Side.BUY]).rule == Rule.POSITION_LIMIT, "it is so without it"
    guard = withdrawn_to(Stage.STOPS_NEW, Limits(position=Decimal("0.1")), "0.1")
    wanted = guard.cut(Wanted([], idle={Side.SELL: "it is Sunday", Side.BUY: "it is Sunday"}))
    assert wanted.why_idle[Side.BUY].text == f"{guard.escalation.why.text}; STRATEGY: it is Sunday"
    assert wanted.why_idle[Side.SELL] == Reason(Rule.STRATEGY, "it is Sunday"), "it is so without the stage"
    refuse(guard, "no funds", 0)
    assert guard.held(0)[Side.BUY].text == f"{guard.escalation.why.text}; REFUSED: refused: no funds"


def test_stage_that_stops_new_orders_lets_through_what_makes_the_position_smaller_alone() -> None:
    """Neither side was quoted: who held too much could get rid of nothing, and each resume ended a second later."""
    limits, ask = Limits(position=Decimal("0.005")), replace(ASK, qty_lots=3_000)
    for has, wanted, quotes in (
        ("0.02", [BID, ask], [replace(ask, qty_lots=2_000)]),
        ("0.02", [BID, ASK, replace(ASK, price_ticks=ASK.price_ticks + 1, qty_lots=3_000)], [1_000, 1_000]),
        ("-0.02", [BID, ask], [BID]),
        ("0", [BID, ask], []),
    ):
        for each in (limits, Limits()):  # a limit that was taken away does not take back the stage
            guard = withdrawn_to(Stage.STOPS_NEW, each, has, widen_by=1)
            left = guard.cut(Wanted(wanted))
            assert quotes in (left.quotes, [quote.qty_lots for quote in left.quotes])
            idle = set(Side) - {quote.side for quote in left.quotes}
            assert {side: why.rule for side, why in left.why_idle.items()} == dict.fromkeys(idle, Rule.WITHDRAWN)
            assert set(guard.held(0)) == idle, "what is wanted may be placed"
    assert withdrawn_to(Stage.CANCELS_ALL, limits, "0.02").cut(Wanted([BID, ask])).quotes == ()


def test_stage_that_is_reached_is_known_in_that_round_alone() -> None:
    """Orders that left for wider quotes had how far they were off in their numbers alone."""
    guard, position = Guard(Limits(Decimal("0.1")), BTCUSDT, OrderRules(), Triggers()), holding("0.2")
    reached = []
    for at_s in range(7):
        guard.look(at_s * NS_PER_SECOND, BOOK, position, NOTHING)
        reached.append(guard.why_withdrew)
    (why,) = (each for each in reached if each is not None)
    assert why == guard.escalation.why
    assert why.numbers == {"position_use": Decimal(2), "position_use_from": Decimal("1.5")}


def test_nothing_is_told_twice_of_a_side_that_is_held_up_by_several() -> None:
    """The stage stood before the limits and after them, as rounds put together what had been put together."""
    guard = withdrawn_to(Stage.STOPS_NEW, Limits(position=Decimal("0.1"), band=Decimal("0.0015")), "0.2")
    bids = [BID, replace(BID, price_ticks=9_998_000)]
    idle = together(guard.cut(Wanted(bids)).why_idle, guard.held(0))[Side.BUY]
    rules = [part.rule for part in idle.joined_of]
    assert rules == [Rule.WITHDRAWN, Rule.POSITION_LIMIT, Rule.BAND_LIMIT]
    assert [idle.text.count(part.text) for part in idle.joined_of] == [1, 1, 1]
    assert joined([idle, idle]) == idle


def test_without_a_mid_or_a_position_nothing_may_be_quoted_against_limits() -> None:
    """And the last mid holds while there is none."""
    guard = Guard(Limits(exposure=Decimal(1_000)), BTCUSDT, OrderRules())
    guard.look(0, Depth((), ()), holding("0"), NOTHING)
    assert guard.cut(Wanted([BID, ASK])).quotes == ()
    guard.look(0, BOOK, Position(BTCUSDT), NOTHING)
    assert guard.cut(Wanted([BID, ASK])).quotes == ()
    guard.look(0, Depth((), ()), holding("0"), NOTHING)
    assert set(guard.cut(Wanted([BID, ASK])).quotes) == {BID, ASK}


def test_orders_wait_for_room_and_one_that_did_not_leave_makes_it() -> None:
    """Both sides are held, until the first has been sent for ten seconds."""
    guard = a_guard(Limits(sending=SendingLimits(2)))
    assert guard.admit([BID, ASK, BID], 0, 0) == [BID, ASK]
    guard.sent("1", 0)
    guard.sent("2", 1)
    assert {side: why.rule for side, why in guard.held(2).items()} == dict.fromkeys(Side, Rule.RATE_LIMIT)
    assert guard.wakes_ns(2) == [SHORT_NS]
    refuse(guard, "no", 2)
    assert guard.admit([ASK], 1, 2) == []
    guard.not_sent("2", 2)
    assert guard.admit([BID, ASK], 1, 2) == [BID]


def test_limit_of_what_is_sent_says_which_it_is_how_many_and_until_when_and_begins_with_a_line() -> None:
    """A pause of seconds and one until midnight read the same, without a number; and nothing was told."""
    guard = a_guard(Limits(sending=SendingLimits(2, 3)))
    for at_s in (0, 1):
        guard.sent(str(at_s), at_s * NS_PER_SECOND)
    text = "2 orders sent within 10 s have not traded, at most 2 (maker.limits.orders_in_10_s)"
    numbers: dict[str, float] = {"orders_in_10_s": 2, "orders_in_10_s_max": 2, "room_in_s": 7}
    why = Reason(Rule.RATE_LIMIT, f"{text}; room again at 1970-01-01 00:00:10 UTC", numbers)
    guard.lack([], 3 * NS_PER_SECOND)
    assert guard.take_notes() == [], "all that is wanted stands"
    guard.lack([Side.BUY], 3 * NS_PER_SECOND)
    assert guard.take_notes() == [notes.Limited(Side.BUY, why)]
    assert guard.binding == {Side.BUY: (why,)}
    assert guard.held(3 * NS_PER_SECOND) == dict.fromkeys(Side, why)
    guard.sent("10", 10 * NS_PER_SECOND)
    guard.lack([Side.BUY], 12 * NS_PER_SECOND)
    text = "3 orders sent since 00:00 UTC have not traded, at most 3 (maker.limits.orders_in_a_day)"
    numbers = {"orders_in_a_day": 3, "orders_in_a_day_max": 3, "room_in_s": 86_388}
    why = Reason(Rule.RATE_LIMIT, f"{text}; room again at 1970-01-02 00:00:00 UTC", numbers)
    assert guard.take_notes() == [notes.Limited(Side.BUY, why)], "another limit is another line"
    for at_s, count in ((13, 0), (22, 0), (33, 1)):
        guard.lack([Side.BUY], at_s * NS_PER_SECOND)
        assert len(guard.take_notes()) == count, "once for each time"


def test_slice_of_a_position_that_is_to_go_waits_for_room_as_every_order() -> None:
    """A venue that bans who sends too many does not ask what for."""
    guard, orders = a_guard(Limits(sending=SendingLimits(1))), OwnOrders(0)
    guard.escalation.account = Account(0, Decimal(0), Decimal(0), Decimal(0), Stage.FLATTENS, "a loss", 1)
    position = holding("0.5")
    position.ask(0)
    for now_ns, count in ((0, 1), (SHORT_NS - 1, 0), (SHORT_NS, 1)):
        guard.look(now_ns, BOOK, position, orders)
        actions = guard.slices(iter(["1"]))
        assert len(actions) == count
        if now_ns == 0:
            guard.sent("1", now_ns)
            assert guard.wakes_ns(now_ns) == [SHORT_NS]


@pytest.mark.parametrize(("neutral", "qty_lots"), [("0", 30_000), ("0.1", 20_000), ("-0.1", 40_000)])
def test_slice_is_of_what_there_surely_is_against_what_was_neutral_as_the_day_began(
    neutral: str, qty_lots: int
) -> None:
    """Of 0.5 BTC 0.2 may be sold already, and a restart may call another quantity neutral: a slice went beyond."""
    guard = Guard(Limits(order=Decimal(1_000_000)), BTCUSDT, OrderRules())
    guard.escalation.account = Account(
        0, Decimal(neutral), Decimal(-(10**9)), Decimal(-(10**9)), Stage.FLATTENS, "a loss", 1
    )
    position = Position(BTCUSDT, Decimal(0), lag_ns=10)
    has = {"BTC": Balance(Decimal("0.5"), Decimal(0)), "USDT": Balance(Decimal(10**6), Decimal(0))}
    position.hear(has)
    position.fill(Side.SELL, Decimal("0.2"), Decimal(100_000), 1)
    position.ask(2)
    assert position.hear(has)
    deep = Depth((Level(MID_X2 // 2 - 1, 10**6),), (Level(MID_X2 // 2 + 1, 10**6),))
    guard.look(2, deep, position, NOTHING)
    (place,) = guard.slices(iter(["1"]))
    assert isinstance(place, Place)
    assert (place.side, place.qty_lots) == (Side.SELL, qty_lots)


def test_position_that_is_to_go_and_cannot_says_so_once_each_time() -> None:
    """In a wide market, or one with a single side, it was `flattens` for hours, and nothing said that nothing went."""
    guard, position = a_guard(Limits()), holding("0.5")
    guard.escalation.account = Account(0, Decimal(0), Decimal(0), Decimal(0), Stage.FLATTENS, "a loss", 1)
    position.ask(0)
    far = MID_X2 // 2 // 100
    wide = Depth((Level(MID_X2 // 2 - far, 9),), (Level(MID_X2 // 2 + far, 9),))
    told: list[str | None] = []
    for depth in (wide, wide, BOOK, Depth((), wide.asks), wide, BOOK, wide):
        guard.look(0, depth, position, NOTHING)
        assert bool(guard.slices(iter(["1"]))) == (depth is BOOK)
        told += [note.why for note in guard.take_notes() if isinstance(note, notes.Stuck)] or [None]
    within = "nobody trades within 0.5 % of the mid"
    assert told == [within, None, None, NO_MID.text, None, None, within]


def test_side_without_a_price_is_idle_for_what_has_left_it_none() -> None:
    """In a pair at its first tick it was told that the strategy did not want it."""
    guard, position = a_guard(Limits()), holding("0")
    bid, ask = Quote(Side.BUY, 1, 7), Quote(Side.SELL, 2, 7)
    guard.look(0, Depth((), (Level(1, 9),)), position, NOTHING)
    wanted = guard.cut(Wanted([bid, ask]))
    assert (wanted.quotes, wanted.idle) == ([ask], {Side.BUY: NO_PRICE})
    guard.escalation.account = Account(0, Decimal(0), Decimal(0), Decimal(0), Stage.WIDENS, "a loss", 1)
    guard.look(0, Depth((Level(1, 9),), (Level(2, 9),)), position, NOTHING)
    wanted = guard.cut(Wanted([bid, ask]))
    assert [(quote.side, quote.price_ticks) for quote in wanted.quotes] == [(Side.SELL, 3)]
    assert wanted.why_idle == {Side.BUY: guard.escalation.why}


def test_order_that_trades_makes_room_once_however_often_it_does() -> None:
    """The venue gives an order back with its first fill: to count each would let more leave than it takes in a day."""
    guard = a_guard(Limits(sending=SendingLimits(None, 2)))
    order = VenueOrder("7", "1", "BTCUSDT", Side.BUY, Decimal(99_900), Decimal(3), Decimal(0), "PARTIALLY_FILLED", 0)
    for name in ("1", "2"):
        guard.sent(name, 0)
    assert guard.admit([BID, ASK], 2, 0) == []
    for filled_qty in (1, 2, 3):
        guard.filled(replace(order, filled_qty=Decimal(filled_qty)), Decimal(1), 0)
        assert guard.admit([BID, ASK], 2, 0) == [BID]


@pytest.mark.parametrize("seed", some([7, 8], 1))
def test_account_without_the_money_quotes_what_it_has_and_is_not_refused(tmp_path: Path, seed: int) -> None:
    """A default desk that wants more than it has, for five minutes: it was refused, and away for most of the time."""
    more = {"maker.notional": 500_000, "maker.inventory": 10_000_000, "flow.seed": seed}
    desk = SimulatedDesk(load_settings({"run_dir": tmp_path, **more}).settings, START_NS, tmp_path / "reports")
    desk.run(START_NS + 300 * NS_PER_SECOND)
    assert desk.told.rules["refused"][Rule.REFUSED] == 0
    assert desk.told.rules["idle"][Rule.NO_FUNDS] > 100
    assert desk.told.counts["Filled"] > 10
    assert desk.told.counts["Limited"] < 10, "it is told when it begins"


@pytest.mark.parametrize("seed", some([7, 8], 1))
def test_position_of_a_simulated_desk_stays_within_its_limit(tmp_path: Path, seed: int) -> None:
    """Quotes next to the touch, a busy market, 300 USDT at most: filled all the time, and never beyond."""
    more = {"maker.half_spread": "0.00005", "maker.limits.exposure": 300, "maker.notional": 200, "flow.seed": seed}
    settings = load_settings({"run_dir": tmp_path, "flow.preset": "busy", **more}).settings
    desk = SimulatedDesk(settings, START_NS, tmp_path / "reports")
    furthest = Decimal(0)
    for second in range(1, 121):
        desk.run(START_NS + second * NS_PER_SECOND)
        mid = desk.account.mid("BTCUSDT")
        held = desk.account.account().balances["BTC"].total - 1
        furthest = max(furthest, abs(held * (mid or 0)))
    assert 150 < furthest <= 301
    assert desk.told.counts["Filled"] > 10


def test_withdrawn_so_far_that_all_is_cancelled_it_wants_nothing_and_leaves_nothing() -> None:
    """Nor what execution would leave in the book though it is not wanted."""
    guard = a_guard(Limits(open_orders=1))
    guard.cut(Wanted([BID, ASK]))
    guard.escalation.account = Account(0, Decimal(0), Decimal(0), Decimal(0), Stage.CANCELS_ALL, "a drawdown", 1)
    wanted = guard.cut(Wanted([BID, ASK], 7))
    assert (wanted.quotes, wanted.wake_ns) == ((), 7)
    assert {why.rule for why in wanted.why_idle.values()} == {Rule.WITHDRAWN}
    assert guard.binding == {}, "what bound it before is none of it"
    assert set(guard.excess([OwnOrder("hangs", Side.SELL, 10_010_000, 1_000)])) == {"hangs"}
    assert set(guard.held(0)) == set(Side)


def test_quote_that_would_take_is_priced_anew_and_opens_no_breaker() -> None:
    """A maker near the touch was away a third of the time: five such refusals in a minute are no fault of anybody's."""
    guard, position = a_guard(Limits()), holding("0")
    why = "Order would immediately match and take."
    for attempt in range(1, 13):
        now_ns = attempt * 4 * NS_PER_SECOND
        ask = Level(MID_X2 // 2 + attempt, 1)
        guard.look(now_ns, Depth(BOOK.bids, (ask,)), position, OwnOrders(0))
        assert guard.held(now_ns) == {}
        wanted = guard.cut(Wanted([replace(BID, price_ticks=ask.price_ticks), ASK]))
        assert [quote.price_ticks for quote in wanted.quotes] == [ask.price_ticks - 1, ASK.price_ticks]
        waits = {refuse(guard, why, now_ns, quote, would_take=True) for quote in (wanted.quotes[0], BID)}
        assert len(waits) == 1, "two levels are one attempt"
        assert {side: why.rule for side, why in guard.held(now_ns).items()} == {Side.BUY: Rule.WOULD_TAKE}
        assert guard.wakes_ns(now_ns) == [now_ns + PAUSE_NS]
        guard.taken(Side.BUY)
    assert {type(note) for note in guard.take_notes()} == {notes.Declined}


def test_levels_refused_in_one_round_are_one_attempt() -> None:
    """Five levels opened a breaker at once, and twenty kept their side away for a quarter of an hour."""
    guard, position = a_guard(Limits()), holding("0")
    for attempt in range(1, 7):
        now_ns = attempt * 10 * NS_PER_SECOND
        guard.look(now_ns, BOOK, position, OwnOrders(0))
        waits = [refuse(guard, "insufficient balance", now_ns + level) for level in range(20)]
        assert [waits[0] - wait for wait in waits] == list(range(20)), "all end at the same time"
        told = [note for note in guard.take_notes() if isinstance(note, notes.Broken)]
        assert [note.times for note in told] == {5: [1], 6: [2]}.get(attempt, [])
    refuse(guard, "a filter", now_ns)
    assert set(guard.held(now_ns)) == {Side.BUY}
