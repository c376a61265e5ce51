"""What a maker counts of its venue: requests, errors by code, what waits for a trade, and how long answers take."""

from decimal import Decimal
from typing import Any

from market.account import VenueOrder
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from market.depth import Depth
from nodes.latencies import BOUNDS_NS
from nodes.maker.traffic import CODES_MAX, LAG_NS, Heard
from tests.nodes.maker.makers import LOST, ScriptedMaker
from tests.nodes.maker.scripted_venue import ScriptedVenue
from trading import news
from venues.venue import VenueRefusedError


def _counts(figures: dict[str, Any], stage: str) -> dict[int, int]:
    counts = figures["latencies"][stage]["counts"]
    return {bound: count for bound, count in zip(BOUNDS_NS, counts, strict=False) if count}


def test_counts_requests_errors_and_what_has_not_traded(
    quoting: ScriptedMaker, venue: ScriptedVenue, now: list[int]
) -> None:
    """One order is refused with a code, and the fate of another is unknown: both may count at the venue."""
    quoting.cycle()
    shown = quoting.figures()
    assert shown["venue"]["requests"]["Place"] == 2
    assert shown["venue"]["errors"] == {}
    assert shown["venue"]["unfilled"] == {"10s": 2, "day": 2}
    assert sum(_counts(shown, "venue").values()) == sum(shown["venue"]["requests"].values())
    now[0] += 11 * NS_PER_SECOND
    venue.mid_ticks = 9_338_500
    venue.fates["place"] = [VenueRefusedError("no", -2010), LOST]
    quoting.cycle()
    shown = quoting.figures()
    assert shown["venue"]["errors"] == {"-2010": 1, "unknown": 1}
    assert shown["venue"]["unfilled"]["10s"] <= 2
    assert shown["venue"]["unfilled"]["day"] >= 3


def test_an_answer_takes_as_long_as_it_took(quoting: ScriptedMaker, venue: ScriptedVenue, now: list[int]) -> None:
    """Each question of the first round is answered 40 ms later."""

    def late() -> None:
        now[0] += 40 * NS_PER_MS

    for call in ("open_orders", "account", "place", "depth"):
        venue.before[call] = late
    quoting.cycle()
    counts = _counts(quoting.figures(), "venue")
    assert max(counts) >= 50 * NS_PER_MS
    assert sum(_counts(quoting.figures(), "decision").values()) == sum(quoting.figures()["venue"]["requests"].values())


def test_codes_are_bounded(quoting: ScriptedMaker, venue: ScriptedVenue, now: list[int]) -> None:
    """A venue that says no in ever other words makes no more labels than there may be."""
    for code in range(2 * CODES_MAX):
        venue.fates["place"] = [VenueRefusedError("no", code), VenueRefusedError("no", code)]
        now[0] += 3_600 * NS_PER_SECOND
        quoting.cycle()
    errors = quoting.figures()["venue"]["errors"]
    assert len(errors) == CODES_MAX + 1
    assert errors["other"] > 0


def _trade(time_ns: int) -> news.TradesNews:
    return news.TradesNews([news.MarketTrade(1, 9_138_500, 1, Side.BUY, time_ns)])


def test_each_way_to_the_venue_has_an_age_of_its_own() -> None:
    """The market's news says nothing of our orders' stream, and neither of what is asked."""
    heard, second = Heard(), NS_PER_SECOND
    assert heard.figure(second) == {
        "market_ms": None,
        "account_ms": None,
        "rest_ms": None,
        "lag_ms": None,
        "silent": None,
    }
    heard.take([news.BookNews(Depth((), ()))], 5 * second)
    heard.take([news.Listed([], 0), news.Silent("hung up")], 6 * second)
    figure = heard.figure(9 * second)
    assert (figure["market_ms"], figure["account_ms"], figure["rest_ms"]) == (5_000, None, 6_000)
    assert figure["silent"] == "hung up"
    order = VenueOrder("7", "1", "BTCUSDT", Side.BUY, Decimal(1), Decimal(2), Decimal(0), "NEW", 0)
    heard.take([news.OrderNews(order)], 8 * second)
    figure = heard.figure(9 * second)
    assert (figure["market_ms"], figure["account_ms"], figure["rest_ms"]) == (5_000, 8_000, 6_000)
    heard.take([news.Following()], 10 * second)
    assert heard.figure(10 * second)["silent"] is None


def test_the_least_lag_of_a_minute_bounds_how_far_the_clocks_are_apart() -> None:
    """A trade that was held up says nothing of the clocks; one of before the last minute says nothing of now."""
    heard, begin_ns = Heard(), 1_000 * NS_PER_SECOND
    for second, lag_ms in enumerate((40, 900, 12, 700)):
        now_ns = begin_ns + second * NS_PER_SECOND
        heard.take([_trade(now_ns - lag_ms * NS_PER_MS)], now_ns)
    assert heard.figure(begin_ns + 3 * NS_PER_SECOND)["lag_ms"] == 12
    assert heard.figure(begin_ns + 2 * NS_PER_SECOND + LAG_NS + 1)["lag_ms"] == 700
    assert heard.figure(begin_ns + 2 * LAG_NS)["lag_ms"] is None
