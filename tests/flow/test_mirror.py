"""The compiled mirror and the slow and obvious one: the same commands, whatever is recorded and whoever trades."""

import os
from collections import deque
from collections.abc import Iterator
from itertools import chain, count, takewhile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flow.book_mirror import BookMirror
from flow.queue_models import QUEUE_MODELS, queue_model
from flow.recordings.recording import BookTicker, DepthUpdate, Record, RecordedTrade, Snapshot, read_recording
from flow.recordings.trade_placement import place_trades
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import OrderType, Side, TimeInForce
from market.commands import Command, NewOrder
from market.depth import Level
from market.events import Event
from tests.flow.reference_mirror import ReferenceMirror
from tests.flow.simulated_market import FLOW_OWNER, MAKER_OWNER, Exchange, is_about
from tests.pairs import default_instruments

REACH_BPS = 2_000
SEED = 5


class Ids(Iterator[int]):
    """Order ids in a row, and elsewhere after the engine has lost its book."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._lives = count(1)

    def __next__(self) -> int:
        return next(self._numbers)

    def skip(self) -> None:
        """Go on behind those that an engine may have seen."""
        self._numbers = count(next(self._lives) * 10**6)


class Both:
    """Two mirrors that are told the same, and an engine that handles what they send when it is asked to."""

    def __init__(self, model: str) -> None:
        self._ids = Ids(), Ids()
        self.fast = BookMirror(0, FLOW_OWNER, self._ids[0], REACH_BPS, model, SEED)
        self.slow = ReferenceMirror(0, FLOW_OWNER, self._ids[1], REACH_BPS, queue_model(model, SEED))
        self._begin()
        self._others = count(10**12)

    def _begin(self) -> None:
        self.exchange = Exchange("fast")
        self._waiting: deque[Command] = deque()
        self._heard: list[Event] = []
        self._handled = 0

    def tell(self, record: Record) -> None:
        """Let both follow a record."""
        if self.slow.is_built:
            self.slow.apply(record)
            self.fast.apply(record)
        else:
            self.slow.prepare(record)
            self.fast.prepare(record)
            if self.slow.is_built:
                self.rebuild()

    def rebuild(self) -> None:
        """Let the engine lose its book."""
        self._begin()
        for ids in self._ids:
            ids.skip()
        self._take(self.slow.rebuild(), self.fast.rebuild())

    def step(self) -> None:
        """Let both hear what has happened, and compare what they send and what they have counted."""
        heard, self._heard = self._heard, []
        self.slow.hear(heard, self._handled)
        self.fast.hear(heard, self._handled)
        self._take(self.slow.take_commands(), self.fast.take_commands())

    def _take(self, slow: list[Command], fast: list[Command]) -> None:
        assert fast == slow
        assert self.fast.summary() == self.slow.summary()
        assert self.fast.in_flight_count == self.slow.in_flight_count
        self._waiting += slow

    def handle(self, most: int) -> None:
        """Let the engine handle what waits."""
        for _ in range(min(most, len(self._waiting))):
            self._match(self._waiting.popleft())
            self._handled += 1

    def trade(self, side: Side, price_ticks: int, qty_lots: int, *, is_maker: bool) -> None:
        """Let somebody else trade or rest."""
        kind = (OrderType.POST_ONLY, TimeInForce.GTC) if is_maker else (OrderType.LIMIT, TimeInForce.IOC)
        self._match(NewOrder(next(self._others), 0, side, price_ticks, qty_lots, *kind, owner=MAKER_OWNER))

    def _match(self, command: Command) -> None:
        self._heard += [event for event in self.exchange.handle(command) if is_about(event, FLOW_OWNER)]


PRICES = st.integers(95, 106)
LOTS = st.integers(1, 9)
SIDES = st.sampled_from(list(Side))
CHANGES = st.dictionaries(st.tuples(SIDES, PRICES), st.integers(0, 9), max_size=6)
ACTS = st.one_of(
    st.tuples(st.just("depth"), CHANGES),
    st.tuples(st.just("best"), PRICES, st.integers(1, 4), LOTS, LOTS),
    st.tuples(st.just("trade"), SIDES, PRICES, LOTS),
    st.tuples(st.just("other"), SIDES, PRICES, LOTS, st.booleans()),
    st.tuples(st.just("handle"), st.integers(0, 12)),
    st.tuples(st.just("step")),
    st.tuples(st.sampled_from(["next", "rebuild", "withdraw"])),
)


def sides_of(levels: dict[tuple[Side, int], int]) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    bids, asks = ([Level(price, lots) for (of, price), lots in levels.items() if of == side] for side in Side)
    return tuple(bids), tuple(asks)


def snapshot(update_id: int) -> Snapshot:
    bids = tuple(Level(price, 3) for price in (100, 99, 97))
    return Snapshot(update_id, update_id, bids, tuple(Level(price, 4) for price in (101, 103)))


@pytest.mark.parametrize("model", QUEUE_MODELS)
@given(acts=st.lists(ACTS, max_size=60))
@settings(max_examples=60, deadline=None)
def test_both_mirrors_send_the_same(model: str, acts: list[tuple[object, ...]]) -> None:
    """Guards every rule of the kernels: predictions, queues, own levels in the way, what others have had."""
    both = Both(model)
    both.tell(snapshot(1))
    update_id = 1
    for act in acts:
        match act:
            case "depth", dict(levels):
                update_id += 1
                both.tell(DepthUpdate(update_id, update_id, update_id, *sides_of(levels)))
            case "best", int(bid), int(spread), int(bid_lots), int(ask_lots):
                update_id += 1
                both.tell(BookTicker(update_id, update_id, Level(bid, bid_lots), Level(bid + spread, ask_lots)))
            case "trade", Side() as side, int(price), int(lots):
                both.tell(RecordedTrade(update_id, update_id, price, lots, side))
            case "other", Side() as side, int(price), int(lots), bool(is_maker):
                both.trade(side, price, lots, is_maker=is_maker)
            case "handle", int(most):
                both.handle(most)
            case ("step",):
                both.step()
            case ("next",):
                both.slow.begin_next()
                both.fast.begin_next()
                update_id += 1
                both.slow.apply(snapshot(update_id))
                both.fast.apply(snapshot(update_id))
            case ("rebuild",):
                both.rebuild()
            case ("withdraw",):
                both.slow.withdraw()
                both.fast.withdraw()
    both.step()
    both.handle(10_000)
    both.step()


@pytest.mark.slow
@pytest.mark.parametrize("model", QUEUE_MODELS)
@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT"])
def test_both_mirrors_follow_a_recording_alike(
    symbol: str, model: str, recorded_btcusdt: Path, recorded_ethusdt: Path
) -> None:
    """Guards the kernels on real data, with somebody else in the book, answered now and then.

    Half a minute of it; the whole with REPLAYED=all.
    """
    path = {"BTCUSDT": recorded_btcusdt, "ETHUSDT": recorded_ethusdt}[symbol]
    instrument = next(each for each in default_instruments() if each.symbol == symbol)
    both = Both(model)
    best: BookTicker | None = None
    records = read_recording(path, instrument)
    if os.environ.get("REPLAYED") != "all":
        until_ns = (first := next(records)).received_ns + 30 * NS_PER_SECOND
        records = chain([first], takewhile(lambda each: each.received_ns < until_ns, records))
    for number, (_, record) in enumerate(place_trades(records, 50 * NS_PER_MS)):
        both.tell(record)
        best = record if isinstance(record, BookTicker) else best
        if number % 40 == 0 and best is not None and both.slow.is_built:
            side = Side(number // 40 % 2)
            level = best.bid if side == Side.BUY else best.ask
            both.trade(side, level.price_ticks, 1_600, is_maker=number % 200 != 0)
        if number % 3 == 0 and both.slow.is_built:
            both.handle(10_000)
            both.step()
    both.handle(10_000)
    both.step()
    assert both.fast.summary()["filled_by_others_lots"] != 0


def test_two_orders_of_others_are_never_filled_by_the_same_recorded_quantity() -> None:
    """Guards liquidity: the ask of two lots at 99 fills two of the five that are bid for there, however often told."""
    both = Both("behind")
    both.tell(Snapshot(1, 1, (Level(90, 5),), (Level(105, 5),)))
    both.step()
    both.handle(100)
    for _ in range(5):
        both.trade(Side.BUY, 99, 1, is_maker=True)
    for update_id in range(2, 8):
        both.tell(BookTicker(update_id, update_id, Level(90, 5), Level(99, 2)))
        both.step()
        both.handle(100)
    both.step()
    assert both.fast.summary()["filled_by_others_lots"] == 2
    both.tell(BookTicker(8, 8, Level(90, 5), Level(99, 3)))  # one more has come
    both.step()
    both.handle(100)
    both.step()
    assert both.fast.summary()["filled_by_others_lots"] == 3


def test_what_a_taker_has_had_of_a_level_does_not_come_back() -> None:
    """Guards the other way round: a taker empties the recorded ask once, and again only by what is new."""
    both = Both("behind")
    both.tell(Snapshot(1, 1, (Level(90, 5),), (Level(99, 2), Level(105, 5))))
    both.step()
    for update_id in range(2, 8):
        both.handle(100)
        both.trade(Side.BUY, 99, 2, is_maker=False)
        both.tell(BookTicker(update_id, update_id, Level(90, 5), Level(99, 2)))
        both.step()
    assert both.fast.summary()["filled_by_others_lots"] == 2
