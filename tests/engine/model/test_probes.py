"""Hand-made probes for what random flow seldom makes; the book is compared after every message, not only the events."""

from dataclasses import dataclass

import pytest

from market.codes import OrderType, RejectReason, SelfTradePrevention, TimeInForce, Trigger
from market.commands import AmendOrder, CancelOrder, Command, NewOrder
from market.depth import Depth, Level
from market.events import Canceled, Event, Executed, Rejected, Rested, Triggered
from market.limits import PRICE_TICKS_MAX, QTY_LOTS_MAX
from tests.engine.model.pair import Pair

BUY, SELL = 0, 1
IOC = int(TimeInForce.IOC)
Levels = list[tuple[int, int]]


@dataclass
class Probe:
    """Both engines, and what the whole book must be after each message."""

    pair: Pair

    def send(self, command: Command, bids: Levels, asks: Levels) -> list[Event]:
        """Hand the command over; compare all levels with `bids` and `asks` as (price, lots), best first."""
        told = self.pair.step(command)
        expected = Depth(tuple(Level(*level) for level in bids), tuple(Level(*level) for level in asks))
        assert self.pair.fast.depth(0, 100) == expected, f"after {command}"
        best = self.pair.fast.best(0)
        assert best[:2] == (bids[0] if bids else (0, 0)), f"after {command}"
        assert best[2:] == (asks[0] if asks else (0, 0)), f"after {command}"
        return told


@pytest.fixture
def probe() -> Probe:
    """Return empty engines."""
    return Probe(Pair(symbol_count=1, orders_max=6_000, pages_max=16, event_slots=128))


def _makers(told: list[Event]) -> list[tuple[int, int, int]]:
    return [(e.maker_order_id, e.price_ticks, e.qty_lots) for e in told if isinstance(e, Executed)]


def test_a_cancel_in_the_middle_then_a_sweep(probe: Probe) -> None:
    """The neighbours of the cancelled order are linked to each other."""
    for order_id in (1, 2, 3):
        probe.send(NewOrder(order_id, 0, SELL, 100, 5), [], [(100, 5 * order_id)])
    probe.send(CancelOrder(2, 0), [], [(100, 10)])
    told = probe.send(NewOrder(4, 0, BUY, 100, 10), [], [])
    assert _makers(told) == [(1, 100, 5), (3, 100, 5)]


def test_a_deep_queue_after_scattered_cancels(probe: Probe) -> None:
    """What is left trades in the order in which it came."""
    for n in range(1, 201):
        probe.send(NewOrder(n, 0, BUY, 500, 2), [(500, 2 * n)], [])
    gone = [1, 200, *range(3, 200, 3), 100]
    for done, n in enumerate(gone, 1):
        probe.send(CancelOrder(n, 0), [(500, 2 * (200 - done))], [])
    left = [n for n in range(1, 201) if n not in gone]
    told = probe.send(NewOrder(999, 0, SELL, 500, 2 * len(left)), [], [])
    assert _makers(told) == [(n, 500, 2) for n in left]


def test_a_modify_into_a_cross_is_priced_at_the_maker(probe: Probe) -> None:
    """The amended order pays what the resting one asks."""
    probe.send(NewOrder(1, 0, SELL, 105, 4), [], [(105, 4)])
    probe.send(NewOrder(2, 0, BUY, 100, 6), [(100, 6)], [(105, 4)])
    told = probe.send(AmendOrder(2, 0, 110, 6), [(110, 2)], [])
    assert _makers(told) == [(1, 105, 4)]


def test_a_stale_modify_after_a_full_fill_is_refused(probe: Probe) -> None:
    """An order that is gone can not be amended or cancelled."""
    probe.send(NewOrder(1, 0, SELL, 100, 4), [], [(100, 4)])
    probe.send(NewOrder(2, 0, BUY, 100, 4), [], [])
    for command in (AmendOrder(1, 0, 101, 4), CancelOrder(1, 0), AmendOrder(2, 0, 99, 1), CancelOrder(2, 0)):
        (told,) = probe.send(command, [], [])
        assert isinstance(told, Rejected)
        assert told.reason == RejectReason.UNKNOWN_ORDER


def test_an_id_is_used_again_after_a_fill(probe: Probe) -> None:
    """The second order of the id has nothing of the first."""
    probe.send(NewOrder(1, 0, SELL, 100, 4, owner=7), [], [(100, 4)])
    probe.send(NewOrder(2, 0, BUY, 100, 4), [], [])
    probe.send(NewOrder(1, 0, BUY, 50, 9), [(50, 9)], [])
    told = probe.send(NewOrder(2, 0, SELL, 50, 9), [], [])
    assert _makers(told) == [(1, 50, 9)]
    assert isinstance(told[1], Executed)
    assert told[1].maker_owner == 0


def test_an_emptied_best_level_leaves_no_phantom(probe: Probe) -> None:
    """By a cancel, by a fill and by an amend, near, in another word, on another page."""
    prices = [10_000, 9_999, 9_900, 8_000, 3]
    for place, price in enumerate(prices):
        probe.send(NewOrder(place + 1, 0, BUY, price, 1), [(p, 1) for p in prices[: place + 1]], [])
    probe.send(CancelOrder(1, 0), [(p, 1) for p in prices[1:]], [])
    probe.send(NewOrder(9, 0, SELL, 9_999, 1), [(p, 1) for p in prices[2:]], [])
    probe.send(AmendOrder(3, 0, 2, 1), [(8_000, 1), (3, 1), (2, 1)], [])
    probe.send(CancelOrder(4, 0), [(3, 1), (2, 1)], [])
    probe.send(NewOrder(10, 0, SELL, 4, 1), [(3, 1), (2, 1)], [(4, 1)])
    told = probe.send(NewOrder(11, 0, SELL, 1, 3), [], [(1, 1), (4, 1)])
    assert _makers(told) == [(5, 3, 1), (3, 2, 1)]


def test_the_remainder_of_an_immediate_order_leaves_the_book_alone(probe: Probe) -> None:
    """It takes what its limit allows and is gone."""
    probe.send(NewOrder(1, 0, SELL, 100, 4), [], [(100, 4)])
    probe.send(NewOrder(2, 0, SELL, 102, 4), [], [(100, 4), (102, 4)])
    told = probe.send(NewOrder(3, 0, BUY, 101, 9, time_in_force=IOC), [], [(102, 4)])
    assert isinstance(told[-1], Canceled)
    assert told[-1].qty_lots == 5


def test_a_sweep_stops_at_its_limit_in_the_middle(probe: Probe) -> None:
    """And its rest stands in front of what it did not take."""
    for n, price in enumerate((100, 101, 102, 103), 1):
        probe.send(NewOrder(n, 0, SELL, price, 2), [], [(p, 2) for p in range(100, price + 1)])
    probe.send(NewOrder(9, 0, BUY, 102, 99), [(102, 93)], [(103, 2)])


def test_five_thousand_fills_in_one_sweep(probe: Probe) -> None:
    """Far more than the ring of events holds: the sweep pauses and goes on, and nothing is lost."""
    pair, shown = probe.pair, dict.fromkeys(range(1_000, 1_007), 0)
    for n in range(1, 5_001):
        pair.step(NewOrder(n, 0, SELL, 1_000 + n % 7, 3), is_thorough=n % 500 == 0)
        shown[1_000 + n % 7] += 3
        levels = tuple(Level(price, lots) for price, lots in shown.items() if lots)
        assert pair.fast.depth(0, 100) == Depth((), levels)
    told = probe.send(NewOrder(9_999, 0, BUY, 1_006, 15_001), [(1_006, 1)], [])
    assert len(told) == 5_002
    expected = sorted(range(1, 5_001), key=lambda n: (n % 7, n))
    assert [maker for maker, _, _ in _makers(told)] == expected


def test_prices_at_both_ends_of_the_range(probe: Probe) -> None:
    """Every storey of the ladder's bits is crossed from end to end."""
    top = PRICE_TICKS_MAX
    probe.send(NewOrder(1, 0, BUY, 1, QTY_LOTS_MAX), [(1, QTY_LOTS_MAX)], [])
    probe.send(NewOrder(2, 0, SELL, top, 2), [(1, QTY_LOTS_MAX)], [(top, 2)])
    probe.send(NewOrder(3, 0, SELL, top - 1, 2), [(1, QTY_LOTS_MAX)], [(top - 1, 2), (top, 2)])
    told = probe.send(NewOrder(4, 0, BUY, top, 5), [(top, 1), (1, QTY_LOTS_MAX)], [])
    assert _makers(told) == [(3, top - 1, 2), (2, top, 2)]
    told = probe.send(NewOrder(5, 0, SELL, 1, 2), [(1, QTY_LOTS_MAX - 1)], [])
    assert _makers(told) == [(4, top, 1), (1, 1, 1)]
    probe.send(CancelOrder(1, 0), [], [])


@pytest.mark.parametrize(
    ("mode", "makers", "bids", "asks"),
    [
        (SelfTradePrevention.NONE, [1, 2, 3], [(102, 1)], []),
        (SelfTradePrevention.EXPIRE_TAKER, [1], [], [(101, 2), (102, 2)]),
        (SelfTradePrevention.EXPIRE_MAKER, [1, 3], [(102, 3)], []),
        (SelfTradePrevention.EXPIRE_BOTH, [1], [], [(102, 2)]),
        (SelfTradePrevention.DECREMENT, [1, 3], [(102, 1)], []),
    ],
)
def test_every_mode_in_the_middle_of_a_sweep(
    probe: Probe, mode: SelfTradePrevention, makers: list[int], bids: Levels, asks: Levels
) -> None:
    """The own order stands between two others."""
    probe.send(NewOrder(1, 0, SELL, 100, 2), [], [(100, 2)])
    probe.send(NewOrder(2, 0, SELL, 101, 2, owner=5), [], [(100, 2), (101, 2)])
    probe.send(NewOrder(3, 0, SELL, 102, 2), [], [(100, 2), (101, 2), (102, 2)])
    taker = NewOrder(4, 0, BUY, 102, 7, self_trade_prevention=int(mode), owner=5)
    told = probe.send(taker, bids, asks)
    assert [maker for maker, _, _ in _makers(told)] == makers


def test_icebergs_refill_in_turn(probe: Probe) -> None:
    """Two icebergs and a plain order share a level: each refill goes behind the others."""
    probe.send(NewOrder(1, 0, SELL, 100, 5, display_lots=2), [], [(100, 2)])
    probe.send(NewOrder(2, 0, SELL, 100, 4, display_lots=3), [], [(100, 5)])
    probe.send(NewOrder(3, 0, SELL, 100, 2), [], [(100, 7)])
    told = probe.send(NewOrder(4, 0, BUY, 100, 8, time_in_force=IOC), [], [(100, 2)])
    assert [(maker, qty) for maker, _, qty in _makers(told)] == [(1, 2), (2, 3), (3, 2), (1, 1)]
    told = probe.send(NewOrder(5, 0, BUY, 100, 9, time_in_force=IOC), [], [])
    assert [(maker, qty) for maker, _, qty in _makers(told)] == [(1, 1), (2, 1), (1, 1)]


def test_a_stop_triggers_a_stop(probe: Probe) -> None:
    """A chain: each woken order's trade wakes the next."""
    for n, price in enumerate((100, 110, 120, 130), 1):
        probe.send(NewOrder(n, 0, SELL, price, 1), [], [(p, 1) for p in range(100, price + 1, 10)])
    book = [(100, 1), (110, 1), (120, 1), (130, 1)]
    for n, at in ((11, 100), (12, 110), (13, 120)):
        stop = NewOrder(n, 0, BUY, 0, 1, int(OrderType.MARKET), trigger=int(Trigger.STOP), trigger_price_ticks=at)
        probe.send(stop, [], book)
    told = probe.send(NewOrder(20, 0, BUY, 100, 1), [], [])
    assert [event.order_id for event in told if isinstance(event, Triggered)] == [11, 12, 13]
    assert [price for _, price, _ in _makers(told)] == [100, 110, 120, 130]
    assert not any(isinstance(event, Rested) for event in told)
