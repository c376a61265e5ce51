"""Where the maker's quotes stand: around the mid of others, by size, and with settings that no venue takes."""

from decimal import Decimal
from pathlib import Path

import pytest

from market.account import VenueOrder
from market.clock import NS_PER_MS
from market.codes import Side
from tests.nodes.maker.makers import LOST, ScriptedMaker, Told, a_maker, figures, lines
from tests.nodes.maker.scripted_venue import ScriptedVenue
from trading.strategy import ObstacleError
from venues.venue import ARRIVAL_MS_MAX


def test_quotes_both_sides_around_the_mid_of_others(quoting: ScriptedMaker, venue: ScriptedVenue) -> None:
    """Its own orders do not move its mid, however often it looks."""
    for _ in range(3):
        quoting.cycle()
    assert venue.prices() == {Side.BUY: Decimal("91202.23"), Side.SELL: Decimal("91567.77")}
    assert venue.places == 2


def test_requotes_only_beyond_the_tolerance(quoting: ScriptedMaker, venue: ScriptedVenue, told: Told) -> None:
    """3 bps of 91,385 are 27.41: a move of 27 leaves the orders, one of 28 replaces both, and the log says why."""
    quoting.cycle()
    venue.mid_ticks = 9_138_500 + 2_700
    quoting.cycle()
    assert venue.cancels == []
    venue.mid_ticks += 100
    quoting.cycle()
    assert sorted(venue.cancels) == ["1", "2"]
    assert len(venue.orders) == 2
    assert [line["why"] for line in lines(told, "cancelled")] == [
        "requote: 27.94 USDT off, 27.42 are tolerated",
        "requote: 28.06 USDT off, 27.42 are tolerated",
    ]


def test_orders_of_others_on_the_account_are_not_touched(quoting: ScriptedMaker, venue: ScriptedVenue) -> None:
    """Only a client order id with the desk's own prefix is ours."""
    foreign = VenueOrder("x", "by-hand", "BTCUSDT", Side.BUY, Decimal(91_000), Decimal(1), Decimal(0), "NEW", 0)
    venue.orders["x"] = foreign
    quoting.cycle()
    quoting.stop()
    assert list(venue.orders.values()) == [foreign]


def test_empty_side_pulls_the_quotes_and_says_so_once(quoting: ScriptedMaker, venue: ScriptedVenue, told: Told) -> None:
    """Without a mid there is no price to believe in; the way back is told by the quotes themselves."""
    quoting.cycle()
    venue.mid_ticks = None
    for _ in range(3):
        quoting.cycle()
    assert venue.orders == {}
    assert [line["side"] for line in lines(told, "not quoting")] == ["BUY", "SELL"]
    assert "no mid" in figures(quoting)["bid_idle"]
    assert figures(quoting)["mid"] is None
    venue.mid_ticks = 9_138_500
    quoting.cycle()
    assert len(venue.orders) == 2
    assert figures(quoting)["bid_idle"] is None


def test_order_without_an_answer_is_not_taken_for_the_market(
    quoting: ScriptedMaker, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may rest already and be the best price there is: a maker that took it for another's would chase itself."""
    venue.fates["place"], venue.does_arrive = [LOST, LOST], True
    quoting.cycle()
    monkeypatch.setattr(venue, "find_order", lambda *_: None)
    venue.hidden |= {"1", "2"}
    venue.mid_ticks = None
    quoting.cycle()
    assert figures(quoting)["mid"] is None


def test_fill_is_told_with_its_price_and_the_side_is_quoted_again(
    quoting: ScriptedMaker, venue: ScriptedVenue, told: Told
) -> None:
    """No log told of a fill; the other side stays where it is in its queue."""
    venue.totals["BTC"] = "1"
    quoting.cycle()
    venue.fill("1")
    venue.totals |= {"BTC": "1.01094", "USDT": "999002.25"}
    quoting.cycle()
    assert venue.cancels == []
    assert sorted(venue.orders) == ["2", "3"]
    (line,) = lines(told, "filled")
    assert (line["side"], line["price"], line["qty"], line["left"]) == ("BUY", "91202.23", "0.01094", "0")
    shown = figures(quoting)
    assert (shown["filled"], shown["last_fill"], shown["position"]) == (1, "BUY 0.01094 at 91202.23", "0.01094")
    (fill,) = shown["recent_fills"]
    terms = fill["number"], fill["side"], fill["price"], fill["qty"], fill["is_picked_off"]
    assert terms == (1, "BUY", "91202.23", "0.01094", False)
    assert (shown["last_decision"]["action"], shown["last_decision"]["rule"]) == ("place", "WANTED")
    assert lines(told, "cancelled") == []


def test_partly_filled_order_stays_while_half_of_it_is_left(
    quoting: ScriptedMaker, venue: ScriptedVenue, told: Told
) -> None:
    """Topping up loses its place in the queue; but one lot was kept for ever, and quoted next to nothing."""
    quoting.cycle()
    venue.fill("1", Decimal("0.00547"))
    quoting.cycle()
    assert (venue.places, venue.cancels) == (2, [])
    venue.fill("1", Decimal("0.00001"))
    quoting.cycle()
    assert venue.cancels == ["1"]
    assert venue.orders["3"].qty == Decimal("0.01094")
    assert [line["qty"] for line in lines(told, "filled")] == ["0.00547", "0.00001"]
    assert lines(told, "cancelled")[0]["why"] == "too little is left: 0.00546 of 0.01094 BTC"


def test_what_is_filled_on_the_way_of_a_cancel_is_told(
    quoting: ScriptedMaker, venue: ScriptedVenue, told: Told
) -> None:
    """Between the look and the cancel an order may trade, in part or wholly."""
    quoting.cycle()
    assert venue.mid_ticks is not None
    venue.mid_ticks += 10_000
    partly = [lambda: venue.fill("1", Decimal("0.001")), lambda: venue.fill("2")]
    venue.before["cancel"] = lambda: partly.pop(0)() if partly else None
    quoting.cycle()
    quoting.cycle()
    assert [(line["side"], line["qty"]) for line in lines(told, "filled")] == [("BUY", "0.001"), ("SELL", "0.01094")]
    assert [(line["side"], line["left"]) for line in lines(told, "cancelled")] == [("BUY", "0.00994")]
    assert len(venue.orders) == 2


def test_order_that_somebody_else_cancelled_is_told(quoting: ScriptedMaker, venue: ScriptedVenue, told: Told) -> None:
    """A person at the venue's page, or the kill switch."""
    quoting.cycle()
    venue.end("1", "CANCELED")
    quoting.cycle()
    assert [line["why"] for line in lines(told, "cancelled")] == ["CANCELED at the venue, not by this maker"]
    assert len(venue.orders) == 2


def test_account_that_begins_anew_forgets_orders_and_is_told(
    quoting: ScriptedMaker, venue: ScriptedVenue, now: list[int], told: Told
) -> None:
    """The testnet wipes all orders about monthly: no list has them, nothing is found, nothing can be cancelled."""
    quoting.cycle()
    venue.orders.clear()
    now[0] += ARRIVAL_MS_MAX * NS_PER_MS + 1
    quoting.cycle()
    assert len(lines(told, "an order is gone: the venue has forgotten it")) == 2
    assert len(venue.orders) == 2
    quoting.cycle()
    assert len(lines(told, "an order is gone: the venue has forgotten it")) == 2


def test_list_that_lags_behind_makes_no_second_bid(quoting: ScriptedMaker, venue: ScriptedVenue) -> None:
    """The list of open orders may come from a database that has not heard of an order just taken."""
    quoting.cycle()
    venue.hidden.add("1")
    quoting.cycle()
    assert venue.places == 2
    assert venue.cancels == []


def test_notional_too_small_for_the_venue_ends_the_start_and_names_the_least(
    venue: ScriptedVenue, now: list[int], run_dir: Path
) -> None:
    """5 rounds down to 4.57 at this price: ready, then -1013 every two seconds for ever."""
    with a_maker(run_dir, venue, notional=5) as one, pytest.raises(ObstacleError, match=r"expected at least 5\.49"):
        one.on_time()
    assert venue.places == 0
    with a_maker(run_dir, venue, notional="5.49") as one:
        one.on_time()
    assert len(venue.orders) == 2


def test_mid_that_makes_the_quote_too_small_pulls_it_until_it_moves_back(
    venue: ScriptedVenue, now: list[int], run_dir: Path, told: Told
) -> None:
    """The least notional moves with the mid: no order is sent that must be refused, and the maker stays up."""
    with a_maker(run_dir, venue, notional="5.49") as one:
        one.on_time()
        venue.mid_ticks = 9_438_500
        one.on_time()
        assert venue.orders == {}
        assert "maker.notional" in figures(one)["bid_idle"]
        assert venue.places == 2
        venue.mid_ticks = 9_138_500
        one.on_time()
        assert len(venue.orders) == 2
