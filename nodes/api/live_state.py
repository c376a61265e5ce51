"""The state of one symbol as the live line tells it, with the version at which each part of it last changed."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from bus.feed import Topic
from bus.subscriber import FeedSubscriber
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from market.exact_json import JsonObject, dumps
from market.instrument import Instrument
from nodes.api.book_views import RenderedBook
from nodes.api.desk_values import Status, markouts_value, money_value, nodes_value, quoting_value, risk_value, row_of
from nodes.api.live_bars import BARS_MAX, LiveBars
from nodes.api.sources import (
    READING_NS,
    STALE_NS,
    DeskView,
    Source,
    journal_value,
    sources_of_desk,
    sources_value,
    troubles_value,
)
from nodes.api.stamped import StampedRows

DEPTH: Final = 15  # levels a side
TRADES_MAX: Final = 40  # that a message tells: of more the newest, and the numbers say how many are left out
FILLS_MAX: Final = 200
OWN_MAX: Final = 40
CLOCK_MS: Final = 1_000  # a jump of so much is a clock that was set
AGES_NS: Final = NS_PER_SECOND  # from one telling of the ages to the next, and so the longest silence of the line


class LiveSymbol:
    """One symbol; `look` brings it up to date, `message` tells what has changed since a version.

    Args:
        subscriber: has the replicas of its topics; their books are made by `RenderedBook`.
        engine: the name of the node that has its book.
        reading_s: how often the tracker reads the account.
        is_elsewhere: whether the venue is; the book has no market then, and the maker tells the mid.
    """

    def __init__(
        self,
        subscriber: FeedSubscriber,
        instrument: Instrument,
        engine: str,
        reading_s: float,
        *,
        is_elsewhere: bool,
    ) -> None:
        self._subscriber = subscriber
        self._instrument = instrument
        self._engine = engine
        self._reading_ns = int(reading_s * NS_PER_SECOND) + READING_NS
        self._is_elsewhere = is_elsewhere
        self._topics = [topic.of(instrument.symbol) for topic in (Topic.BOOK, Topic.TRADES, Topic.BEST)]
        self._levels = StampedRows[tuple[int, int]]()  # each is dropped by name
        self._trades = StampedRows[int](TRADES_MAX)
        self._fills = StampedRows[str](FILLS_MAX)
        self._bars_rows = StampedRows[int](BARS_MAX)
        self._values = StampedRows[str]()
        self._bars = LiveBars()
        self._since_ms: dict[int, int] = {}  # our orders, by when they were first seen
        self._clocks_ns = 0  # by which the time of the day is ahead of the monotonic one
        self._ages_ns = 0
        self._status: Status | None = None
        self._alerts: JsonObject | None = None
        self._trade_mark: tuple[int, int] = 0, 0
        self._messages: dict[int, str] = {}
        self._time_ms = 0
        self.version = 0

    def look(self, now_ns: int, time_ns: int, desk: DeskView) -> None:
        """Take what is there now.

        Args:
            now_ns: monotonic.
            time_ns: of the day.
        """
        self.version += 1
        self._messages.clear()
        self._time_ms = time_ns // NS_PER_MS
        self._follow_clock(time_ns - now_ns)
        own = self._own_orders()
        self._take_book(own)
        bests = self._take_quotes(own, desk.status)
        self._take_trades()
        replica = self._subscriber.replicas[Topic.TRADES.of(self._instrument.symbol)]
        for bar in self._bars.look(reversed(replica.trades), time_ns, *bests):
            self._bars_rows.put(bar.second, bar.text, self.version)
        for second in self._bars_rows.known():
            if second * NS_PER_SECOND > time_ns and second not in self._bars:
                self._bars_rows.drop(second, f"[{second}]", self.version)
        if desk.status is not None and desk.status is not self._status:
            self._take_status(desk.status)
            self._put("latencies", _plain_json(desk.latencies))
        if desk.command is not None:
            self._put("command", _plain_json(desk.command))
        if desk.alerts is not None and desk.alerts is not self._alerts:
            self._alerts = desk.alerts
            self._put("alerts", _plain_json(desk.alerts))
        self._take_sources(now_ns, time_ns, desk)

    def _follow_clock(self, clocks_ns: int) -> None:
        """Move along with a clock that was set: what stands is as old as before."""
        moved_ms = (clocks_ns - self._clocks_ns) // NS_PER_MS
        self._clocks_ns = clocks_ns
        if abs(moved_ms) >= CLOCK_MS:
            self._since_ms = {order_id: since_ms + moved_ms for order_id, since_ms in self._since_ms.items()}

    def message(self, seen: int) -> str | None:
        """Return what has changed since the version `seen`, 0 for all; None if nothing has."""
        if seen == self.version:
            return None
        if (text := self._messages.get(seen)) is None:
            text = self._messages[seen] = self._message(seen)
        return text or None

    def _message(self, seen: int) -> str:
        is_whole = seen < self._levels.known_since or not seen
        rows = {
            "book": self._levels.since(0 if is_whole else seen),
            "trades": self._trades.since(seen, TRADES_MAX),
            "bars": self._bars_rows.since(seen),
            "fills": self._fills.since(seen),
        }
        parts = [f'"{name}":[{",".join(texts)}]' for name, texts in rows.items() if texts]
        parts += self._values.since(seen)
        if not parts:
            return ""
        head = f'"v":{self.version},"after":{seen},"time":{self._time_ms},"whole":{"true" if is_whole else "false"}'
        return f"{{{head},{','.join(parts)}}}"

    def _put(self, name: str, value: Any) -> None:
        self._values.put(name, f'"{name}":{value if isinstance(value, str) else dumps(value)}', self.version)

    # --- the book ---

    @property
    def _book(self) -> RenderedBook:
        book = self._subscriber.replicas[self._topics[0]].book
        assert isinstance(book, RenderedBook), type(book)
        return book

    def _own_orders(self) -> dict[tuple[int, int], dict[int, int]]:
        """Return our orders, by side and price in ticks: id and lots."""
        found: dict[tuple[int, int], dict[int, int]] = {}
        since_ms, book = {}, self._book
        for order_id in book.own_orders():
            place = book.place(order_id)
            assert place is not None, order_id
            side, price_ticks, lots = place
            found.setdefault((side, price_ticks), {})[order_id] = lots
            since_ms[order_id] = self._since_ms.get(order_id, self._time_ms)
        self._since_ms = since_ms
        return found

    def _take_book(self, own: Mapping[tuple[int, int], Mapping[int, int]]) -> None:
        shown = set()
        for side in (Side.BUY, Side.SELL):
            for price_ticks, queue in self._book.orders(side, DEPTH):
                key = int(side), price_ticks
                mine = sum(own.get(key, {}).values())
                text = f"[{key[0]},{price_ticks},{sum(queue.values())},{len(queue)},{mine}]"
                self._levels.put(key, text, self.version)
                shown.add(key)
        for key in self._levels.known():
            if key not in shown:
                self._levels.drop(key, f"[{key[0]},{key[1]},0,0,0]", self.version)

    def _take_quotes(
        self, own: Mapping[tuple[int, int], Mapping[int, int]], status: Status | None
    ) -> tuple[int | None, tuple[int | None, int | None]]:
        """Tell the mid and our orders; return twice the mid in ticks, and our best bid and ask."""
        book = self._book
        bids, asks = book.prices(Side.BUY, 1), book.prices(Side.SELL, 1)
        mid_x2 = bids[0] + asks[0] if bids and asks else None
        if self._is_elsewhere:
            mid_x2 = self._mid_of_maker(status)
        rows = []
        for (side, price_ticks), mine in own.items():
            ahead_lots = ahead_count = 0
            for order_id, lots in book.queue(side, price_ticks).items():
                if order_id in mine:
                    rows.append([side, price_ticks, lots, ahead_lots, ahead_count, self._since_ms[order_id]])
                ahead_lots, ahead_count = ahead_lots + lots, ahead_count + 1
        rows.sort(key=lambda row: (row[0], -row[1] if row[0] == Side.BUY else row[1]))
        by_side = [[row for row in rows if row[0] == side][: OWN_MAX // 2] for side in (Side.BUY, Side.SELL)]
        best = tuple(of_side[0][1] if of_side else None for of_side in by_side)
        told = {"mid_x2": mid_x2, "count": len(rows), "own": [*by_side[0], *by_side[1]]}
        self._put("quotes", json.dumps(told, separators=(",", ":")))
        return mid_x2, (best[0], best[1])

    def _mid_of_maker(self, status: Status | None) -> int | None:
        maker = None if status is None else row_of(status, "maker")
        if status is None or maker is None or status["symbol"] != self._instrument.symbol:
            return None
        text = maker["figures"].get("mid")
        return None if text is None else int(2 * Decimal(text) / self._instrument.tick_size)

    def _take_trades(self) -> None:
        replica = self._subscriber.replicas[Topic.TRADES.of(self._instrument.symbol)]
        newest = replica.trades[-1].trade_id if replica.trades else 0
        mark = replica.epoch, newest
        if mark == self._trade_mark:
            return
        self._trade_mark = mark
        for trade in list(replica.trades)[-TRADES_MAX:]:
            numbers = (
                trade.trade_id,
                trade.price_ticks,
                trade.qty_lots,
                int(trade.taker_side),
                trade.time_ns // NS_PER_MS,
            )
            self._trades.put(trade.trade_id, f"[{','.join(map(str, numbers))}]", self.version)

    # --- the desk ---

    def _take_status(self, status: Status) -> None:
        self._status = status
        self._put("quoting", quoting_value(status))
        self._put("money", _plain_json(money_value(status)))
        self._put("risk", _plain_json(risk_value(status)))
        self._put("nodes", _plain_json(nodes_value(status)))
        self._put("markouts", _plain_json(markouts_value(status)))
        maker = row_of(status, "maker")
        if maker is None or status["symbol"] != self._instrument.symbol:
            return
        for fill in maker["figures"].get("recent_fills", ()):
            key = f"{maker['pid']}-{fill['number']}-{fill['time_ms']}"  # a pid may come again, in a container soon
            self._fills.put(key, _plain_json({"id": key, **fill}), self.version)

    def _take_sources(self, now_ns: int, time_ns: int, desk: DeskView) -> None:
        sources = self.sources(now_ns, time_ns, desk)
        self._put("troubles", _plain_json(troubles_value(sources, desk.status, self._engine)))
        if now_ns - self._ages_ns >= AGES_NS:
            self._ages_ns = now_ns
            replica = self._subscriber.replicas[self._topics[0]]
            feed = {"sequence": replica.sequence, "gaps": replica.gap_count, "at": self._time_ms}
            journal = None if desk.status is None else journal_value(desk.status, self._engine)
            self._put("sources", _plain_json({**sources_value(sources), "feed": feed, "journal": journal}))

    def sources(self, now_ns: int, time_ns: int, desk: DeskView) -> Sequence[Source]:
        """Return what is shown of this symbol and how old that is; as `look`."""
        feed = self._feed(now_ns, desk.status)
        return [feed, *sources_of_desk(desk, now_ns, time_ns, self._reading_ns)]

    def _feed(self, now_ns: int, status: Status | None) -> Source:
        silences = [self._subscriber.silence_ns(topic, now_ns) for topic in self._topics]
        heard = [each for each in silences if each is not None]
        age_ns = max(heard) if len(heard) == len(silences) else None
        engine = None if status is None else next((r for r in status["nodes"] if r["node"] == self._engine), None)
        if age_ns is None:
            trouble = "the engine has not told the book yet"
        elif age_ns > STALE_NS:
            trouble = "the engine is silent: book and trades are old"
        elif not all(self._subscriber.replicas[topic].is_synchronised for topic in self._topics):
            trouble = "the book is not in step with the engine"
        elif engine is not None and engine["state"] not in ("ready", "silent"):
            trouble = f"the engine is {engine['state']}"
        else:
            trouble = ""
        return Source("feed", age_ns, trouble, STALE_NS)


def _plain_json(value: Any) -> str:
    """Return JSON of what may have floats, as the status has."""
    return json.dumps(value, separators=(",", ":"))
