"""Orders without an answer, refusals, and a venue that fails."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from market.account import VenueOrder
from market.clock import NS_PER_MS, NS_PER_SECOND, iso_time
from market.codes import Side
from tests.nodes.maker.makers import AWAY, LOST, ScriptedMaker, Told, a_maker, figures, lines
from tests.nodes.maker.scripted_venue import ScriptedVenue
from trading.actions import ListOrders
from trading.awaited import SLOW_NS
from trading.pauses import REFUSED_PAUSE_NS
from trading.trader import FAILED_PAUSE_NS_MAX
from venues.venue import (
    ARRIVAL_MS_MAX,
    VenueBusyError,
    VenueError,
    VenueKeysError,
    VenueRefusedError,
)


@pytest.mark.parametrize("does_arrive", [True, False])
def test_unknown_order_is_never_sent_again_blindly(
    quoting: ScriptedMaker, venue: ScriptedVenue, now: list[int], told: Told, does_arrive: bool
) -> None:
    """It may be there, or arrive until its window closes: until then nothing more on its side."""
    venue.fates["place"], venue.does_arrive = [LOST], does_arrive
    quoting.cycle()
    quoting.cycle()
    assert venue.places == 2, "the side of unknown fate was quoted again"
    assert len(venue.orders) == (2 if does_arrive else 1)
    now[0] += ARRIVAL_MS_MAX * NS_PER_MS
    quoting.cycle()
    assert venue.places == 2, "its window is still open"
    now[0] += 1
    quoting.cycle()
    assert venue.places == 2, "one answer may be of a database that lags"
    quoting.cycle()
    assert sorted(venue.prices()) == [Side.BUY, Side.SELL]
    assert len(venue.orders) == 2, "an order was doubled"
    assert [line["arrived"] for line in lines(told, "fate settled")] == [does_arrive]


def test_unknown_order_that_arrives_between_two_questions_makes_no_second_bid(
    quoting: ScriptedMaker, venue: ScriptedVenue, now: list[int]
) -> None:
    """Open orders were read before the unknown ones settled: one that arrived in between was in neither."""
    venue.fates["place"] = [LOST]
    quoting.cycle()
    now[0] += ARRIVAL_MS_MAX * NS_PER_MS + 1
    venue.before["find_order"] = venue.arrive
    quoting.cycle()
    assert venue.places == 2
    assert len(venue.orders) == 2


def test_unknown_order_that_was_filled_at_once_is_told_as_a_fill(
    quoting: ScriptedMaker, venue: ScriptedVenue, told: Told
) -> None:
    """It was never among the open orders that the maker saw."""
    venue.fates["place"], venue.does_arrive = [LOST], True
    quoting.cycle()
    venue.fill("1")
    quoting.cycle()
    assert [line["qty"] for line in lines(told, "filled")] == ["0.01094"]
    assert len(venue.orders) == 2


def test_refused_quote_pauses_its_side_alone_and_longer_each_time(
    quoting: ScriptedMaker, venue: ScriptedVenue, now: list[int], told: Told
) -> None:
    """No funds for one side is no reason to leave the other, nor to ask four times a second for ever."""
    refused = VenueRefusedError("insufficient balance", -2010)
    venue.fates["place"] = [refused, None, refused, None]
    for _ in range(3):
        quoting.cycle()
    assert list(venue.prices()) == [Side.SELL]
    assert figures(quoting)["bid_idle"] == "refused: insufficient balance"
    assert len(lines(told, "not quoting")) == 1
    now[0] += REFUSED_PAUSE_NS
    quoting.cycle()
    assert venue.places == 3
    now[0] += 2 * REFUSED_PAUSE_NS - 1
    quoting.cycle()
    assert venue.places == 3, "the second pause is twice as long"
    now[0] += 1
    quoting.cycle()
    assert len(venue.orders) == 2
    assert [line["wait_s"] for line in lines(told, "a quote was refused")] == [2.0, 4.0]


def test_fill_on_the_other_side_ends_a_pause(quoting: ScriptedMaker, venue: ScriptedVenue) -> None:
    """A sale brings the money that the bid lacked."""
    venue.fates["place"] = [VenueRefusedError("insufficient balance", -2010)]
    quoting.cycle()
    venue.fill("2")
    quoting.cycle()
    assert sorted(venue.prices()) == [Side.BUY, Side.SELL]


def test_back_off_doubles_and_begins_anew_after_a_good_cycle(
    quoting: ScriptedMaker, venue: ScriptedVenue, now: list[int], told: Told
) -> None:
    """Fail, fail, good, fail: a back-off that is not reset survived every test."""
    venue.fates["open_orders"] = [AWAY, AWAY, None, AWAY]
    for _ in range(4):
        quoting.on_time()
        now[0] = max(now[0], quoting.paused_until_ns)
    assert [line["wait_s"] for line in lines(told, "the venue failed")] == [0.5, 1.0, 0.5]


def test_back_off_has_an_end_and_nothing_is_asked_meanwhile(
    quoting: ScriptedMaker, venue: ScriptedVenue, now: list[int]
) -> None:
    """A venue that is away for an hour is asked every ten seconds."""
    venue.fates["open_orders"] = [AWAY] * 40
    for _ in range(40):
        quoting.on_time()
        asked = len(venue.calls)
        now[0] = quoting.paused_until_ns - 1
        quoting.on_time()
        assert len(venue.calls) == asked
        now[0] += 1
    assert now[0] - 10**15 <= 40 * FAILED_PAUSE_NS_MAX
    quoting.on_time()
    assert len(venue.orders) == 2


@pytest.mark.parametrize(("retry_after_s", "wait_s"), [(7.0, 7.0), (0.0, 0.5)])
def test_busy_venue_is_left_alone_for_as_long_as_it_says(
    quoting: ScriptedMaker, venue: ScriptedVenue, now: list[int], retry_after_s: float, wait_s: float
) -> None:
    """And not asked at once when it names no time."""
    venue.fates["place"] = [VenueBusyError("slow down", retry_after_s)]
    quoting.on_time()
    assert quoting.paused_until_ns - now[0] == int(wait_s * NS_PER_SECOND)
    assert venue.orders == {}


def test_venue_that_fails_is_told_in_status(quoting: ScriptedMaker, venue: ScriptedVenue, now: list[int]) -> None:
    """The quotes of before, which may be traded by now, looked like those that are there: for days, if it has to be."""
    quoting.on_time()
    assert figures(quoting)["failing"] is None
    venue.fates["open_orders"] = [VenueBusyError("paper has banned this address, for 120 s", 120)]
    quoting.on_time()
    assert figures(quoting)["failing"] == "paper has banned this address, for 120 s"
    now[0] += 120 * NS_PER_SECOND
    quoting.on_time()
    assert figures(quoting)["failing"] is None


def test_keys_that_are_refused_end_the_maker(quoting: ScriptedMaker, venue: ScriptedVenue) -> None:
    """A person must act; a quote that was refused for it is no quote to pause."""
    for call in ("open_orders", "place"):
        venue.fates[call] = [VenueKeysError("not our keys")]
        with pytest.raises(VenueKeysError):
            quoting.cycle()


@pytest.mark.parametrize(
    ("call", "fault"),
    [("open_orders", AWAY), ("place", VenueRefusedError("insufficient balance", -2010))],
)
def test_it_quotes_both_sides_soon_after_a_fault_of_whatever_length(
    venue: ScriptedVenue, now: list[int], quoting: ScriptedMaker, call: str, fault: VenueError
) -> None:
    """A pause that had grown to a minute kept a side empty for as long, though the venue was well again.

    What is refused for want of money, and pauses for long, is tried again as soon as there is more of that asset.
    """
    venue.fates[call] = [fault] * 100_000

    def pass_time(seconds: int, is_done: Callable[[], bool]) -> None:
        for _ in range(4 * seconds):
            if is_done():
                return
            now[0] += NS_PER_SECOND // 4
            quoting.on_time()

    pass_time(600, lambda: False)
    assert venue.prices() == {}
    left = len(venue.fates[call])
    pass_time(2_000, lambda: len(venue.fates[call]) < left - 1)  # it has just failed once more, on both sides
    venue.fates[call].clear()
    venue.totals = {"USDT": "1001000", "BTC": "10.1"}  # each side has more to pay with
    pass_time(9, lambda: len(venue.prices()) == 2)
    assert sorted(venue.prices()) == [Side.BUY, Side.SELL]


def test_nothing_is_quoted_until_the_first_balances_are_told(
    quoting: ScriptedMaker, venue: ScriptedVenue, told: Told
) -> None:
    """The question fails, then an empty answer comes, which is believed of nobody at once: both sides wait."""
    venue.fates["balances"] = [AWAY, AWAY]
    for _ in range(2):
        quoting.cycle()
        assert (venue.places, figures(quoting).get("position")) == (0, None)
    totals, venue.totals = venue.totals, {}
    quoting.cycle()
    assert venue.places == 0
    assert {line["rule"] for line in lines(told, "not quoting")} == {"NO_MEASURE"}
    venue.totals = totals
    quoting.cycle()
    assert (venue.places, figures(quoting)["position"]) == (2, "0")


@pytest.mark.parametrize("is_whole", [True, False])
def test_first_balances_of_a_successor_may_lack_what_was_just_filled(
    venue: ScriptedVenue, now: list[int], run_dir: Path, is_whole: bool
) -> None:
    """Killed just after a fill, at a venue whose balances lag: it bought as much again as its limit had room for."""
    settings: dict[str, Any] = {"limits.position": "0.03", "neutral": "10", "notional": "1800"}
    with a_maker(run_dir, venue, **settings) as killed:
        killed.cycle()
        (bid,) = (name for name, order in venue.orders.items() if order.side == Side.BUY)
        venue.fill(bid, None if is_whole else venue.orders[bid].qty - Decimal("0.0001"))
        killed.cycle()
    with a_maker(run_dir, venue, **settings) as one:
        for _ in range(3):
            one.cycle()
        filled = [*venue.ended.values(), *venue.orders.values()]
        bought = sum(order.filled_qty for order in filled if order.side == Side.BUY)
        could = sum(order.leaves_qty for order in venue.orders.values() if order.side == Side.BUY)
        assert bought + could <= Decimal("0.03")
        now[0] += 7 * NS_PER_SECOND
        venue.totals = {"BTC": str(10 + bought), "USDT": str(1_000_000 - bought * Decimal(91_200))}
        one.cycle()
        one.cycle()
        assert figures(one)["position"] == str(bought)


@pytest.mark.parametrize("does_arrive", [True, False])
def test_order_of_unknown_fate_counts_for_its_limit_until_its_fate_is_known(
    venue: ScriptedVenue, now: list[int], run_dir: Path, told: Told, does_arrive: bool
) -> None:
    """Two bids are all that the limit has room for: the reply to the nearer is lost, and the other one trades."""
    settings: dict[str, Any] = {"limits.position": "0.03", "neutral": "10", "notional": "1800", "levels": 2}
    venue.fates["place"], venue.does_arrive = [LOST], does_arrive

    def bids() -> list[VenueOrder]:
        there = (*venue.ended.values(), *venue.orders.values(), *venue.late)
        return [order for order in there if order.side == Side.BUY]

    with a_maker(run_dir, venue, **settings) as one:
        one.cycle()
        lost, other = sorted(bids(), key=lambda order: -order.price)
        assert lost.qty + other.qty > Decimal("0.02999")
        venue.fill(other.order_id)
        venue.totals = {"BTC": str(10 + other.qty), "USDT": str(1_000_000 - other.qty * other.price)}
        for _ in range(3):
            one.cycle()
            now[0] += NS_PER_SECOND
        could = sum(order.filled_qty + order.leaves_qty for order in bids() if order.is_open or order.filled_qty)
        assert could <= Decimal("0.03"), "it may rest"
        venue.late.clear()  # it can no longer arrive
        now[0] += 6 * NS_PER_SECOND
        for _ in range(4):
            one.cycle()
        assert [line["arrived"] for line in lines(told, "fate settled")] == [does_arrive]
        open_qty = sum(order.leaves_qty for order in venue.orders.values() if order.side == Side.BUY)
        assert Decimal("0.029") < other.qty + open_qty <= Decimal("0.03"), "what it had taken is let go"


def test_what_a_slow_venue_has_not_answered_is_told_and_since_when(
    quoting: ScriptedMaker, venue: ScriptedVenue, now: list[int]
) -> None:
    """A venue that took three seconds for each answer was told nowhere: no round ends meanwhile."""
    assert quoting.maker.step().actions == [ListOrders()], "they wait at the venue"
    quoting.maker.show_slow()
    assert figures(quoting)["slow"] is None, "it has only just been asked"
    since_ns = now[0]
    now[0] += SLOW_NS
    quoting.maker.show_slow()
    since = iso_time(since_ns // NS_PER_MS)[11:19]
    assert figures(quoting)["slow"] == f"the venue has not answered since {since} UTC to: open orders"
    quoting.cycle()
    quoting.maker.show_slow()
    assert figures(quoting)["slow"] is None
