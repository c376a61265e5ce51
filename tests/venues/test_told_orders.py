"""When the account's stream is dead: by what answers tell of orders, and the stream does not."""

from dataclasses import replace
from decimal import Decimal

import pytest

from market.account import VenueOrder
from market.codes import Side
from venues.told_orders import LOOKS_MAX, ORDERS_KEPT_MAX, ToldOrders

OPEN = VenueOrder("1", "tb-1", "BTCUSDT", Side.BUY, Decimal(100), Decimal(2), Decimal(0), "NEW", 0)
PARTLY = replace(OPEN, filled_qty=Decimal(1), status="PARTIALLY_FILLED")
FILLED = replace(OPEN, filled_qty=Decimal(2), status="FILLED")
CANCELED = replace(OPEN, status="CANCELED")


def _is_dead(stream: ToldOrders) -> bool:
    return [stream.is_dead() for _ in range(LOOKS_MAX + 1)][-1]


@pytest.mark.parametrize("news", [PARTLY, FILLED, CANCELED, replace(PARTLY, status="CANCELED")])
def test_a_stream_that_did_not_tell_what_an_answer_tells_is_dead_after_a_while(news: VenueOrder) -> None:
    """Fills came by the list alone, five seconds late, for as long as the connection stood."""
    stream = ToldOrders()
    stream.hear(OPEN)
    stream.compare(OPEN)
    assert not _is_dead(stream)
    stream.compare(news)
    assert [stream.is_dead() for _ in range(LOOKS_MAX)] == [False] * LOOKS_MAX
    assert stream.is_dead()


def test_the_first_word_of_an_order_that_we_have_sent_is_owed() -> None:
    """Its reply tells that it stands: a stream that is mute from the beginning is found by the first quote."""
    stream = ToldOrders()
    stream.send("tb-1")
    assert not _is_dead(stream)
    stream.compare(OPEN)
    assert _is_dead(stream)


def test_any_word_after_that_says_that_it_lives() -> None:
    """A message may be lost, or late; that is no reason to take all quotes away, again at the next list neither."""
    stream = ToldOrders()
    stream.send("tb-1")
    stream.compare(OPEN)
    stream.hear(replace(OPEN, client_order_id="tb-2"))
    assert not _is_dead(stream)
    stream.compare(OPEN)
    assert not _is_dead(stream)
    stream.compare(PARTLY)
    assert _is_dead(stream)


def test_it_owes_nothing_of_what_was_before_it_or_is_older_than_what_it_told() -> None:
    """An order of an earlier connection, a list that lags, a connection that is new."""
    stream = ToldOrders()
    stream.compare(PARTLY)
    assert not _is_dead(stream)
    stream.hear(FILLED)
    for late in (OPEN, PARTLY, FILLED):
        stream.compare(late)
    assert not _is_dead(stream)
    stream.send("tb-9")
    stream.compare(replace(OPEN, client_order_id="tb-9"))
    stream.begin()
    stream.compare(CANCELED)
    assert not _is_dead(stream)


def test_it_keeps_no_more_orders_than_it_may() -> None:
    """A desk runs for months."""
    stream = ToldOrders()
    for number in range(2 * ORDERS_KEPT_MAX):
        stream.hear(replace(FILLED, client_order_id=f"tb-{number}"))
    assert len(stream._told) == ORDERS_KEPT_MAX
