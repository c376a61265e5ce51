"""A maker whose venue changes its rules of the pair while it quotes."""

from decimal import Decimal

from market.clock import NS_PER_SECOND
from market.codes import Side
from tests.nodes.maker.makers import ScriptedMaker, Told, figures, lines
from tests.nodes.maker.scripted_venue import ScriptedVenue
from tests.pairs import default_instruments
from trading.order_rules import MarketRules, OrderRules
from trading.pair_rules import RULES_NS, UNFIT_NS

BTCUSDT = default_instruments()[0]


def test_lots_that_change_under_a_partly_filled_order_end_nobody(
    quoting: ScriptedMaker, venue: ScriptedVenue, told: Told
) -> None:
    """What is left of it is cancelled, once, and nothing is placed before the steps are ours again."""
    quoting.cycle()
    (bid,) = (order_id for order_id, order in venue.orders.items() if order.side == Side.BUY)
    venue.fill(bid, Decimal("0.00333"))
    venue.rules = MarketRules(BTCUSDT.tick_size, Decimal("0.001"), OrderRules(notional_min=Decimal(5)))
    venue.now[0] += RULES_NS
    for _ in range(3):
        quoting.cycle()
    assert venue.orders == {}
    assert sorted(venue.cancels) == sorted(venue.ended)
    assert (figures(quoting)["bid_rule"], figures(quoting)["ask_rule"]) == ("OTHER_STEPS", "OTHER_STEPS")
    assert [line["side"] for line in lines(told, "not quoting")] == ["BUY", "SELL"]
    places = venue.places
    venue.now[0] += UNFIT_NS - NS_PER_SECOND
    quoting.cycle()
    assert (venue.places, venue.calls.count("market_rules")) == (places, 1)
    venue.rules = None
    venue.now[0] += NS_PER_SECOND
    quoting.cycle()
    assert len(venue.orders) == 2
    assert venue.places == places + 2


def test_new_bound_is_gone_by_and_told_once(quoting: ScriptedMaker, venue: ScriptedVenue, told: Told) -> None:
    """Quotes of 1,000 where 2,000 is the least: none is placed to be refused, and `why` names the setting."""
    quoting.cycle()
    bounds = OrderRules(notional_min=Decimal(2_000))
    venue.rules = MarketRules(BTCUSDT.tick_size, BTCUSDT.lot_size, bounds)
    venue.now[0] += RULES_NS
    for _ in range(2):
        quoting.cycle()
    (line,) = lines(told, "the venue has other rules of the pair now")
    assert line["changes"] == "notional_min 5 -> 2000"
    assert (venue.places, figures(quoting)["bid_rule"]) == (2, "OBSTACLE")
