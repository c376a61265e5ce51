"""Trailing stops through the exchange: what is asked, told and kept of them, and what they come back as."""

from pathlib import Path

import pytest

from market.codes import Side
from paper.calls import documents
from paper.calls.parameters import ResponseType
from paper.errors import ErrorKind, ExchangeError
from paper.exchange.news import AccountNews, OrderNews
from paper.exchange.order_lists import NewList, pair_of
from paper.money.order_list import Contingency
from paper.money.orders import ExpiryReason, Order, OrderKind, OrderStatus
from paper.streams.user_documents import event
from paper.units import parse_units
from tests.paper.desk import ALICE, START_NS, Desk
from tests.paper.lists import place

START_MS = START_NS // 1_000_000


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return an exchange on which BTCUSDT has traded at 90,000."""
    desk = Desk(tmp_path).connect()
    go_to(desk, "90000")
    return desk


def go_to(desk: Desk, *prices: str) -> None:
    """Let the price go that way, one trade after the other."""
    for price in prices:
        desk.engine.flow(desk.exchange, Side.SELL, price, "0.01")
        desk.engine.flow(desk.exchange, Side.BUY, price, "0.01")


def stop_loss(desk: Desk, stop: str = "0") -> Order:
    """Place a sale that wakes 1 % below the best price and then rests far away."""
    kind = OrderKind.STOP_LOSS_LIMIT
    return desk.place(ALICE, desk.request(Side.SELL, "99000", "0.01", kind=kind, stop=stop, trailing=100))


def test_it_tracks_the_price_and_wakes_when_it_has_come_back(desk: Desk) -> None:
    """From the last price on; the ledger has the best price, and since when it is tracked."""
    order = stop_loss(desk)
    assert (order.trail_ticks, order.trailing_ms, order.is_waiting) == (9_000_000, START_MS, True)
    desk.engine.time_ns += 5_000_000
    go_to(desk, "92000", "91080.01")
    assert (order.trail_ticks, order.trailing_ms, order.is_waiting) == (9_200_000, START_MS, True)
    go_to(desk, "91080")
    assert (order.is_waiting, order.status) == (False, OrderStatus.NEW)


def test_with_a_stop_price_it_waits_for_that_first(desk: Desk) -> None:
    """A stop price that is met already is refused, as that of any stop."""
    order = stop_loss(desk, stop="89000")
    go_to(desk, "92000", "89001")
    assert (order.trail_ticks, order.trailing_ms) == (0, 0)
    go_to(desk, "88999")
    assert (order.trail_ticks, order.is_waiting) == (8_899_900, True)
    with pytest.raises(ExchangeError) as caught:
        stop_loss(desk, stop="89000")
    assert caught.value.kind is ErrorKind.WOULD_TRIGGER


def test_documents_tell_the_delta_and_since_when(desk: Desk) -> None:
    """-1 while it does not track yet, and since its entry if it needs no stop price; other orders have neither."""
    told: list[AccountNews] = []
    desk.exchange.account_listeners.append(told.append)
    order = stop_loss(desk, stop="89000")
    for document in (documents.order(order), documents.new_order(order, ResponseType.RESULT, [])):
        assert (document["trailingDelta"], document["trailingTime"]) == (100, -1)
    report = next(event(news) for news in told if isinstance(news, OrderNews))
    assert (report["d"], report["D"]) == (100, -1)
    go_to(desk, "88999")
    assert documents.order(order)["trailingTime"] == START_MS
    assert documents.cancelled_order(order, "c")["trailingTime"] == START_MS
    stop_loss(desk)
    report = event([news for news in told if isinstance(news, OrderNews)][-1])
    assert (report["x"], report["D"]) == ("NEW", START_MS)
    plain = documents.order(desk.place(ALICE, desk.request(Side.SELL, "95000", "0.01")))
    assert {"trailingDelta", "trailingTime"}.isdisjoint(plain)


def test_a_lost_engine_gets_it_back_with_the_trail_that_it_had(desk: Desk) -> None:
    """The best price of before counts, though the new engine has never seen it; and one that waits still waits."""
    tracking, waiting = stop_loss(desk), stop_loss(desk, stop="80000")
    go_to(desk, "92000")
    desk.engine.restart()
    desk.connect()
    assert desk.engine.own_waiting_ids() == {tracking.order_id, waiting.order_id}
    go_to(desk, "91080.01")
    assert tracking.is_waiting
    go_to(desk, "91080")
    assert (tracking.is_waiting, waiting.trail_ticks) == (False, 0)
    go_to(desk, "80000", "79200")
    assert not waiting.is_waiting


def test_one_that_has_met_its_stop_price_does_not_wait_for_that_again(desk: Desk) -> None:
    """At a new engine it goes on from its best price."""
    order = stop_loss(desk, stop="89000")
    go_to(desk, "88999", "92000")
    desk.engine.restart()
    desk.connect()
    go_to(desk, "91080.01")
    assert order.is_waiting
    go_to(desk, "91080")
    assert not order.is_waiting


def test_it_survives_the_death_of_the_exchange(desk: Desk) -> None:
    """What the engine has told meanwhile is told again, and saved."""
    order_id = stop_loss(desk).order_id
    desk.kill()
    desk.engine.flow(None, Side.SELL, "92000", "0.01")
    desk.engine.flow(None, Side.BUY, "92000", "0.01")
    desk.connect()
    desk.engine.report(desk.exchange)
    desk.kill()
    order = desk.ledger.open_orders[order_id]
    assert (order.trailing_bps, order.trail_ticks, order.trailing_ms) == (100, 9_200_000, START_MS)


@pytest.mark.parametrize(
    ("stop", "cap", "path"), [("0", "95445", ["90900"]), ("91000", "96505.5", ["90999", "91000", "91910"])]
)
def test_a_purchase_without_a_limit_sets_aside_what_it_may_cost(
    desk: Desk, stop: str, cap: str, path: list[str]
) -> None:
    """5 % above the highest price that can wake it: a hundredth above where it begins to track."""
    asked = desk.request(Side.BUY, qty="0.01", kind=OrderKind.STOP_LOSS, stop=stop, trailing=100)
    order = desk.place(ALICE, asked)
    assert order.price_ticks == parse_units(cap) // order.symbol.tick_units
    before = desk.wallet(ALICE, "USDT")
    assert before[1] == parse_units(cap) // 100
    go_to(desk, *path[:-1])
    assert order.is_waiting
    go_to(desk, path[-1])
    assert (order.status, order.expiry_reason) == (OrderStatus.EXPIRED, ExpiryReason.NO_LIQUIDITY)
    assert desk.wallet(ALICE, "USDT") == (sum(before), 0)


def test_a_trailing_leg_that_wakes_ends_the_other(desk: Desk) -> None:
    """An order list does not care what wakes its stop; without a stop price only the other leg has a price to check."""
    limit = desk.request(Side.SELL, "95000", "0.01", kind=OrderKind.LIMIT_MAKER)
    stop = desk.request(Side.SELL, "80000", "0.01", kind=OrderKind.STOP_LOSS_LIMIT, trailing=100)
    placed = place(desk, NewList(Contingency.OCO, "", pair_of(limit, stop)))
    go_to(desk, "92000")
    assert [leg.status for leg in placed.legs] == [OrderStatus.NEW] * 2
    go_to(desk, "91080")
    assert (stop.is_waiting, limit.status) == (False, OrderStatus.EXPIRED)
    assert limit.expiry_reason == ExpiryReason.OTHER_LEG
