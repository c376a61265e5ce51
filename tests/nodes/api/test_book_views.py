"""What the api serves: documents that many requests share, and that are what the replica holds."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bus.feed import BookReplica, FeedFrame, Topic
from bus.subscriber import FeedSubscriber
from market.codes import Side
from market.feed_messages import BookOrder, BookTrade, FeedMessage
from nodes.api.book_views import RENDER_NS, RENDERED_MAX, BookViews, RenderedBook
from tests.one_engine import one_engine
from tests.pairs import default_instruments

BTC = default_instruments()[0]
SYMBOL, TOPIC = BTC.symbol, Topic.BOOK.of(BTC.symbol)
MID = 9_138_500


class Served:
    """Views of one book, whose feed and clock are the test's."""

    def __init__(self, run_dir: Path) -> None:
        self.now_ns = 1
        self.subscriber = FeedSubscriber(one_engine(run_dir), [TOPIC], RenderedBook)
        self.views = BookViews(self.subscriber, [BTC], lambda: self.now_ns)
        self.replica = self.subscriber.replicas[TOPIC]
        self.replica.on_snapshot(FeedFrame(TOPIC, 1, 0, 0, []))
        self.subscriber._heard_ns[TOPIC] = 1

    def tell(self, *messages: BookOrder) -> None:
        """Let the feed say something."""
        self.replica.on_frame(FeedFrame(TOPIC, 1, self.replica.sequence + 1, 0, list(messages)))

    def document(self, depth: int = 5_000) -> dict[str, Any]:
        """Return the book as a client reads it, rendered anew."""
        self.now_ns += RENDER_NS
        self.subscriber._heard_ns[TOPIC] = self.now_ns
        found: dict[str, Any] = json.loads(self.views.orderbook(SYMBOL, depth).document)
        return found


@pytest.fixture
def served(tmp_path: Path) -> Any:
    """Views of an empty book that is in step."""
    served = Served(tmp_path)
    yield served
    served.subscriber.close()


def plain(book: BookReplica, side: Side, depth: int) -> list[dict[str, Any]]:
    """Return a side as the document must show it, the slow and obvious way."""
    return [
        {
            "price": float(BTC.ticks_to_price(price)),
            "orders": [{"id": number, "quantity": float(BTC.lots_to_qty(lots))} for number, lots in queue.items()],
        }
        for price, queue in book.orders(side, depth)
    ]


def test_renders_what_has_changed_and_shows_the_whole_book(served: Served) -> None:
    """Levels that did not change keep their text; every document is the replica, at every depth."""
    dice, open_ids = Random(3), []
    for number in range(1, 400):
        for order_id in range(number * 10, number * 10 + dice.randrange(1, 4)):
            side, distance = dice.randrange(2), dice.randint(1, 12)
            open_ids.append(BookOrder(order_id, side, MID + (distance if side else -distance), dice.randint(1, 99)))
            served.tell(open_ids[-1])
        while len(open_ids) > 30:
            order = open_ids.pop(dice.randrange(len(open_ids)))
            served.tell(order._replace(resting_lots=0))
        depth = dice.choice((1, 3, 5_000))
        document = served.document(depth)
        for name, side in (("bids", Side.BUY), ("asks", Side.SELL)):
            assert document[name] == plain(served.replica.book, side, depth)
        assert document["sequence"] == served.replica.sequence


def test_snapshot_replaces_every_level(served: Served) -> None:
    """After a gap nothing of what was rendered before may show."""
    served.tell(BookOrder(1, 0, MID, 5), BookOrder(2, 1, MID + 1, 5))
    assert len(served.document()["bids"]) == 1
    served.replica.lose()
    served.replica.on_snapshot(FeedFrame(TOPIC, 2, 7, 0, [BookOrder(3, 0, MID, 9)]))
    document = served.document()
    assert [order["id"] for order in document["bids"][0]["orders"]] == [3]
    assert (document["asks"], document["epoch"], document["sequence"]) == ([], "2", 7)


def test_a_snapshot_of_the_same_sequence_replaces_what_was_rendered(served: Served) -> None:
    """It repairs a replica that was damaged: neither the document nor its ETag may be the old one's."""
    served.tell(BookOrder(1, 0, MID, 5))
    damaged = served.views.orderbook(SYMBOL, 10)
    served.replica.lose()
    served.replica.on_snapshot(FeedFrame(TOPIC, 1, served.replica.sequence, 0, [BookOrder(2, 0, MID, 7)]))
    assert [order["id"] for order in served.document(10)["bids"][0]["orders"]] == [2]
    assert served.views.orderbook(SYMBOL, 10).etag != damaged.etag


def test_requests_share_one_rendering(served: Served) -> None:
    """One sequence is rendered once, and a book that changes all the time not for every request."""
    served.tell(BookOrder(1, 0, MID, 5))
    first = served.views.orderbook(SYMBOL, 10)
    assert served.views.orderbook(SYMBOL, 10) is first
    served.tell(BookOrder(2, 0, MID, 5))
    assert served.views.orderbook(SYMBOL, 10) is first, "it was rendered a moment ago"
    served.now_ns += RENDER_NS
    second = served.views.orderbook(SYMBOL, 10)
    assert (second.sequence, second.etag != first.etag) == (2, True)
    served.now_ns += RENDER_NS
    assert served.views.orderbook(SYMBOL, 10) is second, "nothing has changed"


def test_documents_that_are_kept_are_bounded(served: Served) -> None:
    """One for each depth that is asked for, and a stranger may ask for every depth."""
    served.tell(BookOrder(1, 0, MID, 5))
    for depth in range(1, 3 * RENDERED_MAX):
        served.views.orderbook(SYMBOL, depth)
        assert len(served.views._rendered) <= RENDERED_MAX + 1


def test_a_document_has_the_time_of_the_feed_in_milliseconds(served: Served) -> None:
    """Of the last message that is in it."""
    frame = FeedFrame(TOPIC, 1, served.replica.sequence + 1, 1_770_000_000_123_456_789, [BookOrder(1, 0, MID, 5)])
    served.replica.on_frame(frame)
    assert served.document()["timestamp"] == 1_770_000_000_123


def test_an_order_that_becomes_our_own_is_marked_in_a_book_that_has_not_changed(served: Served) -> None:
    """And no longer once it is not; with another ETag each time."""
    served.tell(BookOrder(1, 0, MID, 5), BookOrder(2, 0, MID, 5))
    etags = {served.views.orderbook(SYMBOL, 10).etag}
    for own in (frozenset({2}), frozenset({1, 2}), frozenset[int]()):
        served.views.mark_own(own)
        orders = served.document(10)["bids"][0]["orders"]
        assert {order["id"] for order in orders if order.get("own")} == own
        etags.add(served.views.orderbook(SYMBOL, 10).etag)
    assert len(etags) == 4


def test_the_last_trades_are_told_oldest_first(tmp_path: Path) -> None:
    """So many as were asked for."""
    topic = Topic.TRADES.of(SYMBOL)
    subscriber = FeedSubscriber(one_engine(tmp_path), [TOPIC, topic], RenderedBook)
    try:
        for each in (TOPIC, topic):
            subscriber.replicas[each].on_snapshot(FeedFrame(each, 1, 0, 0, []))
            subscriber._heard_ns[each] = 1
        trades: list[FeedMessage] = [BookTrade(number, MID, number, 0, number * 1_000_000) for number in range(1, 6)]
        subscriber.replicas[topic].on_frame(FeedFrame(topic, 1, 1, 0, trades))
        told = json.loads(BookViews(subscriber, [BTC], lambda: 1).trades(SYMBOL, 2))["trades"]
    finally:
        subscriber.close()
    assert [(trade["id"], trade["timestamp"], trade["taker_side"]) for trade in told] == [(4, 4, "BUY"), (5, 5, "BUY")]
