"""Quotes that would trade at once: priced behind the market, refused without a storm."""

from dataclasses import replace

import pytest

from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from market.depth import Depth, Level
from tests.trading.markets import BTCUSDT
from trading.post_only import CHASES, PAUSE_NS, PAUSE_NS_MAX, PostOnly
from trading.quoting import Quote
from trading.reasons import Rule

DAY_NS = 86_400 * NS_PER_SECOND
BID, ASK = Quote(Side.BUY, 100, 7), Quote(Side.SELL, 100, 7)


def book(bid: int | None, ask: int | None) -> Depth:
    """Return the others' book with these best prices."""
    return Depth(*(() if ticks is None else (Level(ticks, 1),) for ticks in (bid, ask)))


@pytest.mark.parametrize(
    ("bid", "ask", "placed"),
    [
        (90, 101, (100, 100)),
        (90, 100, (99, 100)),
        (90, 95, (94, 100)),
        (100, 110, (100, 101)),
        (None, None, (100, 100)),
    ],
)
def test_quote_that_would_trade_with_the_book_stands_a_tick_behind_it(
    bid: int, ask: int, placed: tuple[int, int]
) -> None:
    """It was sent as it was wanted, refused, and its side away for seconds."""
    post_only = PostOnly(BTCUSDT)
    post_only.look(book(bid, ask))
    quotes = post_only.priced([BID, ASK])
    assert tuple(quote.price_ticks for quote in quotes) == placed
    assert [quote.why.rule == Rule.WOULD_TAKE for quote in quotes] == [each != 100 for each in placed]


def test_levels_that_would_trade_stay_apart() -> None:
    """All stood at one price: the tick behind the market's. Two that are wanted at one price are one level."""
    post_only = PostOnly(BTCUSDT)
    post_only.look(book(90, 99))
    bids = [replace(BID, price_ticks=ticks) for ticks in (102, 95, 100, 100, 97, 98)]
    asks = [replace(ASK, price_ticks=ticks) for ticks in (99, 88, 89)]
    priced = post_only.priced([*bids, *asks])
    assert [quote.price_ticks for quote in priced] == [98, 94, 97, 97, 95, 96, 99, 91, 92]


def test_quote_without_a_price_behind_the_market_is_none() -> None:
    """There is nothing below the first tick."""
    post_only = PostOnly(BTCUSDT)
    post_only.look(book(None, 1))
    assert post_only.priced([BID]) == []


def test_refused_side_waits_for_another_best_price_or_a_moment_and_stands_behind_what_it_was_told() -> None:
    """The refusal tells before the book does where the other side is; a book of another depth tells nothing new."""
    post_only = PostOnly(BTCUSDT)
    post_only.look(book(90, 105))
    assert post_only.refuse(BID, 0) == PAUSE_NS
    post_only.look(book(91, 105))
    assert {side: why.rule for side, why in post_only.reasons(PAUSE_NS - 1).items()} == {Side.BUY: Rule.WOULD_TAKE}
    assert (post_only.left_ns(Side.BUY, 1), post_only.ends_ns(1)) == (PAUSE_NS - 1, [PAUSE_NS])
    assert not post_only.reasons(PAUSE_NS)
    assert [quote.price_ticks for quote in post_only.priced([BID])] == [99]
    post_only.refuse(replace(BID, price_ticks=99), PAUSE_NS)
    assert [quote.price_ticks for quote in post_only.priced([BID])] == [98], "the nearest of what was told"
    post_only.look(book(91, 103))
    assert not post_only.reasons(PAUSE_NS + 1)
    assert post_only.priced([BID]) == [BID]


def test_quote_that_is_taken_ends_the_row() -> None:
    """The next refusal is the first again."""
    post_only = PostOnly(BTCUSDT)
    for n in range(5):
        post_only.refuse(ASK, n)
    post_only.take(Side.SELL)
    assert not post_only.reasons(5)
    assert post_only.refuse(ASK, 5) == PAUSE_NS


@pytest.mark.parametrize("is_moving", [True, False])
def test_book_that_is_wrong_all_day_brings_no_storm(*, is_moving: bool) -> None:
    """Ten books a second, each with another best price, none of them the venue's: once a minute, in the end."""
    post_only, now_ns, count = PostOnly(BTCUSDT), 0, 0
    while now_ns < DAY_NS:
        post_only.look(book(90, 105 + (now_ns // NS_PER_SECOND % 2 if is_moving else 0)))
        if Side.BUY in post_only.reasons(now_ns):
            now_ns = min(post_only.ends_ns(now_ns)) if count > 20 else now_ns + 100 * NS_PER_MS
            continue
        wait_ns = post_only.refuse(BID, now_ns)
        count += 1
    assert wait_ns == PAUSE_NS_MAX
    assert CHASES < count < 1_460
