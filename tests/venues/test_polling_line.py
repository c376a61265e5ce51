"""The line over calls that block: none of them holds who asks."""

import select
import threading
from collections.abc import Iterator
from functools import partial

import pytest

from market.codes import Side
from tests.desk.desk_process import until
from tests.nodes.maker.scripted_venue import ScriptedVenue
from tests.pairs import default_instruments
from trading import news
from trading.actions import AskBalances, ListOrders, Place
from venues.polling_line import PollingLine, VenueCalls
from venues.venue import (
    VenueBusyError,
    VenueKeysError,
    VenueRefusedError,
    VenueRulesError,
    VenueUnavailableError,
    VenueUnknownError,
    VenueWouldTakeError,
)

BID = Place("tb-1", Side.BUY, 9_120_223, 1_094)
ASK = Place("tb-2", Side.SELL, 9_156_777, 1_094)


@pytest.fixture
def venue() -> ScriptedVenue:
    """A venue without orders."""
    return ScriptedVenue()


@pytest.fixture
def line(venue: ScriptedVenue) -> Iterator[PollingLine]:
    """A line to it."""
    one = PollingLine(VenueCalls(venue, default_instruments()[0], venue.clock))
    yield one
    one.close()


def _heard(line: PollingLine, count: int) -> list[news.News]:
    said: list[news.News] = []
    while len(said) < count:
        assert select.select([line.ready], [], [], 60)[0], f"only {said}"
        said += line.take()
    return said


def test_call_that_hangs_holds_nobody_and_what_waits_behind_it_can_be_had_back(
    venue: ScriptedVenue, line: PollingLine
) -> None:
    """A stop comes meanwhile."""
    goes_on = threading.Event()
    venue.before["place"] = partial(goes_on.wait, 60)
    line.act([BID, ASK])
    until("the call has begun", lambda: venue.places)
    assert line.take() == []
    assert list(line.take_back()) == [ASK]
    goes_on.set()
    (said,) = _heard(line, 1)
    assert isinstance(said, news.OrderNews)
    assert said.order.client_order_id == "tb-1"


def test_book_comes_with_the_list_and_before_it(venue: ScriptedVenue, line: PollingLine) -> None:
    """Whoever has heard the list goes on, and knows the book by then; without a book the list is told all the same."""
    line.act([ListOrders()])
    assert [type(said) for said in _heard(line, 2)] == [news.BookNews, news.Listed]
    venue.fates["depth"] = [VenueUnavailableError("away")]
    line.act([ListOrders()])
    assert _heard(line, 2) == [news.Failed("away", ()), news.Listed([], venue.now[0])]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (VenueRefusedError("no funds", -2010), [news.Refused("tb-1", "no funds", -2010)]),
        (VenueWouldTakeError("no", -2010), [news.Refused("tb-1", "no", -2010, would_take=True)]),
        (VenueRulesError("no", -1013), [news.Refused("tb-1", "no", -1013, is_of_rules=True)]),
        (VenueUnknownError("lost"), [news.Unknown("tb-1", "lost")]),
        (VenueUnavailableError("away"), [news.Failed("away", (BID, AskBalances()))]),
        (VenueBusyError("slow down", 7.0), [news.Failed("slow down", (BID, AskBalances()), 7.0)]),
        (VenueKeysError("not ours"), [news.Failed("not ours", (BID, AskBalances()), is_keys=True)]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_fails_ends_its_batch_and_what_is_refused_or_lost_does_not(
    venue: ScriptedVenue, line: PollingLine, error: Exception, said: list[news.News]
) -> None:
    """Each action is answered once."""
    venue.fates["place"] = [error]
    line.act([BID, AskBalances()])
    goes_on = not isinstance(said[0], news.Failed)
    assert _heard(line, 1 + goes_on) == [*said, *([news.Balances(venue.balances())] if goes_on else [])]


def test_bug_of_ours_is_raised_where_somebody_sees_it(venue: ScriptedVenue, line: PollingLine) -> None:
    """In a thread of its own it would be lost, and the maker would wait for ever."""
    venue.fates["balances"] = [ZeroDivisionError("a bug")]
    line.act([AskBalances()])
    with pytest.raises(ZeroDivisionError, match="a bug"):
        _heard(line, 1)
