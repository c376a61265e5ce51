"""What the live line tells of a symbol: only what has changed, and enough for a reader to have the whole."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bus.feed import FeedFrame, Topic
from bus.subscriber import FeedSubscriber
from market.codes import Side
from market.feed_messages import BookOrder, BookTrade, FeedMessage
from nodes.api import stamped
from nodes.api.book_views import RenderedBook
from nodes.api.live_state import DEPTH, TRADES_MAX, LiveSymbol
from nodes.api.sources import DeskView
from tests.one_engine import one_engine
from tests.pairs import default_instruments

BTC = default_instruments()[0]
BOOK, TRADES, BEST = (topic.of(BTC.symbol) for topic in (Topic.BOOK, Topic.TRADES, Topic.BEST))
MID = 9_138_500
SECOND = 10**9
DAY_NS = 1_795_347_573 * SECOND


class Told:
    """A state of one symbol, whose feed, desk and clock are the test's."""

    def __init__(self, run_dir: Path) -> None:
        self.now_ns = SECOND
        self.subscriber = FeedSubscriber(one_engine(run_dir), [BOOK, TRADES, BEST], RenderedBook)
        self.state = LiveSymbol(self.subscriber, BTC, "engine", 5, is_elsewhere=False)
        self.desk = DeskView(None, 0)
        for topic in (BOOK, TRADES, BEST):
            self.subscriber.replicas[topic].on_snapshot(FeedFrame(topic, 1, 0, 0, []))
            self.subscriber._heard_ns[topic] = self.now_ns

    @property
    def book(self) -> RenderedBook:
        """The replica's book."""
        book = self.subscriber.replicas[BOOK].book
        assert isinstance(book, RenderedBook)
        return book

    def tell(self, topic: bytes, *messages: FeedMessage) -> None:
        """Let the feed say something."""
        replica = self.subscriber.replicas[topic]
        replica.on_frame(FeedFrame(topic, 1, replica.sequence + 1, DAY_NS, list(messages)))

    def look(self, after_ns: int = SECOND // 10) -> None:
        """Let it look a while later."""
        self.now_ns += after_ns
        for topic in (BOOK, TRADES, BEST):
            self.subscriber._heard_ns[topic] = self.now_ns
        self.state.look(self.now_ns, DAY_NS + self.now_ns, self.desk)

    def message(self, seen: int = 0) -> dict[str, Any]:
        """Return what is told to who has seen that version."""
        text = self.state.message(seen)
        assert text is not None
        told: dict[str, Any] = json.loads(text)
        return told


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    """One that knows an empty book."""
    one = Told(tmp_path)
    yield one
    one.subscriber.close()


def _status(**figures: Any) -> dict[str, Any]:
    """Return the status of a desk with a maker that shows these figures."""
    common = {
        "state": "ready",
        "doing": "",
        "why": "",
        "restarts": 0,
        "pid": 7,
        "heard_s": 0.1,
        "since": "2026-11-28T13:14:22Z",
    }
    rows = [{"node": name, "kind": name, **common, "figures": {}} for name in ("engine", "maker", "tracker")]
    rows[1]["figures"] = figures
    run_dir = str(Path("run").resolve())
    return {"run_dir": run_dir, "symbol": BTC.symbol, "halted": [], "withdrawn": None, "nodes": rows}


class Reader:
    """A reader as the page is one: it keeps levels, trades and bars, and takes what it is told."""

    def __init__(self) -> None:
        self.seen = 0
        self.levels: dict[tuple[int, int], list[int]] = {}

    def read(self, told: Told) -> None:
        """Take a message, if there is one."""
        text = told.state.message(self.seen)
        if text is None:
            return
        message = json.loads(text)
        assert message["after"] == self.seen
        if message["whole"]:
            self.levels.clear()
        for side, price, *rest in message.get("book", ()):
            if rest[0]:
                self.levels[side, price] = rest
            else:
                self.levels.pop((side, price), None)
        self.seen = message["v"]


def _ladder(told: Told) -> dict[tuple[int, int], list[int]]:
    """Return the best levels by the plainest way."""
    return {
        (int(side), price): [sum(queue.values()), len(queue), 0]
        for side in Side
        for price, queue in told.book.orders(side, DEPTH)
    }


@pytest.mark.parametrize("pace", [1, 7])
def test_a_reader_has_the_best_levels_after_every_message(
    told: Told, pace: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever comes, goes and comes again, and however seldom one reads: what is gone long ago is told as a whole."""
    monkeypatch.setattr(stamped, "GONE_MAX", 5)
    dice, readers = Random(4), (Reader(), Reader())
    orders: dict[int, tuple[Side, int]] = {}
    for turn in range(600):
        for _ in range(dice.randrange(6)):
            if orders and dice.random() < 0.45:  # so that both sides are deeper than what is told
                order_id, (side, price) = dice.choice([*orders.items()])
                del orders[order_id]
                told.tell(BOOK, BookOrder(order_id, side, price, 0))
            else:
                side, order_id = dice.choice([*Side]), turn * 10 + len(orders) + 1
                price = MID + (-1 if side == Side.BUY else 1) * dice.randrange(1, 40)
                if order_id not in orders:
                    orders[order_id] = side, price
                    told.tell(BOOK, BookOrder(order_id, side, price, dice.randrange(1, 9)))
        told.look()
        readers[0].read(told)
        assert readers[0].levels == _ladder(told)
        if turn % pace == 0:
            readers[1].read(told)
            assert readers[1].levels == _ladder(told)
    assert len(_ladder(told)) == 2 * DEPTH


def test_tells_our_orders_with_their_place_in_the_queue(told: Told) -> None:
    """Ahead of an order is what came before it at its price, ours included; and since when it stands."""
    told.tell(BOOK, *(BookOrder(order_id, Side.BUY, MID, lots) for order_id, lots in ((1, 5), (2, 7), (3, 11))))
    told.tell(BOOK, BookOrder(4, Side.SELL, MID + 2, 3), BookOrder(5, Side.BUY, MID - 1, 2))
    told.book.mark(frozenset({2, 3, 5, 99}))
    told.look()
    first_ms = (DAY_NS + told.now_ns) // 10**6
    quotes = told.message()["quotes"]
    assert quotes["mid_x2"] == 2 * MID + 2
    assert quotes["own"] == [
        [0, MID, 7, 5, 1, first_ms],
        [0, MID, 11, 12, 2, first_ms],
        [0, MID - 1, 2, 0, 0, first_ms],
    ]
    assert [row for row in told.message()["book"] if row[4]] == [[0, MID, 23, 3, 18], [0, MID - 1, 2, 1, 2]]
    seen = told.state.version
    told.tell(BOOK, BookOrder(1, Side.BUY, MID, 1))
    told.look()
    assert told.message(seen)["quotes"]["own"][0] == [0, MID, 7, 1, 1, first_ms]


def test_tells_nothing_again(told: Told) -> None:
    """A message of a market that stands still is the age of the sources once a second, and a bar for the second."""
    told.tell(BOOK, BookOrder(1, Side.BUY, MID, 5))
    told.desk = DeskView(_status(lost_today="1.50"), told.now_ns)
    told.look()
    told.look()
    seen = told.state.version
    names: list[set[str]] = []
    for _ in range(20):
        told.desk = DeskView(_status(lost_today="1.50"), told.now_ns)
        told.look()
        if (text := told.state.message(seen)) is not None:
            names.append({*json.loads(text)} - {"v", "after", "time", "whole"})
            seen = told.state.version
    assert names == [{"bars"}, {"sources"}, {"bars"}, {"sources"}] or names == [{"bars", "sources"}] * 2


def test_of_many_trades_the_newest_are_told(told: Told) -> None:
    """A busy market must not fill the line; the ids say how many are left out, and the bar has all of them."""
    told.look()
    seen = told.state.version
    trades = [BookTrade(n, MID + n, 2, Side.BUY, DAY_NS + 2 * SECOND) for n in range(1, 501)]
    told.tell(TRADES, *trades)
    told.look()
    message = told.message(seen)
    assert [row[0] for row in message["trades"]] == list(range(501 - TRADES_MAX, 501))
    (bar,) = [bar for bar in message["bars"] if bar[5]]
    assert bar[1:6] == [MID + 1, MID + 500, MID + 1, MID + 500, 1_000]


def test_counts_a_trade_once(told: Told) -> None:
    """Also after a snapshot that brings the same ones again; an engine that begins anew counts from 1."""
    one = BookTrade(8, MID, 2, Side.BUY, DAY_NS + SECOND)
    told.tell(TRADES, one)
    told.look()
    replica = told.subscriber.replicas[TRADES]
    for messages, lots in (([one], 2), ([BookTrade(1, MID, 3, Side.BUY, DAY_NS + SECOND)], 5)):
        replica.lose()
        replica.on_snapshot(FeedFrame(TRADES, 2, 9, DAY_NS, list(messages)))
        told.look()
        assert sum(bar[5] for bar in told.message()["bars"]) == lots


def test_what_is_stale_is_named(told: Told) -> None:
    """A silent engine, one that does not run, and a desk that says nothing: each in words, and no other."""
    told.desk = DeskView(_status(), told.now_ns)
    told.look(0)
    assert told.message()["troubles"] == []
    told.state.look(told.now_ns + 1_700 * 10**6, DAY_NS, DeskView(_status(), told.now_ns + 1_700 * 10**6))
    assert told.message()["troubles"] == [["feed", "the engine is silent: book and trades are old"]]
    told.state.look(told.now_ns + 100, DAY_NS, DeskView(_status(), told.now_ns - 2 * SECOND))
    assert [name for name, _ in told.message()["troubles"]] == ["desk", "maker", "tracker"]
    status = _status()
    status["nodes"][0]["state"] = "starting"
    told.state.look(told.now_ns + 200, DAY_NS, DeskView(status, told.now_ns))
    assert told.message()["troubles"] == [["feed", "the engine is starting"]]
    told.subscriber.replicas[BOOK].lose()
    told.state.look(told.now_ns + 300, DAY_NS, DeskView(_status(), told.now_ns))
    assert told.message()["troubles"] == [["feed", "the book is not in step with the engine"]]


def test_fills_are_told_once_each(told: Told) -> None:
    """The maker shows its last ones again and again; a new maker counts anew."""
    fill = {"number": 1, "time_ms": 5, "side": "BUY", "price": "91385", "qty": "0.01", "is_picked_off": False}
    told.desk = DeskView(_status(recent_fills=[fill]), told.now_ns)
    told.look()
    seen = told.state.version
    assert [row["id"] for row in told.message()["fills"]] == ["7-1-5"]
    told.desk = DeskView(_status(recent_fills=[fill, {**fill, "number": 2}]), told.now_ns)
    told.look()
    assert [row["id"] for row in told.message(seen)["fills"]] == ["7-2-5"]


def test_says_what_is_gained_and_why_a_side_is_idle(told: Told) -> None:
    """A loss that is negative is a gain; a side tells its rule as `why` does."""
    bid = {"bid": "91300.00", "bid_qty": "0.01", "bid_rule": "WANTED", "bid_why": "wanted"}
    status = _status(lost_today="-1.50", **bid, ask_rule="NO_MID", ask_why="a side is empty")
    told.desk = DeskView(status, told.now_ns)
    told.look()
    message = told.message()
    assert message["money"]["gained"] == "1.50"
    sides = [[each["price"], each["rule"]] for each in message["quoting"]["sides"]]
    assert sides == [[91300, "WANTED"], [None, "NO_MID"]]


def test_each_node_that_is_not_well_is_named(told: Told) -> None:
    """A gateway that was down, books that do not add up: the page said that all is well, and that 7 nodes are ready."""
    status = _status()
    rows = [dict(status["nodes"][0], node=name, kind=name) for name in ("gateway", "flow", "paper")]
    for row, state in zip(rows, ("restarting", "stopped", "ready"), strict=True):
        row["state"] = state
    rows[0]["why"] = "killed"
    status["nodes"] += rows
    status["nodes"][0]["figures"] = {"standby_follows": False}
    status["nodes"][1]["figures"] = {"failing": "busy"}
    status["nodes"][2]["figures"] = {"trades": 1, "is_sound": False, "history_failing": {"why": "a full disk"}}
    told.desk = DeskView(status, told.now_ns)
    told.look(0)
    assert told.message()["troubles"] == [
        ["engine", "no standby follows engine"],
        ["maker", "maker: busy"],
        ["tracker", "tracker: a full disk"],
        ["tracker", "what the trades moved is not what the account has: python cli.py report says by how much"],
        ["gateway", "gateway is restarting: killed"],
        ["flow", "flow is stopped by hand; go on with: python cli.py start flow"],
    ]
    told.look(2 * SECOND)
    assert [name for name, _ in told.message()["troubles"]] == ["desk", "maker", "tracker"], "the others are not known"


@pytest.mark.parametrize("state", ["stopped", "failed", "restarting", "silent"])
def test_what_a_maker_said_before_it_was_away_is_not_told_as_of_now(told: Told, state: str) -> None:
    """After a flatten the page showed the position that had been sold; the books have the one that there is."""
    status = _status(position="-0.01", lost_today="1.50", position_use="0.4", last_decision={"why": "wanted"})
    status["nodes"][1]["state"] = state
    status["nodes"][2]["figures"] = {"trades": 3, "position": "0", "marked_pnl": "-2", "read_ms": 5}
    told.desk = DeskView(status, told.now_ns)
    told.look()
    money, risk = (told.message()[name] for name in ("money", "risk"))
    assert (money["gained"], money["maker"]["position"], risk["lost_today"], risk["position_use"]) == (None,) * 4
    assert (money["day"]["position"], money["day"]["marked_pnl"], money["day"]["read_ms"]) == ("0", "-2", 5)
    assert money["maker"]["last_decision"] == {"why": "wanted"}, "it has a time of its own"


def test_a_tracker_that_has_not_read_yet_has_no_day(told: Told) -> None:
    """Its first reading has failed: the page said "null: null buys, null sells"."""
    status = _status()
    status["nodes"][2]["figures"] = {"writes": 0, "failures": 1, "failing": {"since": "now", "why": "no answer"}}
    told.desk = DeskView(status, told.now_ns)
    told.look()
    assert told.message()["money"]["day"] is None
    assert told.message()["troubles"] == [["tracker", "tracker: no answer"]]


def test_a_clock_that_is_set_back_takes_the_seconds_that_were_not_yet(told: Told) -> None:
    """Bars of the hour to come stood in the way of those of now; what stands is as old as before."""
    told.tell(BOOK, BookOrder(1, Side.BUY, MID, 5), BookOrder(2, Side.SELL, MID + 2, 5))
    told.book.mark(frozenset({1}))
    for _ in range(40):
        told.look()
    (own,) = told.message()["quotes"]["own"]
    seconds = [bar[0] for bar in told.message()["bars"]]
    seen, age_ms = told.state.version, (DAY_NS + told.now_ns) // 10**6 - own[5]
    told.now_ns += SECOND
    for _ in range(3):
        told.now_ns += SECOND // 10
        for topic in (BOOK, TRADES, BEST):
            told.subscriber._heard_ns[topic] = told.now_ns
        told.tell(TRADES, BookTrade(told.subscriber.replicas[TRADES].sequence + 1, MID, 2, Side.BUY, 0))
        told.state.look(told.now_ns, DAY_NS - 3_600 * SECOND + told.now_ns, told.desk)
    message = told.message(seen)
    now = (DAY_NS - 3_600 * SECOND + told.now_ns) // SECOND
    assert sorted(bar[0] for bar in message["bars"] if len(bar) == 1) == seconds
    ((second, *_, lots, _, _, _),) = [bar for bar in message["bars"] if len(bar) > 1]
    assert (second, lots) == (now, 6)
    assert [bar[0] for bar in told.message()["bars"] if len(bar) > 1] == [now], "who comes now is told of no other"
    (own,) = told.message()["quotes"]["own"]
    assert message["time"] - own[5] == pytest.approx(age_ms + 1_300, abs=2)


def _heard(**known: Any) -> dict[str, Any]:
    return {"market_ms": None, "account_ms": None, "rest_ms": None, "lag_ms": None, "silent": None, **known}


def _sources(told: Told, heard: dict[str, Any], **maker: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what is told of the sources, and the troubles of those of the venue."""
    status = _status(heard=heard)
    status["nodes"][0]["figures"] = {"journal_records": 70, "journal_waiting": 2}
    status["nodes"][1] |= maker
    told.desk = DeskView(status, told.now_ns)
    told.look(0)
    message = told.message()
    return message["sources"], dict(message["troubles"])


def test_each_way_to_the_venue_is_told_with_its_age(told: Told) -> None:
    """Market, orders, questions and clock are four things, and each may be old by itself."""
    now_ms = (DAY_NS + told.now_ns) // 10**6
    heard = _heard(market_ms=now_ms - 120, account_ms=now_ms - 90_000, rest_ms=now_ms - 4_000, lag_ms=35)
    sources, troubles = _sources(told, heard)
    ages = {name: sources["ages_ms"][name] for name in ("market stream", "user stream", "rest", "clock")}
    assert ages == {"market stream": 120, "user stream": 90_000, "rest": 4_000, "clock": 120}
    assert sources["limits_ms"] | {"feed": 1_600, "rest": 20_000, "user stream": None} == sources["limits_ms"]
    assert sources["notes"]["clock"] == "trades come 35 ms after their time there"
    assert sources["journal"] == {"records": 70, "waiting": 2}
    assert troubles == {}


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({"silent": "no answer in time"}, ["market stream", "user stream"]),
        ({"rest_ms": -21_000}, ["rest"]),
        ({"lag_ms": -1_001}, ["clock"]),
        ({"lag_ms": 5_001}, ["clock"]),
        ({"lag_ms": 5_000}, []),
    ],
)
def test_what_is_wrong_on_the_way_to_the_venue_is_named(told: Told, changed: dict[str, Any], names: list[str]) -> None:
    """A dead stream of our orders made no difference on the screen; of a maker that is down, that alone is."""
    now_ms = (DAY_NS + told.now_ns) // 10**6
    known: dict[str, Any] = {"market_ms": now_ms, "account_ms": now_ms, "rest_ms": now_ms, **changed}
    if known["rest_ms"] < 0:
        known["rest_ms"] += now_ms
    assert [*_sources(told, _heard(**known))[1]] == names
    assert [*_sources(told, _heard(**known), state="starting")[1]] == ["maker"]
